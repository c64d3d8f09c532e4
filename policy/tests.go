package policy

import (
	"io"
	"io/fs"
)

// TestResult is how one policy test ended.
type TestResult struct {
	Name    string
	File    string
	Line    int // of the test in its file, from 1
	Passed  bool
	Failure string // what was expected and what came; empty if passed
}

// RunTests runs the policy tests in every *.test.yaml file of fsys, in the order of file and line.
//
// The format is described in docs/spec/policy-tests.md. The error, of type [Mistakes], says that a file could not be read as
// tests; a test that fails is a result, not an error.
func RunTests(s *Set, fsys fs.FS) ([]TestResult, error) { return nil, nil }

// RunTestFile runs the policy tests of one file.
func RunTestFile(s *Set, name string, r io.Reader) ([]TestResult, error) { return nil, nil }
