package a2a

import (
	"context"
	"crypto"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
)

// Front is a way in which callers are served: a binding in a version of A2A.
type Front struct {
	Binding string // such as [card.JSONRPC]
	Version string // "1.0" or "0.3"
}

// Cards fetches, checks, rewrites and signs agent cards, and remembers them for a while. It is safe for concurrent use.
type Cards struct {
	Signer crypto.Signer // Ed25519; signs every card the gateway shows
	KeyID  string
	Fronts []Front          // how callers are served; none: what a [Handler] carries by itself
	Push   bool             // push notifications are relayed, so cards may offer them
	Clock  func() time.Time // nil: time.Now

	mu   sync.Mutex
	kept map[flow.AgentID]*keptCard
}

// keptCard is what is known of one agent's card. It is not changed once it is kept; busy is closed when a newer one is.
type keptCard struct {
	from  *gateway.Upstream
	rules gateway.CardRules
	fetchedCard
	until time.Time // it needs no look
	last  time.Time // it is shown no longer, if a newer one cannot be had
	err   error     // why there is none
	busy  chan struct{}
}

// fetchedCard is a card as its agent gave it.
type fetchedCard struct {
	raw        []byte // nil: there is none
	path, tag  string // where it was found, and its entity tag
	interfaces []card.Interface
	required   []string // extensions that a caller must ask for
	pushes     bool     // it offers push notifications
	signature  signature
	life       time.Duration
}

// How long a card is believed: what the agent says, within bounds; and how long its absence is, or an older card where
// the agent is away.
const (
	cardLife  = 5 * time.Minute
	leastLife = 10 * time.Second
	mostLife  = time.Hour
	cardRetry = 10 * time.Second
	cardStale = time.Hour
	cardWait  = 15 * time.Second // for one fetch
	cardBytes = 1 << 20
)

const (
	wellKnown    = "/.well-known/agent-card.json"
	oldWellKnown = "/.well-known/agent.json" // of A2A before 0.3
)

func (c *Cards) now() time.Time {
	if c.Clock != nil {
		return c.Clock()
	}
	return time.Now()
}

func (c *Cards) fronts() []Front {
	if len(c.Fronts) == 0 {
		return []Front{{card.JSONRPC, "1.0"}, {card.HTTPJSON, "1.0"}, {card.GRPC, "1.0"}, {card.JSONRPC, "0.3"}}
	}
	return c.Fronts
}

// get returns the agent's card: the one that is kept, or a newer one. A caller that comes while one is fetched waits for
// it, unless its call came through a gateway: that may be the fetch itself, come round in a circle.
func (c *Cards) get(ctx context.Context, a *gateway.Agent, s *gateway.Snapshot) (fetchedCard, error) {
	id := a.Party.Agent
	for {
		c.mu.Lock()
		old := c.kept[id]
		if old != nil && (old.from != a.A2A || !sameRules(old.rules, a.Card)) {
			old = nil
		}
		switch {
		case old != nil && c.now().Before(old.until):
			c.mu.Unlock()
			return old.fetchedCard, old.err
		case old == nil || old.busy == nil || gateway.ThroughGateway(ctx):
			busy := make(chan struct{})
			wait := &keptCard{from: a.A2A, rules: a.Card, busy: busy}
			if old != nil {
				*wait = *old
				wait.busy = busy
			}
			c.keep(id, wait)
			c.mu.Unlock()
			return c.renew(ctx, a, s, wait)
		}
		busy := old.busy
		c.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return fetchedCard{}, gateway.Refuse(gateway.RuleUpstream, ctx.Err(), "The agent's card is still being fetched.")
		}
	}
}

// keep remembers a card; the caller holds the lock.
func (c *Cards) keep(id flow.AgentID, k *keptCard) {
	if c.kept == nil {
		c.kept = map[flow.AgentID]*keptCard{}
	}
	c.kept[id] = k
}

