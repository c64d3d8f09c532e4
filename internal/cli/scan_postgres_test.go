//go:build unix

package cli_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/cli"
	"github.com/scrimhq/scrim/store/pgtest"
)

// A database of thirty tables is inventoried, the contract is written, and what changes afterwards is told.
func TestScanOfThirtyTables(t *testing.T) {
	url := pgtest.Common(t).Database(t)
	var made []string
	for i := range 29 {
		made = append(made, fmt.Sprintf("CREATE TABLE t%02d (id bigint PRIMARY KEY, customer bigint, mail text)", i),
			fmt.Sprintf("INSERT INTO t%02d SELECT i, i, 'canary' || i || '@example.org' FROM generate_series(1, 50) i", i))
	}
	pgtest.Exec(t, url, append(made, "CREATE TABLE \"canary\"\"; drop table t00; --\x1b]0;t\a\" (\"x\x1b[31m\u202e\n\" text)")...)
	pgtest.Exec(t, url, "ALTER TABLE t05 ADD CONSTRAINT other FOREIGN KEY (customer) REFERENCES t04 (id)", "ALTER TABLE t06 ADD FOREIGN KEY (customer) REFERENCES t05 (id)",
		"ALTER TABLE t04 ADD FOREIGN KEY (customer) REFERENCES t06 (id)", "ALTER TABLE t07 ADD FOREIGN KEY (id) REFERENCES t04 (id)")
	t.Setenv("CLINIC_URL", url)
	dir := t.TempDir()
	run := func(args ...string) (status int, stdout, stderr string) {
		var out, errs bytes.Buffer
		status = cli.Main(append([]string{"scan", "--postgres-env", "CLINIC_URL"}, args...), strings.NewReader(""), &out, &errs)
		if s := out.String() + errs.String(); strings.Contains(s, "canary1") || strings.Contains(s, pgtest.Common(t).Password()) {
			t.Fatalf("scan %v tells a value or the password", args)
		}
		if strings.ContainsAny(out.String()+errs.String(), "\x1b\a\u202e") {
			t.Fatalf("scan %v prints what steers a terminal", args)
		}
		return status, out.String(), errs.String()
	}
	contract := filepath.Join(dir, "clinic.yaml")
	status, out, errs := run("--out", contract)
	if status != 0 || !strings.Contains(out, "30 assets, 88 columns, ") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	raw, err := os.ReadFile(contract)
	if err != nil || bytes.Contains(raw, []byte("canary1")) || bytes.Contains(raw, []byte(pgtest.Common(t).Password())) {
		t.Errorf("the contract: %v, or it holds a value or the password", err)
	}
	var said bytes.Buffer
	if status := cli.Main([]string{"catalog", "check", contract}, strings.NewReader(""), &said, &said); status != 0 {
		t.Errorf("the contract that a scan wrote is refused:\n%s", said.String())
	}
	if n := bytes.Count(raw, []byte("value: person/contact/email")); n != 29 {
		t.Errorf("%d columns are proposed as mail addresses, want 29", n)
	}
	if status, out, errs := run("--diff", contract); status != 0 {
		t.Errorf("the same database: status %d\n%s%s", status, out, errs)
	}
	pgtest.Exec(t, url, "ALTER TABLE t00 ADD phone text, ALTER id TYPE int", "DROP TABLE t01", "CREATE TABLE t99 (id int)")
	status, out, _ = run("--diff", contract)
	if status != 1 || !strings.Contains(out, "4 differences") || !strings.Contains(out, "public.t00, column id: type changed: bigint → integer") || !strings.Contains(out, "public.t01: vanished") {
		t.Errorf("status %d\n%s", status, out)
	}
}
