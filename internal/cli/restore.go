package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/backup"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

type restoreFlags struct {
	file                     string
	lock, keys               keyFlags
	subjects, key, keysetEnv string
	log, checkpoints         string
	reason                   string
	check, settle            bool
}

// keyFlags open a file.
type keyFlags struct{ phrase, identity string }

func (e *env) restoreCommand() *cobra.Command {
	var f restoreFlags
	c := e.command("restore SRC DIR", "Put a backup into a new directory, verified, or say whether it could be",
		"Verifies everything before the directory gets its name: encryption, signature, every file, every entry of the journal against the log, and\n"+
			"all checkpoints. It is all there then or nothing is. DIR must not be there yet, or be empty; it gets the configuration, and the data\n"+
			"directory below it. --check does all of that and leaves nothing: rehearse a restore with it.\n\n"+
			"What happened after the backup may be lost, and a restore refills nothing. --log takes up a newer log, such as that of the data directory\n"+
			"that was lost. When the gateway starts it asks the witnesses of its log whether they saw more. If nothing is missing it goes on. If something\n"+
			"is, or may be, it starts only when somebody answers for that with --reason, here or later with --settle: budgets count as spent (datasets\n"+
			"are frozen, until scrim thaw), capabilities issued before are not taken, streams stand still, people count as erased, and the log begins\n"+
			"a tree anew that says so. A log that is left adds what it tells: what was charged, frozen, erased.", cobra.MaximumNArgs(2),
		func(ctx context.Context, args []string) error {
			switch {
			case f.settle && len(args) == 0:
				return e.settleRestore(ctx, &f)
			case f.settle:
				return misuse("--settle is about the data directory of a configuration (-c), and takes no other")
			case f.check && len(args) == 1, !f.check && len(args) == 2:
				return e.restore(ctx, &f, args)
			case f.check:
				return misuse("--check takes SRC alone")
			}
			return misuse("write SRC and DIR")
		})
	flags := c.Flags()
	flags.StringVarP(&f.file, "config", "c", "", "configuration that says where a PostgreSQL database is; with --settle: of the restored gateway")
	flags.StringVar(&f.lock.phrase, "passphrase-file", "", "file with the passphrase")
	flags.StringVar(&f.lock.identity, "identity", "", "file with age identities")
	flags.StringVar(&f.key, "key", "", "key that the backup must be signed with, as scrim backup printed it, or a file with it")
	flags.StringVar(&f.keysetEnv, "keyset-passphrase-env", "", "environment variable with the passphrase that wraps the keyset, if one does")
	flags.StringVar(&f.subjects, "subject-keys", "", "file of subject keys that was written with the backup")
	flags.StringVar(&f.keys.phrase, "subject-passphrase-file", "", "file with the passphrase of that one")
	flags.StringVar(&f.keys.identity, "subject-identity", "", "file with age identities for that one")
	flags.StringVar(&f.log, "log", "", "directory of a newer log to take up (the directory log of a data directory)")
	flags.StringVar(&f.checkpoints, "checkpoints", "", "directory of newer archived checkpoints")
	flags.StringVar(&f.reason, "reason", "", "why the gateway may go on although something may be lost; it goes on record")
	flags.BoolVar(&f.check, "check", false, "verify, and leave nothing")
	flags.BoolVar(&f.settle, "settle", false, "answer for what was lost, for a gateway that was restored and does not start")
	return c
}

func (k *keyFlags) read() (out backup.Key, err error) {
	if k.phrase != "" && k.identity != "" {
		return out, misuse("write a passphrase or an identity, not both")
	}
	if k.phrase != "" {
		phrase, err := readPhrase(k.phrase)
		if err != nil {
			return out, err
		}
		out.Passphrase = flow.NewSecret(phrase)
	}
	if k.identity != "" {
		if out.Identities, err = os.ReadFile(k.identity); err != nil {
			return out, fmt.Errorf("reading the identity: %w", err)
		}
	}
	return out, nil
}

