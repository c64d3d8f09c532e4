//go:build linux || darwin

package store

import "syscall"

// Free is how many bytes the volume of a directory has left for this user, and false where that cannot be told.
func Free(dir string) (int64, bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
