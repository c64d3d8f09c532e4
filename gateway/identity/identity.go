// Package identity says who is calling: it turns the credential of an HTTP request into a party of a flow.
//
// Three kinds of caller are known: the holder of an API key, of which configuration keeps only the SHA-256; the bearer
// of a JWT that a configured issuer signed; and, only where configuration names a party for it, anyone. What a caller
// may claim, purposes and criticality, comes from configuration; a request can only choose among what was granted.
//
// No error, log line or [Caller] of this package holds a credential or a part of one.
package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Why a caller was not believed. Every error of [Authenticator.Authenticate] wraps one of these.
var (
	ErrNoCredential  = errors.New("the request carries no credential")
	ErrBadCredential = errors.New("the credential is not accepted")
	ErrExpired       = errors.New("the credential is outside its time")
	ErrUnknownCaller = errors.New("the credential is valid but names no configured party")
	ErrUnavailable   = errors.New("the issuer's keys cannot be had at the moment")
)

// Headers in which a request chooses among what its caller was granted.
const (
	HeaderPurpose     = "Scrim-Purpose"
	HeaderCriticality = "Scrim-Criticality"
)

// KeyPrefix begins every API key, so that scanners find one that was left lying about.
const KeyPrefix = "scrim_"

// Grant is a party and the most it may claim.
type Grant struct {
	Party       flow.Party
	Purposes    []flow.Purpose   // that it may name; empty: none
	Criticality flow.Criticality // the highest it may name
}

// Caller is an authenticated caller.
type Caller struct {
	Party       flow.Party
	Purposes    []flow.Purpose   // granted
	Criticality flow.Criticality // the highest granted
	TokenRoot   string           // stable name of the root credential: of a key, or of an issuer and subject; says nothing to others
	Expires     time.Time        // when the credential ends; zero: when configuration says
	Anonymous   bool             // nobody proved anything
}

// Choose returns the purpose and criticality that hold for a request that names these.
//
// What was not granted is not an error: the least privileged holds instead, which is the empty purpose, or low
// criticality. A request that names no purpose gets the only one granted if there is exactly one, otherwise none; one
// that names no criticality gets low. A criticality above the granted one is low, not the granted one: who asks for
// more than they may have is told nothing about how much they may have.
func (c Caller) Choose(purpose, criticality string) (flow.Purpose, flow.Criticality) {
	var p flow.Purpose
	switch {
	case purpose == "" && len(c.Purposes) == 1:
		p = c.Purposes[0]
	case purpose != "" && slices.Contains(c.Purposes, flow.Purpose(purpose)):
		p = flow.Purpose(purpose)
	}
	crit, err := flow.ParseCriticality(criticality)
	if err != nil || crit > c.Criticality {
		crit = flow.Low
	}
	return p, crit
}

// ChooseFrom is [Caller.Choose] with what the request's headers name. A header given twice names nothing.
func (c Caller) ChooseFrom(h http.Header) (flow.Purpose, flow.Criticality) {
	return c.Choose(only(h, HeaderPurpose), only(h, HeaderCriticality))
}

func only(h http.Header, name string) string {
	if v := h.Values(name); len(v) == 1 {
		return v[0]
	}
	return ""
}

// Key is one API key as configuration keeps it.
type Key struct {
	ID     string // names the key in the journal; not secret
	SHA256 string // of the whole key, in hexadecimal
	Grant  Grant
	Until  time.Time // zero: no end
}

// NewKey makes an API key of 256 random bits, and the digest that configuration keeps.
func NewKey() (key flow.Secret, digest string) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	text := KeyPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return flow.NewSecret(text), Digest(text)
}

// Digest returns what configuration keeps of an API key.
func Digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// Issuer is one whose JWTs are believed. Exactly one of Keys and URL is set.
type Issuer struct {
	Issuer     string   // the iss claim, exactly
	Audience   string   // what the aud claim must contain
	Algorithms []string // out of EdDSA, ES256, RS256, PS256; empty: EdDSA and ES256
	File       string   // path of a JWKS file, read again when it changes
	URL        string   // https address of a JWKS (http for loopback only)
	Subjects   map[string]Grant
	Default    *Grant // for subjects not listed; nil: refused
}

// Options are what may be left out.
type Options struct {
	Keys      []Key
	Issuers   []Issuer
	Anonymous *Grant           // who a caller without a credential is; nil: refused
	Skew      time.Duration    // allowed between clocks; 0: 30 s, at most 5 min
	Clock     func() time.Time // nil: time.Now
	Client    *http.Client     // fetches JWKS; nil: one with a timeout of 5 s that follows no redirect
}

// ErrConfig is wrapped by the errors of [New].
var ErrConfig = errors.New("identity configuration is not valid")

// Authenticator authenticates requests. It is safe for concurrent use.
type Authenticator struct {
	keys      []apiKey
	issuers   map[string]*issuer
	anonymous *Grant
	skew      time.Duration
	now       func() time.Time
}

type apiKey struct {
	digest [sha256.Size]byte
	id     string
	grant  Grant
	until  time.Time
}

type issuer struct{}

// New checks the options and returns an authenticator. It opens no connection.
func New(opt Options) (*Authenticator, error) { return nil, fmt.Errorf("%w", ErrConfig) }

// Authenticate says who sent the request. It returns a zero Caller with every error, and never echoes the credential.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request) (Caller, error) {
	return Caller{}, ErrNoCredential
}
