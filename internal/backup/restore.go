package backup

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/durable"
)

// Errors of a restore that a caller may act on.
var (
	ErrThere    = errors.New("the directory to restore to is there and is not empty")
	ErrUnpinned = errors.New("the archive is encrypted to a recipient, so anybody who knows that could have written it: name the key of this domain's backups with --key")
	ErrOther    = errors.New("the files are not of one backup")
	ErrTail     = errors.New("the log that is left does not continue that of the backup")
	ErrOlder    = errors.New("the database is from before the backup: restore a dump that was made after it")
)

// Restoration is how an archive is put back.
type Restoration struct {
	Archive io.Reader
	Key     Key

	People    io.Reader // file of subject keys; nil: none are put back, as if everybody had been erased
	PeopleKey Key

	Verifier string // key of this domain's backups, as it was told when one was made; "": the archive's own, if a passphrase opened it
	Wrapper  vault.Wrapper
	Schemas  []store.Schema

	Log, Checkpoints string // directories of a log that is newer than the archive's, such as that of the gateway that was lost; "": there is none

	Reason string // why, in the words of whoever answers for what was lost; "": the gateway starts only if nothing was

	// Database opens the database that was restored by other means, for an archive without one.
	Database func(ctx context.Context, dir string) (store.DB, error)

	NoSync bool // for tests
}

// Restored is what was put back.
type Restored struct {
	Manifest Manifest
	Key      string       // that signed the manifest
	Report   audit.Report // of the journal, verified
	Added    int64        // rows that were taken up from a newer log
	People   bool         // subject keys were put back
	Data     string       // data directory below the target, by its path from there
	Keys     string       // keyset, likewise
	Marked   Mark
}

// Mark is what a restored database says of itself.
type Mark struct {
	At     time.Time
	ID     string // of the archive
	Made   time.Time
	Rows   int64 // of the journal in the archive
	Until  int64 // rows after a newer log was taken up
	People int64 // rows of the journal when the subject keys were copied; -1: there are none
	Reason string
}

// stagingPattern names directories in which archives are unpacked, beside the target.
func staging(target string) string {
	return filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+".restoring-")
}

// Check verifies an archive as [Restore] does, and leaves nothing behind.
func Check(ctx context.Context, r Restoration, near string) (*Restored, error) {
	return r.run(ctx, filepath.Join(near, "scrim-restore-check"), false)
}

// Restore puts an archive into a directory that is not there yet, or empty: all of it, durable when Restore returns, or nothing. A process that ends in between leaves
// at most a directory whose name begins with a dot; the next restore to the same place removes it.
func Restore(ctx context.Context, r Restoration, target string) (*Restored, error) {
	return r.run(ctx, absolute(target), true)
}