// renew fetches the card and keeps what comes of it: the new one, the old one for a while, or that there is none. One
// caller who goes away does not spoil it for the others.
func (c *Cards) renew(ctx context.Context, a *gateway.Agent, s *gateway.Snapshot, old *keptCard) (fetchedCard, error) {
	fetching, cancel := context.WithTimeout(context.WithoutCancel(ctx), cardWait)
	defer cancel()
	got, err := fetch(fetching, a, s, old.fetchedCard)
	now := c.now()
	next := &keptCard{from: a.A2A, rules: a.Card, fetchedCard: got, until: now.Add(got.life), last: now.Add(got.life + cardStale)}
	switch {
	case err == nil:
	case old.raw != nil && old.err == nil && now.Before(old.last) && away(err):
		*next = *old
		next.until, next.busy = now.Add(cardRetry), nil
	default:
		*next = keptCard{from: a.A2A, rules: a.Card, until: now.Add(cardRetry), err: err}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.kept[a.Party.Agent]; at == nil || at.from == next.from {
		c.keep(a.Party.Agent, next)
	}
	close(old.busy)
	return next.fetchedCard, next.err
}

var errAway = errors.New("the card cannot be had")

// away reports whether the agent gave no answer about its card; any other error says that the card is not good.
func away(err error) bool { return errors.Is(err, errAway) }

func sameRules(a, b gateway.CardRules) bool {
	return a.Signature == b.Signature && string(a.Keys) == string(b.Keys) && slices.Equal(a.KeyIDs, b.KeyIDs) &&
		slices.Equal(a.KeyHosts, b.KeyHosts) && a.Fetch == b.Fetch && a.Original == b.Original
}

// fetch asks the agent for its card, and only for a newer one than the old.
func fetch(ctx context.Context, a *gateway.Agent, s *gateway.Snapshot, old fetchedCard) (fetchedCard, error) {
	paths := []string{wellKnown, oldWellKnown}
	if old.path == oldWellKnown {
		slices.Reverse(paths)
	}
	var err error
	for _, path := range paths {
		var got fetchedCard
		var missing bool
		if got, missing, err = fetchAt(ctx, a, s, path, old); !missing {
			return got, err
		}
	}
	return fetchedCard{}, err
}

func fetchAt(ctx context.Context, a *gateway.Agent, s *gateway.Snapshot, path string, old fetchedCard) (_ fetchedCard, missing bool, _ error) {
	extra := map[string]string{"Accept": "application/json"}
	if old.path == path && old.tag != "" {
		extra["If-None-Match"] = old.tag
	}
	base := strings.TrimSuffix(a.A2A.URL.String(), "/")
	res, err := a.A2A.SendTo(ctx, http.MethodGet, base+path, http.Header{}, extra, nil)
	if err != nil {
		if r, ok := errors.AsType[*gateway.Refusal](err); ok && r.Rule == gateway.RuleUpstream {
			r.Cause = errors.Join(errAway, r.Cause)
		}
		return fetchedCard{}, false, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && old.raw != nil && extra["If-None-Match"] != "":
		old.life = life(res.Header)
		return old, false, nil
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone || res.StatusCode == http.StatusMethodNotAllowed:
		return fetchedCard{}, true, gateway.Refuse(gateway.RuleUpstream, nil, "The agent shows no card.")
	case res.StatusCode != http.StatusOK:
		return fetchedCard{}, false, gateway.Refuse(gateway.RuleUpstream, errAway, "The agent shows no card.")
	}
	got := fetchedCard{path: path, tag: entityTag(res.Header.Get("ETag")), life: life(res.Header)}
	if got.raw, err = gateway.ReadJSON(res, cardBytes); err != nil {
		return fetchedCard{}, false, err
	}
	parsed, err := card.Parse(got.raw, s.Limits)
	if err != nil {
		return fetchedCard{}, false, gateway.Refuse(gateway.RuleUpstream, err, "The agent's card cannot be read.")
	}
	got.interfaces, got.required, got.pushes = parsed.Interfaces(), parsed.Required(), parsed.Offers("pushNotifications")
	got.signature = check(ctx, a, s, parsed)
	if a.Card.Signature == gateway.SignatureRequire && got.signature.State != verified {
		return fetchedCard{}, false, gateway.Refuse(gateway.RuleUpstream, errors.New("card is "+got.signature.State), "The agent's card is not signed by a key that is believed.")
	}
	return got, false, nil
}

// life is how long an answer may be kept by its own word, within bounds.
func life(h http.Header) time.Duration {
	d := cardLife
	for _, v := range h.Values("Cache-Control") {
		for word := range strings.SplitSeq(v, ",") {
			name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(word)), "=")
			switch name {
			case "no-store", "no-cache":
				return leastLife
			case "max-age":
				if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
					d = time.Duration(n) * time.Second
				}
			}
		}
	}
	return min(max(d, leastLife), mostLife)
}

// entityTag returns a tag that can be sent back, or "".
func entityTag(tag string) string {
	opaque, weak := strings.CutPrefix(tag, "W/")
	if len(opaque) < 2 || len(tag) > 256 || opaque[0] != '"' || opaque[len(opaque)-1] != '"' || strings.ContainsFunc(opaque[1:len(opaque)-1], func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
		return ""
	}
	if weak {
		return "W/" + opaque
	}
	return opaque
}
