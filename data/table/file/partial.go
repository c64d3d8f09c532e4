package file

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/store/durable"
)

// What stands beside the final name while a table is written.
const (
	Passing = ".scrim-partial"       // the rows
	Beside  = ".scrim-partial.state" // how much of it counts, and whose it is
)

// Partial is a file that is being written under a passing name, DST.scrim-partial, with mode 0600. It is used by one goroutine.
//
// What was written before the last checkpoint survives a crash, and a run with the same tag goes on behind it. The final name comes
// to be with Commit and not before, and never replaces anything.
type Partial struct {
	path  string
	f     *os.File
	write func([]byte) (int, error)
	hash  hash.Hash
	state state // of what has been written so far
	from  int64 // rows at the checkpoint with which this run began
	done  bool
	err   error // the first, of which nothing recovers
}

// Create begins the file or, in a run that resumes, goes on behind the last checkpoint. The errors are those of [table.Target].
func Create(path string, columns []table.Column, run table.Run) (*Partial, error) {
	if !utf8.ValidString(run.Tag) {
		return nil, &table.Error{Table: path, Why: "the run's tag is not text: its state could not be read again"}
	}
	if err := free(path); err != nil {
		return nil, err
	}
	f, old, err := begin(path, run)
	if err != nil {
		return nil, err
	}
	p := &Partial{path: path, f: f, write: f.Write, hash: sha256.New(), state: state{Tag: run.Tag, Columns: digestOf(columns)}}
	if old != nil {
		err = p.resume(old)
	} else {
		err = p.save()
	}
	if err != nil {
		_ = durable.Release(f)
		return nil, err
	}
	p.from = p.state.Rows
	return p, nil
}

// free returns an error if the final name is taken, by whatever it is.
func free(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return exists(path, "is there already")
	case !errors.Is(err, fs.ErrNotExist):
		return Fail(path, "looking for it", err)
	}
	return nil
}

func exists(path, why string) error {
	return &table.Error{Table: path, Why: why, Err: table.ErrExists}
}

func other(path, why string) error {
	return &table.Error{Table: path + Passing, Why: why, Err: table.ErrPartial}
}

// begin opens the file under its passing name and locks it. Old is the state from which to go on, or nil.
func begin(path string, run table.Run) (f *os.File, old *state, err error) {
	passing := path + Passing
	f, err = os.OpenFile(passing, os.O_RDWR|os.O_CREATE|os.O_EXCL|durable.NoFollow, 0o600)
	fresh := err == nil
	if errors.Is(err, fs.ErrExist) {
		if !run.Resume {
			return nil, nil, exists(passing, "is what an earlier run left unfinished: resume it, or discard it")
		}
		f, err = os.OpenFile(passing, os.O_RDWR|durable.NoFollow, 0)
	}
	if err != nil {
		return nil, nil, Fail(passing, "creating", err)
	}
	defer func() {
		if err != nil {
			_ = durable.Release(f)
			f = nil
		}
	}()
	if err := own(f, path); err != nil {
		return f, nil, err
	}
	if fresh {
		return f, nil, nil
	}
	old, err = readState(path)
	if errors.Is(err, fs.ErrNotExist) {
		// Nothing is written before there is a state, so this one had come no further than its name.
		stat, err := f.Stat()
		if err == nil && stat.Size() > 0 {
			err = other(path, "has no state beside it")
		}
		return f, nil, err
	}
	return f, old, err
}

// own locks the file that stands under the passing name, and sees to it that it still does and is nothing else than such a file.
func own(f *os.File, path string) error {
	passing := path + Passing
	if err := durable.Lock(f); errors.Is(err, durable.ErrHeld) {
		return exists(passing, "another run is at work on it")
	} else if err != nil {
		return Fail(passing, "locking", err)
	}
	opened, err := f.Stat()
	if err != nil {
		return Fail(passing, "looking at it", err)
	}
	named, err := os.Lstat(passing)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return Fail(passing, "looking at it", err)
	case err != nil || !os.SameFile(opened, named):
		return exists(passing, "another run has just finished with it")
	case !named.Mode().IsRegular():
		return &table.Error{Table: passing, Why: "is not a regular file"}
	}
	return free(path) // since it was last looked for, the one who held the lock may have published
}

