package run

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/internal/config"
)

// certificate is what the gateway shows callers of TLS. Each handshake gets the newest; connections that stand are left
// alone. It is safe for concurrent use.
type certificate struct {
	inForce atomic.Pointer[tls.Certificate]

	mu   sync.Mutex // one renewal at a time; guards the bytes that the last try was made of
	seen [2][]byte
}

// renew reads the pair again, and reports whether it is another one. A pair that cannot be used changes nothing, and is
// told once.
func (c *certificate) renew(certFile, keyFile string, now time.Time) (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var pair [2][]byte
	for i, name := range []string{certFile, keyFile} {
		if pair[i], err = readSmall(name); err != nil {
			return false, c.told(pair, err)
		}
	}
	if bytes.Equal(pair[0], c.seen[0]) && bytes.Equal(pair[1], c.seen[1]) {
		return false, nil
	}
	got, err := tls.X509KeyPair(pair[0], pair[1])
	if err != nil {
		return false, c.told(pair, errors.New("certificate and key do not go together, or one of them is no PEM file of its kind"))
	}
	if c.inForce.Load() != nil && now.After(got.Leaf.NotAfter) {
		return false, c.told(pair, fmt.Errorf("the certificate ended on %s", got.Leaf.NotAfter.Format(time.DateOnly)))
	}
	c.seen = pair
	c.inForce.Store(&got)
	return true, nil
}

// told remembers what an error was about, so that it is not told again until something changes.
func (c *certificate) told(pair [2][]byte, err error) error {
	if c.inForce.Load() != nil && bytes.Equal(pair[0], c.seen[0]) && bytes.Equal(pair[1], c.seen[1]) {
		return nil
	}
	c.seen = pair
	return err
}

// readSmall reads a file of at most 1 MiB. The error does not repeat what is in it.
func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err == nil && len(b) == 0 {
		err = fmt.Errorf("%s is empty", name)
	}
	return b, err
}

// ends is when the certificate in force ends; the zero time if there is none.
func (c *certificate) ends() time.Time {
	if got := c.inForce.Load(); got != nil {
		return got.Leaf.NotAfter
	}
	return time.Time{}
}

// tlsServer returns what a server needs: TLS 1.3, or 1.2 where configuration allows it, with the ciphers that Go holds safe.
//
// Callers are asked for a certificate where one can prove something, and need none. Whether it is believed is found out
// for each request, so that trust can end while a connection stands; the handshake only proves that the caller has the
// key. Where callers are asked, no session is resumed: a ticket would stand for a key that its caller need not have any more.
func (r *Gateway) tlsServer(t config.TLS) *tls.Config {
	out := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: r.shownCertificate(t), NextProtos: []string{"h2", "http/1.1"}}
	if t.Min == "1.3" {
		out.MinVersion = tls.VersionTLS13
	}
	asks := out.Clone()
	asks.ClientAuth = tls.RequestClientCert
	asks.SessionTicketsDisabled = true
	out.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if r.asksForCertificates() {
			return asks, nil
		}
		return nil, nil
	}
	return out
}

func (r *Gateway) shownCertificate(t config.TLS) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if t.SVID {
			return r.trust.workload.Certificate()
		}
		if got := r.cert.inForce.Load(); got != nil {
			return got, nil
		}
		return nil, errors.New("there is no certificate")
	}
}

// shownUntil is when the certificate that callers are shown ends; the zero time if there is none.
func (r *Gateway) shownUntil() time.Time {
	if r.Config().TLS.SVID {
		return r.trust.workload.State().Expires
	}
	return r.cert.ends()
}

func (r *Gateway) asksForCertificates() bool {
	switch r.Config().TLS.ClientCertificates {
	case config.AskAlways:
		return true
	case config.AskNever:
		return false
	}
	return r.Gateway.Snapshot().Identity.WantsCertificates()
}

// renewCertificate takes up another certificate, if there is one. What is wrong with it is for the log.
func (r *Gateway) renewCertificate() {
	c := r.Config()
	if t := c.Console.TLS; t.On() {
		if _, err := r.adminCert.renew(c.Path(t.Cert), c.Path(t.Key), time.Now()); err != nil {
			r.log.Error("the new certificate of the admin address is not taken up; the old one stays", "error", err)
		}
	}
	if c.TLS.Cert == "" {
		return
	}
	changed, err := r.cert.renew(c.Path(c.TLS.Cert), c.Path(c.TLS.Key), time.Now())
	switch {
	case err != nil:
		r.log.Error("the new certificate is not taken up; the old one stays", "error", err)
	case changed:
		r.log.Info("a new certificate is in force", "until", r.cert.ends())
	}
}
