package flow

import (
	"encoding/hex"
	"fmt"
	"math"
)

// Origin says how a leaf came by its label, and so which tokens it may have. The zero value is [Supplied],
// for which nothing derived from the value is ever handed out.
type Origin uint8

// The origins.
const (
	Supplied   Origin = iota // by the recipient, or not known
	Detected                 // found in text
	Catalogued               // a schema or the catalog of this domain declares the place
)

// String returns the origin's name.
func (o Origin) String() string {
	return nameOf([]string{"supplied", "detected", "catalogued"}, int(o))
}

// MarshalText implements [encoding.TextMarshaler].
func (o Origin) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *Origin) UnmarshalText(b []byte) error {
	for i := Supplied; i <= Catalogued; i++ {
		if i.String() == string(b) {
			*o = i
			return nil
		}
	}
	return fmt.Errorf("origin is not one of supplied, detected, catalogued")
}

// SubjectRef points at the person or thing that a value is about, without saying who: a keyed digest that only
// the domain's own gateway can make. The zero value is unknown, which is treated strictest and counted.
type SubjectRef [16]byte

// Known reports whether the subject is known.
func (s SubjectRef) Known() bool { return s != SubjectRef{} }

// String returns the reference in hexadecimal, or "unknown".
func (s SubjectRef) String() string {
	if !s.Known() {
		return "unknown"
	}
	return hex.EncodeToString(s[:])
}

// MarshalText implements [encoding.TextMarshaler].
func (s SubjectRef) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *SubjectRef) UnmarshalText(b []byte) error {
	*s = SubjectRef{}
	if string(b) == "unknown" {
		return nil
	}
	if hex.DecodedLen(len(b)) != len(s) {
		return fmt.Errorf("subject reference has %d characters, want %d", len(b), 2*len(s))
	}
	_, err := hex.Decode(s[:], b)
	return err
}

// Path is a value's place as it may be printed: a JSON Pointer (RFC 6901) in which every member name that no
// schema declares is replaced by "*", since a name can be a value.
type Path string

// Leaf is one value's place in a message or table, without the value.
type Leaf struct {
	Path    Path       `json:"path"`
	Label   Label      `json:"label"`
	Field   string     `json:"field,omitempty"` // the catalogued field, "dataset/column", where there is one
	Origin  Origin     `json:"origin"`
	Score   uint8      `json:"score,omitempty"` // of a detected leaf: how sure the detector is, in percent; 0: certain, see [Leaf.Certainty]
	Subject SubjectRef `json:"subject"`
	Need    *Treatment `json:"need,omitempty"` // what the recipient's task declares it needs; nil: what policy permits
}

// Certain is the certainty of what nobody guessed, in percent.
const Certain = 100

// Certainty is how sure it is that the value is of its label, from 1 to [Certain] percent. Only what was found in text can be
// less than certain: a leaf that a schema or the catalog names is certain whatever its score, and so is one without a score.
func (l *Leaf) Certainty() uint8 {
	if l.Origin != Detected || l.Field != "" || l.Score == 0 {
		return Certain
	}
	return min(l.Score, Certain)
}

// Percent returns a detector's score, between 0 and 1, in whole percent: rounded up, so that 0.596 is not below 60, and at
// least 1. What is no score counts as certain.
func Percent(score float64) uint8 {
	if !(score > 0 && score < 1) {
		return Certain
	}
	return max(1, uint8(math.Ceil(math.Round(score*1e6)/1e4))) // 0.07 is 7, though 0.07*100 is a little more
}
