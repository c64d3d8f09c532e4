// Package remote asks a service over HTTP what there is to protect in texts, for a [detect.Beside]. The service is scrim's own
// form of one, described in docs/spec/detection-models.md, or a Presidio analyzer.
//
// Whatever goes wrong is an error, and with an error come no findings: the texts may not be released. Errors hold nothing of
// a text, of an answer or of the credential.
package remote

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// Kind is the form in which a service is asked.
type Kind string

// The kinds.
const (
	Scrim    Kind = "scrim"
	Presidio Kind = "presidio"
)

// Ignored is what a type of the service is mapped to whose findings are none.
const Ignored flow.Label = "none"

// Errors that callers may act on.
var (
	ErrURL    = errors.New("the address of the detection service is not https, and not on this machine")
	ErrAnswer = errors.New("the detection service's answer cannot be read")
	ErrStatus = errors.New("the detection service refused")
	ErrTooBig = errors.New("a text is larger than the detection service is asked about")
	ErrOpen   = errors.New("the detection service failed several times in a row and is not asked for now")
	ErrReach  = errors.New("the detection service cannot be reached in time")
)

// Options of a client. What is zero has the default named.
type Options struct {
	URL        string // of the service; for Presidio the one that /analyze is below
	Kind       Kind   // Scrim
	Header     string // that carries the credential; none without one
	Credential flow.Secret
	CA         string // PEM of the authorities that are believed; "": the system's
	Plain      bool   // http to another machine is allowed
	Types      map[string]flow.Label
	MinScore   float64 // findings below are none
	Language   string  // that Presidio is told; "en"
	Taxonomy   *flow.Taxonomy
	Calls      int // at one time; 8
	Bytes      int // of one text; 1 MiB
	Answer     int // bytes of an answer; 4 MiB

	Now func() time.Time // for the circuit breaker; time.Now
}

// Client is a [detect.Detector] and a [detect.Batcher]. It is safe for concurrent use.
type Client struct {
	opt   Options
	url   string
	http  *http.Client
	calls chan struct{} // a place for each that is under way
	fuse  breaker
}

var (
	_ detect.Detector = (*Client)(nil)
	_ detect.Batcher  = (*Client)(nil)
)

// New returns a client. It connects to nobody. The error is [ErrURL], or says which option is wrong.
func New(opt Options) (*Client, error) {
	opt.Kind = cmp.Or(opt.Kind, Scrim)
	opt.Calls, opt.Bytes, opt.Answer = cmp.Or(opt.Calls, 8), cmp.Or(opt.Bytes, 1<<20), cmp.Or(opt.Answer, 4<<20)
	opt.Language = cmp.Or(opt.Language, "en")
	if opt.Taxonomy == nil {
		opt.Taxonomy = flow.DefaultTaxonomy()
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	u, err := url.Parse(opt.URL)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, ErrURL
	}
	if u.Scheme == "http" && !opt.Plain && !loopback(u.Hostname()) {
		return nil, ErrURL
	}
	opt.Types = maps.Clone(opt.Types)
	for _, l := range opt.Types {
		if l != Ignored && (!opt.Taxonomy.Known(l) || l == flow.PublicData || l == flow.FreeText) {
			return nil, errors.New("a type of the detection service is mapped to no class of data that a finding can have")
		}
	}
	switch opt.Kind {
	case Scrim:
	case Presidio:
		u = u.JoinPath("analyze")
		types := maps.Clone(presidioTypes)
		maps.Copy(types, opt.Types)
		opt.Types = types
	default:
		return nil, errors.New("the kind of detection service is unknown")
	}
	tr, err := transport(opt, u.Scheme == "http" && !opt.Plain)
	if err != nil {
		return nil, err
	}
	return &Client{
		opt: opt, url: u.String(), calls: make(chan struct{}, opt.Calls), fuse: breaker{now: opt.Now},
		http: &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.Unmap().IsLoopback()
}

// transport goes to the service and nowhere else: no proxy of the environment, no redirect. Local means that only this
// machine is connected to, whatever the name resolves to.
func transport(opt Options, local bool) (*http.Transport, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if opt.CA != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(opt.CA)) {
			return nil, errors.New("the certificate authorities of the detection service cannot be read")
		}
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if local {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().Unmap().IsLoopback() {
				return ErrURL
			}
			return nil
		}
	}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: conf, TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: opt.Calls, MaxConnsPerHost: opt.Calls, IdleConnTimeout: 30 * time.Second,
		MaxResponseHeaderBytes: 16 << 10, DisableCompression: true, ForceAttemptHTTP2: true,
	}, nil
}

// Find implements [detect.Detector]. The known values are not sent.
func (c *Client) Find(ctx context.Context, text string, _ *detect.KnownSet) ([]detect.Finding, error) {
	all, err := c.FindAll(ctx, []string{text})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// Bounds of one request.
const (
	batchTexts = 64
	batchBytes = 256 << 10
)

// FindAll implements [detect.Batcher]. Texts go out together as far as the form has it, in pieces of a bounded size. The error
// wraps one of those above.
func (c *Client) FindAll(ctx context.Context, texts []string) ([][]detect.Finding, error) {
	for _, t := range texts {
		if len(t) > c.opt.Bytes {
			return nil, ErrTooBig
		}
	}
	out := make([][]detect.Finding, 0, len(texts))
	for len(texts) > 0 {
		n, size := 1, len(texts[0])
		for c.opt.Kind == Scrim && n < len(texts) && n < batchTexts && size+len(texts[n]) <= batchBytes {
			size += len(texts[n])
			n++
		}
		found, err := c.guarded(ctx, texts[:n])
		if err != nil {
			return nil, err
		}
		out, texts = append(out, found...), texts[n:]
	}
	return out, nil
}

// guarded asks if the breaker lets it and there is a place.
func (c *Client) guarded(ctx context.Context, texts []string) (found [][]detect.Finding, err error) {
	select {
	case c.calls <- struct{}{}:
	case <-ctx.Done():
		return nil, ErrReach
	}
	defer func() { <-c.calls }()
	if !c.fuse.allow() {
		return nil, ErrOpen
	}
	answered := false
	defer func() { c.fuse.report(answered) }()
	if c.opt.Kind == Presidio {
		found, err = c.askPresidio(ctx, texts[0])
	} else {
		found, err = c.askScrim(ctx, texts)
	}
	answered = err == nil || errors.Is(ctx.Err(), context.Canceled) // a caller that leaves says nothing about the service
	return found, err
}

// post sends a request and decodes the answer into it.
func (c *Client) post(ctx context.Context, body, answer any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return ErrAnswer
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(b))
	if err != nil {
		return ErrURL
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	if c.opt.Header != "" {
		req.Header.Set(c.opt.Header, c.opt.Credential.Expose())
	}
	res, err := c.http.Do(req)
	if err != nil {
		return ErrReach // the cause may hold an address and what the other side said
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%w with status %d", ErrStatus, res.StatusCode)
	}
	got, err := io.ReadAll(io.LimitReader(res.Body, int64(c.opt.Answer)+1))
	switch {
	case err != nil:
		return ErrReach
	case len(got) > c.opt.Answer:
		return fmt.Errorf("%w: it is too large", ErrAnswer)
	}
	if json.Unmarshal(got, answer) != nil {
		return ErrAnswer // what encoding/json says quotes the answer
	}
	return nil
}
