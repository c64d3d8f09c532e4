// Package file is what the formats of tables that are files have in common: reading one twice and noticing that it changed, cutting
// it where rows end, and writing one under a passing name that survives a crash.
package file

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/scrimhq/scrim/data/table"
)

// Input is a file that is read more than once. It is safe for concurrent use.
type Input struct {
	path string

	mu     sync.Mutex
	stat   fs.FileInfo // as it was when first opened
	digest string      // of the first whole reading; "" before that
}

// Open looks at the file and returns it. It must be a regular file: pipes cannot be read twice.
func Open(path string) (*Input, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return nil, Fail(path, "opening", err)
	}
	if !stat.Mode().IsRegular() {
		return nil, &table.Error{Table: path, Why: "is not a regular file"}
	}
	return &Input{path: path, stat: stat}, nil
}

// Fail makes a [table.Error] of what the system says about a file.
func Fail(path, doing string, err error) error {
	why := err
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		why = p.Err
	}
	return &table.Error{Table: path, Why: doing + ": " + why.Error(), Err: err}
}

// Name returns the file's name.
func (in *Input) Name() string { return in.path }

// Digest returns "sha256:" and the digest of the file's bytes as they lie on disk, once it has been read to its end, else "".
func (in *Input) Digest() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.digest
}

func (in *Input) changed() error {
	return &table.Error{Table: in.path, Why: table.ErrChanged.Error(), Err: table.ErrChanged}
}

// Stream opens the file at its start, decompressed if its name ends in ".gz". [table.ErrChanged] if it is not as it was when it
// was first opened.
func (in *Input) Stream() (*Stream, error) {
	f, err := os.Open(in.path)
	if err != nil {
		return nil, Fail(in.path, "opening", err)
	}
	s := &Stream{in: in, raw: raw{f: f, hash: sha256.New()}}
	s.r = &s.raw
	s.opened, err = f.Stat()
	if err == nil && !same(in.stat, s.opened) {
		err = in.changed()
	}
	if err == nil && strings.HasSuffix(in.path, ".gz") {
		if s.r, err = gzip.NewReader(bufio.NewReaderSize(&s.raw, 64<<10)); err != nil {
			err = Fail(in.path, "decompressing", err)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

// same compares what the system says of a file; its content is compared where it has been read.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// Stream is one reading of an [Input]. At the end Read returns [io.EOF] only if what was read is what earlier readings found, and
// [table.ErrChanged] otherwise.
type Stream struct {
	in     *Input
	raw    raw
	r      io.Reader
	opened fs.FileInfo
	err    error
}

// raw counts and digests the bytes of the file.
type raw struct {
	f    *os.File
	hash hash.Hash
	n    int64
}

func (r *raw) Read(b []byte) (int, error) {
	n, err := r.f.Read(b)
	r.hash.Write(b[:n])
	r.n += int64(n)
	return n, err
}

// Read implements [io.Reader].
func (s *Stream) Read(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(b)
	if err == io.EOF {
		err = s.end()
	}
	s.err = err
	return n, err
}

// Consumed returns how many bytes of the file have been read, as it lies on disk.
func (s *Stream) Consumed() int64 { return s.raw.n }

// end compares one reading with those before it.
func (s *Stream) end() error {
	now, err := s.raw.f.Stat()
	if err != nil {
		return err
	}
	if !same(now, s.opened) || s.raw.n != now.Size() {
		return s.in.changed()
	}
	digest := "sha256:" + hex.EncodeToString(s.raw.hash.Sum(nil))
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	if s.in.digest == "" {
		s.in.digest = digest
	}
	if s.in.digest != digest {
		return s.in.changed()
	}
	return io.EOF
}

// Close closes the file.
func (s *Stream) Close() error {
	s.err = fs.ErrClosed
	return s.raw.f.Close()
}