func (e *env) restore(ctx context.Context, f *restoreFlags, args []string) (err error) {
	r := backup.Restoration{Schemas: run.Schemas(), Log: f.log, Checkpoints: f.checkpoints, Reason: f.reason}
	if r.Key, err = f.lock.read(); err != nil {
		return err
	}
	if r.PeopleKey, err = f.keys.read(); err != nil {
		return err
	}
	if r.Verifier = f.key; r.Verifier != "" && !strings.HasPrefix(r.Verifier, "scrim.dev/") {
		b, err := os.ReadFile(f.key)
		if err != nil {
			return fmt.Errorf("reading the key: %w", err)
		}
		r.Verifier = strings.TrimSpace(string(b))
	}
	if f.keysetEnv != "" {
		phrase := os.Getenv(f.keysetEnv)
		if phrase == "" {
			return fmt.Errorf("environment variable %s, which holds the keyset's passphrase, is empty", f.keysetEnv)
		}
		r.Wrapper = vault.Passphrase(flow.NewSecret(phrase))
	}
	in, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer in.Close()
	r.Archive = in
	if f.subjects != "" {
		people, err := os.Open(f.subjects)
		if err != nil {
			return err
		}
		defer people.Close()
		r.People = people
	}
	if f.file != "" {
		c, err := e.load(f.file)
		if err != nil {
			return err
		}
		r.Database = func(ctx context.Context, dir string) (store.DB, error) { return run.OpenDatabase(ctx, c, dir) }
	}
	if f.check {
		done, err := backup.Check(ctx, r, filepath.Dir(args[0]))
		if err != nil {
			return err
		}
		e.tellRestored(done)
		fmt.Fprintln(e.out, "good: it can be restored")
		return nil
	}
	done, err := backup.Restore(ctx, r, args[1])
	if err != nil {
		return err
	}
	e.tellRestored(done)
	e.whereRestored(done, args[1])
	return nil
}

func (e *env) tellRestored(d *backup.Restored) {
	m := &d.Manifest
	fmt.Fprintf(e.out, "backup      %s of %s, domain %s, by scrim %s\n", m.ID, m.Made.Format(time.RFC3339), m.Domain, m.Program)
	fmt.Fprintf(e.out, "signed by   %s\n", d.Key)
	fmt.Fprintf(e.out, "log         %s verified, %d in the backup", entries(d.Report.Entries), m.Log.Rows)
	if d.Added > 0 {
		fmt.Fprintf(e.out, ", %d from the newer log", d.Added)
	}
	fmt.Fprintln(e.out)
	people := "none: as if everybody had been erased"
	if d.People {
		people = "put back, unless the gateway finds that somebody was erased since"
	}
	fmt.Fprintf(e.out, "people      %s\n", people)
}

// whereRestored says where things are, and what is left to do.
func (e *env) whereRestored(d *backup.Restored, dir string) {
	m := &d.Manifest
	fmt.Fprintf(e.out, "restored    %s\n", filepath.Join(dir, "scrim.yaml"))
	if filepath.Clean(m.Config.Data) != d.Data {
		fmt.Fprintf(e.err, "scrim.yaml says that the data directory is %s: it is %s now. Move it there, or change data.\n", m.Config.Data, filepath.Join(dir, d.Data))
	}
	if filepath.Clean(m.Config.Keys) != d.Keys && filepath.Clean(m.Config.Data) == d.Data {
		fmt.Fprintf(e.err, "scrim.yaml says that the keyset is %s: it is %s now. Move it there, or change keys.file.\n", m.Config.Keys, filepath.Join(dir, d.Keys))
	}
	for _, name := range m.Config.Skipped {
		fmt.Fprintf(e.err, "not in the backup: %s\n", name)
	}
	fmt.Fprintln(e.err, "Secrets that scrim.yaml takes from files or the environment are not in a backup, nor are certificates' keys. Stop what is left of the gateway that was\n"+
		"backed up before this one starts: two of them would sign two histories.")
}

// settleRestore lets a restored gateway start.
func (e *env) settleRestore(ctx context.Context, f *restoreFlags) error {
	if f.reason == "" {
		return misuse("--settle needs --reason TEXT: who answers for what was lost, and why the gateway may go on")
	}
	if f.file == "" {
		f.file = defaultConfig
	}
	c, err := e.load(f.file)
	if err != nil {
		return err
	}
	st, err := run.OpenStore(ctx, c, store.Options{})
	if err != nil {
		return err
	}
	if err := errors.Join(run.AnswerFor(ctx, st.DB, f.reason), st.DB.Close()); err != nil {
		return err
	}
	if st, err = run.OpenState(ctx, c, store.Options{}); err != nil { // which closes what may have been used, and puts it on record
		return err
	}
	last, err := run.LastRestore(ctx, st.DB)
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "on record: %s\n", last.Told)
	fmt.Fprintln(e.err, `What is frozen is listed by "scrim frozen". Before you thaw a dataset, lower its plan by what it may have lost: scrim thaw puts it on record.`)
	return nil
}

// dumpCommand is how the owner of a PostgreSQL database copies what a backup leaves out.
func dumpCommand(schema string) string {
	text := "pg_dump --format=custom --schema=" + schema
	for _, table := range backup.PeopleTables() {
		text += " --exclude-table-data=" + schema + "." + table
	}
	return text + " --file=scrim.dump \"$URL\""
}
