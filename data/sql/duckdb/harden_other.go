//go:build !unix

package duckdb

// Harden sets what holds for the whole process: here, nothing.
func Harden() {}
