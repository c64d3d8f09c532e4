//go:build unix

package agent

import "io/fs"

// private reports whether a file is closed to everybody but its owner.
func private(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }
