package a2a

import (
	"context"
	"crypto"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
)

// Cards fetches, rewrites and signs agent cards, and remembers them for a while. It is safe for concurrent use.
type Cards struct {
	Signer crypto.Signer // Ed25519; signs every card the gateway shows
	KeyID  string
	Clock  func() time.Time // nil: time.Now

	mu      sync.Mutex
	fetched map[flow.AgentID]fetchedCard
}

type fetchedCard struct {
	from       *gateway.Upstream
	until      time.Time
	raw        []byte // nil: there is none
	interfaces []card.Interface
	err        error
}

// cardLife is how long a fetched card is believed, cardRetry how long its absence is.
const (
	cardLife  = 5 * time.Minute
	cardRetry = 10 * time.Second
)

const wellKnown = "/.well-known/agent-card.json"

func (c *Cards) now() time.Time {
	if c.Clock != nil {
		return c.Clock()
	}
	return time.Now()
}

func (c *Cards) get(ctx context.Context, a *gateway.Agent, s *gateway.Snapshot) (fetchedCard, error) {
	id := a.Party.Agent
	c.mu.Lock()
	got, ok := c.fetched[id]
	c.mu.Unlock()
	if ok && got.from == a.A2A && c.now().Before(got.until) {
		return got, got.err
	}
	got = fetchedCard{from: a.A2A, until: c.now().Add(cardLife)}
	if got.raw, got.interfaces, got.err = fetch(ctx, a, s); got.err != nil {
		got.until = c.now().Add(cardRetry)
		if ctx.Err() != nil {
			return got, got.err // the caller left; that says nothing of the card
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fetched == nil {
		c.fetched = map[flow.AgentID]fetchedCard{}
	}
	c.fetched[id] = got
	return got, got.err
}

func fetch(ctx context.Context, a *gateway.Agent, s *gateway.Snapshot) (raw []byte, interfaces []card.Interface, err error) {
	base := strings.TrimSuffix(a.A2A.URL.String(), "/")
	res, err := a.A2A.SendTo(ctx, http.MethodGet, base+wellKnown, http.Header{}, map[string]string{"Accept": "application/json"}, nil)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, nil, gateway.Refuse(gateway.RuleUpstream, nil, "The agent shows no card.")
	}
	if raw, err = gateway.ReadJSON(res, 1<<20); err != nil {
		return nil, nil, err
	}
	parsed, err := card.Parse(raw, s.Limits)
	if err != nil {
		return nil, nil, gateway.Refuse(gateway.RuleUpstream, err, "The agent's card cannot be read.")
	}
	return raw, parsed.Interfaces(), nil
}

// bearerScheme is how callers authenticate at the gateway, whatever the agent behind it wants.
const bearerScheme = `{"scrim":{"httpAuthSecurityScheme":{"scheme":"Bearer","description":"A key or token that the gateway's domain issued or trusts."}}}`

// card shows the agent's card as this gateway's own: its addresses, its signature, nothing it does not carry. Cards
// are what agents publish; on the outbound face only the domain's own agents see them.
func (h *Handler) card(w http.ResponseWriter, r *http.Request, id flow.AgentID) {
	ctx, s := r.Context(), h.Gateway.Snapshot()
	caller := flow.Party{}
	if got, err := s.Identity.Authenticate(ctx, r); err == nil {
		caller = got.Party
	} else if h.Face == gateway.Outbound {
		w.Header().Set("WWW-Authenticate", `Bearer realm="scrim"`)
		http.Error(w, identityText(err), http.StatusUnauthorized)
		return
	}
	a, err := s.Reach(h.Face, caller, id)
	if err != nil || a.A2A == nil {
		http.NotFound(w, r)
		return
	}
	got, err := h.Cards.get(ctx, a, s)
	if err != nil {
		h.Gateway.Fault(err)
		http.Error(w, "the agent's card cannot be had", http.StatusBadGateway)
		return
	}
	parsed, err := card.Parse(got.raw, s.Limits)
	if err != nil {
		http.Error(w, "the agent's card cannot be had", http.StatusBadGateway)
		return
	}
	out, err := parsed.Rewrite(card.Options{
		URL: gateway.BaseURL(s, r) + h.Prefix + string(id), Signer: h.Cards.Signer, KeyID: h.Cards.KeyID,
		SecuritySchemes: []byte(bearerScheme), // no requirements: SDKs do not agree on their form, and one that stumbles reads no card at all
	})
	if err != nil {
		h.Gateway.Fault(err)
		http.Error(w, "the agent's card cannot be shown", http.StatusBadGateway)
		return
	}
	tag := card.ETag(out)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "max-age=60")
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(out)
}
