// Package change says what a set of rules is, how a change of it is proposed, who must agree, and when it comes into force.
//
// A [RuleSet] is every file that decides, and one [Digest] names it. A [Proposal] brings another set in the place of the one in force. It is
// a value without a store: who keeps proposals and puts steps on record is package gateway/governance; the workflow is docs/spec/governance.md.
package change

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Main is the name of the configuration itself in a rule set, whatever it is called on disk.
const Main = "scrim.yaml"

// The bounds of a rule set.
const (
	MaxFiles = 10_000
	MaxBytes = 32 << 20 // of all files together
	maxName  = 1024
)

// ErrRuleSet is wrapped by errors about bytes or files that are no rule set.
var ErrRuleSet = errors.New("not a rule set")

// RuleSet is what decides: configuration, policies with their tests, contracts, schemas, and what else configuration names. It is not changed.
type RuleSet struct {
	Files map[string][]byte // by path from the configuration's directory, with slashes; [Main] is one
}

// Digest is SHA-256 of a rule set's [RuleSet.AppendBinary].
type Digest [32]byte

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether it is no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) != 2*len(d) {
		return errors.New("a digest has 64 hexadecimal digits")
	}
	_, err := hex.Decode(d[:], b)
	return err
}

// Check reports why files are no rule set: a name that is not clean, too many, too large, or no [Main].
func (r RuleSet) Check() error {
	if _, ok := r.Files[Main]; !ok {
		return fmt.Errorf("%w: there is no %s in it", ErrRuleSet, Main)
	}
	if len(r.Files) > MaxFiles {
		return fmt.Errorf("%w: it has more than %d files", ErrRuleSet, MaxFiles)
	}
	size := 0
	for name, content := range r.Files {
		if !goodName(name) {
			return fmt.Errorf("%w: a file's name is not a clean path with slashes", ErrRuleSet)
		}
		if size += len(content); size > MaxBytes {
			return fmt.Errorf("%w: its files take more than %d MiB", ErrRuleSet, MaxBytes>>20)
		}
	}
	return nil
}

func goodName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) && path.Clean(name) == name && name != "." && !strings.ContainsAny(name, "\x00\\\n\r")
}

const header = "scrim rule set v1\n"

// AppendBinary appends the set's one form: a line that says what it is, then each file by name, in the order of the bytes, as length and name, length
// and content; lengths are eight bytes, most significant first.
func (r RuleSet) AppendBinary(dst []byte) ([]byte, error) {
	dst = append(dst, header...)
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		dst = binary.BigEndian.AppendUint64(dst, uint64(len(name)))
		dst = append(dst, name...)
		dst = binary.BigEndian.AppendUint64(dst, uint64(len(r.Files[name])))
		dst = append(dst, r.Files[name]...)
	}
	return dst, nil
}

// Digest names the set.
func (r RuleSet) Digest() [32]byte {
	b, _ := r.AppendBinary(nil) // never fails
	return sha256.Sum256(b)
}

// ParseRuleSet reads what [RuleSet.AppendBinary] wrote, and nothing else: two files of one name, or in another order, are an [ErrRuleSet].
func ParseRuleSet(b []byte) (RuleSet, error) {
	rest, ok := bytes.CutPrefix(b, []byte(header))
	if !ok {
		return RuleSet{}, fmt.Errorf("%w: it does not begin as one", ErrRuleSet)
	}
	r := RuleSet{Files: map[string][]byte{}}
	before := ""
	for len(rest) > 0 {
		var name, content []byte
		if name, rest, ok = frame(rest); ok {
			content, rest, ok = frame(rest)
		}
		if !ok {
			return RuleSet{}, fmt.Errorf("%w: it is cut short", ErrRuleSet)
		}
		if string(name) <= before {
			return RuleSet{}, fmt.Errorf("%w: its files are not in order", ErrRuleSet)
		}
		before = string(name)
		r.Files[before] = bytes.Clone(content)
		if len(r.Files) > MaxFiles {
			break // Check says so
		}
	}
	if err := r.Check(); err != nil {
		return RuleSet{}, err
	}
	return r, nil
}

func frame(b []byte) (content, rest []byte, ok bool) {
	if len(b) < 8 {
		return nil, nil, false
	}
	n := binary.BigEndian.Uint64(b)
	if b = b[8:]; n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// FS returns the files below a directory of the set, such as that of policies.
func (r RuleSet) FS(dir string) fs.FS {
	out := memory{}
	for name, content := range r.Files {
		if dir = path.Clean(dir); dir == "." {
			out[name] = content
		} else if below, ok := strings.CutPrefix(name, dir+"/"); ok {
			out[below] = content
		}
	}
	for name := range out {
		if !fs.ValidPath(name) {
			delete(out, name) // it lies outside of the configuration's directory
		}
	}
	return out
}

// FileChange is a file that two sets do not have alike.
type FileChange struct {
	Name string `json:"name"`
	Old  []byte `json:"old"` // nil: it has no such file
	New  []byte `json:"new"`
}

// Diff returns the files that differ, by name.
func Diff(old, now RuleSet) (all []FileChange) {
	names := maps.Clone(old.Files)
	maps.Copy(names, now.Files)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, inOld := old.Files[name]
		b, inNow := now.Files[name]
		if inOld == inNow && bytes.Equal(a, b) {
			continue
		}
		c := FileChange{Name: name}
		if inOld {
			c.Old = append([]byte{}, a...)
		}
		if inNow {
			c.New = append([]byte{}, b...)
		}
		all = append(all, c)
	}
	return all
}
