package file

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const noFollow = 0

// errHeld says that another process, or another opening in this one, has the lock.
var errHeld = errors.New("lock is held")

// lockNow locks f, far behind what is written there, until it is closed, or returns errHeld.
func lockNow(f *os.File) error {
	at := &windows.Overlapped{OffsetHigh: 1 << 30}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errHeld
	}
	return err
}

// syncDir does nothing: NTFS keeps names of files that were flushed.
func syncDir(string) error { return nil }