// resume goes on behind the last checkpoint of an earlier run, having seen that it is there as it was written.
func (p *Partial) resume(old *state) error {
	switch {
	case old.Tag != p.state.Tag:
		return other(p.path, "was begun with another plan, or from another source")
	case old.Columns != p.state.Columns:
		return other(p.path, "was begun with other columns")
	}
	n, err := io.CopyN(p.hash, p.f, old.Bytes)
	if err != nil && err != io.EOF {
		return Fail(p.path+Passing, "reading what is written", err)
	}
	if n != old.Bytes || p.digest() != old.Digest {
		return other(p.path, "is not what its state says")
	}
	if err := p.f.Truncate(old.Bytes); err != nil {
		return Fail(p.path+Passing, "cutting off what came after the last checkpoint", err)
	}
	if _, err := p.f.Seek(old.Bytes, io.SeekStart); err != nil {
		return Fail(p.path+Passing, "resuming", err)
	}
	p.state = *old
	return nil
}

func (p *Partial) digest() string { return "sha256:" + hex.EncodeToString(p.hash.Sum(nil)) }

// Rows returns how many rows were written when the run began.
func (p *Partial) Rows() int64 { return p.from }

// Bytes returns how many bytes have been written, those of earlier runs included.
func (p *Partial) Bytes() int64 { return p.state.Bytes }

// Write writes b, with which so many rows more are complete. After an error nothing is written any more: what stands behind the
// last checkpoint is not known.
func (p *Partial) Write(b []byte, rows int64) error {
	if p.done {
		p.fail(&table.Error{Table: p.path, Why: "is finished"})
	}
	if p.err != nil {
		return p.err
	}
	n, err := p.write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return p.fail(Fail(p.path+Passing, "writing", err))
	}
	p.hash.Write(b)
	p.state.Bytes += int64(len(b))
	p.state.Rows += rows
	return nil
}

func (p *Partial) fail(err error) error {
	if p.err == nil {
		p.err = err
	}
	return p.err
}

// Checkpoint returns when everything written so far survives a crash.
func (p *Partial) Checkpoint() error {
	if p.err != nil {
		return p.err
	}
	if err := p.f.Sync(); err != nil {
		return p.fail(Fail(p.path+Passing, "making it durable", err)) // which pages are lost is not known
	}
	if err := p.save(); err != nil {
		return p.fail(err)
	}
	return nil
}

func (p *Partial) save() error {
	p.state.Digest = p.digest()
	return writeState(p.path, &p.state)
}

// Finish returns when the file is complete and durable under its passing name: "sha256:" and the digest of its bytes.
func (p *Partial) Finish() (digest string, err error) {
	if err := p.Checkpoint(); err != nil {
		return "", err
	}
	p.done = true
	return p.state.Digest, nil
}

// Commit gives the finished file its final name. [table.ErrExists] if something has that name by now.
func (p *Partial) Commit() error {
	if !p.done || p.err != nil {
		return &table.Error{Table: p.path, Why: "is not finished"}
	}
	passing := p.path + Passing
	named, err := os.Lstat(passing)
	if err != nil {
		return Fail(passing, "publishing", err)
	}
	opened, err := p.f.Stat()
	if err != nil {
		return Fail(passing, "publishing", err)
	}
	if !os.SameFile(named, opened) || opened.Size() != p.state.Bytes {
		return other(p.path, "is not what was written")
	}
	switch err := moveNew(passing, p.path); {
	case errors.Is(err, fs.ErrExist):
		return exists(p.path, "is there by now, and stays as it is")
	case err != nil:
		return Fail(p.path, "publishing", err)
	}
	if err := durable.SyncDir(filepath.Dir(p.path)); err != nil {
		return Fail(p.path, "making its name durable", err)
	}
	os.Remove(p.path + Beside) // says nothing without the file it stood beside
	return nil
}

// Close closes the file. What is not committed stays for a resumption.
func (p *Partial) Close() error {
	p.done = true
	return durable.Release(p.f)
}

// Discard removes what a run left under the passing name of that path, if there is anything. [table.ErrExists] if a run is at work
// on it.
func Discard(path string) error {
	passing := path + Passing
	f, err := os.OpenFile(passing, os.O_RDWR|durable.NoFollow, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		os.Remove(path + Beside)
		return nil
	case err != nil:
		return Fail(passing, "discarding", err)
	}
	defer f.Close()
	if err := durable.Lock(f); errors.Is(err, durable.ErrHeld) {
		return exists(passing, "another run is at work on it")
	} else if err != nil {
		return Fail(passing, "locking", err)
	}
	for _, name := range []string{passing, path + Beside} {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Fail(name, "discarding", err)
		}
	}
	return nil
}
