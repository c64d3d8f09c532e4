package domain

import (
	"crypto/ed25519"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Path is where a domain's document is found on its gateways.
const Path = "/.well-known/scrim/domain.json"

// Type is the typ of the document's header.
const Type = "scrim-domain+jwt"

// Limits of a document.
const (
	MaxText        = 48 << 10            // bytes of the whole
	MaxLife        = 31 * 24 * time.Hour // from being issued to its end
	mostKeys       = 16
	mostGateways   = 16
	mostTechnique  = 128
	MaxAuthorities = 4
	mostURL        = 512
	mostVersion    = 1<<53 - 1 // what JSON numbers of any reader hold
)

// Document says what a domain's signature is made with and where its gateways are. Treat one that was read as immutable.
type Document struct {
	Domain      flow.DomainID
	Version     int64 // only grows; two documents of one version are the same
	IssuedAt    time.Time
	Expires     time.Time
	Identity    ed25519.PublicKey // signs the document; in its header
	Keys        []Key             // sign capabilities, hop statements, deny-lists and contracts
	Gateways    []string          // base URLs of its gateways, without a slash at the end
	Log         *LogKey           // of its journal's checkpoints; nil: not told
	Techniques  []string          // that its gateways support
	Revocations string            // URL of its deny-list; "": it has none
	Authorities []*x509.Certificate
}

// Key is a signing key. It counts from NotBefore until NotAfter; the zero NotAfter is open.
type Key struct {
	ID        string
	Public    ed25519.PublicKey
	NotBefore time.Time
	NotAfter  time.Time
}

// LogKey is the key of a journal's checkpoints, and the journal's name in them.
type LogKey struct {
	Origin string
	Public ed25519.PublicKey
}

// Skew is how far the clocks of two domains may be apart.
const Skew = time.Minute

// Key returns the signing key of that id, if it counts at that time.
func (d *Document) Key(kid string, now time.Time) (ed25519.PublicKey, bool) {
	for _, k := range d.Keys {
		if k.ID == kid {
			in := !now.Before(k.NotBefore.Add(-Skew)) && (k.NotAfter.IsZero() || now.Before(k.NotAfter))
			return k.Public, in
		}
	}
	return nil, false
}

// InForce is nil if the document counts at that time; else an [*Error] of [RuleExpired] or [RuleFuture].
func (d *Document) InForce(now time.Time) error {
	switch {
	case !now.Before(d.Expires):
		return refused(RuleExpired)
	case now.Before(d.IssuedAt.Add(-Skew)):
		return refused(RuleFuture)
	}
	return nil
}

// Gateway returns the gateway's address that the URL lies under: same scheme, host and port, and a path that begins
// with the address's own at a whole segment. Paths that mean something else once they are cleaned lie nowhere.
func (d *Document) Gateway(u *url.URL) (string, bool) {
	if u == nil || u.User != nil || u.Opaque != "" ||
		slices.ContainsFunc(strings.Split(u.Path, "/"), func(s string) bool { return s == "." || s == ".." }) {
		return "", false
	}
	for _, address := range d.Gateways {
		base, ok := meets(address, u)
		if !ok {
			continue
		}
		if rest, ok := strings.CutPrefix(u.EscapedPath(), base.Path); ok && (rest == "" || rest[0] == '/') {
			return address, true
		}
	}
	return "", false
}

// Meets reports whether a connection for the URL is one to a gateway of the domain: scheme, host and port are those of
// one, whatever the path.
func (d *Document) Meets(u *url.URL) bool {
	return u != nil && slices.ContainsFunc(d.Gateways, func(address string) bool { _, ok := meets(address, u); return ok })
}

func meets(address string, u *url.URL) (*url.URL, bool) {
	base, err := url.Parse(address)
	return base, err == nil && u.Scheme == "https" && strings.EqualFold(base.Hostname(), u.Hostname()) && portOf(base) == portOf(u)
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return "443"
}

// ValidName reports whether a domain can have peers under this name: it is part of SPIFFE IDs and of certificates, so
// it is of lower-case letters, digits, dots, dashes and underscores, at most 63, without an empty part between dots,
// and begins and ends with a letter or digit.
func ValidName(d flow.DomainID) bool {
	return name(string(d)) && !strings.Contains(string(d), "..") && strings.ToLower(string(d)) == string(d) && alnum(d[len(d)-1])
}

// name is what configuration takes as the id of an agent or a domain.
func name(s string) bool {
	if s == "" || len(s) > 63 || !alnum(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !alnum(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func alnum(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
