package agent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

// Headers between an agent and a gateway.
const (
	HeaderCapability  = "Scrim-Capability"
	HeaderProof       = "Scrim-Proof"
	HeaderNonce       = "Scrim-Nonce"
	HeaderPurpose     = "Scrim-Purpose"
	HeaderCriticality = "Scrim-Criticality"
)

// Gateway is a gateway that an agent calls.
type Gateway struct {
	URL    string        // its base, such as https://gw.hospital.example; capability and credential are shown to no other address
	Domain flow.DomainID // whose gateway it is: the audience that a proof is made for
}

// Options of a client. Key and Gateways are needed.
type Options struct {
	Key      *Key
	Gateways []Gateway
	Bearer   flow.Secret       // a credential beside the capability; zero: the capability alone says who calls
	Base     http.RoundTripper // nil: [http.DefaultTransport]
	Tries    int               // of a call that may be sent again; 0: 3
	Body     int64             // bytes of the largest request; 0: 32 MiB
	Clock    func() time.Time  // nil: time.Now
}

// Errors a caller may act on.
var (
	ErrOptions = errors.New("agent options are not valid")
	ErrNoKey   = errors.New("the capability is for another key")
	ErrTooBig  = errors.New("the request is larger than the client sends")
)

// Client makes calls of one agent through gateways: it shows the capability that fits, proves for each call anew that
// it holds the key, and sends a call that may be repeated once more where the gateway was not to be had. It implements
// [http.RoundTripper], so any A2A or MCP client takes it. It is safe for concurrent use.
//
// Requests to other addresses than the gateways' pass as they are, without anything of this.
type Client struct {
	key      *Key
	gateways []gateway
	bearer   flow.Secret
	base     http.RoundTripper
	tries    int
	body     int64
	now      func() time.Time

	mu     sync.Mutex
	held   []*held // newest first
	nonces map[flow.DomainID]string
}

type gateway struct {
	base   *url.URL
	domain flow.DomainID
}

type held struct {
	chain capability.Chain
	leaf  capability.Grant
}

// NewClient checks the options.
func NewClient(opt Options) (*Client, error) {
	c := &Client{key: opt.Key, bearer: opt.Bearer, base: opt.Base, tries: opt.Tries, body: opt.Body, now: opt.Clock, nonces: map[flow.DomainID]string{}}
	if c.key == nil || len(opt.Gateways) == 0 {
		return nil, fmt.Errorf("%w: a key and a gateway are needed", ErrOptions)
	}
	for i, g := range opt.Gateways {
		u, err := url.Parse(g.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("%w: gateways[%d] has no http or https URL", ErrOptions, i)
		}
		if g.Domain == "" {
			return nil, fmt.Errorf("%w: gateways[%d] has no domain", ErrOptions, i)
		}
		c.gateways = append(c.gateways, gateway{u, g.Domain})
	}
	if c.base == nil {
		c.base = http.DefaultTransport
	}
	if c.tries <= 0 {
		c.tries = 3
	}
	if c.body <= 0 {
		c.body = 32 << 20
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

// HTTP returns an HTTP client that calls through this client.
func (c *Client) HTTP() *http.Client { return &http.Client{Transport: c} }

// Hold keeps a capability for calls that name none. It is checked to be for this client's key and to hang together;
// whether a gateway will believe it only the gateway knows. Those that have ended are forgotten.
func (c *Client) Hold(chain capability.Chain) error {
	leaf, err := leafOf(chain, c.key)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now, kept := c.now(), []*held{{chain, leaf.Grant}}
	for _, h := range c.held {
		if now.Before(h.leaf.Expires) {
			kept = append(kept, h)
		}
	}
	c.held = kept
	return nil
}

// Hand derives a capability for another agent's key from one that this client holds, as [Hand] does.
func (c *Client) Hand(chain capability.Chain, to Recipient, narrower capability.Grant) (capability.Chain, error) {
	return Hand(chain, c.key, to, narrower, c.now())
}

// Hand derives a capability for another agent's key from one that key holds: the same or narrower, never wider. What
// narrower leaves nil is taken over. It needs no gateway and no network.
func Hand(chain capability.Chain, key *Key, to Recipient, narrower capability.Grant, now time.Time) (capability.Chain, error) {
	leaf, err := leafOf(chain, key)
	if err != nil {
		return nil, err
	}
	if to.Word != "" {
		narrower.Agent = leaf.Grant.Agent + "/" + to.Word
	}
	return capability.Derive(chain, key.Signer(), to.Key, narrower, now)
}

// leafOf reads the last token of a chain, which must be for the key.
func leafOf(chain capability.Chain, key *Key) (*capability.Link, error) {
	links, err := chain.Unverified()
	if err != nil {
		return nil, err
	}
	leaf := &links[len(links)-1]
	if leaf.Holder != key.Thumbprint() {
		return nil, ErrNoKey
	}
	return leaf, nil
}

// Recipient is who gets a narrower capability.
type Recipient struct {
	Key  ed25519.PublicKey
	Word string // what it is called after the name of who hands it on, such as "summariser"; "": the same name
}

type contextKey uint8

const (
	capabilityKey contextKey = iota
	repeatableKey
	purposeKey
)

// WithCapability has calls of a context show this capability, whatever the client holds.
func WithCapability(ctx context.Context, chain capability.Chain) context.Context {
	return context.WithValue(ctx, capabilityKey, chain)
}

// purpose is why calls of a context are made.
type purpose struct {
	purpose     flow.Purpose
	criticality string
}

// WithPurpose has calls of a context say why they are made, in headers: also those for a card or a session, which a message
// could not say it for. Empty is left to the gateway.
func WithPurpose(ctx context.Context, p flow.Purpose, c *flow.Criticality) context.Context {
	why := purpose{purpose: p}
	if c != nil {
		why.criticality = c.String()
	}
	return context.WithValue(ctx, purposeKey, why)
}

// Repeatable says that a call of the context may be sent again as it is: it names itself in its body, so that the gateway
// takes the second for a repetition of the first. The interceptors in agent/a2a and agent/mcp say so of what they name.
func Repeatable(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatableKey, true)
}

// RoundTrip implements [http.RoundTripper].
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	g := c.gatewayOf(req.URL)
	if g == nil {
		return c.base.RoundTrip(req)
	}
	body, err := c.take(req)
	if err != nil {
		return nil, err
	}
	repeatable := req.Method == http.MethodGet || req.Method == http.MethodHead || req.Context().Value(repeatableKey) != nil
	var nonced bool
	for try := 1; ; try++ {
		again, err := c.signed(req, g, body)
		if err != nil {
			return nil, err
		}
		res, err := c.base.RoundTrip(again)
		if err == nil {
			fresh := c.noteNonce(g.domain, res.Header)
			if res.StatusCode == http.StatusUnauthorized && fresh && !nonced {
				nonced = true // it was refused before anything was done
				try--
				drop(res)
				continue
			}
		}
		wait, transient := later(res, err, try)
		if !transient || !repeatable || try >= c.tries {
			return res, err
		}
		if res != nil {
			drop(res)
		}
		if err := sleep(req.Context(), wait); err != nil {
			return nil, err
		}
	}
}

