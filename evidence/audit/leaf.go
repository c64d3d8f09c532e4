package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// What a leaf of the tree says it is.
const (
	headerKind = "log/1"
	entryKind  = "entry/2"
)

// maxLeaf is the most that fits into an entry bundle: C2SP tlog-tiles gives a leaf's length two bytes.
const maxLeaf = 1<<16 - 1

// maxAround is what a leaf has around its event, at most.
const maxAround = 256

// ErrLeaf is the error of bytes that are no leaf of a journal's tree.
var ErrLeaf = errors.New("leaf is not in its one form")

// Header is the first leaf of each tree.
type Header struct {
	Origin   string    // of the tree, as in its checkpoints
	First    int64     // the row that the second leaf is
	Previous *Previous // the tree before; nil: there is none
}

// Previous names the tree before and how it ended.
type Previous struct {
	Origin     string `json:"origin"`
	Checkpoint string `json:"checkpoint"` // its last signed note, whole
}

type headerJSON struct {
	Scrim    string    `json:"scrim"`
	Origin   string    `json:"origin"`
	First    int64     `json:"first"`
	Previous *Previous `json:"previous,omitempty"`
}

// Leaf returns the header's bytes.
func (h Header) Leaf() ([]byte, error) {
	if err := checkOrigin(h.Origin); err != nil {
		return nil, err
	}
	if h.First < 1 {
		return nil, fmt.Errorf("%w: rows go from 1", ErrLeaf)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(headerJSON{headerKind, h.Origin, h.First, h.Previous}); err != nil {
		return nil, fmt.Errorf("%w: it has no JSON form", ErrLeaf)
	}
	leaf := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(leaf) > maxLeaf {
		return nil, fmt.Errorf("%w: it takes %d bytes, at most %d are allowed", ErrLeaf, len(leaf), maxLeaf)
	}
	return leaf, nil
}

// ParseHeader reads what [Header.Leaf] wrote, and nothing else: anything else is an [ErrLeaf].
func ParseHeader(leaf []byte) (Header, error) {
	var j headerJSON
	if err := strictly(leaf, &j); err != nil || j.Scrim != headerKind {
		return Header{}, fmt.Errorf("%w: it is no header", ErrLeaf)
	}
	h := Header{Origin: j.Origin, First: j.First, Previous: j.Previous}
	if again, err := h.Leaf(); err != nil || !bytes.Equal(again, leaf) {
		return Header{}, fmt.Errorf("%w: it is no header", ErrLeaf)
	}
	return h, nil
}

// Leaf is an entry as the tree has it: of what is sealed only the hash.
type Leaf struct {
	Seq               int64
	Event             []byte // JSON
	Sealed            []byte // SHA-256 of the ciphertext; nil: nothing is sealed
	Payload, Subjects []byte // commitments, 32 bytes; nil: none
}

// append writes the leaf's bytes behind b. It is a pure function of the row.
func (l *Leaf) append(b []byte) []byte {
	b = append(b, `{"scrim":"`+entryKind+`","seq":`...)
	b = strconv.AppendInt(b, l.Seq, 10)
	b = append(b, `,"event":`...)
	b = append(b, l.Event...)
	b = hash64(b, `,"sealed":"`, l.Sealed)
	b = hash64(b, `,"payload":"`, l.Payload)
	b = hash64(b, `,"subjects":"`, l.Subjects)
	return append(b, '}')
}

func hash64(b []byte, name string, hash []byte) []byte {
	if len(hash) == 0 {
		return b
	}
	b = append(b, name...)
	b = base64.StdEncoding.AppendEncode(b, hash)
	return append(b, '"')
}

// leafOf returns the leaf of a row as it is stored.
func leafOf(seq int64, event, sealed, payload, subjects []byte) []byte {
	l := Leaf{Seq: seq, Event: event, Payload: payload, Subjects: subjects}
	if len(sealed) > 0 {
		sum := sha256.Sum256(sealed)
		l.Sealed = sum[:]
	}
	return l.append(make([]byte, 0, len(event)+maxAround))
}

// LeafHash is what the tree is built of: RFC 6962, section 2.1.
func LeafHash(leaf []byte) [32]byte { return tlog.RecordHash(leaf) }

// ParseLeaf reads the leaf of an entry. Bytes that are not the one form of what they say are an [ErrLeaf].
func ParseLeaf(leaf []byte) (Leaf, error) {
	var j struct {
		Scrim    string          `json:"scrim"`
		Seq      int64           `json:"seq"`
		Event    json.RawMessage `json:"event"`
		Sealed   []byte          `json:"sealed"`
		Payload  []byte          `json:"payload"`
		Subjects []byte          `json:"subjects"`
	}
	if len(leaf) > maxLeaf {
		return Leaf{}, fmt.Errorf("%w: it is too large", ErrLeaf)
	}
	if err := strictly(leaf, &j); err != nil || j.Scrim != entryKind || j.Seq < 1 || len(j.Event) == 0 || j.Event[0] != '{' {
		return Leaf{}, fmt.Errorf("%w: it is no entry", ErrLeaf)
	}
	for _, h := range [][]byte{j.Sealed, j.Payload, j.Subjects} {
		if h != nil && len(h) != sha256.Size {
			return Leaf{}, fmt.Errorf("%w: a hash has not %d bytes", ErrLeaf, sha256.Size)
		}
	}
	l := Leaf{j.Seq, j.Event, j.Sealed, j.Payload, j.Subjects}
	if !bytes.Equal(l.append(nil), leaf) {
		return Leaf{}, fmt.Errorf("%w: it is not in the form that is written", ErrLeaf)
	}
	return l, nil
}

// strictly decodes one JSON value and nothing after it.
func strictly(b []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if dec.InputOffset() != int64(len(b)) {
		return ErrLeaf
	}
	return nil
}
