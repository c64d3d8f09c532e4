package api

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/policy/domain"
	"github.com/scrimhq/scrim/privacy/vault"
)

// SigningKey is a signing key of the domain as it is shown.
type SigningKey struct {
	ID        string
	Signs     bool      // by it the domain signs now
	From      time.Time // when signing by it begins or began
	NotAfter  time.Time // zero: open
	NotBefore time.Time
}

// DomainView is what a domain says of itself.
type DomainView struct {
	Domain      flow.DomainID
	Fingerprint string // "": a domain of this name can have no peers
	Version     int64
	Expires     time.Time
	Keys        []SigningKey
	Gateways    []string
	Authorities []AuthorityView
	Document    string // as it is published
}

// AuthorityView is a certificate of the domain's authority.
type AuthorityView struct {
	PEM      string
	NotAfter time.Time
}

// ShowRequest has no members.
type ShowRequest struct{}

// ShowDomain says what the domain is to others.
func ShowDomain(_ context.Context, p *peers.Peers, _ ShowRequest) (DomainView, error) {
	v := DomainView{Domain: p.Domain()}
	f, doc, ok := p.Identity()
	if !ok {
		return v, nil
	}
	v.Fingerprint, v.Version, v.Expires, v.Gateways = f.String(), doc.Version, doc.Expires, doc.Gateways
	v.Document = string(domain.JSON(p.Document()))
	all, signs := p.Signing()
	for _, k := range all {
		v.Keys = append(v.Keys, SigningKey{ID: k.ID, Signs: k.ID == signs, From: k.Signs, NotAfter: k.NotAfter, NotBefore: k.NotBefore})
	}
	for _, ca := range p.Authorities() {
		v.Authorities = append(v.Authorities, viewOf(ca))
	}
	return v, nil
}

func viewOf(c *x509.Certificate) AuthorityView {
	return AuthorityView{PEM: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})), NotAfter: c.NotAfter}
}

// RotateRequest asks for another key. Lost ends the earlier ones at once, with all that they signed.
type RotateRequest struct {
	Lost bool
}

// RotateKey makes another signing key.
func RotateKey(ctx context.Context, p *peers.Peers, q RotateRequest) (DomainView, error) {
	var r *vault.Rotation
	if q.Lost {
		r = &vault.Rotation{}
	}
	if _, err := p.Rotate(ctx, r); err != nil {
		return DomainView{}, err
	}
	return ShowDomain(ctx, p, ShowRequest{})
}

// AuthorityRequest asks for a certificate authority.
type AuthorityRequest struct {
	Life    time.Duration // 0: a year
	Replace bool          // one that is there
	Lost    bool          // and end it at once, with all certificates that it made
	Lead    time.Duration // else: before it makes certificates; 0: 1 h
	Overlap time.Duration // and until those of the old one end; 0: 48 h
}

// InitAuthority makes the domain's certificate authority.
func InitAuthority(ctx context.Context, p *peers.Peers, q AuthorityRequest) (DomainView, error) {
	r := vault.Rotation{Lead: q.Lead, Overlap: q.Overlap}
	if r.Lead <= 0 {
		r.Lead = time.Hour
	}
	if r.Overlap <= 0 {
		r.Overlap = 48 * time.Hour
	}
	if q.Lost {
		r = vault.Rotation{}
	}
	if _, err := p.InitAuthority(ctx, q.Life, q.Replace, r); err != nil {
		return DomainView{}, err
	}
	return ShowDomain(ctx, p, ShowRequest{})
}

// IssueRequest asks for a certificate for a public key (PKIX, DER).
type IssueRequest struct {
	Kind domain.Kind
	Name string
	Key  []byte
	Life time.Duration
}

// Issued is a certificate that was made.
type Issued struct {
	PEM      string
	Name     string // SPIFFE ID
	NotAfter time.Time
}

// Issue makes a certificate by the domain's authority.
func Issue(ctx context.Context, p *peers.Peers, q IssueRequest) (Issued, error) {
	key, err := x509.ParsePKIXPublicKey(q.Key)
	if err != nil {
		return Issued{}, errors.New("the public key cannot be read")
	}
	cert, err := p.Issue(ctx, q.Kind, q.Name, key, q.Life)
	if err != nil {
		return Issued{}, err
	}
	v := viewOf(cert)
	return Issued{PEM: v.PEM, Name: cert.URIs[0].String(), NotAfter: v.NotAfter}, nil
}

