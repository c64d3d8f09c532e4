package vault_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// TestMain also runs as the victim of TestKilledProcessLosesNothingReleased and TestKilledRotationLeavesAWholeSet.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SCRIM_VAULT_VICTIM"); dir != "" {
		err := victim(dir)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if dir := os.Getenv("SCRIM_PAIRS_VICTIM"); dir != "" {
		fmt.Fprintln(os.Stderr, rotateUntilKilled(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// victim releases stand-ins until it is killed: each line on stdout is written after its transaction is durable.
func victim(dir string) error {
	db, v, err := openDir(dir, store.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	ctx := context.Background()
	for i := 0; ; i++ {
		b := v.Begin()
		value := fmt.Sprintf("value %d", i%40)
		token, err := b.Token(ctx, vault.Scope{
			Recipient: "insurer", Class: class([]flow.Label{"person/contact/email", "government-id/ssn"}[i%2]), Origin: flow.Catalogued,
			Param: flow.TokenReversible, Subject: v.Subject("id", fmt.Sprint(i%7)),
		}, value)
		if err != nil {
			return err
		}
		task, err := b.Task(ctx, vault.TaskKey{Task: "t"})
		if err != nil {
			return err
		}
		name, err := task.Surrogate("insurer", class("person/name"), value, "clerk")
		if err != nil {
			return err
		}
		if i%5 == 4 { // a message that fails
			b.Discard()
			continue
		}
		if err := db.Update(ctx, b.Flush); err != nil {
			return err
		}
		b.Keep()
		fmt.Printf("%d\t%s\t%s\n", i, token, name)
	}
}

func openDir(dir string, opt store.Options) (store.DB, *vault.Vault, error) {
	ctx := context.Background()
	db, err := storetest.Dir(ctx, filepath.Join(dir, "db"), opt, vault.Schema())
	if err != nil {
		return nil, nil, err
	}
	keys, err := vault.OpenKeyring(ctx, filepath.Join(dir, "keyring"), nil)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	v, err := vault.New(db, keys, vault.Options{Domain: "hospital"})
	return db, v, err
}

func TestKilledProcessLosesNothingReleased(t *testing.T) {
	storetest.Prepare(t)
	dir := t.TempDir()
	byValue := map[string]string{} // surrogates, which may never change
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SCRIM_VAULT_VICTIM="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var released [][]string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if f := strings.Split(lines.Text(), "\t"); len(f) == 3 {
				released = append(released, f)
			}
			if len(released) == 30+17*round {
				_ = cmd.Process.Kill() // in the midst of a later message
			}
		}
		_ = cmd.Wait() // it was killed
		if len(released) < 30 {
			t.Fatalf("round %d: only %d messages before the kill", round, len(released))
		}
		checkReleased(t, dir, released, byValue)
	}
}

func checkReleased(t *testing.T, dir string, released [][]string, byValue map[string]string) {
	t.Helper()
	db, v, err := openDir(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	b := v.Begin()
	defer b.Discard()
	task := mustTask(t, b, "t")
	for _, f := range released {
		var i int
		if _, err := fmt.Sscan(f[0], &i); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("value %d", i%40)
		if got, err := v.Resolve(t.Context(), f[1]); err != nil || !got.Value.Equal(want) {
			t.Fatalf("message %d: Resolve() after the kill: %v", i, err)
		}
		if got, ok := task.Original("insurer", f[2]); !ok || !got.Value.Equal(want) {
			t.Fatalf("message %d: Original() after the kill: %v", i, ok)
		}
		if old, ok := byValue[want]; ok && old != f[2] {
			t.Fatalf("message %d: a value has the surrogates %s and %s", i, old, f[2])
		}
		byValue[want] = f[2]
	}
}
