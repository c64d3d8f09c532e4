package audit

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/scrimhq/scrim/evidence/tile"
)

// archive is a directory with a folder for each tree, and in it a file for each checkpoint that was kept, named by date and size.
type archive string

var archiveName = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-([0-9]{19})\.checkpoint$`)

// keep writes the checkpoint. It is durable when keep returns.
func (a archive) keep(tree string, c tile.Checkpoint, now time.Time) error {
	if a == "" {
		return nil
	}
	name := fmt.Sprintf("%s-%019d.checkpoint", now.UTC().Format("20060102T150405Z"), c.Size)
	return keepFile(filepath.Join(string(a), tree, name), c.Note)
}

// keepFile puts a file in place, durable and for its owner only.
func keepFile(name string, content []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("keeping %s: %w", filepath.Base(name), err)
		}
	}()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	_ = dir.Sync() // not every system syncs directories
	return dir.Close()
}

// names lists the checkpoints of a tree, smallest first.
func (a archive) names(tree string) ([]string, error) {
	if a == "" {
		return nil, nil
	}
	files, err := os.ReadDir(filepath.Join(string(a), tree))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading archived checkpoints: %w", err)
	}
	var names []string
	for _, f := range files {
		if archiveName.MatchString(f.Name()) {
			names = append(names, filepath.Join(string(a), tree, f.Name()))
		}
	}
	size := func(name string) string { return archiveName.FindStringSubmatch(filepath.Base(name))[1] }
	slices.SortFunc(names, func(x, y string) int { return cmp.Or(cmp.Compare(size(x), size(y)), cmp.Compare(x, y)) })
	return names, nil
}

// newest reads the checkpoint over most leaves.
func (a archive) newest(tree string, parse func(string, []byte) (tile.Checkpoint, error)) (c tile.Checkpoint, found bool, err error) {
	names, err := a.names(tree)
	if err != nil || len(names) == 0 {
		return c, false, err
	}
	b, err := os.ReadFile(names[len(names)-1])
	if err != nil {
		return c, false, fmt.Errorf("reading an archived checkpoint: %w", err)
	}
	if c, err = parse(tree, b); err != nil {
		return c, false, fmt.Errorf("archived checkpoint: %w", err)
	}
	return c, true, nil
}

// trees lists the trees that have a folder.
func (a archive) trees() ([]string, error) {
	if a == "" {
		return nil, nil
	}
	files, err := os.ReadDir(string(a))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading archived checkpoints: %w", err)
	}
	var trees []string
	for _, f := range files {
		if f.IsDir() {
			trees = append(trees, f.Name())
		}
	}
	return trees, nil
}

// all reads every checkpoint of every tree.
func (a archive) all() ([][]byte, error) {
	trees, err := a.trees()
	if err != nil {
		return nil, err
	}
	var notes [][]byte
	for _, tree := range trees {
		names, err := a.names(tree)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // it was thinned out meanwhile
			}
			if err != nil {
				return nil, fmt.Errorf("reading an archived checkpoint: %w", err)
			}
			notes = append(notes, b)
		}
	}
	return notes, nil
}

// ReadArchive returns all signed notes of a directory that [Options.Archive] named, for [Against]. They are not verified yet.
func ReadArchive(dir string) ([][]byte, error) { return archive(dir).all() }