func (r *Restoration) run(ctx context.Context, target string, keep bool) (*Restored, error) {
	if err := sweepStaging(target); err != nil { // first: also one that was killed after it gave the target its name
		return nil, err
	}
	if keep {
		if err := vacant(target); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp(filepath.Dir(target), filepath.Base(staging(target))+"*")
	if err != nil {
		return nil, fmt.Errorf("making room for the archive: %w", err)
	}
	held, err := os.OpenFile(dir+lockSuffix, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = durable.Lock(held)
	}
	var done *Restored
	if err == nil {
		done, err = r.into(ctx, dir)
	}
	if err == nil && keep {
		err = errors.Join(os.RemoveAll(filepath.Join(dir, "people")), os.RemoveAll(filepath.Join(dir, "archive"))) // keys of people lie nowhere else once the target is there
	}
	if err == nil && keep {
		err = place(filepath.Join(dir, "root"), target)
	}
	return done, errors.Join(err, os.RemoveAll(dir), held.Close(), os.Remove(dir+lockSuffix))
}

const lockSuffix = ".lock"

// vacant reports an error unless nothing is lost by putting a directory in target's place.
func vacant(target string) error {
	info, err := os.Lstat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	files, err := os.ReadDir(target)
	if err != nil || !info.IsDir() || len(files) > 0 {
		return fmt.Errorf("%w: %s", ErrThere, target)
	}
	return nil
}

// sweepStaging removes what a restore to the same target left whose process is gone.
func sweepStaging(target string) error {
	left, err := filepath.Glob(staging(target) + "*")
	if err != nil {
		return nil // a name that is no pattern: nothing is removed
	}
	for _, dir := range left {
		if strings.HasSuffix(dir, lockSuffix) {
			continue
		}
		held, err := os.OpenFile(dir+lockSuffix, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return err
		}
		if durable.Lock(held) == nil {
			err = errors.Join(os.RemoveAll(dir), os.Remove(dir+lockSuffix))
		}
		if err := errors.Join(err, held.Close()); err != nil {
			return fmt.Errorf("removing what another restore left: %w", err)
		}
	}
	return nil
}

// place gives a directory its name, durable.
func place(from, target string) error {
	if err := syncTree(from); err != nil {
		return err
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty one
		return fmt.Errorf("%w: %s", ErrThere, target)
	}
	if err := durable.Rename(from, target); err != nil {
		return fmt.Errorf("giving the restored directory its name: %w", err)
	}
	return durable.SyncDir(filepath.Dir(target))
}

// syncTree makes all files and directories durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return durable.SyncDir(name)
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

// into unpacks, verifies and puts in order, below dir.
func (r *Restoration) into(ctx context.Context, dir string) (*Restored, error) {
	u, err := r.open(r.Archive, r.Key, filepath.Join(dir, "archive"))
	if err != nil {
		return nil, err
	}
	m := &u.Manifest
	if m.Kind != General {
		return nil, fmt.Errorf("%w: this one holds subject keys, and needs the archive beside it", ErrOther)
	}
	keys, err := vault.OpenKeyring(ctx, u.path(keysetName), r.Wrapper)
	if err != nil {
		return nil, fmt.Errorf("opening the keyset of the archive: %w", err)
	}
	done := &Restored{Manifest: *m}
	if done.Key, err = r.signed(u, keys); err != nil {
		return nil, err
	}
	if err := r.subjects(ctx, u, keys, dir, done); err != nil {
		return nil, err
	}
	root := filepath.Join(dir, "root")
	if err := arrange(u, root, done); err != nil {
		return nil, err
	}
	return done, r.settle(ctx, root, keys, done)
}

// open unpacks one archive.
func (r *Restoration) open(from io.Reader, key Key, dir string) (*Unpacked, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	return unpack(from, key, dir)
}

// signed checks who signed the manifest: the key that was named, and in any case that of the keyset in the archive.
func (r *Restoration) signed(u *Unpacked, keys *vault.Keyring) (string, error) {
	m := &u.Manifest
	own, err := VerifierKey(m.Domain, keys.Signer(signerName).Public().(ed25519.PublicKey))
	if err != nil {
		return "", ErrSignature
	}
	verifiers := []string{own}
	switch {
	case r.Verifier != "":
		verifiers = append(verifiers, r.Verifier)
	case u.by == sealedRecipient:
		return "", ErrUnpinned
	}
	for _, text := range verifiers {
		v, err := verifierOf(text)
		if err != nil {
			return "", err
		}
		if err := verify(m.Domain, v, u.manifest, u.signed); err != nil {
			return "", err
		}
	}
	logKey, err := tile.VerifierKey(m.Log.Origin, keys.Signer("log").Public().(ed25519.PublicKey))
	if err != nil || logKey != m.Log.Key {
		return "", corrupt("its keyset is not that of its log")
	}
	return own, nil
}

// subjects unpacks the file of subject keys and puts it into the database.
func (r *Restoration) subjects(ctx context.Context, u *Unpacked, keys *vault.Keyring, dir string, done *Restored) error {
	done.Marked.People = -1
	if r.People == nil {
		return nil
	}
	if u.Manifest.Store != "sqlite" {
		return errors.New("subject keys of a PostgreSQL database are restored with its dump")
	}
	p, err := r.open(r.People, r.PeopleKey, filepath.Join(dir, "people"))
	if err != nil {
		return fmt.Errorf("subject keys: %w", err)
	}
	own, err := verifierOf(done.Key)
	if err == nil {
		err = verify(p.Manifest.Domain, own, p.manifest, p.signed)
	}
	if err != nil || p.Manifest.Kind != SubjectKeys || p.Manifest.Domain != u.Manifest.Domain || p.Manifest.Log.Key != u.Manifest.Log.Key {
		return fmt.Errorf("subject keys: %w", ErrOther)
	}
	if p.Manifest.ID != u.Manifest.ID {
		return fmt.Errorf("subject keys: %w: those of backup %s belong to it", ErrOther, u.Manifest.ID)
	}
	if err := join(ctx, u.path(databaseName), p.path(peopleName)); err != nil {
		return err
	}
	done.Marked.People, done.People = p.Manifest.Log.Rows, true
	return nil
}

// arrange puts members where the configuration has them, below one directory.
func arrange(u *Unpacked, root string, done *Restored) error {
	c := &u.Manifest.Config
	done.Data, done.Keys = "scrim-data", ""
	if p := filepath.Clean(filepath.FromSlash(c.Data)); filepath.IsLocal(p) && p != "." {
		done.Data = p
	}
	switch p := filepath.Clean(filepath.FromSlash(c.Keys)); {
	case filepath.IsLocal(p) && p != ".":
		done.Keys = p
	case strings.HasPrefix(c.Keys, c.Data+"/"):
		done.Keys = filepath.Join(done.Data, filepath.FromSlash(strings.TrimPrefix(c.Keys, c.Data+"/")))
	default:
		done.Keys = filepath.Join(done.Data, "keyset.json")
	}
	if err := os.MkdirAll(filepath.Join(root, done.Data), 0o700); err != nil {
		return err
	}
	for _, f := range u.Manifest.Files {
		var to string
		switch {
		case f.Name == keysetName:
			to = done.Keys
		case strings.HasPrefix(f.Name, configName):
			to = filepath.FromSlash(strings.TrimPrefix(f.Name, configName))
			if inside(to, done.Data) || to == done.Keys {
				return corrupt("a file of the configuration lies where the state belongs")
			}
		default:
			to = filepath.Join(done.Data, filepath.FromSlash(strings.TrimPrefix(f.Name, "data/")))
		}
		if to == done.Keys && f.Name != keysetName {
			return corrupt("a file lies where the keyset belongs")
		}
		to = filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			return corrupt("two files belong to one place")
		}
		if err := os.Rename(u.path(f.Name), to); err != nil {
			return err
		}
	}
	return nil
}

