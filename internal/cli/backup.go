package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store/durable"
)

type backupFlags struct {
	file       string
	lock, keys lockFlags
	subjects   string
}

// lockFlags say what a file is encrypted to.
type lockFlags struct {
	phrase     string
	recipients []string
	plain      bool
}

func (e *env) backupCommand() *cobra.Command {
	var f backupFlags
	c := fileFlag(e.command("backup DEST", "Copy all that a restart needs to one file, while the gateway runs",
		"Database, log, archived checkpoints, keyset, configuration and policies at one moment, signed, in a file that is not there yet. It is\n"+
			"encrypted with age, to recipients (age-keygen makes them) or to a passphrase of at least 16 bytes, or, if you insist, not at all: it\n"+
			"holds the keyset, and with that everything.\n\n"+
			"What an erasure destroys is not in it, subject keys first of all: somebody who restores the backup would undo every erasure since.\n"+
			"After a restore tokens of people do not resolve, as if everybody had been erased. --subject-keys writes them to a file of their own,\n"+
			"encrypted to somebody else. Keep that for as short a time as erasures may wait, take a new one after each erasure, and destroy\n"+
			"the old ones: until then the person can be restored. A restore drops them if anybody was erased since.\n\n"+
			"With PostgreSQL the database is yours to dump, after this: the command says how.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error { return e.backup(ctx, &f, args[0]) }), &f.file)
	flags := c.Flags()
	flags.StringArrayVar(&f.lock.recipients, "recipient", nil, "age recipient to encrypt to; may be repeated")
	flags.StringVar(&f.lock.phrase, "passphrase-file", "", "file with the passphrase to encrypt with")
	flags.BoolVar(&f.lock.plain, "plain", false, "write it without encryption")
	flags.StringVar(&f.subjects, "subject-keys", "", "file to write what an erasure destroys to")
	flags.StringArrayVar(&f.keys.recipients, "subject-recipient", nil, "age recipient to encrypt that file to; another one; may be repeated")
	flags.StringVar(&f.keys.phrase, "subject-passphrase-file", "", "file with the passphrase to encrypt that file with; another one")
	return c
}

func (e *env) backup(ctx context.Context, f *backupFlags, dest string) error {
	q, err := f.request()
	if err != nil {
		return err
	}
	c, err := e.load(f.file)
	if err != nil {
		return err
	}
	if !hasState(c) {
		return e.hasBegun(f.file) // which says so
	}
	for _, name := range []string{dest, f.subjects} {
		if name == "" {
			continue
		}
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return refuse("A backup never replaces another one.", "%s is there already", name)
		}
	}
	part := func(st *run.State, c *config.Config) (api.Backups, error) {
		v, _ := version()
		return &run.Backups{State: st, Config: func() *config.Config { return c }, Program: v}, nil
	}
	b, err := askPart(ctx, e, f.file, "/api/v1/backup", q, part, api.TakeBackup)
	if err != nil {
		return err
	}
	err = fetch(filepath.Join(b.Directory, run.BackupFile), dest)
	if err == nil && f.subjects != "" {
		err = fetch(filepath.Join(b.Directory, run.SubjectsFile), f.subjects)
	}
	if err := errors.Join(err, os.RemoveAll(b.Directory)); err != nil {
		return fmt.Errorf("taking the backup away: %w", err)
	}
	e.tellBackup(c, f, dest, &b)
	return nil
}

// request reads passphrases and says what is asked for.
func (f *backupFlags) request() (q api.BackupRequest, err error) {
	if q.BackupLock, err = f.lock.read(); err != nil {
		return q, err
	}
	if f.subjects == "" {
		if f.keys.phrase != "" || len(f.keys.recipients) > 0 {
			return q, misuse("--subject-recipient and --subject-passphrase-file go with --subject-keys FILE")
		}
		return q, nil
	}
	own, err := f.keys.read()
	switch {
	case err != nil:
		return q, err
	case own.Passphrase == "" && len(own.Recipients) == 0:
		return q, misuse("subject keys are encrypted in any case: give --subject-recipient or --subject-passphrase-file")
	case own.Passphrase != "" && own.Passphrase == q.Passphrase,
		slices.ContainsFunc(own.Recipients, func(r string) bool { return slices.Contains(q.Recipients, r) }):
		return q, misuse("subject keys are encrypted to somebody else than the backup: whoever opens one must not open both")
	}
	q.Subjects = &own
	return q, nil
}

func (l *lockFlags) read() (api.BackupLock, error) {
	out := api.BackupLock{Recipients: l.recipients, Plain: l.plain}
	ways := 0
	for _, on := range []bool{l.phrase != "", len(l.recipients) > 0, l.plain} {
		if on {
			ways++
		}
	}
	if ways > 1 {
		return out, misuse("write one of --recipient, --passphrase-file and --plain")
	}
	if l.phrase == "" {
		return out, nil
	}
	b, err := readPhrase(l.phrase)
	out.Passphrase = b
	return out, err
}

// readPhrase reads the passphrase in a file, without the end of its line.
func readPhrase(name string) (string, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("reading the passphrase: %w", err)
	}
	b = bytes.TrimRight(b, "\r\n")
	if len(b) == 0 {
		return "", fmt.Errorf("the passphrase in %s is empty", name)
	}
	return string(b), nil
}

// fetch moves a file to where it was asked for, durable, and never over another one.
func fetch(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Sync(), out.Close())
	if err == nil {
		if _, there := os.Lstat(to); !errors.Is(there, fs.ErrNotExist) {
			err = fs.ErrExist
		} else {
			err = durable.Rename(out.Name(), to)
		}
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return durable.SyncDir(filepath.Dir(to))
}

func (e *env) tellBackup(c *config.Config, f *backupFlags, dest string, b *api.Backup) {
	fmt.Fprintf(e.out, "backup      %s, %s, %s\n", dest, count(b.Files, "file"), size(b.Bytes))
	fmt.Fprintf(e.out, "id          %s of %s\n", b.ID, b.Made.Format(time.RFC3339))
	fmt.Fprintf(e.out, "up to       entry %d of the log, with %s of witnesses; on record as %s\n", b.Rows, count(b.Cosigned, "signature"), b.Reference)
	fmt.Fprintf(e.out, "key         %s\n", b.Key)
	fmt.Fprintln(e.err, "Keep the key apart from the backup: scrim restore --key shows by it that nobody else wrote the file.")
	if f.subjects != "" {
		fmt.Fprintf(e.err, "%s restores every person in it: destroy it after the next erasure, and take another one.\n", f.subjects)
	}
	for _, name := range b.Skipped {
		fmt.Fprintf(e.err, "not in it: %s, which lies outside of the configuration's directory\n", name)
	}
	if f.lock.plain {
		fmt.Fprintln(e.err, "It is not encrypted and holds the keyset: whoever reads it has everything that the gateway keeps.")
	}
	if b.Store == "postgres" {
		fmt.Fprintf(e.err, "The database is not in it. Now, and not before, dump it without what an erasure destroys:\n  %s\n", dumpCommand(c.Store.Schema))
	}
}
