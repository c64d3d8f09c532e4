package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Errors that callers may act on. None names the address.
var (
	ErrURL     = errors.New("the address is not of a form that is called")
	ErrAddress = errors.New("the address lies where nobody outside may lead the gateway")
	ErrTooBig  = errors.New("the answer is larger than is read")
)

// Options of a client. The zero value is strict: https to port 443 of public addresses.
type Options struct {
	Allow   []netip.Prefix // ranges that are not public and may be called all the same
	Ports   []uint16       // that may be called; none: 443, and 80 with Plain. A 0 among them: any
	Plain   bool           // http is called too
	Timeout time.Duration  // of a whole exchange; 10 s
	Bytes   int64          // of an answer's body; 64 KiB
	Roots   *x509.CertPool // who is believed for https; nil: the system's
	TLS     *tls.Config    // of https, in place of Roots; nil: version 1.2 at least

	// Resolve returns the addresses of a name for [Options.Check]; nil: the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Client returns a client that goes nowhere else. Its errors wrap [ErrURL], [ErrAddress] and [ErrTooBig] where they
// are the reason. It is safe for concurrent use.
func Client(opt Options) *http.Client {
	opt.Allow, opt.Ports = slices.Clone(opt.Allow), slices.Clone(opt.Ports)
	conf := opt.TLS
	if conf == nil {
		conf = &tls.Config{RootCAs: opt.Roots, MinVersion: tls.VersionTLS12}
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second, Control: opt.control}
	tr := &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        conf.Clone(),
		TLSHandshakeTimeout:    5 * time.Second,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    2,
		MaxConnsPerHost:        8,
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 16 << 10,
	}
	timeout := opt.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	return &http.Client{
		Transport: &guarded{opt, tr}, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// control looks at what is about to be connected to. It runs once for each address that a name resolved to.
func (o Options) control(network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || network != "tcp4" && network != "tcp6" || !Allowed(at.Addr(), o.Allow) || !o.port(at.Port()) {
		return ErrAddress
	}
	return nil
}

func (o Options) port(p uint16) bool {
	if len(o.Ports) == 0 {
		return p == 443 || p == 80 && o.Plain
	}
	return slices.Contains(o.Ports, p) || slices.Contains(o.Ports, 0)
}

// form checks what can be seen of an address without resolving it.
func (o Options) form(u *url.URL) error {
	port := u.Port()
	switch {
	case u.Scheme == "https" && port == "":
		port = "443"
	case u.Scheme == "https":
	case u.Scheme == "http" && o.Plain && port == "":
		port = "80"
	case u.Scheme == "http" && o.Plain:
	default:
		return ErrURL
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return ErrURL
	}
	if !o.port(uint16(n)) {
		return ErrAddress
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && !Allowed(a, o.Allow) {
		return ErrAddress
	}
	return nil
}

// Check reports whether an address that somebody names could be called: it has the form, and all that its name
// resolves to may be connected to. It is for refusing early; what counts is what [Client] finds when it connects.
// The errors are [ErrURL] and [ErrAddress]; a name that does not resolve is an ErrAddress too.
func (o Options) Check(ctx context.Context, address string) error {
	if len(address) > 2048 || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return ErrURL
	}
	u, err := url.Parse(address)
	if err != nil {
		return ErrURL
	}
	if err := o.form(u); err != nil {
		return err
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return nil
	}
	resolve := o.Resolve
	if resolve == nil {
		resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	all, err := resolve(ctx, u.Hostname())
	if err != nil || len(all) == 0 || slices.ContainsFunc(all, func(a netip.Addr) bool { return !Allowed(a, o.Allow) }) {
		return ErrAddress
	}
	return nil
}

// guarded is the transport of a client.
type guarded struct {
	opt Options
	tr  *http.Transport
}

// RoundTrip implements [http.RoundTripper].
func (g *guarded) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := g.opt.form(req.URL); err != nil {
		return nil, err
	}
	res, err := g.tr.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	most := g.opt.Bytes
	if most <= 0 {
		most = 64 << 10
	}
	res.Body = &bounded{ReadCloser: res.Body, left: most}
	return res, nil
}

// CloseIdleConnections closes what is kept open for the next call.
func (g *guarded) CloseIdleConnections() { g.tr.CloseIdleConnections() }

// bounded ends a body with [ErrTooBig] when it is longer than it may be.
type bounded struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, ErrTooBig
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, ErrTooBig
	}
	return n, err
}