// PeerView is a peer as it is shown.
type PeerView struct {
	Domain      flow.DomainID
	URL         string
	Fingerprint string
	Configured  bool
	InForce     bool
	Version     int64 // 0: no document was believed yet
	Fetched     time.Time
	Expires     time.Time
	Keys        []string // ids
	Gateways    []string
	Authorities int
	Techniques  []string
	Revocations string
	Problem     string // of the last look; "": none
}

// ListPeers returns every peer.
func ListPeers(_ context.Context, p *peers.Peers, _ ShowRequest) ([]PeerView, error) {
	all := []PeerView{}
	for _, s := range p.All() {
		v := PeerView{Domain: s.Domain, URL: s.URL, Fingerprint: s.Fingerprint.String(), Configured: s.Configured, InForce: s.InForce}
		if s.Problem != nil {
			v.Problem = s.Problem.Error()
		}
		if d := s.Document; d != nil {
			v.describe(d)
			v.Fetched = s.Fetched
		}
		all = append(all, v)
	}
	return all, nil
}

func (v *PeerView) describe(d *domain.Document) {
	v.Version, v.Expires, v.Gateways, v.Authorities = d.Version, d.Expires, d.Gateways, len(d.Authorities)
	v.Techniques, v.Revocations = d.Techniques, d.Revocations
	for _, k := range d.Keys {
		v.Keys = append(v.Keys, k.ID)
	}
}

// PeerRequest names a peer by the address of its document, and by what is pinned.
type PeerRequest struct {
	URL         string
	Fingerprint string
}

// LookAtPeer fetches a document to show it. Nothing is believed by it.
func LookAtPeer(ctx context.Context, p *peers.Peers, q PeerRequest) (PeerView, error) {
	d, err := p.Look(ctx, q.URL)
	if err != nil {
		return PeerView{}, err
	}
	v := PeerView{Domain: d.Domain, URL: q.URL, Fingerprint: d.Fingerprint().String()}
	v.describe(d)
	return v, nil
}

// AddPeer pins a domain.
func AddPeer(ctx context.Context, p *peers.Peers, q PeerRequest) (PeerView, error) {
	f, err := domain.ParseFingerprint(q.Fingerprint)
	if err != nil {
		return PeerView{}, err
	}
	got, err := p.Add(ctx, q.URL, f)
	if err != nil {
		return PeerView{}, err
	}
	return peerOf(ctx, p, got.Domain)
}

func peerOf(ctx context.Context, p *peers.Peers, d flow.DomainID) (PeerView, error) {
	all, err := ListPeers(ctx, p, ShowRequest{})
	if err != nil {
		return PeerView{}, err
	}
	for _, v := range all {
		if v.Domain == d {
			return v, nil
		}
	}
	return PeerView{}, fmt.Errorf("%s: %w", d, peers.ErrUnknown)
}

// DomainRequest names a peer.
type DomainRequest struct {
	Domain flow.DomainID
}

// RemovePeer ends a peer.
func RemovePeer(ctx context.Context, p *peers.Peers, q DomainRequest) (ShowRequest, error) {
	return ShowRequest{}, p.Remove(ctx, q.Domain)
}

// RefreshPeer looks at a peer's document now.
func RefreshPeer(ctx context.Context, p *peers.Peers, q DomainRequest) (PeerView, error) {
	if err := p.Refresh(ctx, q.Domain); err != nil {
		return PeerView{}, err
	}
	return peerOf(ctx, p, q.Domain)
}

// domains adds the calls about the domain and its peers.
func (a *API) domains() {
	domainCall(a, "/api/v1/domain/show", ShowDomain)
	domainCall(a, "/api/v1/domain/rotate", RotateKey)
	domainCall(a, "/api/v1/ca/init", InitAuthority)
	domainCall(a, "/api/v1/ca/issue", Issue)
	domainCall(a, "/api/v1/peers/list", ListPeers)
	domainCall(a, "/api/v1/peers/look", LookAtPeer)
	domainCall(a, "/api/v1/peers/add", AddPeer)
	domainCall(a, "/api/v1/peers/remove", RemovePeer)
	domainCall(a, "/api/v1/peers/refresh", RefreshPeer)
}

func domainCall[Q, A any](a *API, path string, do func(context.Context, *peers.Peers, Q) (A, error)) {
	partCall(a, path, a.opt.Peers, "this gateway has no identity to others", do)
}

// partCall serves a call that does something with one part of the gateway's state. Where the part is not there the answer says so.
func partCall[P, Q, A any](a *API, path string, part *P, absent string, do func(context.Context, *P, Q) (A, error)) {
	a.guarded("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var q Q
		if !read(w, r, &q) {
			return
		}
		if part == nil {
			fail(w, http.StatusNotFound, absent)
			return
		}
		out, err := do(r.Context(), part, q)
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		answer(w, out)
	})
}
