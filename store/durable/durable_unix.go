//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package durable

import (
	"errors"
	"os"
	"syscall"
)

// NoFollow is the flag of [os.OpenFile] that refuses a symbolic link; 0 where there is none.
const NoFollow = syscall.O_NOFOLLOW

// Lock locks f until it is closed, or returns [ErrHeld] at once.
func Lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrHeld
		}
		return err
	}
}

// Release ends the lock and closes f. To close it would not do: a process that is being started has a copy until it runs its own program, and would keep
// the lock so long.
func Release(f *os.File) error {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // what is left of it ends with the last copy
	return f.Close()
}

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Rename puts a file in the place of another, whoever reads that.
func Rename(from, to string) error { return os.Rename(from, to) }