func (c *Client) gatewayOf(u *url.URL) *gateway {
	for i := range c.gateways {
		g := &c.gateways[i]
		base := strings.TrimSuffix(g.base.EscapedPath(), "/") + "/"
		if u.Scheme == g.base.Scheme && strings.EqualFold(u.Host, g.base.Host) && strings.HasPrefix(u.EscapedPath()+"/", base) {
			return g
		}
	}
	return nil
}

// take reads the whole body: its hash is part of the proof.
func (c *Client) take(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	defer req.Body.Close()
	b, err := io.ReadAll(io.LimitReader(req.Body, c.body+1))
	if err == nil && int64(len(b)) > c.body {
		err = ErrTooBig
	}
	return b, err
}

// signed returns the request with capability and a proof of its own.
func (c *Client) signed(req *http.Request, g *gateway, body []byte) (*http.Request, error) {
	out := req.Clone(req.Context())
	out.Body, out.ContentLength = http.NoBody, int64(len(body))
	if len(body) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	if !c.bearer.IsZero() && out.Header.Get("Authorization") == "" {
		out.Header.Set("Authorization", "Bearer "+c.bearer.Expose())
	}
	if why, ok := req.Context().Value(purposeKey).(purpose); ok {
		for name, value := range map[string]string{HeaderPurpose: string(why.purpose), HeaderCriticality: why.criticality} {
			if value != "" && out.Header.Get(name) == "" {
				out.Header.Set(name, value)
			}
		}
	}
	chain, nonce := c.pick(req.Context(), g.domain)
	if chain == nil {
		return out, nil
	}
	proof, err := capability.Prove(chain[len(chain)-1], c.key.Signer(), capability.Bound{
		Audience: g.domain, Method: out.Method, Target: out.URL.RequestURI(), Body: sha256.Sum256(body), Nonce: nonce,
	}, c.now())
	if err != nil {
		return nil, err
	}
	out.Header.Set(HeaderCapability, chain.String())
	out.Header.Set(HeaderProof, proof)
	return out, nil
}

// pick returns the capability to show: the context's, else the newest held one that has begun, has not ended, and may be
// shown in the domain.
func (c *Client) pick(ctx context.Context, at flow.DomainID) (capability.Chain, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	nonce := c.nonces[at]
	if chain, ok := ctx.Value(capabilityKey).(capability.Chain); ok {
		return chain, nonce
	}
	now := c.now()
	for _, h := range c.held {
		if now.Before(h.leaf.Expires) && !now.Before(h.leaf.NotBefore) && within(h.leaf.Audience, at) {
			return h.chain, nonce
		}
	}
	return nil, nonce
}

func within(audience []flow.DomainID, at flow.DomainID) bool {
	if audience == nil {
		return true
	}
	for _, d := range audience {
		if d == at {
			return true
		}
	}
	return false
}

// noteNonce keeps the nonce that a gateway gave out, and reports whether it is a new one.
func (c *Client) noteNonce(d flow.DomainID, h http.Header) bool {
	nonce := h.Get(HeaderNonce)
	if nonce == "" || len(nonce) > 256 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fresh := c.nonces[d] != nonce
	c.nonces[d] = nonce
	return fresh
}

const (
	firstWait = 100 * time.Millisecond
	mostWait  = 10 * time.Second
)

// later says whether an outcome may be another one in a moment, and how long to wait for it.
func later(res *http.Response, err error, try int) (time.Duration, bool) {
	wait := min(firstWait<<(2*(try-1)), mostWait)
	if err != nil {
		return wait, !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0, false
	}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s >= 0 {
		return min(time.Duration(s)*time.Second, mostWait), true
	}
	return wait, true
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drop gives a response up in a way that leaves its connection usable.
func drop(res *http.Response) {
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // whatever is left
	_ = res.Body.Close()
}
