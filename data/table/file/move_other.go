//go:build !linux

package file

// moveNew renames a file to a name that nothing has, or returns fs.ErrExist.
func moveNew(from, to string) error { return linkNew(from, to) }
