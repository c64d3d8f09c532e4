package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchPrintsWhatItMeasured(t *testing.T) {
	for _, args := range [][]string{{"bench", "latency"}, {"bench", "latency", "--json"}} {
		var out, err bytes.Buffer
		args = append(args, "--calls", "20", "--no-sync", "--findings", "4", "--response", "2000", "--dir", t.TempDir())
		if code := Main(args, strings.NewReader(""), &out, &err); code != 0 {
			t.Fatalf("bench ends with %d: %s", code, err.String())
		}
		for _, want := range []string{"2000 bytes with 4 findings", "record not durable", "gateway, masked", "added, p50"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the result lacks %q:\n%s", want, out.String())
			}
		}
	}
	for _, misused := range []string{"--protocol=grpc", "--calls=-1", "nosuch", "--concurrency=-2"} {
		var out, err bytes.Buffer
		if code := Main([]string{"bench", misused}, strings.NewReader(""), &out, &err); code != 2 {
			t.Errorf("bench %s ends with %d, want 2", misused, code)
		}
	}
}

// How exact answers are is printed for each question at each epsilon; what measures nothing is refused.
func TestBenchUtilityPrintsATable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "adult.data")
	row := "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40, United-States, <=50K\n"
	if err := os.WriteFile(path, []byte(strings.Repeat(row, 60)+strings.Replace(row, "<=50K", ">50K.", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {"--json"}} {
		var out, err bytes.Buffer
		if code := Main(append([]string{"bench", "utility", path, "--runs", "2", "--epsilon", "1,10"}, args...), strings.NewReader(""), &out, &err); code != 0 {
			t.Fatalf("bench utility ends with %d: %s", code, err.String())
		}
		if n := strings.Count(out.String(), "count(*) FROM people"); n < 16 || !strings.Contains(out.String(), "laplace") {
			t.Errorf("the result has %d lines about counts:\n%s", n, out.String())
		}
	}
	for _, args := range [][]string{{}, {path, "--runs", "0"}, {path, "--noise", "none"}, {path, "--delta", "0"}} {
		var out, err bytes.Buffer
		if code := Main(append([]string{"bench", "utility"}, args...), strings.NewReader(""), &out, &err); code != 2 {
			t.Errorf("bench utility %v ends with %d, want 2", args, code)
		}
	}
	var out, err bytes.Buffer
	if code := Main([]string{"bench", "utility", filepath.Join(t.TempDir(), "none")}, strings.NewReader(""), &out, &err); code != 1 {
		t.Errorf("a file that is not there ends with %d", code)
	}
}
