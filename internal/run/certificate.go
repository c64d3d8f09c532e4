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

// server returns what a server needs: TLS 1.3, or 1.2 where configuration allows it, with the ciphers that Go holds safe.
func (c *certificate) server(t config.TLS) *tls.Config {
	out := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			if got := c.inForce.Load(); got != nil {
				return got, nil
			}
			return nil, errors.New("there is no certificate")
		},
	}
	if t.Min == "1.3" {
		out.MinVersion = tls.VersionTLS13
	}
	return out
}

// renewCertificate takes up another certificate, if there is one. What is wrong with it is for the log.
func (r *Gateway) renewCertificate() {
	c := r.Config()
	if !c.TLS.On() {
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
