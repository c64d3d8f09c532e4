package hop

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Keys are the pinned keys of domains.
type Keys interface {
	// Key returns the key of a domain that has the id, and false where none is pinned.
	Key(domain flow.DomainID, kid string) (ed25519.PublicKey, bool)
}

// Expect is what the gateway that takes a statement in knows by itself.
type Expect struct {
	Issuer   flow.DomainID // whose certificate the connection shows
	Audience flow.DomainID // the gateway's own domain
	Now      time.Time
	Skew     time.Duration // allowed between clocks
	MaxHops  int           // gateways that a message may come through, this one included
}

// Verify returns a statement whose signature, domains, times and number of hops hold. That it was made for the request
// at hand is for [Statement.For] to say, once the body is read, and that it was not seen before for the caller.
//
// Bounds and form come before the signature. With an error, which is an [*Error], comes no statement.
func Verify(text string, keys Keys, e Expect) (*Statement, error) {
	s, kid, err := read(text)
	if err != nil {
		return nil, err
	}
	switch {
	case e.Issuer == "" || s.Issuer != e.Issuer:
		return nil, broken(RuleIssuer, "its issuer is not the domain whose certificate the connection shows")
	case e.Audience == "" || s.Audience != e.Audience:
		return nil, broken(RuleAudience, "it was made for another domain")
	case s.IssuedAt.After(e.Now.Add(e.Skew)):
		return nil, broken(RuleTime, "it was made in the future")
	case !s.Expires.After(e.Now.Add(-e.Skew)):
		return nil, broken(RuleTime, "it does not hold any more")
	case s.Next() > e.MaxHops:
		return nil, broken(RuleHops, "the message came through more than %d gateways", e.MaxHops)
	}
	key, ok := keys.Key(s.Issuer, kid)
	if !ok || len(key) != ed25519.PublicKeySize {
		return nil, broken(RuleKey, "no key of that id is pinned for its issuer")
	}
	at := strings.LastIndexByte(text, '.')
	sig, err := strict.DecodeString(text[at+1:])
	if err != nil || !ed25519.Verify(key, []byte(text[:at]), sig) {
		return nil, broken(RuleSignature, "the signature does not hold")
	}
	return s, nil
}

// For reports by an [*Error] that the statement was not made for a request, or that another capability goes along than it
// says. Last is the SHA-256 of the signing input of the chain's last token; nil where no chain came.
func (s *Statement) For(r Request, last *[32]byte) error {
	switch {
	case s.Request.Method != r.Method || s.Request.Target != r.Target:
		return broken(RuleMethod, "it was made for another method or target")
	case s.Request.Body != r.Body:
		return broken(RuleBody, "it was made for another body")
	case (s.Capability == nil) != (last == nil) || last != nil && *s.Capability != *last:
		return broken(RuleCapability, "another capability goes along than it says, or none")
	}
	return nil
}

// payload is what a statement says, as JSON.
type payload struct {
	V           int    `json:"v"`
	Issuer      string `json:"iss"`
	Audience    string `json:"aud"`
	ID          string `json:"jti"`
	IssuedAt    int64  `json:"iat"`
	Expires     int64  `json:"exp"`
	Method      string `json:"method"`
	Target      string `json:"target"`
	Body        string `json:"body"`
	Agent       string `json:"agent"`
	Hop         int    `json:"hop"`
	Record      string `json:"record"`
	Purpose     string `json:"purpose"`
	Criticality string `json:"criticality"`
	Levels      map[string]struct {
		Level string `json:"level"`
		Param string `json:"param"`
	} `json:"levels"`
	Retain     int64   `json:"retain"`
	Capability *string `json:"cap"`
}

