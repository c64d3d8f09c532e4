package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// archive is a directory with one file for each checkpoint, named by its size so that names sort.
type archive string

var archiveName = regexp.MustCompile(`^[0-9]{19}\.checkpoint$`)

// keep writes the checkpoint unless it is there. It is durable when keep returns.
func (a archive) keep(c Checkpoint) (err error) {
	if a == "" {
		return nil
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("keeping a copy of the checkpoint: %w", err)
		}
	}()
	if err := os.MkdirAll(string(a), 0o700); err != nil {
		return err
	}
	name := filepath.Join(string(a), fmt.Sprintf("%019d.checkpoint", c.Size))
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	f, err := os.CreateTemp(string(a), "new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(c.Note)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	dir, err := os.Open(string(a))
	if err != nil {
		return err
	}
	_ = dir.Sync() // not every system syncs directories
	return dir.Close()
}

// names lists the checkpoints, oldest first.
func (a archive) names() ([]string, error) {
	if a == "" {
		return nil, nil
	}
	files, err := os.ReadDir(string(a))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading archived checkpoints: %w", err)
	}
	var names []string
	for _, f := range files {
		if archiveName.MatchString(f.Name()) {
			names = append(names, filepath.Join(string(a), f.Name()))
		}
	}
	slices.Sort(names)
	return names, nil
}

// notes reads the last n checkpoints, or all for n < 0.
func (a archive) notes(n int) ([][]byte, error) {
	names, err := a.names()
	if err != nil {
		return nil, err
	}
	if n >= 0 {
		names = names[max(0, len(names)-n):]
	}
	var notes [][]byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading an archived checkpoint: %w", err)
		}
		notes = append(notes, b)
	}
	return notes, nil
}

// ReadArchive returns all signed notes of a directory that [Options.Archive] named, for [Against]. They are not verified yet.
func ReadArchive(dir string) ([][]byte, error) { return archive(dir).notes(-1) }
