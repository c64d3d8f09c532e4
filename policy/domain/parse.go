package domain

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// payload is what is signed.
type payload struct {
	Domain      flow.DomainID `json:"domain"`
	Version     int64         `json:"version"`
	IssuedAt    int64         `json:"iat"`
	Expires     int64         `json:"exp"`
	Keys        []jwk         `json:"keys"`
	Gateways    []string      `json:"gateways,omitempty"`
	Log         *logKey       `json:"log,omitempty"`
	Techniques  []string      `json:"techniques,omitempty"`
	Revocations string        `json:"revocations,omitempty"`
	Authorities []string      `json:"ca,omitempty"` // DER in base64, as in x5c
}

type logKey struct {
	Origin string `json:"origin"`
	Key    jwk    `json:"key"`
}

// Parse reads a document, strictly, and verifies its signature by the key in its header. It does not say whether that
// key is believed, nor whether the document counts now: see [Document.Follows] and [Document.InForce]. The error is an
// [*Error].
func Parse(text string) (*Document, error) {
	head, body, sig, input, err := split(text)
	if err != nil {
		return nil, err
	}
	var h header
	if !decode(head, &h) {
		return nil, refused(RuleForm)
	}
	identity, ok := h.Key.public()
	switch {
	case h.Algorithm != "EdDSA" || !ok:
		return nil, refused(RuleAlgorithm)
	case h.Type != Type:
		return nil, refused(RuleType)
	case h.Key != jwkOf(identity):
		return nil, refused(RuleForm)
	case len(sig) != ed25519.SignatureSize || !ed25519.Verify(identity, []byte(input), sig):
		return nil, refused(RuleSignature)
	}
	var p payload
	if !decode(body, &p) {
		return nil, refused(RuleForm)
	}
	d, err := p.document()
	if err != nil {
		return nil, err
	}
	d.Identity = identity
	if err := d.check(); err != nil {
		return nil, err
	}
	return d, nil
}

// Sign returns the document as it is published, signed by the domain's identity key. Identity is set to that key. The
// error is an [*Error] of [RuleContent] for a document that [Parse] would not take.
func (d *Document) Sign(identity crypto.Signer) (string, error) {
	public, ok := identity.Public().(ed25519.PublicKey)
	if !ok {
		return "", refused(RuleAlgorithm)
	}
	d.Identity = public
	if err := d.check(); err != nil {
		return "", err
	}
	text, err := sign(identity, d.payload())
	if err != nil {
		return "", fmt.Errorf("signing the domain's document: %w", err)
	}
	if len(text) > MaxText {
		return "", refused(RuleSize)
	}
	return text, nil
}

func (d *Document) payload() payload {
	p := payload{
		Domain: d.Domain, Version: d.Version, IssuedAt: d.IssuedAt.Unix(), Expires: d.Expires.Unix(),
		Gateways: d.Gateways, Techniques: d.Techniques, Revocations: d.Revocations,
	}
	for _, k := range d.Keys {
		j := jwkOf(k.Public)
		j.ID, j.NotBefore = k.ID, k.NotBefore.Unix()
		if !k.NotAfter.IsZero() {
			j.NotAfter = k.NotAfter.Unix()
		}
		p.Keys = append(p.Keys, j)
	}
	if d.Log != nil {
		p.Log = &logKey{Origin: d.Log.Origin, Key: jwkOf(d.Log.Public)}
	}
	for _, ca := range d.Authorities {
		p.Authorities = append(p.Authorities, base64.StdEncoding.EncodeToString(ca.Raw))
	}
	return p
}

func (p *payload) document() (*Document, error) {
	d := &Document{
		Domain: p.Domain, Version: p.Version, IssuedAt: seconds(p.IssuedAt), Expires: seconds(p.Expires),
		Gateways: p.Gateways, Techniques: p.Techniques, Revocations: p.Revocations,
	}
	if len(p.Keys) > mostKeys || len(p.Authorities) > MaxAuthorities {
		return nil, at("keys or ca")
	}
	for _, k := range p.Keys {
		public, ok := k.public()
		if !ok || k.NotBefore == 0 {
			return nil, at("keys")
		}
		key := Key{ID: k.ID, Public: public, NotBefore: seconds(k.NotBefore)}
		if k.NotAfter != 0 {
			key.NotAfter = seconds(k.NotAfter)
		}
		d.Keys = append(d.Keys, key)
	}
	if p.Log != nil {
		public, ok := p.Log.Key.public()
		if !ok || p.Log.Key != jwkOf(public) {
			return nil, at("log")
		}
		d.Log = &LogKey{Origin: p.Log.Origin, Public: public}
	}
	for _, text := range p.Authorities {
		if strings.ContainsAny(text, "\r\n") {
			return nil, at("ca")
		}
		der, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return nil, at("ca")
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, at("ca")
		}
		d.Authorities = append(d.Authorities, cert)
	}
	return d, nil
}

