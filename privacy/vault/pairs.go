package vault

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// Algorithm is what the key pairs of one set are for.
type Algorithm string

// The algorithms.
const (
	Ed25519 Algorithm = "Ed25519" // signatures of tokens and documents (RFC 8037)
	P256    Algorithm = "P-256"   // ECDSA, which every TLS library takes in certificates
)

// Errors of sets of key pairs.
var (
	ErrNoPair    = errors.New("no key of the set may sign at this time; make one, or set the clock")
	ErrManyPairs = errors.New("the set holds as many keys as it may; earlier ones must end first")
)

// mostPairs bounds how many keys of a set are in force at once: what is published must stay small.
const mostPairs = 8

// Pair is the public half of a key pair and when it counts. NotBefore is when it was made and may be published, Signs
// when signing by it begins, NotAfter when nothing signed by it is believed any more; the zero time if that is open.
type Pair struct {
	ID          string // RFC 7638 thumbprint of the public key, in base64url
	Public      crypto.PublicKey
	NotBefore   time.Time
	Signs       time.Time
	NotAfter    time.Time
	Certificate []byte // DER; nil for a key without one
}

// Ended reports whether nothing signed by the key is believed any more.
func (p Pair) Ended(now time.Time) bool { return !p.NotAfter.IsZero() && !now.Before(p.NotAfter) }

// Rotation says how one key follows another. Lead is for others to learn of the new key before anything is signed by
// it, Overlap for what the old ones signed until then. Zero of both ends the old keys at once: they are lost, and so is
// everything that they signed.
type Rotation struct {
	Lead, Overlap time.Duration
}

// Pairs is a set of key pairs within a keyring: random, kept in its file, followed one by the other with an overlap. It
// is safe for concurrent use, and prints as [secret].
type Pairs struct {
	opaque
	keyring   *Keyring
	name      string
	algorithm Algorithm
}

// Pairs returns the set of that name. It is empty until [Pairs.Rotate] makes the first pair.
func (k *Keyring) Pairs(name string, a Algorithm) *Pairs {
	return &Pairs{keyring: k, name: name, algorithm: a}
}

// pairRecord is a pair as the file has it. Times are seconds since 1970.
type pairRecord struct {
	Key         []byte `json:"key"` // PKCS #8
	NotBefore   int64  `json:"not_before"`
	Signs       int64  `json:"signs"`
	NotAfter    int64  `json:"not_after,omitempty"`
	Certificate []byte `json:"certificate,omitempty"`
}

// pair is one in memory.
type pair struct {
	Pair
	key crypto.Signer
}

// pairSigner is a private key that does not print.
type pairSigner struct {
	opaque
	key crypto.Signer
}

// Public implements [crypto.Signer].
func (s pairSigner) Public() crypto.PublicKey { return s.key.Public() }

// Sign implements [crypto.Signer].
func (s pairSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.key.Sign(r, digest, opts)
}

// All returns the pairs of the set, oldest first, with those that ended and were not yet taken out.
func (p *Pairs) All() []Pair {
	p.keyring.mu.RLock()
	defer p.keyring.mu.RUnlock()
	var all []Pair
	for _, have := range p.keyring.pairs[p.name] {
		all = append(all, have.Pair)
	}
	return all
}

// At returns the pairs that have not ended, oldest first.
func (p *Pairs) At(now time.Time) []Pair {
	return slices.DeleteFunc(p.All(), func(have Pair) bool { return have.Ended(now) })
}

// Signer returns the key that signs at that time: of those that may, the one that began last. The error is [ErrNoPair].
func (p *Pairs) Signer(now time.Time) (crypto.Signer, Pair, error) {
	p.keyring.mu.RLock()
	defer p.keyring.mu.RUnlock()
	var best *pair
	for _, have := range p.keyring.pairs[p.name] {
		if !have.Ended(now) && !now.Before(have.Signs) && (best == nil || !have.Signs.Before(best.Signs)) {
			best = have
		}
	}
	if best == nil {
		return nil, Pair{}, fmt.Errorf("signing as %s: %w", p.name, ErrNoPair)
	}
	return pairSigner{key: best.key}, best.Pair, nil
}

