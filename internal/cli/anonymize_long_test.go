//go:build linux

package cli_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// adult returns the lines of the Adult table with its hierarchies, its header first.
func adult(t *testing.T) (lines []string, hierarchies string) {
	t.Helper()
	dir := filepath.Join(os.Getenv("SCRIM_DATA"), "tables", "adult")
	raw, err := os.ReadFile(filepath.Join(dir, "arx_adult.csv"))
	if err != nil {
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal(err)
		}
		t.Skip("SCRIM_DATA does not name the folder with tables/adult/arx_adult.csv")
	}
	return strings.Split(strings.TrimSpace(string(raw)), "\n"), filepath.Join(dir, "hierarchies")
}

func adultPlan(header, hierarchies string, k int) string {
	var b strings.Builder
	b.WriteString("version: 1\ncolumns:\n")
	for name := range strings.SplitSeq(strings.TrimSpace(header), ";") {
		fmt.Fprintf(&b, "  %s: {role: quasi, hierarchy: %s}\n", name, filepath.Join(hierarchies, name+".csv"))
	}
	fmt.Fprintf(&b, "privacy: [{model: k-anonymity, k: %d}]\nsuppression: 5%%\n", k)
	return b.String()
}

// anonymizeAdult writes the table, over and over until there are so many rows, with a row number in front, anonymises it in a process of its
// own with a k that grows with the copies, so that the search is as hard as with one, and returns what that printed, its time and its greatest resident memory in bytes.
func anonymizeAdult(t *testing.T, rows int) (string, time.Duration, time.Duration, int64) {
	t.Helper()
	lines, hierarchies := adult(t)
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "in.csv"))
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintf(w, "row;%s\n", lines[0])
	for i := range rows {
		fmt.Fprintf(w, "%d;%s\n", i+1, lines[1+i%(len(lines)-1)])
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := os.WriteFile(filepath.Join(dir, "plan.yaml"), []byte(adultPlan(lines[0], hierarchies, 5*max(rows/(len(lines)-1), 1))), 0o600); err != nil {
		t.Fatal(err)
	}
	ownDomain(t, dir)
	args := append([]string{"anonymize", filepath.Join(dir, "in.csv"), "--plan", filepath.Join(dir, "plan.yaml"), "-o", filepath.Join(dir, "out.csv")}, toOwnDesk(dir)...)
	cmd := exec.Command("scrim", args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	began := time.Now()
	if err := cmd.Run(); err != nil {
		t.Fatalf("scrim anonymize: %v: %s", err, complaints.String())
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return out.String(), time.Since(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), usage.Maxrss << 10
}

// TestAdultFromFileToFile: the optimum for the table whose peers publish theirs, from CSV to CSV.
func TestAdultFromFileToFile(t *testing.T) {
	out, wall, cpu, peak := anonymizeAdult(t, 30_162)
	isOptimum(t, out)
	t.Logf("%v (%v of processors), at most %d MiB", wall, cpu, peak>>20)
}

func isOptimum(t *testing.T, out string) {
	t.Helper()
	for _, want := range []string{
		"sex: level 0 ", "age: level 3 ", "race: level 0 ", "marital-status: level 0 ", "education: level 2 ", "native-country: level 1 ",
		"workclass: level 1 ", "occupation: level 2 ", "salary-class: level 0 ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("scrim anonymize printed\n%s\nwant %q", out, want)
		}
	}
}

// TestTenMillionRows: ten million rows are k-anonymised within 2 GB of memory.
func TestTenMillionRows(t *testing.T) {
	if os.Getenv("SCRIM_LONG") == "" {
		t.Skip("SCRIM_LONG=1 anonymises ten million rows")
	}
	out, wall, cpu, peak := anonymizeAdult(t, 10_000_000)
	t.Logf("%v (%v of processors), at most %d MiB\n%s", wall, cpu, peak>>20, out)
	isOptimum(t, out)
	if peak > 2<<30 {
		t.Errorf("at most %d MiB were resident, want 2048 at most", peak>>20)
	}
}
