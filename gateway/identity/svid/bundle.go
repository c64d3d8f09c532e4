// Package svid has what SPIFFE gives a workload: its own certificate (X.509-SVID) and the trust bundles of trust domains,
// from the Workload API and from files.
package svid

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

const (
	maxBundle      = 1 << 20 // bytes of a file
	maxAuthorities = 64      // in one bundle
	lookAgain      = time.Second
)

// ReadBundle reads the authorities of a trust domain from a file: certificates in PEM, or a bundle as the SPIFFE standard
// has it in JSON. The file is believed whole or not at all. Its errors hold nothing of what is in it.
func ReadBundle(trustDomain, name string) ([]*x509.Certificate, error) {
	b, err := read(name)
	if err != nil {
		return nil, err
	}
	return parse(trustDomain, b)
}

func read(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxBundle+1))
	switch {
	case err != nil:
		return nil, reason(err)
	case len(b) > maxBundle:
		return nil, errors.New("the bundle is larger than 1 MiB")
	}
	return b, nil
}

// reason is an error without the name of the file.
func reason(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("the bundle cannot be read: %w", pathErr.Err)
	}
	return errors.New("the bundle cannot be read")
}

func parse(trustDomain string, b []byte) ([]*x509.Certificate, error) {
	td, err := spiffeid.TrustDomainFromString(trustDomain)
	if err != nil || td.Name() != trustDomain {
		return nil, errors.New("the trust domain is not the name of one")
	}
	var certs []*x509.Certificate
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) {
		bundle, err := spiffebundle.Parse(td, b)
		if err != nil {
			return nil, errors.New("the bundle is not one in JSON")
		}
		certs = bundle.X509Authorities()
	} else if certs, err = parsePEM(b); err != nil {
		return nil, err
	}
	return certs, check(certs)
}

func parsePEM(b []byte) (certs []*x509.Certificate, err error) {
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" || len(certs) == maxAuthorities {
			return nil, errors.New("the bundle has something else than certificates, or too many")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("a certificate of the bundle cannot be read")
		}
		certs = append(certs, cert)
	}
	if len(bytes.TrimSpace(b)) > 0 {
		return nil, errors.New("the bundle ends in something that is no certificate")
	}
	return certs, nil
}

func check(certs []*x509.Certificate) error {
	if len(certs) == 0 || len(certs) > maxAuthorities {
		return fmt.Errorf("the bundle has no authority, or more than %d", maxAuthorities)
	}
	for _, c := range certs {
		if !c.IsCA || !c.BasicConstraintsValid {
			return errors.New("a certificate of the bundle is no authority's")
		}
	}
	return nil
}

// held is a bundle that is believed. The pool stays the same for as long as its authorities do.
type held struct {
	pool  *x509.CertPool
	certs []*x509.Certificate
	sum   [32]byte
}

func hold(old *held, certs []*x509.Certificate) *held {
	h := sha256.New()
	for _, c := range certs {
		sum := sha256.Sum256(c.Raw)
		h.Write(sum[:])
	}
	next := &held{pool: x509.NewCertPool(), certs: certs, sum: [32]byte(h.Sum(nil))}
	if old != nil && old.sum == next.sum {
		return old
	}
	for _, c := range certs {
		next.pool.AddCert(c)
	}
	return next
}

// Files are the bundles of trust domains that come from files. A file that changes counts within a second. One that is not there
// any more, or cannot be read, ends the trust in its domain, so put a new one in its place at once, by renaming. It is safe
// for concurrent use.
type Files struct {
	names map[string]string // by trust domain
	now   func() time.Time
	told  func(trustDomain string, err error)

	mu      sync.Mutex // guards the fields below
	looked  map[string]time.Time
	bundles map[string]*held
	wrong   map[string]string
}

// NewFiles returns the bundles of the named files, by trust domain. Told is called with what is wrong with a file when that changes, and
// with nil when it can be used again; nil: nobody is told.
func NewFiles(names map[string]string, told func(trustDomain string, err error)) *Files {
	f := &Files{names: map[string]string{}, now: time.Now, told: told, looked: map[string]time.Time{}, bundles: map[string]*held{}, wrong: map[string]string{}}
	for td, name := range names {
		f.names[td] = name
	}
	return f
}

// ClientCA returns the authorities of the trust domain.
func (f *Files) ClientCA(trustDomain string) (*x509.CertPool, bool) {
	name, ok := f.names[trustDomain]
	if !ok {
		return nil, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if last, ok := f.looked[trustDomain]; !ok || now.Sub(last) >= lookAgain || now.Before(last) {
		f.looked[trustDomain] = now
		f.look(trustDomain, name)
	}
	h := f.bundles[trustDomain]
	if h == nil {
		return nil, false
	}
	return h.pool, true
}

// look reads a file again. The caller holds mu.
func (f *Files) look(trustDomain, name string) {
	certs, err := ReadBundle(trustDomain, name)
	why := ""
	if err != nil {
		why = err.Error()
		delete(f.bundles, trustDomain)
	} else {
		f.bundles[trustDomain] = hold(f.bundles[trustDomain], certs)
	}
	if was := f.wrong[trustDomain]; was != why && f.told != nil {
		f.told(trustDomain, err)
	}
	f.wrong[trustDomain] = why
}

// Has reports whether the bundle of the trust domain comes from a file, whatever is in it.
func (f *Files) Has(trustDomain string) bool {
	_, ok := f.names[trustDomain]
	return ok
}
