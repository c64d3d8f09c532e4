package gateway

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/policy/domain"
)

// Upstream is an agent or server behind (or, on the outbound face, beyond) the gateway.
type Upstream struct {
	URL        *url.URL
	Header     string        // header that carries the credential; "" for none
	Credential flow.Secret   // the gateway's own; a caller's is never passed on
	Peers      *peers.Peers  // set before use: a peer's gateways are called as such; nil: no domain is a peer
	Domain     flow.DomainID // whose the agent is
	Handoff    *Handoff      // set before use: calls are made by another part of this process, which is told what goes along; nil: by this
	client     *http.Client
	opt        UpstreamOptions

	once  sync.Once
	http2 *http.Client // set by once; see streams

	mu  sync.Mutex // guards via
	via [2]viaPeer // for calls of any version of HTTP, and of HTTP/2
}

// UpstreamOptions are the limits of calls to upstreams, and how they are reached; zero fields have the defaults named.
type UpstreamOptions struct {
	Dial       time.Duration // connecting, and likewise the TLS handshake; 5 s
	Write      time.Duration // until the other side takes in what is written; 30 s
	Headers    time.Duration // until the response's first byte; 60 s
	Body       time.Duration // of a response that is no stream, from its first byte to its end; 2 min
	Idle       int           // idle connections kept per upstream; 64
	CA         string        // PEM of the authorities that are believed, and no others; "": those of the system
	TLS        *tls.Config   // in place of CA and the defaults; nil: those
	PlainHTTP2 bool          // an upstream without TLS speaks HTTP/2; with TLS that is agreed on by itself
	Pool       *Pool         // where connections are kept; nil: the upstream has its own
}

// NewUpstream returns an upstream at an absolute http or https URL.
func NewUpstream(rawURL, header string, credential flow.Secret, opt UpstreamOptions) (*Upstream, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("upstream URL is not an absolute http or https URL")
	}
	if u.User != nil {
		return nil, errors.New("upstream URL holds a credential; name its environment variable or file instead")
	}
	opt.Dial, opt.Headers, opt.Write = orDefault(opt.Dial, 5*time.Second), orDefault(opt.Headers, time.Minute), orDefault(opt.Write, 30*time.Second)
	opt.Body, opt.Idle = orDefault(opt.Body, 2*time.Minute), orDefault(opt.Idle, 64)
	tr, err := opt.Pool.transport(opt)
	if err != nil {
		return nil, err
	}
	return &Upstream{URL: u, Header: header, Credential: credential, client: client(tr), opt: opt}, nil
}

func client(tr *http.Transport) *http.Client {
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect could lead out of the domain
	}}
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// passedHeaders go from the caller to the upstream as they are; everything else stays here, credentials above all.
var passedHeaders = []string{
	"A2a-Version", "Mcp-Protocol-Version", "Mcp-Session-Id", "Mcp-Method", "Mcp-Name", "Last-Event-Id",
}

// Send makes one call. Headers are taken from the list of protocol headers alone; extra ones are added as given.
// The caller closes the response's body. The error is a [Refusal] that does not name the upstream's address.
func (u *Upstream) Send(ctx context.Context, method string, from http.Header, extra map[string]string, body []byte) (*http.Response, error) {
	return u.SendTo(ctx, method, u.URL.String(), from, extra, body)
}

// SendTo is Send to another address of the same upstream.
func (u *Upstream) SendTo(ctx context.Context, method, address string, from http.Header, extra map[string]string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, refuse(RuleInternal, "", err, "The agent behind the gateway cannot be called.")
	}
	if err := u.head(req, from, extra); err != nil {
		return nil, err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if err := u.vouch(req, body); err != nil {
		return nil, err
	}
	res, err := u.do(req, false)
	if err != nil {
		return nil, err
	}
	if !IsStream(res) {
		res.Body = bodyWithin(res.Body, u.opt.Body)
	}
	return res, nil
}

// head sets the headers of a request: the protocol's own, those given, and the upstream's credential.
func (u *Upstream) head(req *http.Request, from http.Header, extra map[string]string) error {
	for _, h := range passedHeaders {
		if v, ok := from[h]; ok && headerSafe(v) {
			req.Header[h] = v
		}
	}
	for k, v := range extra {
		req.Header.Set(k, v)
	}
	next, err := NextHop(req.Context(), from)
	if err != nil {
		return err
	}
	req.Header.Set(HeaderHops, next)
	req.Header.Set("User-Agent", "scrim")
	if u.Header != "" {
		req.Header.Set(u.Header, u.Credential.Expose())
	}
	return nil
}

