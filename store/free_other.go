//go:build !linux && !darwin && !windows

package store

// Free says that it cannot be told how much is left.
func Free(string) (int64, bool) { return 0, false }
