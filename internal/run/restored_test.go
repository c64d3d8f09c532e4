package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/backup"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

const backupPhrase = "a passphrase of the backups"

// watched is a clinic that answers priced questions and whose log an insurer cosigns.
type watched struct {
	file, key string
	c         *config.Config
}

func layWatched(t *testing.T) *watched {
	t.Helper()
	key, digest := identity.NewKey()
	url, _ := drawing(t)
	yaml := fmt.Sprintf(budgetsYAML, digest, url, "1")
	file := lay(t, yaml, budgetsFiles)
	st, err := run.OpenState(t.Context(), load(t, file), store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := tile.VerifierKey(run.Origin("clinic"), st.LogKey())
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	insurer, at, _ := serve(t, load(t, lay(t, "version: 1\ndomain: insurer\nwitness: {logs: [\""+vkey+"\"]}\n", nil)), run.Options{})
	yaml += fmt.Sprintf("log: {witnesses: [{url: \"http://%s/witness\", key: %q}]}\n", at, insurer.Witness.Key())
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return &watched{file, key.Expose(), load(t, file)}
}

// take takes a backup of a running gateway, with the keys of subjects.
func take(t *testing.T, g *run.Gateway) (archive, subjects string) {
	t.Helper()
	b := run.Backups{State: g.State, Config: g.Config, Program: "test"}
	out, err := b.Backup(t.Context(), api.BackupRequest{
		BackupLock: api.BackupLock{Passphrase: backupPhrase}, Subjects: &api.BackupLock{Passphrase: backupPhrase + ", for subjects"},
	})
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	for _, name := range []string{run.BackupFile, run.SubjectsFile} {
		if err := os.Rename(filepath.Join(out.Directory, name), filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(to, run.BackupFile), filepath.Join(to, run.SubjectsFile)
}

// back restores to a new place and returns the configuration there.
func back(t *testing.T, archive, subjects, reason, log string) *config.Config {
	t.Helper()
	in, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r := backup.Restoration{Archive: in, Key: backup.Key{Passphrase: flow.NewSecret(backupPhrase)}, Schemas: run.Schemas(), Reason: reason, NoSync: true}
	if subjects != "" {
		people, err := os.Open(subjects)
		if err != nil {
			t.Fatal(err)
		}
		defer people.Close()
		r.People, r.PeopleKey = people, backup.Key{Passphrase: flow.NewSecret(backupPhrase + ", for subjects")}
	}
	if log != "" {
		r.Log, r.Checkpoints = filepath.Join(log, "log"), filepath.Join(log, "checkpoints")
	}
	dir := filepath.Join(t.TempDir(), "restored")
	if _, err := backup.Restore(t.Context(), r, dir); err != nil {
		t.Fatal(err)
	}
	return load(t, filepath.Join(dir, "scrim.yaml"))
}

func people(t *testing.T, st *run.State) (n int64) {
	t.Helper()
	if err := st.DB.View(t.Context(), func(tx store.Tx) (err error) { n, err = backup.People(tx); return err }); err != nil {
		t.Fatal(err)
	}
	return n
}

// witnessed waits until all rows are in the tree and the witness has signed it: a gateway that ends does not wait for witnesses.
func witnessed(t *testing.T, g *run.Gateway) {
	t.Helper()
	for range 600 {
		n, err := g.Log.Rows(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cp, err := g.Log.Checkpoint(t.Context())
		if err == nil && g.Log.Sequenced() >= n && bytes.Count(cp.Note, []byte("\n— ")) > 1 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("the witness never signs what there is")
}

func opened(t *testing.T, c *config.Config) *run.State {
	t.Helper()
	st, err := run.OpenState(t.Context(), c, store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

// Nothing came after the backup, and a witness says so: everything goes on, in the same tree, and nobody has to answer for anything.
func TestARestoreThatLostNothingGoesOn(t *testing.T) {
	t.Parallel()
	w := layWatched(t)
	g, addr, stop := serve(t, w.c, run.Options{})
	if body := count(t, addr, w.key, "a"); !strings.Contains(body, "draw") {
		t.Fatal(body)
	}
	archive, subjects := take(t, g)
	witnessed(t, g)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	st := opened(t, back(t, archive, subjects, "", ""))
	if st.Freezes.Count() != 0 || len(st.Log.Trees()) != 1 {
		t.Errorf("%d frozen, %d trees; want none, and one", st.Freezes.Count(), len(st.Log.Trees()))
	}
	if r, err := run.LastRestore(t.Context(), st.DB); err != nil || !r.Anew.IsZero() || !strings.Contains(r.Told, "all witnesses say") {
		t.Errorf("the restore is %+v, %v", r, err)
	}
}

// A witness saw rows that the backup has not. Without a word nothing starts; with one, budgets are not full again and the log begins a tree of its own, which
// the same witness cosigns while it refuses the old one for good.
func TestAnOldBackupRefillsNothing(t *testing.T) {
	t.Parallel()
	w := layWatched(t)
	g, addr, stop := serve(t, w.c, run.Options{})
	archive, subjects := take(t, g)
	for _, ward := range []string{"a", "b", "c"} {
		if body := count(t, addr, w.key, ward); !strings.Contains(body, "draw") {
			t.Fatal(body)
		}
	}
	witnessed(t, g)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	c := back(t, archive, subjects, "", "")
	if st, err := run.OpenState(t.Context(), c, store.Options{NoSync: true}); !errors.Is(err, run.ErrLost) || !strings.Contains(err.Error(), "saw a longer log") {
		if err == nil {
			_ = st.Close()
		}
		t.Fatalf("OpenState() error = %v, want ErrLost for a longer log", err)
	}
	g, addr, stop = serve(t, back(t, archive, subjects, "the disk broke", ""), run.Options{})
	if body := count(t, addr, w.key, "d"); strings.Contains(body, "draw") {
		t.Errorf("a budget that was spent is there again: %s", body)
	}
	if !g.Freezes.Dataset("stays") || people(t, g.State) != 0 {
		t.Error("the dataset is not frozen, or people are back")
	}
	witnessed(t, g)
	trees := g.Log.Trees()
	if len(trees) < 2 || !strings.Contains(trees[len(trees)-1].Name, "-r") {
		t.Fatalf("the log has the trees %+v, want a last one that began anew", trees)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	first := int64(0)
	st := opened(t, g.Config())
	for e, err := range st.Log.Entries(context.Background(), audit.Query{From: trees[len(trees)-1].First, Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		if first = e.Seq; e.Event.Flow.Method != "restore" || !strings.Contains(e.Event.Reason, "the disk broke") {
			t.Errorf("the first entry of the new tree is %q: %q", e.Event.Flow.Method, e.Event.Reason)
		}
	}
	if first == 0 {
		t.Error("the new tree has no entry")
	}
	if _, err := st.Verify(t.Context(), g.Config()); err != nil {
		t.Errorf("the restored log does not verify: %v", err)
	}
}

// The log survived. What it says was charged counts as spent, what it says was frozen is frozen, and the tree goes on as the witness saw it.
func TestANewerLogIsTakenUp(t *testing.T) {
	t.Parallel()
	w := layWatched(t)
	g, addr, stop := serve(t, w.c, run.Options{})
	archive, subjects := take(t, g)
	if body := count(t, addr, w.key, "a"); !strings.Contains(body, "draw") {
		t.Fatal(body)
	}
	lab := freeze.Target{Kind: freeze.Domain, Name: "lab.example"}
	if _, err := g.Freezes.Freeze(t.Context(), lab, freeze.Operator, "a key was found"); err != nil {
		t.Fatal(err)
	}
	witnessed(t, g)
	rows := g.Log.Sequenced()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	c := back(t, archive, subjects, "", w.c.Path(w.c.Data))
	st := opened(t, c)
	if !st.Freezes.Dataset("stays") || !st.Freezes.Party(flow.Party{Domain: "lab.example"}) {
		t.Error("what was charged or frozen after the backup is not closed")
	}
	if n, err := st.Log.Rows(t.Context()); err != nil || n <= rows || len(st.Log.Trees()) != 1 {
		t.Errorf("%d rows in %d trees, %v; want more than %d in one", n, len(st.Log.Trees()), err, rows)
	}
	if _, err := st.Verify(t.Context(), c); err != nil {
		t.Errorf("the log does not verify: %v", err)
	}
}

// Somebody is erased after their keys were copied. Whoever restores the copy, with the log or without, gets nobody back.
func TestARestoreRevivesNobody(t *testing.T) {
	t.Parallel()
	w := layWatched(t)
	g, _, stop := serve(t, w.c, run.Options{})
	person := flow.SubjectRef{1, 2, 3}
	err := g.DB.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec("INSERT INTO vault_subjects (subject, kid, sealed) VALUES (?, ?, ?)", person[:], []byte("kid"), []byte("sealed"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	archive, subjects := take(t, g)
	if n := people(t, opened(t, back(t, archive, "", "rehearsal", ""))); n != 0 {
		t.Errorf("a general backup brings %d rows of people", n)
	}
	if err := g.DB.Update(t.Context(), func(tx store.Tx) error {
		if _, err := tx.Exec("DELETE FROM vault_subjects WHERE subject = ?", person[:]); err != nil {
			return err
		}
		_, err := g.Log.Append(tx, flow.Event{Outcome: flow.Erased, Flow: flow.Flow{ID: "f-erased", Protocol: "admin", Method: "erase"}}, audit.Private{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for name, log := range map[string]string{"with the log": w.c.Path(w.c.Data), "without": ""} {
		if n := people(t, opened(t, back(t, archive, subjects, "an old backup", log))); n != 0 {
			t.Errorf("%s: %d rows of people are back after an erasure", name, n)
		}
	}
}
