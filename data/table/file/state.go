package file

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/store/durable"
)

// state is what is known of an unfinished file: up to where it counts, and whose it is.
type state struct {
	Form    string `json:"scrim"`
	Tag     string `json:"tag"`
	Columns string `json:"columns"` // their digest
	Rows    int64  `json:"rows"`
	Bytes   int64  `json:"bytes"`
	Digest  string `json:"digest"` // of so many bytes
	Sum     string `json:"sum"`    // of the members above
}

const (
	form      = "partial/1"
	mostState = 64 << 10
)

// digestOf tells columns apart by their names, in order.
func digestOf(columns []table.Column) string {
	h := sha256.New()
	for _, c := range columns {
		io.WriteString(h, strconv.Itoa(len(c.Name))+":"+c.Name)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s state) encode() []byte {
	s.Form, s.Sum = form, ""
	b, err := json.Marshal(s)
	if err != nil {
		panic("file: " + err.Error()) // of strings and numbers
	}
	sum := sha256.Sum256(b)
	s.Sum = hex.EncodeToString(sum[:])
	b, _ = json.Marshal(s)
	return append(b, '\n')
}

// parseState reads what encode wrote, and nothing else.
func parseState(b []byte) (*state, bool) {
	var s state
	if json.Unmarshal(b, &s) != nil || s.Form != form || s.Rows < 0 || s.Bytes < 0 {
		return nil, false
	}
	return &s, bytes.Equal(s.encode(), b)
}

// readState returns the state beside an unfinished file. [fs.ErrNotExist] if there is none.
func readState(path string) (*state, error) {
	name := path + Beside
	f, err := os.OpenFile(name, os.O_RDONLY|durable.NoFollow, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, Fail(name, "opening", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, mostState+1))
	if err != nil {
		return nil, Fail(name, "reading", err)
	}
	s, ok := parseState(b)
	if !ok {
		return nil, other(path, "has a state beside it that is not of this program, or damaged")
	}
	return s, nil
}

// writeState replaces the state, durably and at once.
func writeState(path string, s *state) (err error) {
	name := path + Beside
	b := s.encode()
	if len(b) > mostState {
		return &table.Error{Table: name, Why: "the run's tag is too long"}
	}
	fresh := name + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Fail(name, "writing", err)
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL|durable.NoFollow, 0o600)
	if err != nil {
		return Fail(name, "writing", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(fresh, name)
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		os.Remove(fresh)
		return Fail(name, "writing", err)
	}
	return nil
}
