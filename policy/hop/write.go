package hop

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// ErrSigner is returned by [Sign] for a key that is not Ed25519.
var ErrSigner = errors.New("the key that signs hop statements is not Ed25519")

// Sign returns the statement as it is sent. Times are cut to the second; an Expires that is zero is [Lifetime] later than IssuedAt.
//
// The payload's members are in the order of docs/spec/hops.md, without white space, each exactly once and none left out
// but "cap"; labels are ordered by their bytes. The error wraps [*Error] if a member is out of bounds, and is [ErrSigner]
// for another kind of key.
func Sign(signer crypto.Signer, kid string, s *Statement) (string, error) {
	if _, ok := signer.Public().(ed25519.PublicKey); !ok {
		return "", ErrSigner
	}
	if !isName(kid, maxKid) {
		return "", broken(RuleForm, "the key's id has not the form of one")
	}
	c := *s
	c.IssuedAt = c.IssuedAt.UTC().Truncate(time.Second)
	if c.Expires.IsZero() {
		c.Expires = c.IssuedAt.Add(Lifetime)
	}
	if err := c.check(); err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	out := enc.AppendEncode(nil, appendHead(nil, kid))
	out = enc.AppendEncode(append(out, '.'), c.appendPayload(nil))
	sig, err := signer.Sign(nil, out, crypto.Hash(0))
	if err != nil {
		return "", errors.New("the hop statement could not be signed")
	}
	out = enc.AppendEncode(append(out, '.'), sig)
	if len(out) > MaxBytes {
		return "", broken(RuleSize, "it is longer than %d bytes", MaxBytes)
	}
	return string(out), nil
}

func appendHead(b []byte, kid string) []byte {
	b = append(b, `{"alg":"EdDSA","kid":`...)
	b = appendText(b, kid)
	return append(b, `,"typ":"`+Type+`"}`...)
}

// appendPayload writes the one form that a payload has. Every text in it is of characters that need no escape, see check.
func (s *Statement) appendPayload(b []byte) []byte {
	text := func(name, v string) {
		b = append(append(append(b, ',', '"'), name...), '"', ':')
		b = appendText(b, v)
	}
	number := func(name string, v int64) {
		b = append(append(append(b, ',', '"'), name...), '"', ':')
		b = strconv.AppendInt(b, v, 10)
	}
	digest := func(name string, v []byte) { text(name, base64.RawURLEncoding.EncodeToString(v)) }
	b = append(b, `{"v":`...)
	b = strconv.AppendInt(b, Version, 10)
	text("iss", string(s.Issuer))
	text("aud", string(s.Audience))
	text("jti", s.JTI())
	number("iat", s.IssuedAt.Unix())
	number("exp", s.Expires.Unix())
	text("method", s.Request.Method)
	text("target", s.Request.Target)
	digest("body", s.Request.Body[:])
	text("agent", string(s.Agent))
	number("hop", int64(s.Hop))
	digest("record", s.Record[:])
	text("purpose", string(s.Purpose))
	text("criticality", s.Criticality.String())
	b = append(b, `,"levels":{`...)
	for i, label := range slices.Sorted(maps.Keys(s.Limits.Levels)) {
		if i > 0 {
			b = append(b, ',')
		}
		t := s.Limits.Levels[label]
		b = append(appendText(b, string(label)), `:{"level":`...)
		b = appendText(b, t.Level.String())
		if t.Param != "" {
			b = appendText(append(b, `,"param":`...), string(t.Param))
		}
		b = append(b, '}')
	}
	b = append(b, '}')
	number("retain", int64(s.Limits.Retain/time.Second))
	if s.Capability != nil {
		digest("cap", s.Capability[:])
	}
	return append(b, '}')
}

// appendText writes a text of characters that need no escape, as check has it.
func appendText(b []byte, s string) []byte { return append(append(append(b, '"'), s...), '"') }

// check holds a statement to the bounds that both sides keep.
func (s *Statement) check() error {
	switch {
	case !isName(string(s.Issuer), MaxName) || !isName(string(s.Audience), MaxName):
		return broken(RuleForm, "a domain has not the form of one")
	case s.Issuer == s.Audience:
		return broken(RuleForm, "a domain makes no statement for itself")
	case !isName(string(s.Agent), MaxName):
		return broken(RuleForm, "the agent has not the form of one")
	case s.Purpose != "" && !isName(string(s.Purpose), MaxName):
		return broken(RuleForm, "the purpose has not the form of one")
	case s.Criticality > flow.Critical:
		return broken(RuleForm, "the criticality is none")
	case s.Hop < 0 || s.Hop > MaxHop:
		return broken(RuleHops, "the hop is not between 0 and %d", MaxHop)
	case s.Request.Method == "" || len(s.Request.Method) > 16 || !all(s.Request.Method, isUpper):
		return broken(RuleForm, "the method has not the form of one")
	case len(s.Request.Target) > MaxTarget:
		return broken(RuleSize, "the target is longer than %d bytes", MaxTarget)
	case s.Request.Target == "" || s.Request.Target[0] != '/' || !all(s.Request.Target, isPlain):
		return broken(RuleForm, "the target has not the form of one")
	case s.IssuedAt.Unix() <= 0 || s.IssuedAt.Unix() >= 1<<40 || !s.Expires.After(s.IssuedAt):
		return broken(RuleTime, "its times are none")
	case s.Expires.Sub(s.IssuedAt) > MaxLifetime:
		return broken(RuleTime, "it holds for longer than %s", MaxLifetime)
	case len(s.Limits.Levels) > MaxLevels:
		return broken(RuleSize, "it has more than %d levels", MaxLevels)
	case s.Limits.Retain < 0 || s.Limits.Retain > maxRetain:
		return broken(RuleForm, "the retention is out of bounds")
	}
	for label, t := range s.Limits.Levels {
		if !isLabel(string(label)) {
			return broken(RuleForm, "a label has not the form of one")
		}
		if t.Level > flow.Raw {
			return broken(RuleForm, "a level is none")
		}
		if _, err := flow.ParseParam(t.Level, string(t.Param)); err != nil {
			return broken(RuleForm, "a parameter is not one of its level")
		}
	}
	return nil
}

const maxKid = 128 // bytes of a key's id

// maxRetain is a hundred years.
const maxRetain = 100 * 365 * 24 * time.Hour

func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// isPlain is a printable character of ASCII that JSON writes as it is.
func isPlain(c byte) bool { return '!' <= c && c <= '~' && c != '"' && c != '\\' }

func isName(s string, most int) bool {
	return s != "" && len(s) <= most && all(s, func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-' || c == '/' || c == ':'
	})
}

func isLabel(s string) bool {
	word := false
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-':
			word = true
		case c == '/' && word:
			word = false
		default:
			return false
		}
	}
	return word && len(s) <= MaxName
}
