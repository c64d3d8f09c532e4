package audit

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/scrimhq/scrim/evidence/tile"
)

// Moment is the log's files at one moment, for a copy of them: paths are from the directories of trees and of archived checkpoints.
type Moment struct {
	Rows    int64 // that are in the trees
	Trees   []tile.Part
	Archive []tile.Part
	Newest  tile.Checkpoint // over all rows of the newest tree; Note nil: there is no tree yet
}

// Still lists the files that a copy of the log needs. Whoever copies the database after that has at least the rows that the trees have, and those that are
// over are taken to the tree at the next start, as after a crash. Rows wait meanwhile, for as long as it takes to read a few small files.
func (l *Log) Still() (m Moment, err error) {
	l.driving.Lock()
	defer l.driving.Unlock()
	open := map[string]*tile.Log{}
	l.mu.Lock()
	m.Rows = l.seq
	for i, t := range l.known {
		open[t.name] = nil
		if i == l.at {
			open[t.name] = l.current
		}
	}
	l.mu.Unlock()
	for _, t := range l.previous { // a witness may still sign the last checkpoint of one: it is read as a file
		open[nameOf(l.origin, t.Signed().Origin)] = t
	}
	for name, t := range open {
		files := func() ([]tile.Part, error) { return tile.Files(l.dir(name)) }
		if t != nil {
			files = t.Still
		}
		parts, err := files()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a tree that was put away
		}
		if err != nil {
			return Moment{}, err
		}
		for _, p := range parts {
			p.Path = path.Join(filepath.Base(name), p.Path)
			m.Trees = append(m.Trees, p)
		}
	}
	if l.current != nil {
		m.Newest = l.current.Signed()
	}
	m.Archive, err = l.archive.parts()
	return m, err
}

// parts reads the archived checkpoints, those of version 1 too. One that is thinned out meanwhile is left out.
func (a archive) parts() (all []tile.Part, err error) {
	if a == "" {
		return nil, nil
	}
	err = fs.WalkDir(os.DirFS(string(a)), ".", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() || !d.Type().IsRegular() || !archiveName.MatchString(d.Name()) && !chainedName.MatchString(d.Name()) {
			return err
		}
		b, err := os.ReadFile(filepath.Join(string(a), filepath.FromSlash(name)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		all = append(all, tile.Part{Path: name, Data: b})
		return err
	})
	return all, err
}
