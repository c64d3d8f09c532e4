package store

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/scrimhq/scrim/store/durable"
)

// dataSource is the driver's name for the file, whatever characters the path has.
func dataSource(path string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	return u.String()
}

// prepareDir creates dir for its owner only, or closes an existing one to others.
func prepareDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("creating the data directory: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("looking at the data directory: %w", err)
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if info.Mode()&fs.ModeSticky != 0 {
		return fmt.Errorf("data directory %s is shared by all users; choose one of its own", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("data directory %s is open to other users and cannot be closed; run chmod 700, or choose another: %w", dir, err)
	}
	return nil
}

// createPrivate makes sure that the file exists and is its owner's alone; SQLite gives its log files the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if runtime.GOOS == "windows" {
		return nil
	}
	return f.Chmod(0o600)
}

// lockDir takes the directory for this process. The lock ends with the file, and so with the process.
func lockDir(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of the data directory: %w", err)
	}
	if err := durable.Lock(f); err != nil {
		holder := holderOf(f)
		f.Close()
		if !errors.Is(err, durable.ErrHeld) {
			return nil, fmt.Errorf("locking the data directory %s: %w", dir, err)
		}
		return nil, fmt.Errorf("%w: %s%s; stop it, use its admin API, or choose another directory", ErrLocked, dir, holder)
	}
	// Who holds it is told to people only, so a failure to write it is none of the lock.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// holderOf returns words for the process that wrote the lock file.
func holderOf(f *os.File) string {
	var b [20]byte
	n, _ := f.ReadAt(b[:], 0)
	pid := 0
	if _, err := fmt.Sscan(string(b[:n]), &pid); err != nil {
		return ""
	}
	return fmt.Sprintf(" is held by process %d", pid)
}