// do makes a call; of HTTP/2 and nothing else if streams is set.
func (u *Upstream) do(req *http.Request, streams bool) (*http.Response, error) {
	client, err := u.clientTo(req.URL, streams)
	if err != nil {
		return nil, refuse(RuleUpstream, "", fault(err), "The agent behind the gateway cannot be reached.")
	}
	began := time.Now()
	res, err := client.Do(req)
	if e := entryOf(req.Context()); e != nil {
		e.called(u.Domain, began, err)
	}
	if err != nil {
		return nil, refuse(RuleUpstream, "", fault(err), "The agent behind the gateway did not answer.")
	}
	if res.StatusCode >= 300 && res.StatusCode < 400 && res.StatusCode != http.StatusNotModified {
		res.Body.Close()
		return nil, refuse(RuleUpstream, "", fmt.Errorf("status %d", res.StatusCode), "The agent behind the gateway answered with a redirect.")
	}
	return res, nil
}

// headerSafe keeps header values short and printable: a header is no way round the message.
func headerSafe(values []string) bool {
	return len(values) == 1 && len(values[0]) <= 512 && !strings.ContainsFunc(values[0], func(r rune) bool { return r < ' ' || r > '~' })
}

// fault says what kind of failure a client error is, in words of its own: the error's may repeat the address, which
// the operator finds in the configuration, or bytes that the peer wrote.
func fault(err error) error {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return e // what a peer's certificate lacked, in words of its own
	}
	for _, known := range []error{peers.ErrNotInForce, peers.ErrNoAuthority, context.Canceled, context.DeadlineExceeded, io.ErrUnexpectedEOF, io.EOF, errLate} {
		if errors.Is(err, known) {
			return known
		}
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return errors.New("it took too long")
	}
	if code, ok := errors.AsType[syscall.Errno](err); ok {
		return code
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New("its host name cannot be resolved")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New("its certificate is not accepted")
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return errors.New("it does not speak TLS")
	}
	return errors.New("it does not speak HTTP as it should")
}

// mostAnnounced bounds how much memory a length that was only announced gets.
const mostAnnounced = 64 << 10

// readAll is [io.ReadAll] with room for what was announced, so that it need not grow step by step; announced may be -1.
func readAll(r io.Reader, announced int64) ([]byte, error) {
	b := make([]byte, 0, max(min(announced, mostAnnounced)+1, 512))
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case err == io.EOF:
			return b, nil
		case err != nil:
			return nil, err
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

// ReadJSON reads a whole JSON body of at most limit bytes.
func ReadJSON(res *http.Response, limit int) ([]byte, error) {
	return ReadAnswer(res, limit, "application/json", "application/a2a+json")
}

// ReadAnswer reads a whole body of one of the media types, of at most limit bytes.
func ReadAnswer(res *http.Response, limit int, types ...string) ([]byte, error) {
	limit = orDefault(limit, json.DefaultBytes)
	if err := readable(res.Header, types...); err != nil {
		return nil, err
	}
	b, err := readAll(io.LimitReader(res.Body, int64(limit)+1), res.ContentLength)
	if err != nil {
		return nil, refuse(RuleUpstream, "", fault(err), "The agent behind the gateway broke off its answer.")
	}
	if len(b) > limit {
		return nil, refuse(RuleTooBig, "", nil, "The answer is larger than %d bytes.", limit)
	}
	return b, nil
}

// readable refuses encodings and media types that cannot be looked into.
func readable(h http.Header, types ...string) error {
	for _, line := range h.Values("Content-Encoding") {
		for enc := range strings.SplitSeq(line, ",") {
			if enc = strings.TrimSpace(enc); enc != "" && !strings.EqualFold(enc, "identity") {
				return refuse(RuleEncoding, "", nil, "The content encoding cannot be read; send it as identity.")
			}
		}
	}
	given := h["Content-Type"]
	if len(given) == 1 && slices.Contains(types, given[0]) {
		return nil
	}
	if len(given) > 1 {
		return refuse(RuleEncoding, "", nil, "There is more than one media type.")
	}
	mt, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || !slices.Contains(types, mt) {
		return refuse(RuleEncoding, "", nil, "The media type is not %s.", strings.Join(types, " or "))
	}
	return nil
}

// IsStream reports whether the response is a stream of server-sent events that can be read.
func IsStream(res *http.Response) bool {
	if given := res.Header["Content-Type"]; len(given) == 1 && given[0] == "application/json" {
		return false // most answers are; a refusal in words that nobody reads costs more than the rest of the question
	}
	return readable(res.Header, "text/event-stream") == nil
}
