package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/scrimhq/scrim/flow"
)

// Salt is one part of what an event's commitments are salted with: 32 random bytes, drawn anew for each event and for each of those whom it is about.
type Salt [32]byte

// Commitment is what an event commits to, and what opens it. The commitments go on record. The salts are kept sealed: the event's own with what the
// decision was made of, each subject's under the subject's own key, so that nobody can open anything any more once that is destroyed.
//
// The scheme is docs/spec/erasure.md. A commitment is HMAC-SHA256 under a salt that nobody else has: it says nothing about what was released and to whom it
// belonged, two of one subject have nothing in common, and none opens to something else.
type Commitment struct {
	Payload  []byte // 32 bytes; nil: nothing was released
	Subjects []byte // 32 bytes; nil: it is about nobody who is known

	Own  Salt       // the event's own
	Each []Salt     // each subject's, in the order given
	List [][32]byte // what Subjects is the digest of, in the order given: without a subject's salt its entry says nothing
}

// Commit draws salts and commits to a payload, which may be nil, and to subjects, none twice.
func Commit(payload []byte, subjects []flow.SubjectRef) Commitment {
	c := Commitment{}
	salts := make([]byte, len(c.Own)*(1+len(subjects)))
	_, _ = rand.Read(salts) // never fails
	c.Own = Salt(salts)
	if len(subjects) > 0 {
		c.Each, c.List = make([]Salt, len(subjects)), make([][32]byte, len(subjects))
		for i, s := range subjects {
			c.Each[i] = Salt(salts[len(c.Own)*(1+i):])
			c.List[i] = c.Each[i].of(s)
		}
		c.Subjects = digestOf(c.List)
	}
	if payload != nil {
		c.Payload = commitPayload(payload, c.Own, c.Each)
	}
	return c
}

// of is the list's entry for a subject.
func (s Salt) of(subject flow.SubjectRef) [32]byte {
	return [32]byte(keyed(s[:], "scrim subject 1", subject[:]))
}

func digestOf(list [][32]byte) []byte {
	h := sha256.New()
	h.Write([]byte("scrim subjects 1\x00"))
	for i := range list {
		h.Write(list[i][:])
	}
	return h.Sum(nil)
}

func commitPayload(payload []byte, own Salt, each []Salt) []byte {
	m := hmac.New(sha256.New, own[:])
	m.Write([]byte("scrim payload salt 1\x00"))
	for i := range each {
		m.Write(each[i][:])
	}
	sum := sha256.Sum256(payload)
	return keyed(m.Sum(nil), "scrim payload 1", sum[:])
}

func keyed(key []byte, name string, message []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(name))
	m.Write([]byte{0})
	m.Write(message)
	return m.Sum(nil)
}

// OpensPayload reports whether the commitment is to the payload, given the event's own salt and those of all its subjects in order. One that
// is missing, because its subject was erased, opens nothing.
func OpensPayload(commitment, payload []byte, own Salt, each []Salt) bool {
	return len(commitment) == sha256.Size && hmac.Equal(commitment, commitPayload(payload, own, each))
}

// OpensSubject reports whether a list that the commitment covers names the subject at its place, counted from 0.
func OpensSubject(commitment []byte, list [][32]byte, at int, s flow.SubjectRef, salt Salt) bool {
	if at < 0 || at >= len(list) || !bytes.Equal(commitment, digestOf(list)) {
		return false
	}
	want := salt.of(s)
	return hmac.Equal(list[at][:], want[:])
}

// Share is what a subject's own row holds of an event, sealed under the subject's key.
type Share struct {
	At   int // the subject's place in the event's list, counted from 0
	Salt Salt
}

const shareVersion = 1

var errShare = errors.New("what a subject's row holds cannot be read")

// Append appends the share's bytes: version 1, place (unsigned varint), salt (32).
func (s *Share) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(append(dst, shareVersion), uint64(s.At))
	return append(dst, s.Salt[:]...)
}

// ParseShare reads what [Share.Append] wrote.
func ParseShare(b []byte) (Share, error) {
	if len(b) < 2 || b[0] != shareVersion {
		return Share{}, errShare
	}
	at, n := binary.Uvarint(b[1:])
	if n <= 0 || at > 1<<30 || len(b) != 1+n+len(Salt{}) {
		return Share{}, errShare
	}
	return Share{At: int(at), Salt: Salt(b[1+n:])}, nil
}