// read reads a statement without believing it. What it returns is within bounds, and was written in the one way.
func read(text string) (s *Statement, kid string, err error) {
	if len(text) > MaxBytes {
		return nil, "", broken(RuleSize, "it is longer than %d bytes", MaxBytes)
	}
	part := strings.Split(text, ".")
	if !all(text, isToken) || len(part) != 3 || len(part[2]) != 86 {
		return nil, "", broken(RuleForm, "it is not a JWS in compact form with a signature of 64 bytes")
	}
	if kid, err = readHead(part[0]); err != nil {
		return nil, "", err
	}
	raw, err := strict.DecodeString(part[1])
	if err != nil || len(raw) == 0 || raw[0] != '{' {
		return nil, "", broken(RuleForm, "its payload is not an object in base64url")
	}
	var p payload
	if json.Unmarshal(raw, &p) != nil { // its text may quote the statement
		return nil, "", broken(RuleForm, "its payload has not the form of one")
	}
	if p.V != Version {
		return nil, "", broken(RuleVersion, "it is not of version %d", Version)
	}
	if s, err = p.statement(); err != nil {
		return nil, "", err
	}
	if err := s.check(); err != nil {
		return nil, "", err
	}
	// This refuses members that are unknown, there twice, in another order or another case, and every other way to say
	// the same thing.
	if !bytes.Equal(raw, s.appendPayload(make([]byte, 0, len(raw)))) {
		return nil, "", broken(RuleForm, "its payload is not written in the one way")
	}
	return s, kid, nil
}

func readHead(text string) (kid string, err error) {
	raw, err := strict.DecodeString(text)
	var head struct {
		Alg  string `json:"alg"`
		Kid  string `json:"kid"`
		Type string `json:"typ"`
	}
	if err != nil || json.Unmarshal(raw, &head) != nil {
		return "", broken(RuleForm, "its header is not an object in base64url")
	}
	switch {
	case head.Alg != "EdDSA":
		return "", broken(RuleAlgorithm, "its algorithm is not EdDSA")
	case head.Type != Type:
		return "", broken(RuleType, "its type is not %s", Type)
	case !isName(head.Kid, maxKid) || !bytes.Equal(raw, appendHead(nil, head.Kid)):
		return "", broken(RuleForm, "its header is not written in the one way")
	}
	return head.Kid, nil
}

func (p *payload) statement() (*Statement, error) {
	s := &Statement{
		Issuer: flow.DomainID(p.Issuer), Audience: flow.DomainID(p.Audience), Agent: flow.AgentID(p.Agent), Hop: p.Hop,
		Purpose: flow.Purpose(p.Purpose), Request: Request{Method: p.Method, Target: p.Target},
	}
	const far = 1 << 40 // seconds; far beyond any date, and far from where time overflows
	if p.IssuedAt <= 0 || p.IssuedAt >= far || p.Expires <= p.IssuedAt || p.Expires >= far {
		return nil, broken(RuleTime, "its times are none")
	}
	s.IssuedAt, s.Expires = time.Unix(p.IssuedAt, 0).UTC(), time.Unix(p.Expires, 0).UTC()
	if p.Retain < 0 || p.Retain > int64(maxRetain/time.Second) {
		return nil, broken(RuleForm, "the retention is out of bounds")
	}
	s.Limits.Retain = time.Duration(p.Retain) * time.Second
	if !decode(s.ID[:], p.ID) || !decode(s.Request.Body[:], p.Body) || !decode(s.Record[:], p.Record) {
		return nil, broken(RuleForm, "a hash or the id is not one in base64url")
	}
	if p.Capability != nil {
		s.Capability = new([32]byte)
		if !decode(s.Capability[:], *p.Capability) {
			return nil, broken(RuleForm, "a hash or the id is not one in base64url")
		}
	}
	var err error
	if s.Criticality, err = flow.ParseCriticality(p.Criticality); err != nil {
		return nil, broken(RuleForm, "the criticality is none")
	}
	if len(p.Levels) > MaxLevels {
		return nil, broken(RuleSize, "it has more than %d levels", MaxLevels)
	}
	for label, t := range p.Levels {
		level, err := flow.ParseLevel(t.Level)
		if err != nil {
			return nil, broken(RuleForm, "a level is none")
		}
		if s.Limits.Levels == nil {
			s.Limits.Levels = make(map[flow.Label]flow.Treatment, len(p.Levels))
		}
		s.Limits.Levels[flow.Label(label)] = flow.Treatment{Level: level, Param: flow.Param(t.Param)}
	}
	return s, nil
}

// isToken leaves out the line breaks that base64 readers pass over.
func isToken(c byte) bool { return isName(string(c), 1) && c != '/' && c != ':' || c == '.' }

func decode(into []byte, text string) bool {
	if len(text) != strict.EncodedLen(len(into)) {
		return false
	}
	n, err := strict.Decode(into, []byte(text))
	return err == nil && n == len(into)
}