func seconds(s int64) time.Time { return time.Unix(s, 0).UTC() }

// check holds for documents that are read and for those that are signed.
func (d *Document) check() error {
	life := d.Expires.Sub(d.IssuedAt)
	switch {
	case !ValidName(d.Domain):
		return at("domain")
	case d.Version < 1 || d.Version > mostVersion:
		return at("version")
	case !within(d.IssuedAt) || !within(d.Expires) || life <= 0 || life > MaxLife:
		return at("exp")
	case len(d.Gateways) > mostGateways || repeated(d.Gateways) || slices.ContainsFunc(d.Gateways, func(u string) bool { return !address(u) || strings.HasSuffix(u, "/") }):
		return at("gateways")
	case d.Revocations != "" && !address(d.Revocations):
		return at("revocations")
	case d.Log != nil && (!printable(d.Log.Origin, 256) || len(d.Log.Public) != ed25519.PublicKeySize):
		return at("log")
	case len(d.Techniques) > mostTechnique || repeated(d.Techniques) || slices.ContainsFunc(d.Techniques, func(t string) bool { return !printable(t, 64) }):
		return at("techniques")
	}
	if err := d.checkKeys(); err != nil {
		return err
	}
	if len(d.Authorities) > MaxAuthorities {
		return at("ca")
	}
	for i, ca := range d.Authorities {
		if !authority(ca) || slices.ContainsFunc(d.Authorities[:i], ca.Equal) {
			return at("ca")
		}
	}
	return nil
}

func (d *Document) checkKeys() error {
	if len(d.Keys) == 0 || len(d.Keys) > mostKeys {
		return at("keys")
	}
	for i, k := range d.Keys {
		switch {
		case !printable(k.ID, 128) || len(k.Public) != ed25519.PublicKeySize || !within(k.NotBefore),
			!k.NotAfter.IsZero() && (!within(k.NotAfter) || !k.NotAfter.After(k.NotBefore)),
			bytes.Equal(k.Public, d.Identity), // the identity key signs documents alone
			slices.ContainsFunc(d.Keys[:i], func(o Key) bool { return o.ID == k.ID || bytes.Equal(o.Public, k.Public) }):
			return at("keys")
		}
	}
	return nil
}

// within bounds times to what any reader holds.
func within(t time.Time) bool { return t.Unix() > 0 && t.Unix() < 1<<37 }

func repeated(all []string) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all)
}

// printable is ASCII without spaces and without what JSON writes otherwise than it is.
func printable(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// address is an https URL that means one thing.
func address(s string) bool {
	u, err := url.Parse(s)
	return err == nil && printable(s, mostURL) && u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && !u.ForceQuery &&
		u.Fragment == "" && !strings.ContainsAny(s, "#%") && u.Opaque == "" && !slices.ContainsFunc(strings.Split(u.Path, "/"), func(p string) bool { return p == "." || p == ".." })
}

// authority is a certificate that certificates of gateways may hang on.
func authority(c *x509.Certificate) bool {
	if c == nil || !c.IsCA || !c.BasicConstraintsValid || c.KeyUsage&x509.KeyUsageCertSign == 0 || len(c.Raw) > 8<<10 {
		return false
	}
	switch key := c.PublicKey.(type) {
	case ed25519.PublicKey, *ecdsa.PublicKey:
		return true
	case *rsa.PublicKey:
		return key.N.BitLen() >= 2048
	}
	return false
}

// Follows is nil if the document may take the place of the one that was pinned: it is of the same domain, signed by
// the same identity key, of no lower version, and of the same version only if it is the same. A nil earlier one is
// followed by any. The error is an [*Error].
func (d *Document) Follows(earlier *Document) error {
	switch {
	case earlier == nil:
		return nil
	case d.Domain != earlier.Domain:
		return refused(RuleDomain)
	case !d.Fingerprint().Equal(earlier.Fingerprint()):
		return refused(RuleFingerprint)
	case d.Version < earlier.Version:
		return refused(RuleRollback)
	case d.Version == earlier.Version && !d.same(earlier):
		return refused(RuleFork)
	}
	return nil
}

func (d *Document) same(other *Document) bool {
	a, errA := encode(d.payload())
	b, errB := encode(other.payload())
	return errA == nil && errB == nil && bytes.Equal(a, b)
}
