package domain

import (
	"crypto/x509"
	"net/url"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Kind is what a certificate of a domain's authority is for.
type Kind string

// The kinds.
const (
	Gateway Kind = "gateway"
	Agent   Kind = "agent"
)

// Name is what stands in a certificate of a domain's own authority: the SPIFFE ID spiffe://DOMAIN/KIND/NAME.
type Name struct {
	Domain flow.DomainID
	Kind   Kind
	Name   string
}

// URL returns the SPIFFE ID.
func (n Name) URL() *url.URL {
	return &url.URL{Scheme: "spiffe", Host: string(n.Domain), Path: "/" + string(n.Kind) + "/" + n.Name}
}

// String returns the SPIFFE ID.
func (n Name) String() string { return n.URL().String() }

// Valid reports whether the name can stand in a certificate.
func (n Name) Valid() bool {
	return ValidName(n.Domain) && (n.Kind == Gateway || n.Kind == Agent) && name(n.Name)
}

// ParseName reads a SPIFFE ID of one of the two kinds. It takes exactly what [Name.URL] makes.
func ParseName(u *url.URL) (Name, bool) {
	if u == nil || u.Scheme != "spiffe" {
		return Name{}, false
	}
	kind, rest, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	n := Name{Domain: flow.DomainID(u.Host), Kind: Kind(kind), Name: rest}
	return n, n.Valid() && u.String() == n.String()
}

// NameOf returns the name that a certificate is for. It has that one URI, and no other SPIFFE ID could be meant.
func NameOf(cert *x509.Certificate) (Name, bool) {
	if cert == nil || len(cert.URIs) != 1 {
		return Name{}, false
	}
	return ParseName(cert.URIs[0])
}
