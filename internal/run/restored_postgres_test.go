//go:build unix

package run_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/backup"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
)

// dumped is a database as its owner dumps it, in the words of scrim backup.
func dumped(t *testing.T, from, file string) {
	t.Helper()
	args := []string{"--format=custom", "--schema=clinic", "--file=" + file}
	for _, table := range backup.PeopleTables() {
		args = append(args, "--exclude-table-data=clinic."+table)
	}
	pgTool(t, "pg_dump", append(args, from)...)
}

func pgTool(t *testing.T, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is good
		if len(all) == 0 {
			t.Skipf("%s is not installed", name)
		}
		path = all[len(all)-1]
	}
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// A state in PostgreSQL is dumped after the backup, and restored whole. A dump from before the backup is refused: what was charged in
// between is in neither.
func TestARestoreOfADump(t *testing.T) {
	server := pgtest.Start(t)
	from := server.Database(t)
	k := layKept(t, from)
	g, addr, stop := k.open(t)
	k.ask(t, addr, "m1")
	dir := t.TempDir()
	early, late := filepath.Join(dir, "early.dump"), filepath.Join(dir, "late.dump")
	dumped(t, from, early)
	k.ask(t, addr, "m2")
	b := run.Backups{State: g.State, Config: g.Config, Program: "test"}
	out, err := b.Backup(t.Context(), api.BackupRequest{BackupLock: api.BackupLock{Passphrase: backupPhrase}})
	if err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile(filepath.Join(out.Directory, run.BackupFile))
	if err != nil {
		t.Fatal(err)
	}
	dumped(t, from, late)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for name, dump := range map[string]string{"after the backup": late, "before it": early} {
		t.Run(name, func(t *testing.T) {
			to := server.Database(t)
			pgTool(t, "pg_restore", "--no-owner", "--exit-on-error", "--dbname="+to, dump)
			file := k.configOf(t, to)
			target := filepath.Join(t.TempDir(), "restored")
			done, err := backup.Restore(t.Context(), backup.Restoration{
				Archive: bytes.NewReader(archive), Key: backup.Key{Passphrase: flow.NewSecret(backupPhrase)}, Schemas: run.Schemas(), Reason: "a rehearsal", NoSync: true,
				Database: func(ctx context.Context, dir string) (store.DB, error) {
					return store.OpenPostgres(ctx, flow.NewSecret(to), run.Schemas(), store.Options{Dir: dir, Schema: "clinic", NoSync: true})
				},
			}, target)
			if dump == early {
				if _, there := os.Stat(target); !errors.Is(err, backup.ErrOlder) || there == nil {
					t.Fatalf("Restore() error = %v, want ErrOlder and nothing restored", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if done.Marked.Rows != out.Rows || done.Marked.Until < out.Rows {
				t.Errorf("the mark says that the database has what entries to %d did, of %d; want %d", done.Marked.Rows, done.Marked.Until, out.Rows)
			}
			text, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(filepath.Join(target, "scrim.yaml"), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			restored := load(t, filepath.Join(target, "scrim.yaml"))
			g, addr, stop := serve(t, restored, run.Options{Store: store.Options{NoSync: true}})
			if status, body := k.ask(t, addr, "m3"); status != 200 || !strings.Contains(body, `"result"`) {
				t.Errorf("the restored gateway answers %d", status)
			}
			if _, err := g.Verify(t.Context(), g.Config()); err != nil {
				t.Errorf("the restored log does not verify: %v", err)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// configOf is k's configuration with the state in another database.
func (k *kept) configOf(t *testing.T, to string) string {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(secret, []byte(to+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	was := load(t, k.config)
	text, err := os.ReadFile(k.config)
	if err != nil {
		t.Fatal(err)
	}
	return lay(t, string(bytes.ReplaceAll(text, []byte(was.Store.Postgres.File), []byte(secret))), nil)
}