// Rotate makes another pair and returns when the file holds it. The first of a set signs at once; a later one when the
// lead is over, and those before it end when the overlap after that is. Pairs that ended are taken out. Certify, where
// it is not nil, makes the pair's certificate. Errors to act on: [ErrManyPairs].
func (p *Pairs) Rotate(ctx context.Context, now time.Time, r Rotation, certify func(key crypto.Signer, made Pair) ([]byte, error)) (Pair, error) {
	if r.Lead < 0 || r.Overlap < 0 {
		return Pair{}, fmt.Errorf("rotating %s: lead and overlap are not negative", p.name)
	}
	key, err := newPairKey(p.algorithm)
	if err != nil {
		return Pair{}, fmt.Errorf("rotating %s: %w", p.name, err)
	}
	now = now.UTC().Truncate(time.Second)
	made := &pair{key: key, Pair: Pair{Public: key.Public(), NotBefore: now, Signs: now}}
	if made.ID, err = thumbprint(key.Public()); err != nil {
		return Pair{}, fmt.Errorf("rotating %s: %w", p.name, err)
	}
	err = p.change(ctx, func(have []*pair) ([]*pair, error) {
		have = inForce(have, now)
		if len(have) > 0 {
			made.Signs = now.Add(r.Lead).Truncate(time.Second)
		}
		if certify != nil {
			if made.Certificate, err = certify(pairSigner{key: key}, made.Pair); err != nil {
				return nil, err
			}
		}
		end := made.Signs.Add(r.Overlap)
		for i, old := range have {
			if old.NotAfter.IsZero() || end.Before(old.NotAfter) {
				shorter := *old
				shorter.NotAfter = end
				have[i] = &shorter
			}
		}
		if have = append(inForce(have, now), made); len(have) > mostPairs {
			return nil, ErrManyPairs
		}
		return have, nil
	})
	if err != nil {
		return Pair{}, fmt.Errorf("rotating %s: %w", p.name, err)
	}
	return made.Pair, nil
}

// Prune takes the pairs that ended out of the file, and reports whether there were any.
func (p *Pairs) Prune(ctx context.Context, now time.Time) (bool, error) {
	if len(p.At(now)) == len(p.All()) {
		return false, nil
	}
	err := p.change(ctx, func(have []*pair) ([]*pair, error) { return inForce(have, now), nil })
	if err != nil {
		return false, fmt.Errorf("taking ended keys out of %s: %w", p.name, err)
	}
	return true, nil
}

func inForce(have []*pair, now time.Time) []*pair {
	return slices.DeleteFunc(slices.Clone(have), func(p *pair) bool { return p.Ended(now) })
}

// change edits the set; the keyring is as before if the file cannot be written.
func (p *Pairs) change(ctx context.Context, edit func([]*pair) ([]*pair, error)) error {
	k := p.keyring
	k.mu.Lock()
	defer k.mu.Unlock()
	set, err := edit(k.pairs[p.name])
	if err != nil {
		return err
	}
	next := maps.Clone(k.pairs)
	if next == nil {
		next = map[string][]*pair{}
	}
	next[p.name] = set
	if err := k.write(ctx, k.wrapper, k.handle, next); err != nil {
		return err
	}
	k.pairs = next
	return nil
}

func newPairKey(a Algorithm) (crypto.Signer, error) {
	switch a {
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return nil, errors.New("there are no pairs of this algorithm")
}

// thumbprint is that of RFC 7638 with SHA-256: the members that it lists, in its order.
func thumbprint(key crypto.PublicKey) (string, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	var jwk string
	switch key := key.(type) {
	case ed25519.PublicKey:
		jwk = `{"crv":"Ed25519","kty":"OKP","x":"` + b64(key) + `"}`
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, x, y
		if err != nil || len(point) != 65 {
			return "", errors.New("the key is not on P-256")
		}
		jwk = `{"crv":"P-256","kty":"EC","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:]) + `"}`
	default:
		return "", errors.New("the key is of an algorithm without a thumbprint here")
	}
	sum := sha256.Sum256([]byte(jwk))
	return b64(sum[:]), nil
}

func unixTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func timeUnix(s int64) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(s, 0).UTC()
}

func writePairs(sets map[string][]*pair) (map[string][]pairRecord, error) {
	if len(sets) == 0 {
		return nil, nil
	}
	out := map[string][]pairRecord{}
	for name, set := range sets {
		for _, p := range set {
			der, err := x509.MarshalPKCS8PrivateKey(p.key)
			if err != nil {
				return nil, errors.New("a key pair cannot be written")
			}
			out[name] = append(out[name], pairRecord{
				Key: der, NotBefore: unixTime(p.NotBefore), Signs: unixTime(p.Signs), NotAfter: unixTime(p.NotAfter), Certificate: p.Certificate,
			})
		}
	}
	return out, nil
}

func parsePairs(in map[string][]pairRecord) (map[string][]*pair, error) {
	out := map[string][]*pair{}
	for name, set := range in {
		for _, r := range set {
			parsed, err := x509.ParsePKCS8PrivateKey(r.Key)
			key, ok := parsed.(crypto.Signer)
			if err != nil || !ok { // the parser's own text is about bytes of the key
				return nil, errors.New("a key pair is not as written")
			}
			id, err := thumbprint(key.Public())
			if err != nil {
				return nil, err
			}
			out[name] = append(out[name], &pair{key: key, Pair: Pair{
				ID: id, Public: key.Public(), NotBefore: timeUnix(r.NotBefore), Signs: timeUnix(r.Signs), NotAfter: timeUnix(r.NotAfter), Certificate: r.Certificate,
			}})
		}
	}
	return out, nil
}
