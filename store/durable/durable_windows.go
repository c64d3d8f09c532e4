package durable

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// NoFollow is the flag of [os.OpenFile] that refuses a symbolic link; 0 where there is none.
const NoFollow = 0

// Lock locks f until it is closed, or returns [ErrHeld] at once. The byte that is locked lies far behind what is written there, so that others can read
// the file meanwhile.
func Lock(f *os.File) error {
	at := &windows.Overlapped{OffsetHigh: 1 << 30}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrHeld
	}
	return err
}

// Release ends the lock and closes f.
func Release(f *os.File) error { return f.Close() }

// SyncDir does nothing: NTFS keeps names of files that were flushed, and a directory cannot be synced.
func SyncDir(string) error { return nil }

// Rename puts a file in the place of another. It tries for a while: a file cannot be replaced while a reader has it open.
func Rename(from, to string) error {
	var err error
	for wait := 5 * time.Millisecond; wait < time.Second; wait *= 2 {
		err = os.Rename(from, to)
		if !errors.Is(err, windows.ERROR_SHARING_VIOLATION) && !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
			return err
		}
		time.Sleep(wait)
	}
	return err
}
