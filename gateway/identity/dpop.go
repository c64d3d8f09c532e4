package identity

import (
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// HeaderDPoP carries a proof of possession (RFC 9449).
const HeaderDPoP = "DPoP"

const (
	maxProof    = 8 << 10     // bytes of a proof
	maxProofID  = 256         // bytes of its jti
	proofAge    = time.Minute // for which a proof is fresh, beside the skew
	maxReplayed = 1 << 18     // proofs that are remembered at one time
)

// Replay remembers the proofs that were shown while they would be fresh, so that each is taken once. What was shown before it
// was made is not remembered, so a proof from before that time is not fresh. It is safe for concurrent use.
type Replay struct {
	since time.Time
	now   func() time.Time

	mu    sync.Mutex // guards the fields below
	seen  map[[32]byte]time.Time
	swept time.Time
}

// NewReplay returns an empty memory. A nil clock is time.Now.
func NewReplay(clock func() time.Time) *Replay {
	if clock == nil {
		clock = time.Now
	}
	return &Replay{since: clock().Truncate(time.Second), now: clock, seen: map[[32]byte]time.Time{}}
}

// take remembers a proof until a time. It is false if the proof is known, or if there is no room to remember it.
func (r *Replay) take(id [32]byte, until time.Time) bool {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if end, ok := r.seen[id]; ok && now.Before(end) {
		return false
	}
	if now.Sub(r.swept) > proofAge || len(r.seen) >= maxReplayed && now.Sub(r.swept) > time.Second {
		for k, end := range r.seen {
			if !now.Before(end) {
				delete(r.seen, k)
			}
		}
		r.swept = now
	}
	if len(r.seen) >= maxReplayed {
		return false
	}
	r.seen[id] = until
	return true
}

// prove checks the proof of a request for a token (RFC 9449, section 4.3), and returns the thumbprint of its key.
func (a *Authenticator) prove(p presented, token string) (thumbprint [32]byte, err error) {
	no := func(why string) ([32]byte, error) { return [32]byte{}, fmt.Errorf("%w %s", ErrProof, why) }
	if len(p.proofs) != 1 || len(p.proofs[0]) > maxProof {
		return no("is missing, given more than once or too big")
	}
	if p.target == nil {
		return no("cannot be held to an address here")
	}
	sum := sha256.Sum256([]byte(token + "\x00" + p.proofs[0]))
	if before, ok := p.target.before(sum); ok {
		return before, nil
	}
	claims, key, err := readProof(p.proofs[0])
	if err != nil {
		return no(err.Error())
	}
	digest, err := key.Thumbprint(crypto.SHA256)
	if err != nil || len(digest) != len(thumbprint) {
		return no("is by a key that has no thumbprint")
	}
	thumbprint = [32]byte(digest)
	now, at := a.now(), claims.IssuedAt.Time()
	switch {
	case claims.Method != p.method:
		return no("is for another method")
	case !sameAddress(claims.URL, p.target.url):
		return no("is for another address")
	case subtle.ConstantTimeCompare([]byte(claims.Token), []byte(tokenHash(token))) != 1:
		return no("is for another token")
	case at.Before(now.Add(-proofAge-a.skew)) || at.After(now.Add(a.skew)) || at.Before(a.replay.since):
		return no("is not fresh")
	}
	id := sha256.Sum256(append(digest, claims.ID...))
	if !a.replay.take(id, at.Add(proofAge+a.skew+time.Second)) {
		return no("was shown before")
	}
	p.target.believed(sum, thumbprint)
	return thumbprint, nil
}

type proofClaims struct {
	ID       string           `json:"jti"`
	Method   string           `json:"htm"`
	URL      string           `json:"htu"`
	IssuedAt *jwt.NumericDate `json:"iat"`
	Token    string           `json:"ath"`
}

// readProof verifies a proof by the key that it holds. Its errors hold nothing of it.
func readProof(proof string) (c proofClaims, key jose.JSONWebKey, err error) {
	no := func(why string) (proofClaims, jose.JSONWebKey, error) {
		return proofClaims{}, jose.JSONWebKey{}, fmt.Errorf("%s", why)
	}
	parsed, err := jwt.ParseSigned(proof, algorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return no("is no JWT with an algorithm that is accepted here")
	}
	head := parsed.Headers[0]
	if typ, _ := head.ExtraHeaders[jose.HeaderType].(string); typ != "dpop+jwt" {
		return no("is of another type")
	}
	if head.JSONWebKey == nil || !head.JSONWebKey.Valid() || !head.JSONWebKey.IsPublic() {
		return no("holds no public key")
	}
	key = *head.JSONWebKey
	if !fits(jose.JSONWebKey{Key: key.Key}, jose.SignatureAlgorithm(head.Algorithm)) {
		return no("is by a key that does not go with its algorithm")
	}
	if parsed.Claims(key.Key, &c) != nil {
		return no("is not signed by its key")
	}
	if c.ID == "" || len(c.ID) > maxProofID || c.Method == "" || c.URL == "" || c.IssuedAt == nil || c.Token == "" {
		return no("lacks a claim out of jti, htm, htu, iat and ath")
	}
	return c, key, nil
}

// sameAddress compares addresses without query and fragment, as RFC 9449 has it, after what RFC 3986 (section 6.2) makes of
// letters, ports and empty paths.
func sameAddress(claimed, ours string) bool {
	a, ok := normal(claimed)
	if !ok {
		return false
	}
	b, ok := normal(ours)
	return ok && a == b
}

func normal(address string) (string, bool) {
	if len(address) > 4096 {
		return "", false
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", false
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	return scheme + "://" + host + path, true
}

// KeyThumbprint returns the JWK thumbprint (RFC 7638) of a public key in base64url, as the jkt member of a cnf claim has it.
func KeyThumbprint(key crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
