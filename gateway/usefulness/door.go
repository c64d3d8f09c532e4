package usefulness

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"net/http"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Path is where verdicts are posted over HTTP.
const Path = "/usefulness"

// Protocol names them in the journal.
const Protocol = "usefulness/1"

const form = `{"type":"object","additionalProperties":false,"required":["reference","verdict"],"properties":{
"reference":{"type":"string","description":"The reference of the privacy note that came with the message."},
"path":{"type":"string","description":"The place of the value, as the note has it."},
"label":{"type":"string","description":"In place of a path: the kind of information."},
"verdict":{"type":"string","enum":["useful","too-coarse","unusable","not-needed"]}}}`

// noted is every answer.
var noted = []byte(`{"noted":true}`)

// Tool returns the tool by which agents say it, at the gateway's own MCP address, as a skill of its own agent and as a method of the A2A
// privacy extension.
func (s *Service) Tool() offer.Tool {
	return offer.Tool{
		Name: Tool, Method: Method, Title: "Say whether a value was useful",
		Description: "Tells the owner of data that a value you were sent was useful, too coarse, unusable or not needed, so that the terms can be tuned. It is answered the same whether there was such a value or not.",
		Input:       form, Output: `{"type":"object","properties":{"noted":{"type":"boolean"}}}`,
		Call: func(ctx context.Context, c *offer.Call) (offer.Answer, error) {
			if err := s.Hear(ctx, c); err != nil {
				return offer.Answer{}, err
			}
			return offer.Answer{Body: noted}, nil
		},
	}
}

// ServeHTTP implements [http.Handler]: the same over HTTP.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	r = r.WithContext(gateway.WithHops(r.Context(), r.Header))
	ctx, g := r.Context(), s.opt.Gateway
	snap := g.Snapshot()
	c := &offer.Call{Snapshot: snap, Face: gateway.Inbound, Flow: flow.Flow{ID: gateway.NewFlowID(), Protocol: Protocol, Method: Method, Subject: Tool, To: flow.Party{Domain: snap.Domain}}}
	err := s.read(w, r, c)
	if err == nil {
		err = s.Hear(ctx, c)
	}
	if err != nil {
		s.deny(w, r, snap, g.Refused(ctx, snap, c.Flow, err))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(noted)
}

// read authenticates the caller and reads the body.
func (s *Service) read(w http.ResponseWriter, r *http.Request, c *offer.Call) (err error) {
	ctx, g := r.Context(), s.opt.Gateway
	if !gateway.Local(r, c.Snapshot) {
		return gateway.Refuse(gateway.RuleOrigin, nil, "This origin may not call here.")
	}
	if c.Caller, c.Authority, err = g.Identify(ctx, c.Snapshot, r); err != nil {
		return err
	}
	c.Flow.From = c.Caller.Party
	if err := g.Admit(ctx, c.Snapshot, c.Caller.Party); err != nil {
		return err
	}
	if c.Arguments, err = gateway.ReadRequest(w, r, c.Snapshot.Limits.Bytes, "application/json"); err != nil {
		return err
	}
	var doc json.Doc // within the limits, and without a member that is there twice
	if err := doc.Parse(c.Arguments, nil, c.Snapshot.Limits); err != nil {
		return err
	}
	c.Flow.Purpose, c.Flow.Task.Criticality = c.Caller.ChooseFrom(r.Header)
	return g.Holds(ctx, c.Snapshot, c.Authority, c.Arguments)
}

// statuses are how refusals are told over HTTP; all others are a 400.
var statuses = map[gateway.Rule]int{
	gateway.RuleIdentity: http.StatusUnauthorized, gateway.RuleHop: http.StatusUnauthorized, gateway.RuleFace: http.StatusNotFound,
	gateway.RuleOrigin: http.StatusForbidden, gateway.RulePolicy: http.StatusForbidden, gateway.RuleCapability: http.StatusForbidden, gateway.RuleScope: http.StatusForbidden,
	gateway.RuleTooBig: http.StatusRequestEntityTooLarge, gateway.RuleEncoding: http.StatusUnsupportedMediaType,
	gateway.RuleRate: http.StatusTooManyRequests, gateway.RuleBusy: http.StatusServiceUnavailable, gateway.RuleRecord: http.StatusServiceUnavailable,
	gateway.RuleDrained: http.StatusServiceUnavailable, gateway.RuleInternal: http.StatusInternalServerError,
}

func (s *Service) deny(w http.ResponseWriter, r *http.Request, snap *gateway.Snapshot, refusal error) {
	ref, ok := errors.AsType[*gateway.Refusal](refusal)
	if !ok {
		ref = gateway.Refuse(gateway.RuleInternal, refusal, "The gateway could not answer.")
	}
	status := statuses[ref.Rule]
	if status == 0 {
		status = http.StatusBadRequest
	}
	challenge := gateway.Denial(ref, wire.NotFound).Challenge
	if challenge == "" && status == http.StatusUnauthorized {
		challenge = gateway.Challenge(snap, r)
	}
	if challenge != "" {
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", challenge)
	}
	body, err := stdjson.Marshal(struct { // RFC 9457
		Title     string  `json:"title"`
		Status    int     `json:"status"`
		Detail    string  `json:"detail"`
		Rule      string  `json:"rule"`
		Reference flow.ID `json:"reference,omitempty"`
	}{http.StatusText(status), status, ref.Text(), string(ref.Rule), ref.Ref})
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
