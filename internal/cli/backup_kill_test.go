package cli_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/cli"
)

// TestABackupThatIsKilled kills backups from their first moment to their last: what has the name of a backup is whole, what was only begun is no backup, and the
// state that was copied goes on as if nothing had been asked.
func TestABackupThatIsKilled(t *testing.T) {
	dir := t.TempDir()
	ownDomain(t, dir)
	config := filepath.Join(dir, "scrim.yaml")
	var in bytes.Buffer
	in.WriteString("id,age,zip\n")
	for i := range 500 {
		in.WriteString(strconv.Itoa(i) + "," + strconv.Itoa(i%90) + ",12345\n")
	}
	for name, b := range map[string][]byte{"in.csv": in.Bytes(), "plan.yaml": []byte(interruptedPlan)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	scrim := func(args ...string) (string, bool) {
		var out, complaints bytes.Buffer
		code := cli.Main(args, strings.NewReader(""), &out, &complaints)
		return out.String() + complaints.String(), code == 0
	}
	good := func(args ...string) {
		t.Helper()
		if said, ok := scrim(args...); !ok {
			t.Fatalf("scrim %s: %s", strings.Join(args, " "), said)
		}
	}
	good(append([]string{"anonymize", filepath.Join(dir, "in.csv"), "--plan", filepath.Join(dir, "plan.yaml"), "-o", filepath.Join(dir, "out.csv")}, toOwnDesk(dir)...)...) // so that there is state
	began := time.Now()
	if out, err := exec.Command("scrim", "backup", "-c", config, "--plain", filepath.Join(dir, "whole.scrim")).CombinedOutput(); err != nil {
		t.Fatalf("scrim backup: %v: %s", err, out)
	}
	took := time.Since(began)
	whole, begun := 0, 0
	for i := range 12 {
		to := "b" + strconv.Itoa(i) + ".scrim"
		cmd := exec.Command("scrim", "backup", "-c", config, "--plain", filepath.Join(dir, to))
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(took * time.Duration(i) / 11)
		_ = cmd.Process.Kill() // it may be through
		_ = cmd.Wait()
		if _, err := os.Stat(filepath.Join(dir, to)); err == nil {
			whole++
			good("restore", "--check", filepath.Join(dir, to))
		}
		left, err := filepath.Glob(filepath.Join(dir, "."+to+".new-*"))
		if err != nil {
			t.Fatal(err)
		}
		begun += len(left)
	}
	t.Logf("%d of 12 were whole, %d left what they had begun", whole, begun)
	raw, err := os.ReadFile(filepath.Join(dir, "whole.scrim"))
	if err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(dir, ".whole.scrim.new-1") // somebody might take what was begun for a backup
	for i := range 24 {
		n := len(raw) * i / 24
		if i == 23 {
			n = len(raw) - 1
		}
		if err := os.WriteFile(part, raw[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if said, ok := scrim("restore", "--check", part); ok {
			t.Errorf("the first %d of %d bytes are a backup: %s", n, len(raw), said)
		}
	}
	good("backup", "-c", config, "--plain", filepath.Join(dir, "last.scrim"))
	good("restore", "--check", filepath.Join(dir, "last.scrim"))
	if left, _ := filepath.Glob(filepath.Join(dir, "scrim-data", ".backup-*")); len(left) > 0 {
		t.Errorf("copies of killed backups are left: %q", left)
	}
	good("log", "verify", "-c", config)
}
