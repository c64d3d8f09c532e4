package peers

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/domain"
	"github.com/scrimhq/scrim/privacy/vault"
)

// Errors of the domain's own certificate authority.
var (
	ErrNoAuthority = errors.New("the domain has no certificate authority in force")
	ErrAuthority   = errors.New("the domain has a certificate authority already")
	ErrName        = errors.New("not a name that can stand in a certificate")
	ErrLife        = errors.New("certificates of agents and gateways live at most 31 days")
)

const (
	backdated   = 5 * time.Minute // for clocks that are behind
	mostLife    = 31 * 24 * time.Hour
	defaultLife = 365 * 24 * time.Hour // of an authority
)

// certificate is that of this gateway, kept in memory alone.
type certificate struct {
	tls.Certificate
	name  domain.Name
	ca    string    // id of the authority's key
	renew time.Time // when another is made
}

// InitAuthority makes the domain's certificate authority, and returns when it is kept and on record. With replace an
// authority that is there is followed by the new one: certificates are made by the new one after the lead, and those of
// the old one count until the overlap is over; zero of both ends the old one at once. Life 0 is a year. It returns
// [ErrAuthority] without replace where there is one.
func (p *Peers) InitAuthority(ctx context.Context, life time.Duration, replace bool, r vault.Rotation) (*x509.Certificate, error) {
	if !p.ready() {
		return nil, ErrNoAuthority
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	switch have := len(p.authority().At(now)); {
	case have > 0 && !replace:
		return nil, ErrAuthority
	case have >= domain.MaxAuthorities && r.Lead+r.Overlap > 0:
		return nil, vault.ErrManyPairs
	}
	if !domain.ValidName(p.own) {
		return nil, fmt.Errorf("domain %s: %w", p.own, ErrName)
	}
	if life <= 0 {
		life = defaultLife
	}
	var made *x509.Certificate
	_, err := p.authority().Rotate(ctx, now, r, func(key crypto.Signer, _ vault.Pair) (der []byte, err error) {
		made, err = selfSigned(p.own, key, now, life)
		if err != nil {
			return nil, err
		}
		return made.Raw, nil
	})
	if err != nil {
		return nil, err
	}
	p.cert.Store(nil)
	if err := p.record(ctx, p.own, flow.Changed, "the domain has another certificate authority", nil); err != nil {
		return nil, err
	}
	return made, p.publish(ctx)
}

func serial() (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	b[0] = b[0]&0x7f | 0x40 // positive, and always of one length
	return new(big.Int).SetBytes(b), nil
}

func selfSigned(d flow.DomainID, key crypto.Signer, now time.Time, life time.Duration) (*x509.Certificate, error) {
	n, err := serial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: n, Subject: pkix.Name{CommonName: "Scrim authority of " + string(d)},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(life),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
		URIs:                []*url.URL{{Scheme: "spiffe", Host: string(d)}},
		PermittedURIDomains: []string{string(d)}, PermittedDNSDomainsCritical: true, // of all name constraints, says x509
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the authority's certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// Issue makes a certificate for a key by the domain's authority, and puts it on record. Life 0 is what is configured for
// gateways. Errors to act on: [ErrNoAuthority], [ErrName], [ErrLife].
func (p *Peers) Issue(ctx context.Context, kind domain.Kind, id string, key crypto.PublicKey, life time.Duration) (*x509.Certificate, error) {
	if !p.ready() {
		return nil, ErrNoAuthority
	}
	if life <= 0 {
		life = p.conf.Load().CertLife
	}
	cert, _, err := p.issue(domain.Name{Domain: p.own, Kind: kind, Name: id}, key, life)
	if err != nil {
		return nil, err
	}
	reason := fmt.Sprintf("certificate issued to %s %s, serial %x", kind, id, cert.SerialNumber)
	return cert, p.record(ctx, p.own, flow.Changed, reason, nil)
}

func (p *Peers) issue(n domain.Name, key crypto.PublicKey, life time.Duration) (cert *x509.Certificate, ca string, err error) {
	now := p.now()
	signer, pair, err := p.authority().Signer(now)
	if err != nil {
		return nil, "", ErrNoAuthority
	}
	parent, err := x509.ParseCertificate(pair.Certificate)
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("reading the authority's certificate: %w", err)
	case !now.Before(parent.NotAfter):
		return nil, "", ErrNoAuthority
	case !n.Valid():
		return nil, "", ErrName
	case life > mostLife:
		return nil, "", ErrLife
	}
	serialNumber, err := serial()
	if err != nil {
		return nil, "", err
	}
	end := now.Add(life)
	if end.After(parent.NotAfter) {
		end = parent.NotAfter
	}
	template := &x509.Certificate{
		SerialNumber: serialNumber, NotBefore: now.Add(-backdated), NotAfter: end, URIs: []*url.URL{n.URL()},
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, "", fmt.Errorf("making a certificate: %w", err)
	}
	cert, err = x509.ParseCertificate(der)
	return cert, pair.ID, err
}

// Certificate returns this gateway's own certificate, made by the domain's authority when it is first needed, and again
// well before its end. The key never leaves memory. The error is [ErrNoAuthority] or [ErrName].
func (p *Peers) Certificate() (*tls.Certificate, error) {
	if !p.ready() {
		return nil, ErrNoAuthority
	}
	conf, now := p.conf.Load(), p.now()
	name := domain.Name{Domain: p.own, Kind: domain.Gateway, Name: conf.Name}
	_, pair, err := p.authority().Signer(now)
	if err != nil {
		return nil, ErrNoAuthority
	}
	if have := p.cert.Load(); have != nil && have.name == name && have.ca == pair.ID && now.Before(have.renew) && !now.Before(have.Leaf.NotBefore) {
		return &have.Certificate, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the gateway's key: %w", err)
	}
	leaf, ca, err := p.issue(name, key.Public(), conf.CertLife)
	if err != nil {
		return nil, err
	}
	made := &certificate{
		Certificate: tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf},
		name:        name, ca: ca, renew: now.Add(leaf.NotAfter.Sub(now) * 2 / 3),
	}
	p.cert.Store(made) // two at once make two, and either is as good
	return &made.Certificate, nil
}

// Authorities returns the certificates of the domain's own authority that count at this time, oldest first.
func (p *Peers) Authorities() []*x509.Certificate {
	if !p.ready() {
		return nil
	}
	return p.authorities(p.now())
}

func (p *Peers) authorities(now time.Time) (all []*x509.Certificate) {
	for _, pair := range p.authority().At(now) {
		if cert, err := x509.ParseCertificate(pair.Certificate); err == nil && now.Before(cert.NotAfter) {
			all = append(all, cert)
		}
	}
	return all
}
