package a2a

import (
	"cmp"
	"context"
	stdjson "encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

// KeysPath is where a gateway publishes the key that its cards are signed with.
const KeysPath = "/.well-known/scrim/card-keys.json"

// How callers authenticate at the gateway, whatever the agent behind it wants, in the form of each version. There are no
// requirements: SDKs do not agree on their form, and one that stumbles reads no card at all.
const (
	bearerScheme    = `{"scrim":{"httpAuthSecurityScheme":{"scheme":"Bearer","description":"A key or token that the gateway's domain issued or trusts."}}}`
	oldBearerScheme = `{"scrim":{"type":"http","scheme":"bearer","description":"A key or token that the gateway's domain issued or trusts."}}`
)

// card shows the agent's card as this gateway's own: its addresses, its signature, nothing it does not carry. Cards of
// the domain's own agents are what it publishes; those of foreign agents are content, and only the domain's own callers
// see them. Old asks for the form that clients of A2A 0.3 alone read.
func (h *Handler) card(w http.ResponseWriter, r *http.Request, id flow.AgentID, old bool) {
	ctx, s := r.Context(), h.Gateway.Snapshot()
	var caller identity.Caller
	var authority *gateway.Authority
	got, right, err := h.Gateway.Identify(ctx, s, r)
	f := flow.Flow{ID: gateway.NewFlowID(), From: got.Party, To: flow.Party{Agent: id, Domain: s.DomainOf(id)}}
	f.Purpose, f.Task.Criticality = got.ChooseFrom(r.Header)
	if err == nil {
		err = h.Gateway.Prove(ctx, s, right, gateway.Invocation{Flow: f, NoTool: true})
	}
	if err == nil {
		caller, authority = got, right
	} else if h.Face == gateway.Outbound {
		if r, ok := errors.AsType[*gateway.Refusal](err); ok && r.Rule == gateway.RuleCapability {
			h.Gateway.Refused(ctx, s, flow.Flow{ID: gateway.NewFlowID(), Protocol: "a2a/" + wire.A2A10, Method: cardMethod, From: got.Party}, err)
		}
		d := gateway.Denial(err, 0)
		w.Header().Set("WWW-Authenticate", cmp.Or(d.Challenge, gateway.Challenge(s, r)))
		http.Error(w, d.Text, http.StatusUnauthorized)
		return
	}
	a, err := s.Reach(h.Face, caller.Party, id)
	if err != nil || a.A2A == nil {
		http.NotFound(w, r)
		return
	}
	f.From, f.To = caller.Party, a.Party
	asking, err := h.Gateway.Onward(ctx, s, authority, f, nil)
	if err != nil {
		h.Gateway.Fault(err)
		http.Error(w, "the agent's card cannot be had", http.StatusBadGateway)
		return
	}
	fetched, err := h.Cards.get(asking, a, s)
	if err != nil {
		h.Gateway.Fault(err)
		http.Error(w, "the agent's card cannot be had", http.StatusBadGateway)
		return
	}
	v := view{h: h, s: s, agent: a, caller: caller, authority: authority, got: fetched, old: old, header: r.Header, base: gateway.BaseURL(s, r)}
	out, err := v.card(ctx)
	switch {
	case errors.Is(err, card.ErrNoInterface) && old:
		http.NotFound(w, r)
	case err != nil:
		h.Gateway.Fault(err)
		http.Error(w, "the agent's card cannot be shown", http.StatusBadGateway)
	default:
		h.send(w, r, out, s.PublicURL == "")
	}
}

func (h *Handler) send(w http.ResponseWriter, r *http.Request, out []byte, varies bool) {
	tag := card.ETag(out)
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "max-age=60")
	if h.Face == gateway.Outbound {
		w.Header().Set("Cache-Control", "private, max-age=60")
		w.Header().Add("Vary", "Authorization")
	}
	if varies {
		w.Header().Add("Vary", "Host, Forwarded, X-Forwarded-Host, X-Forwarded-Proto")
	}
	w.Header().Set("Content-Type", "application/json")
	if matches(r.Header, tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(out)
}

// matches reports whether the caller has what the tag names (RFC 9110, If-None-Match).
func matches(h http.Header, tag string) bool {
	for _, v := range h.Values("If-None-Match") {
		for one := range strings.SplitSeq(v, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// view is one caller's look at a card.
type view struct {
	h         *Handler
	s         *gateway.Snapshot
	agent     *gateway.Agent
	caller    identity.Caller
	authority *gateway.Authority
	got       fetchedCard
	old       bool
	header    http.Header
	base      string // of the gateway's addresses
}

// params is what the gateway says of the card in its extension.
type params struct {
	Signature signature `json:"signature"`
	Changed   bool      `json:"changed,omitempty"`  // texts of it were changed for this caller
	Original  string    `json:"original,omitempty"` // the card as its agent signed it, byte for byte
}

// maxOriginal is how large a card may be to be shown along with what became of it.
const maxOriginal = 256 << 10

func (v *view) card(ctx context.Context) ([]byte, error) {
	parsed, err := card.Parse(v.got.raw, v.s.Limits)
	if err != nil {
		return nil, err
	}
	opt := card.Options{
		Interfaces: v.h.Cards.shown(v.agent, v.got.interfaces, v.base, strings.Trim(v.h.Prefix, "/")+"/"+string(v.agent.Party.Agent)),
		Push:       v.h.Cards.Push, Extended: true, SecuritySchemes: []byte(bearerScheme),
	}
	rewrite := (*card.Card).Rewrite
	if v.old || !slices.ContainsFunc(opt.Interfaces, func(i card.Interface) bool { return i.Version != "0.3" }) {
		rewrite, opt.SecuritySchemes = (*card.Card).RewriteOld, []byte(oldBearerScheme)
	}
	told := params{Signature: v.got.signature}
	own := v.h.Face == gateway.Inbound
	if !own {
		plain, err := rewrite(parsed, opt) // what is shown of it, before the caller's eyes are thought of
		if err != nil {
			return nil, err
		}
		passed, changed, err := v.pass(ctx, plain)
		if err != nil {
			return nil, err
		}
		if parsed, err = card.Parse(passed, json.Limits{Bytes: 2 * cardBytes}); err != nil {
			return nil, err
		}
		told.Changed = changed
	}
	if signed := v.got.signature.State != unsigned && v.got.signature.State != unchecked; signed && !told.Changed && (!own || v.agent.Card.Original) && len(v.got.raw) <= maxOriginal {
		told.Original = string(v.got.raw)
	}
	if opt.Params, err = marshal(told); err != nil {
		return nil, err
	}
	opt.Signer, opt.KeyID, opt.JKU = v.h.Cards.Signer, v.h.Cards.KeyID, v.base+KeysPath
	return rewrite(parsed, opt)
}

// marshal writes JSON whose strings keep their characters as they are.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	enc := stdjson.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSpace(b.String())), nil
}

// pass takes a foreign agent's card down the road: what it says is content, and this caller reads it.
func (v *view) pass(ctx context.Context, shown []byte) (out []byte, changed bool, err error) {
	f := flow.Flow{
		ID: gateway.NewFlowID(), Protocol: "a2a/" + wire.A2A10, Method: cardMethod, Direction: flow.Response, From: v.agent.Party, To: v.caller.Party,
	}
	v.authority.On(&f)
	f.Purpose, f.Task.Criticality = v.caller.ChooseFrom(v.header)
	between := gateway.Between{Caller: v.caller.Party, Agent: v.agent.Party.Agent}
	if f.Task.ID, err = v.h.Gateway.TaskOf(ctx, between, gateway.IDs{Message: "\x00card"}); err != nil { // no message's id: the same stand-ins each time
		return nil, false, err
	}
	table, _ := wire.For("card", wire.A2A10, cardMethod, flow.Response, false)
	body := append(append([]byte(`{"jsonrpc":"2.0","id":1,"result":`), shown...), '}')
	passed, err := v.h.Gateway.Pass(ctx, &gateway.Message{
		Snapshot: v.s, Query: policy.Query{Flow: f}, Table: table, Body: body, Owner: v.agent.Party.Agent, Authority: v.authority,
	})
	if err != nil {
		return nil, false, err
	}
	var d json.Doc
	if err := d.Parse(passed.Body, nil, json.Limits{Bytes: 2 * cardBytes}); err != nil {
		return nil, false, err
	}
	n, ok := d.Member(0, "result")
	if !ok {
		return nil, false, card.ErrNotCard
	}
	return d.Raw(n), passed.Changed, nil
}

const cardMethod = "GetAgentCard"

// shown are the ways in which callers reach the agent through the gateway: those that the agent's card has come first, in
// its order, then those that the gateway translates. Name is the agent's own within the gateway, such as "a2a/claims".
func (c *Cards) shown(a *gateway.Agent, has []card.Interface, base, name string) []card.Interface {
	var all []card.Interface
	add := func(f Front) {
		at := card.Interface{URL: base + "/" + name, Binding: f.Binding, Version: f.Version}
		if f.Binding == card.GRPC {
			at.URL, at.Tenant = authority(base), name
		}
		for _, have := range all {
			if have == at {
				return
			}
		}
		all = append(all, at)
	}
	called := map[string]bool{} // versions in which the agent can be called at all
	for _, f := range c.fronts() {
		if _, err := choose(has, a.A2A.URL, f.Version, c.bindings(f.Version)); err == nil {
			called[f.Version] = true
		}
	}
	for _, i := range has {
		for _, f := range c.fronts() {
			if called[f.Version] && f.Binding == i.Binding && f.Version == i.Version {
				add(f)
			}
		}
	}
	for _, f := range c.fronts() {
		if called[f.Version] {
			add(f)
		}
	}
	return all
}

// bindings are those in which a version is fronted.
func (c *Cards) bindings(version string) (all []string) {
	for _, f := range c.fronts() {
		if f.Version == version {
			all = append(all, f.Binding)
		}
	}
	return all
}

// authority is host and port of a base URL, the port always there.
func authority(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	if u.Port() != "" {
		return u.Host
	}
	port := "80"
	if u.Scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// ServeKeys answers with the key that cards are signed with, as a JSON Web Key Set.
func (c *Cards) ServeKeys(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	out, err := card.JWKS(card.Options{Signer: c.Signer, KeyID: c.KeyID})
	if err != nil {
		http.NotFound(w, r)
		return
	}
	tag := card.ETag(out)
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "max-age=300")
	w.Header().Set("ETag", tag)
	if matches(r.Header, tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(out)
}
