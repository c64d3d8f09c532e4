// Package lineage is the door at which other tools tell where data comes from.
//
// A [Door] takes events of OpenLineage from agents that configuration lists, each about the namespaces that are listed for it. What is
// news goes into the graph and on record in one transaction, and the answer is given when the labels that follow from it are in force. See
// docs/spec/lineage-receiving.md.
package lineage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/store"
)

// Path is the door's address, and APIPath the one that clients of OpenLineage use if they are told no other.
const (
	Path    = "/lineage"
	APIPath = "/api/v1/lineage"
)

// ownNamespace and the domain are the namespace of what the gateway tells of itself.
const ownNamespace = "scrim://"

// Protocol names reports in the journal.
const Protocol = "openlineage/2"

// Door takes reports. All fields are needed.
type Door struct {
	Gateway *gateway.Gateway
	DB      store.DB
	Journal *audit.Log
	Graph   *lineage.Graph
	// Rules are those of the configuration in force.
	Rules func() Rules
	// Changed has what follows from the graph in force when it returns nil.
	Changed func(context.Context) error
}

// Rules are who may tell what.
type Rules struct {
	Namespaces map[flow.AgentID][]string // of agents that the gateway knows, see [lineage.Event.Allow]
	Bytes      int                       // of one event; 0: 4 MiB
}

// ServeHTTP implements [http.Handler].
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "lineage is told by POST", http.StatusMethodNotAllowed)
		return
	}
	s := d.Gateway.Snapshot()
	f := flow.Flow{
		ID: gateway.NewFlowID(), Protocol: Protocol, Method: "tell", To: flow.Party{Agent: "scrim", Domain: s.Domain}, Direction: flow.Request,
	}
	if err := d.take(w, r, s, &f); err != nil {
		d.deny(w, r, s, d.Gateway.Refused(r.Context(), s, f, err))
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// take takes one report.
func (d *Door) take(w http.ResponseWriter, r *http.Request, s *gateway.Snapshot, f *flow.Flow) error {
	ctx := r.Context()
	if !gateway.Local(r, s) {
		return gateway.Refuse(gateway.RuleOrigin, nil, "This origin may not call here.")
	}
	caller, authority, err := d.Gateway.Identify(ctx, s, r)
	if err != nil {
		return err
	}
	f.From = caller.Party
	if err := d.Gateway.Admit(ctx, s, caller.Party); err != nil {
		return err
	}
	rules := d.Rules()
	namespaces := rules.Namespaces[caller.Party.Agent]
	switch {
	case authority != nil && authority.Chain != nil: // no capability says that its holder may tell of data
		return gateway.Refuse(gateway.RuleCapability, nil, "Lineage is told by an agent itself, by its own credential and without a capability.")
	case len(namespaces) == 0 || caller.Anonymous || !knows(s, caller.Party):
		return gateway.Refuse(gateway.RulePolicy, nil, "This caller may not tell of lineage here.")
	}
	body, err := gateway.ReadRequest(w, r, rules.Bytes, "application/json")
	if err != nil {
		return err
	}
	if err := d.Gateway.Holds(ctx, s, authority, body); err != nil {
		return err
	}
	ev, err := lineage.Decode(body, lineage.Limits{Bytes: rules.Bytes})
	if err != nil {
		return refused(gateway.RuleMalformed, err)
	}
	if err := ev.Allow(namespaces, ownNamespace+string(s.Domain)); err != nil {
		return refused(gateway.RulePolicy, err)
	}
	return d.tell(ctx, s, f, ev)
}

// knows reports whether the party is the agent of that name that configuration knows, and not one of another domain.
func knows(s *gateway.Snapshot, p flow.Party) bool {
	a := s.Agents[p.Agent]
	return a != nil && a.Party.Domain == p.Domain
}

// refused is a refusal with the place and reason that reading gave.
func refused(rule gateway.Rule, err error) error {
	no, ok := errors.AsType[*lineage.Refused](err)
	if !ok {
		return err
	}
	reason := no.Reason
	if no.Err != nil {
		reason = no.Err.Error() // a reason and a place
	}
	out := gateway.Refuse(rule, err, "The event is not accepted: %s.", reason)
	out.Place = no.Place
	return out
}

// tell puts an event into the graph. What is news is on record with it.
func (d *Door) tell(ctx context.Context, s *gateway.Snapshot, f *flow.Flow, ev *lineage.Event) error {
	by := lineage.Told{Agent: f.From.Agent, Domain: f.From.Domain}
	var news bool
	err := d.DB.Update(ctx, func(tx store.Tx) (err error) {
		if news, err = d.Graph.Add(tx, ev, by); err != nil || !news {
			return err
		}
		_, err = d.Journal.Append(tx, flow.Event{
			Time: time.Now(), Flow: *f, Outcome: flow.Changed, ConfigHash: s.ConfigHash, PolicyHash: s.Policy.Hash(),
			Reason: fmt.Sprintf("lineage: told of %d datasets read and %d written", len(ev.Inputs), len(ev.Outputs)+one(ev.Dataset != nil)),
		}, audit.Private{})
		return err
	})
	switch {
	case errors.Is(err, lineage.ErrFull), errors.Is(err, lineage.ErrRun):
		return gateway.Refuse(gateway.RuleExhausted, err, "There is no room for what the event tells.")
	case err != nil:
		return gateway.Refuse(gateway.RuleRecord, err, "What the event tells could not be kept. Send it again.")
	}
	if err := d.Changed(ctx); err != nil {
		return gateway.Refuse(gateway.RuleRecord, err, "What the event tells is kept, and is not in force yet. Send it again.")
	}
	return nil
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

var statuses = map[gateway.Rule]int{
	gateway.RuleIdentity: http.StatusUnauthorized, gateway.RuleMalformed: http.StatusBadRequest, gateway.RuleEncoding: http.StatusUnsupportedMediaType,
	gateway.RuleTooBig: http.StatusRequestEntityTooLarge, gateway.RulePolicy: http.StatusForbidden, gateway.RuleCapability: http.StatusForbidden,
	gateway.RuleOrigin: http.StatusForbidden, gateway.RuleFace: http.StatusForbidden, gateway.RuleScope: http.StatusForbidden,
	gateway.RuleRate: http.StatusTooManyRequests, gateway.RuleBusy: http.StatusServiceUnavailable, gateway.RuleDrained: http.StatusServiceUnavailable,
	gateway.RuleRecord: http.StatusServiceUnavailable, gateway.RuleExhausted: http.StatusInsufficientStorage,
}

// deny answers with a problem (RFC 9457).
func (d *Door) deny(w http.ResponseWriter, r *http.Request, s *gateway.Snapshot, refusal error) {
	ref, ok := errors.AsType[*gateway.Refusal](refusal)
	if !ok {
		ref = gateway.Refuse(gateway.RuleInternal, refusal, "The gateway could not answer.")
	}
	status := statuses[ref.Rule]
	if status == 0 {
		status = http.StatusInternalServerError
	}
	challenge := gateway.Denial(ref, wire.NotFound).Challenge
	if challenge == "" && status == http.StatusUnauthorized {
		challenge = gateway.Challenge(s, r)
	}
	if challenge != "" {
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", challenge)
	}
	body, err := json.Marshal(map[string]any{"title": http.StatusText(status), "status": status, "detail": ref.Text(), "rule": ref.Rule, "reference": ref.Ref})
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller went away
}
