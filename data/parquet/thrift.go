package parquet

import (
	"encoding/binary"
	"errors"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

var errThrift = errors.New("is damaged: its metadata cannot be read")

// Bounds of metadata, so that a short lie does not become a long allocation.
const (
	mostStructs = 1 << 18 // elements of lists that are structs
	mostItems   = 1 << 22 // elements of all lists
	mostDepth   = 24
)

// skimmer walks over a struct in thrift's compact protocol without keeping anything of it.
type skimmer struct {
	b              []byte
	at             int
	structs, items int
}

// measure returns how long the struct at the start of b is. It fails if that is not whole, or if it says that it holds more than
// it does or more than anything sensible.
func measure(b []byte) (n int, err error) {
	s := skimmer{b: b}
	if err := s.fields(0); err != nil {
		return 0, err
	}
	return s.at, nil
}

// unmarshal decodes metadata that has been measured.
func unmarshal(b []byte, v any) (n int, err error) {
	defer recovered(&err)
	if n, err = measure(b); err != nil {
		return 0, err
	}
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), b[:n], v); err != nil {
		return 0, errThrift // the library's own words may quote what it found
	}
	return n, nil
}

// recovered turns a panic of the library, which only what is read can cause, into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = errThrift
	}
}

func (s *skimmer) uvarint() (uint64, error) {
	v, n := binary.Uvarint(s.b[s.at:])
	if n <= 0 {
		return 0, errThrift
	}
	s.at += n
	return v, nil
}

func (s *skimmer) byte() (byte, error) {
	if s.at >= len(s.b) {
		return 0, errThrift
	}
	s.at++
	return s.b[s.at-1], nil
}

func (s *skimmer) skip(n uint64) error {
	if n > uint64(len(s.b)-s.at) {
		return errThrift
	}
	s.at += int(n)
	return nil
}

func (s *skimmer) fields(depth int) error {
	if depth > mostDepth {
		return errThrift
	}
	for {
		h, err := s.byte()
		if err != nil {
			return err
		}
		kind := h & 0xf
		if h == 0 {
			return nil
		}
		if h>>4 == 0 {
			if _, err := s.uvarint(); err != nil {
				return err
			}
		}
		if kind == 1 || kind == 2 { // a truth is in the header
			continue
		}
		if err := s.value(kind, depth); err != nil {
			return err
		}
	}
}

func (s *skimmer) value(kind byte, depth int) error {
	switch kind {
	case 1, 2, 3:
		return s.skip(1)
	case 4, 5, 6:
		_, err := s.uvarint()
		return err
	case 7:
		return s.skip(8)
	case 8:
		n, err := s.uvarint()
		if err != nil {
			return err
		}
		return s.skip(n)
	case 9, 10:
		return s.list(depth)
	case 12:
		return s.fields(depth + 1)
	}
	return errThrift // no map and no other type is in the format
}

func (s *skimmer) list(depth int) error {
	h, err := s.byte()
	if err != nil {
		return err
	}
	n, kind := uint64(h>>4), h&0xf
	if n == 15 {
		if n, err = s.uvarint(); err != nil {
			return err
		}
	}
	if n > uint64(len(s.b)-s.at) { // each takes a byte at least
		return errThrift
	}
	if s.items += int(n); s.items > mostItems {
		return errThrift
	}
	if kind == 12 {
		if s.structs += int(n); s.structs > mostStructs {
			return errThrift
		}
	}
	if depth > mostDepth {
		return errThrift
	}
	for range n {
		if err := s.value(kind, depth+1); err != nil {
			return err
		}
	}
	return nil
}
