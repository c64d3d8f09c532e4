package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/cli"
)

const interruptedPlan = `
version: 1
columns:
  id: {technique: mask, keep: 2}
  age: {role: quasi, intervals: [10, 20]}
  zip: {role: quasi, prefix: [5, 3, 2]}
privacy: [{model: k-anonymity, k: 5}]
suppression: 10%
`

const ownConfig = `
version: 1
domain: clinic
purposes: {service: {}}
agents:
  - {id: desk, purposes: [service], a2a: {url: "http://127.0.0.1:9001"}}
`

const ownPolicies = `
@id("own-tables")
permit (principal in Domain::"clinic", action == Action::"extract", resource);
@id("own-columns")
permit (principal in Domain::"clinic", action in Action::"upto_raw", resource);
`

// ownDomain writes the configuration of a domain whose own desk may have every table.
func ownDomain(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"scrim.yaml": ownConfig, "policies/own.cedar": ownPolicies} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// toOwnDesk are the flags with which anonymize releases to that desk.
func toOwnDesk(dir string) []string {
	return []string{"-c", filepath.Join(dir, "scrim.yaml"), "--to", "desk", "--purpose", "service", "--criticality", "critical", "--approved"}
}

// TestAKilledRunIsResumed: a process that is killed while it writes leaves nothing under the final name, and the run that goes on behind
// it gives the same bytes as one that was never interrupted.
func TestAKilledRunIsResumed(t *testing.T) {
	dir := t.TempDir()
	var in bytes.Buffer
	in.WriteString("id,age,zip\n")
	for i := range 400_000 {
		fmt.Fprintf(&in, "%09d,%d,%05d\n", i, i%90, i*7919%100000)
	}
	ownDomain(t, dir)
	for name, b := range map[string][]byte{"in.csv": in.Bytes(), "plan.yaml": []byte(interruptedPlan)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := func(to string, more ...string) []string {
		a := append([]string{"anonymize", filepath.Join(dir, "in.csv"), "--plan", filepath.Join(dir, "plan.yaml"), "-o", filepath.Join(dir, to), "--checkpoint", "1ns"}, toOwnDesk(dir)...)
		return append(a, more...)
	}
	var out, complaints bytes.Buffer
	if code := cli.Main(args("whole.csv"), strings.NewReader(""), &out, &complaints); code != 0 {
		t.Fatalf("scrim anonymize = %d: %s", code, complaints.String())
	}
	whole, err := os.ReadFile(filepath.Join(dir, "whole.csv"))
	if err != nil {
		t.Fatal(err)
	}
	resumed := false
	for try := 0; try < 5 && !resumed; try++ {
		to := fmt.Sprintf("part%d.csv", try)
		killWhileWriting(t, dir, to, args(to))
		out.Reset()
		complaints.Reset()
		if _, err := os.Stat(filepath.Join(dir, to)); err == nil {
			continue // it was done before it could be killed
		}
		if code := cli.Main(args(to, "--resume"), strings.NewReader(""), &out, &complaints); code != 0 {
			t.Fatalf("scrim anonymize --resume = %d: %s", code, complaints.String())
		}
		resumed = strings.Contains(out.String(), "behind row")
		got, err := os.ReadFile(filepath.Join(dir, to))
		if err != nil || !bytes.Equal(got, whole) {
			t.Fatalf("the resumed table has %d bytes and the whole one %d, or they differ: %v", len(got), len(whole), err)
		}
	}
	if !resumed {
		t.Fatal("no run was killed behind a checkpoint in five tries")
	}
}

// killWhileWriting starts the command and kills it when something has been written under the passing name.
func killWhileWriting(t *testing.T, dir, to string, args []string) {
	t.Helper()
	cmd := exec.Command("scrim", args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var size int64
		for _, f := range entries {
			if info, err := f.Info(); err == nil && strings.Contains(f.Name(), to) {
				size = max(size, info.Size())
			}
		}
		if size > 1<<20 {
			break
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