func inside(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir+string(filepath.Separator))
}

// settle opens what was restored, takes up a newer log, verifies every row and leaves a mark for the gateway.
func (r *Restoration) settle(ctx context.Context, root string, keys *vault.Keyring, done *Restored) (err error) {
	m, data := &done.Manifest, filepath.Join(root, done.Data)
	logDir, archive := filepath.Join(data, "log"), filepath.Join(data, "checkpoints")
	if r.Log != "" {
		if err := r.newer(logDir, archive); err != nil {
			return err
		}
	}
	var db store.DB
	switch {
	case m.Store == "sqlite":
		db, err = store.Open(ctx, data, r.Schemas, store.Options{NoSync: r.NoSync})
	case r.Database == nil:
		return errors.New("the backup is of a gateway whose state is in PostgreSQL: restore the dump, and name the configuration that says where it is (-c)")
	default:
		db, err = r.Database(ctx, data)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if place, err := audit.PlaceOf(ctx, db); err != nil {
		return err
	} else if place.Rows < m.Log.Rows { // charges, revocations and uses of the time between are in neither
		return fmt.Errorf("%w: the backup was made at entry %d, and the database ends at %d", ErrOlder, m.Log.Rows, place.Rows)
	}
	if done.Added, err = audit.Adopt(ctx, db, logDir, m.Log.Origin, keys.Signer("log")); err != nil {
		return err
	}
	// Rows that were committed and not yet in the tree get there, as after a crash: witnesses are asked about all of it.
	journal, err := audit.Open(ctx, db, m.Log.Origin, keys.Signer("log"), audit.Options{Dir: logDir, Archive: archive})
	if err != nil {
		return err
	}
	if err := journal.Close(ctx); err != nil {
		return err
	}
	if err := r.verify(ctx, db, logDir, archive, keys, done); err != nil {
		return err
	}
	place, err := audit.PlaceOf(ctx, db)
	if err != nil {
		return err
	}
	done.Marked = Mark{At: time.Now().UTC().Truncate(time.Second), ID: m.ID, Made: m.Made, Rows: min(m.Log.Rows, place.Rows), Until: place.Rows, People: done.Marked.People, Reason: r.Reason}
	return db.Update(ctx, func(tx store.Tx) error {
		if done.Marked.People < 0 { // also where a dump had them
			if err := Purge(tx); err != nil {
				return err
			}
		}
		return done.Marked.Write(tx)
	})
}

// newer puts a log that is left over from the gateway that was lost in the place of the archive's. That it goes on from that one is for verify to say.
func (r *Restoration) newer(logDir, archive string) error {
	for _, d := range []struct{ from, to string }{{r.Log, logDir}, {r.Checkpoints, archive}} {
		if d.from == "" {
			continue
		}
		if err := overlay(d.from, d.to, d.to == logDir); err != nil {
			return fmt.Errorf("taking up the log that is left: %w", err)
		}
	}
	return nil
}

// overlay copies the plain files of a directory over those of another one. Of a log, a tree that is there is replaced as a whole.
func overlay(from, to string, trees bool) error {
	if trees {
		names, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		for _, d := range names {
			if d.IsDir() {
				if err := os.RemoveAll(filepath.Join(to, d.Name())); err != nil {
					return err
				}
			}
		}
	}
	return fs.WalkDir(os.DirFS(from), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return corrupt("the log that is left holds something that is no plain file")
		}
		in, err := os.Open(filepath.Join(from, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		defer in.Close()
		info, err := in.Stat()
		if err != nil {
			return err
		}
		out := filepath.Join(to, filepath.FromSlash(name))
		if err := os.Remove(out); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return write(out, in, info.Size())
	})
}

// verify walks the journal and its log against the checkpoints of archive and manifest.
func (r *Restoration) verify(ctx context.Context, db store.DB, logDir, archive string, keys *vault.Keyring, done *Restored) error {
	notes, err := audit.ReadArchive(archive)
	if err != nil {
		return err
	}
	if c := done.Manifest.Log.Checkpoint; c != "" {
		notes = append(notes, []byte(c))
	}
	key := keys.Signer("log").Public().(ed25519.PublicKey)
	done.Report, err = audit.Verify(ctx, db, logDir, done.Manifest.Log.Origin, key, audit.Against{Checkpoints: notes})
	if err != nil {
		return fmt.Errorf("verifying the restored log: %w", err)
	}
	// The tree over all that the manifest says was in it, published or not.
	m := &done.Manifest.Log
	if m.Tree == "" {
		return nil
	}
	name := "all"
	if m.Tree != m.Origin {
		name = strings.TrimPrefix(m.Tree, m.Origin+"/")
	}
	root, err := audit.RootAt(ctx, logDir, m.Origin, name, key, m.Size)
	if err != nil || fmt.Sprintf("%x", root[:]) != m.Root {
		return fmt.Errorf("%w: at %d leaves of %s", ErrTail, m.Size, m.Tree)
	}
	return nil
}

// Write puts the mark into a database.
func (k Mark) Write(tx store.Tx) error {
	const insert = `INSERT INTO run_restores (id, archive, restored, made, entries, upto, people, reason, state, anew, told)
		SELECT COALESCE(MAX(id), 0) + 1, ?, ?, ?, ?, ?, ?, ?, 0, 0, '' FROM run_restores`
	_, err := tx.Exec(insert, k.ID, k.At.Unix(), k.Made.Unix(), k.Rows, k.Until, k.People, k.Reason)
	if err != nil {
		return fmt.Errorf("marking the database as restored: %w", err)
	}
	return nil
}
