package tile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/scrimhq/scrim/store/durable"
)

// disk makes the changes to files, so that a test can let each of them fail.
type disk struct {
	fault func(op, path string) error
}

func (d disk) check(op, path string) error {
	if d.fault == nil {
		return nil
	}
	return d.fault(op, path)
}

func (d disk) write(f *os.File, data []byte) error {
	if err := d.check("write", f.Name()); err != nil {
		_, _ = f.Write(data[:len(data)/2])
		return err
	}
	_, err := f.Write(data)
	return err
}

// errSkip makes a sync succeed without being done, which spares tests that cut the power themselves the time.
var errSkip = errors.New("skipped")

func (d disk) sync(f *os.File) error {
	err := d.check("sync", f.Name())
	if err == nil {
		err = f.Sync()
	}
	if err == errSkip {
		return nil
	}
	return err
}

func (d disk) truncate(f *os.File, size int64) error {
	if err := d.check("truncate", f.Name()); err != nil {
		return err
	}
	return f.Truncate(size)
}

func (d disk) rename(from, to string) error {
	if err := d.check("rename", from+" → "+to); err != nil {
		return err
	}
	return durable.Rename(from, to)
}

func (d disk) removeAll(path string) error {
	if err := d.check("remove", path); err != nil {
		return err
	}
	return os.RemoveAll(path)
}

// put writes a file anew, durable; one that is there it replaces.
func (d disk) put(path string, data []byte) error {
	if err := d.check("open", path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = d.write(f, data)
	if err == nil {
		err = d.sync(f)
	}
	return errors.Join(err, f.Close())
}

// mkdir makes a directory and those above it, all durable.
func (d disk) mkdir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if parent := filepath.Dir(dir); parent != dir {
		if err := d.mkdir(parent); err != nil {
			return err
		}
	}
	if err := d.check("mkdir", dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.syncDir(dir)
}

// syncDir makes the name of a file durable.
func (d disk) syncDir(path string) error {
	dir := filepath.Dir(path)
	err := d.check("sync", dir)
	if err == nil {
		err = durable.SyncDir(dir)
	}
	if err != nil && err != errSkip {
		return fmt.Errorf("syncing a directory: %w", err)
	}
	return nil
}

// each calls do for 0 to n−1, several at once: syncs that wait together cost little more than one. It returns the first error.
func each(n int, do func(i int) error) error {
	const workers = 8
	var (
		wait  sync.WaitGroup
		mu    sync.Mutex
		next  int
		first error
	)
	take := func() int {
		mu.Lock()
		defer mu.Unlock()
		if first != nil {
			return n
		}
		next++
		return next - 1
	}
	for range min(workers, n) {
		wait.Go(func() {
			for i := take(); i < n; i = take() {
				if err := do(i); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
				}
			}
		})
	}
	wait.Wait()
	return first
}
