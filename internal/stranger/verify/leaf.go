package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Leaf is an entry of a Scrim log, as far as a checker looks into it.
type Leaf struct {
	Header *Header // of the first entry alone
	Seq    int64   // of all others
}

// Header is a log's first entry.
type Header struct {
	Origin   string
	First    int64 // sequence number of the second entry
	Previous *Previous
}

// Previous is how the period before ended.
type Previous struct{ Origin, Checkpoint string }

// parseLeaf reads an entry strictly: each member once, in a form that can mean one thing only.
func parseLeaf(b []byte) (Leaf, error) {
	members, err := splitObject(b)
	if err != nil {
		return Leaf{}, err
	}
	kind, err := text(members["scrim"])
	if err != nil {
		return Leaf{}, errors.New("it does not say what it is")
	}
	switch kind {
	case "log/1":
		h, err := parseHeader(members)
		return Leaf{Header: h}, err
	case "entry/2":
		seq, err := parseEntry(members)
		return Leaf{Seq: seq}, err
	}
	return Leaf{}, fmt.Errorf("it is a %q, which this program does not know", short(kind))
}

func parseHeader(members map[string][]byte) (*Header, error) {
	if err := only(members, "scrim", "origin", "first", "previous"); err != nil {
		return nil, err
	}
	var h Header
	var err error
	if h.Origin, err = text(members["origin"]); err != nil {
		return nil, fmt.Errorf("its origin: %w", err)
	}
	if h.First, err = number(members["first"]); err != nil {
		return nil, fmt.Errorf("its first number: %w", err)
	}
	if members["previous"] == nil {
		return &h, nil
	}
	before, err := splitObject(members["previous"])
	if err == nil {
		err = only(before, "origin", "checkpoint")
	}
	if err != nil {
		return nil, fmt.Errorf("the log before: %w", err)
	}
	h.Previous = &Previous{}
	if h.Previous.Origin, err = text(before["origin"]); err != nil {
		return nil, fmt.Errorf("the log before: %w", err)
	}
	if h.Previous.Checkpoint, err = text(before["checkpoint"]); err != nil {
		return nil, fmt.Errorf("the log before: %w", err)
	}
	return &h, nil
}

func parseEntry(members map[string][]byte) (int64, error) {
	if err := only(members, "scrim", "seq", "event", "sealed", "payload", "subjects"); err != nil {
		return 0, err
	}
	seq, err := number(members["seq"])
	if err != nil {
		return 0, fmt.Errorf("its number: %w", err)
	}
	if event := members["event"]; len(event) == 0 || event[0] != '{' {
		return 0, errors.New("its event is no object")
	}
	for _, name := range []string{"sealed", "payload", "subjects"} {
		if members[name] == nil {
			continue
		}
		s, err := text(members[name])
		if err == nil {
			_, err = parseHash(s)
		}
		if err != nil {
			return 0, fmt.Errorf("%s is not 32 bytes of base64", name)
		}
	}
	return seq, nil
}

// only refuses members that are not named.
func only(members map[string][]byte, names ...string) error {
	known := 0
	for _, n := range names {
		if members[n] != nil {
			known++
		}
	}
	if known != len(members) {
		return errors.New("it has a member that this program does not know")
	}
	return nil
}

func text(raw []byte) (string, error) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", errors.New("it is no text")
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

func number(raw []byte) (int64, error) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != string(raw) {
		return 0, errors.New("it is no number from 1 upwards")
	}
	return n, nil
}

// splitObject gives the members of a JSON object by their plain names. It refuses a name that stands twice or is written with
// escapes, and anything before, between or after that is not the shortest form.
func splitObject(b []byte) (map[string][]byte, error) {
	if !json.Valid(b) || len(b) < 2 || b[0] != '{' || b[len(b)-1] != '}' {
		return nil, errors.New("it is no JSON object")
	}
	members := map[string][]byte{}
	for rest := b[1 : len(b)-1]; len(rest) > 0; {
		if rest[0] != '"' {
			return nil, errors.New("its JSON is not in the shortest form")
		}
		end := bytes.IndexByte(rest[1:min(len(rest), 64)], '"')
		if end < 0 || end+2 >= len(rest) || rest[end+2] != ':' || bytes.IndexByte(rest[1:1+end], '\\') >= 0 {
			return nil, errors.New("it has a member with an odd name")
		}
		name := string(rest[1 : 1+end])
		if members[name] != nil {
			return nil, fmt.Errorf("%q stands twice", name)
		}
		value := skipValue(rest[end+3:])
		if len(value) == 0 {
			return nil, errors.New("its JSON is not in the shortest form")
		}
		members[name] = value
		if rest = rest[end+3+len(value):]; len(rest) > 0 {
			if rest[0] != ',' {
				return nil, errors.New("its JSON is not in the shortest form")
			}
			rest = rest[1:]
		}
	}
	return members, nil
}

// skipValue returns the value at the beginning of b, which is valid JSON up to the end of an object's members.
func skipValue(b []byte) []byte {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth == 0:
			return b[:i]
		case (c == ' ' || c == '\n' || c == '\r' || c == '\t') && depth == 0:
			return nil
		}
	}
	return b
}
