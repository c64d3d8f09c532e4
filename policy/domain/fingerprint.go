package domain

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Fingerprint stands for a domain's name and identity key: the first 160 bits of a SHA-256. It is what people compare
// at first contact and what is pinned, and it does not change when the domain's other keys do.
type Fingerprint [20]byte

// FingerprintOf returns the fingerprint of a name and a key.
func FingerprintOf(d flow.DomainID, identity ed25519.PublicKey) Fingerprint {
	sum := sha256.Sum256([]byte("scrim domain fingerprint 1\n" + string(d) + "\n" + KeyID(identity) + "\n"))
	return Fingerprint(sum[:20])
}

// Fingerprint returns that of the document's domain.
func (d *Document) Fingerprint() Fingerprint { return FingerprintOf(d.Domain, d.Identity) }

// crockford is base32 without letters that are taken for one another.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// String returns eight groups of four letters and digits, which can be read out.
func (f Fingerprint) String() string {
	text := crockford.EncodeToString(f[:])
	var groups []string
	for ; text != ""; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return strings.Join(groups, "-")
}

// Short returns the first two groups, for lists. It is never enough to pin by.
func (f Fingerprint) Short() string { return f.String()[:9] }

// Equal compares two in constant time.
func (f Fingerprint) Equal(g Fingerprint) bool { return subtle.ConstantTimeCompare(f[:], g[:]) == 1 }

// IsZero reports whether there is none.
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

// ErrFingerprint is returned for a text that is no fingerprint.
var ErrFingerprint = errors.New("not a fingerprint: eight groups of four letters and digits, such as those that scrim domain show prints")

var sightings = strings.NewReplacer("-", "", " ", "", "o", "0", "i", "1", "l", "1")

// ParseFingerprint reads one as people write it: in any case, with or without dashes and spaces, with o for 0 and i or
// l for 1. The error is [ErrFingerprint].
func ParseFingerprint(text string) (Fingerprint, error) {
	if len(text) > 128 {
		return Fingerprint{}, ErrFingerprint
	}
	digits := sightings.Replace(strings.ToLower(text))
	b, err := crockford.DecodeString(digits)
	if err != nil || len(digits) != 32 || len(b) != len(Fingerprint{}) {
		return Fingerprint{}, ErrFingerprint
	}
	return Fingerprint(b), nil
}

// KeyID returns the RFC 7638 thumbprint of an Ed25519 key in base64url: the id of keys that Scrim makes.
func KeyID(key ed25519.PublicKey) string {
	b64 := base64.RawURLEncoding.EncodeToString
	sum := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + b64(key) + `"}`))
	return b64(sum[:])
}
