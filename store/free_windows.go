package store

import "golang.org/x/sys/windows"

// Free is how many bytes the volume of a directory has left for this user, and false where that cannot be told.
func Free(dir string) (int64, bool) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var left uint64
	if err := windows.GetDiskFreeSpaceEx(name, &left, nil, nil); err != nil {
		return 0, false
	}
	return int64(left), true
}
