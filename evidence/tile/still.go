package tile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Part is a file of a log's directory, by its path from there with forward slashes. Full tiles and bundles are never changed, so they can be read at any later
// time; Data is what all else held when the list was made.
type Part struct {
	Path string
	Data []byte // nil: read the file
}

// Still lists the files that a copy of the log needs, as they are at one moment: whoever puts them into another directory has the log there with all that it has
// now. Appending waits meanwhile, for as long as it takes to read a few small files.
func (l *Log) Still() ([]Part, error) {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	return Files(l.dir)
}

// Files is [Log.Still] of a log that nobody has open.
func Files(dir string) (all []Part, err error) {
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir() || !d.Type().IsRegular():
			return err
		case name == tailFolder+"/lock", strings.HasPrefix(name, tailFolder+"/") && strings.HasSuffix(name, ".new"):
			return nil
		}
		p := Part{Path: name}
		if strings.HasPrefix(name, tailFolder+"/") || strings.Contains(name, ".p/") || !strings.HasPrefix(name, "tile/") {
			if p.Data, err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
				return err
			}
		}
		all = append(all, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the files of the log: %w", err)
	}
	return all, nil
}
