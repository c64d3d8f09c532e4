package gateway

import (
	"context"
	"errors"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
)

// Invocation is a call as far as its right to happen depends on it, once its message was read.
type Invocation struct {
	Body      []byte        // as it was sent; of gRPC, the message without what frames it; nil: none
	Flow      flow.Flow     // from whom, to whom, why and for what task
	Task      flow.TaskID   // in the caller's own words; "": it names none
	Names     []flow.TaskID // whatever the caller names the task by, and other tasks that it refers to: none of them may be revoked
	Tool      string        // or skill, or a reserved name; "": unknown
	NoTool    bool          // nothing is used: a handshake, a list, what belongs to a call before
	Of        string        // with NoTool: the tool or skill of the call before, which every link must admit; "": there was none
	Arguments []byte        // a JSON object; nil: none
}

// Prove holds a call to its authority: that it is the caller's, as [Gateway.Holds] says, and that every link admits the
// call. The error is a [*Refusal] by [RuleCapability] that is not on record yet. A nil authority bounds nothing, but a
// task that was revoked is at its end for everybody.
func (g *Gateway) Prove(ctx context.Context, s *Snapshot, a *Authority, in Invocation) error {
	if err := g.Holds(ctx, s, a, in.Body); err != nil {
		return err
	}
	if err := g.Halted(&in.Flow); err != nil {
		return err
	}
	f := in.Flow
	if f.Direction == flow.Response { // whoever asks what it would get is the one who would call
		f.From, f.To = f.To, f.From
	}
	for _, task := range append([]flow.TaskID{f.Task.ID, in.Task}, in.Names...) {
		if err := g.revoked(a, f.From.Domain, task); err != nil {
			return notAdmitted(err)
		}
	}
	if a == nil || a.Chain == nil {
		return nil
	}
	if err := counted(s, a.Chain, &f); err != nil {
		return notAdmitted(err)
	}
	r := capability.Request{
		At: g.now(), Audience: s.Domain, From: f.From, To: f.To, Purpose: f.Purpose, Criticality: f.Task.Criticality, Task: in.Task,
		NoTool: in.NoTool, Arguments: in.Arguments,
	}
	if in.Tool != "" {
		r.Tool = string(f.To.Agent) + "/" + in.Tool
	}
	if err := a.Chain.Admits(r); err != nil {
		return notAdmitted(err)
	}
	if in.Of != "" && !a.Covers(f.To.Agent, in.Of, nil) {
		return notAdmitted(&capability.Error{Rule: capability.RuleNotGranted, Link: capability.WholeChain, Member: "tools"})
	}
	return nil
}

// Covers reports whether every link admits a tool or skill of an agent with the arguments, or with some where they are nil.
func (a *Authority) Covers(agent flow.AgentID, tool string, arguments []byte) bool {
	return a == nil || a.Chain == nil || a.Chain.AdmitsTool(string(agent)+"/"+tool, arguments)
}

// Holds checks that whoever sent the body is the holder of the authority, and takes the proof, which is good for this call
// alone. What is asked once is not asked again, of the same call. The error is as with [Gateway.Prove], which a door must
// ask too before anything goes on by it.
func (g *Gateway) Holds(ctx context.Context, s *Snapshot, a *Authority, body []byte) error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.proven {
		isProven(ctx)
		return nil
	}
	if a.hop != nil { // it changed the message, so that the holder's own proof would not hold; every link has to allow that
		if err := g.hopHolds(s, a, body); err != nil {
			return err
		}
		a.proven = true
		isProven(ctx)
		return nil
	}
	if a.proof == "" {
		return s.lacking("proof_required", errNoProof, "Send a proof for this call in Scrim-Proof.")
	}
	bound := capability.Bound{Audience: s.Domain, Method: a.method, Target: a.target, Body: capability.BodyHash(body)}
	if s.Capability.Nonce {
		bound.Nonce = capability.NonceOf(a.proof)
		if g.nonces.Check(bound.Nonce) != nil {
			return s.lacking("nonce_required", &capability.Error{Rule: capability.RuleNonce, Link: capability.OfProof}, "The proof must name a nonce that this gateway gave lately, in Scrim-Nonce.")
		}
	}
	p, err := s.Capability.Verifier.Proof(a.Chain, a.proof, bound)
	if err != nil {
		return s.lacking("proof_invalid", err, "The proof is not accepted: %s.", inWords(err))
	}
	if _, err := g.ledger.Claim(p); err != nil { // it is never given back: a call that was refused is proved anew
		return s.lacking("proof_invalid", err, "The proof is not accepted: it was taken before, or may have been.")
	}
	a.taken, a.proven = p, true
	isProven(ctx)
	return nil
}

// revoked asks whether what a flow goes by was revoked, or the task that it is for.
func (g *Gateway) revoked(a *Authority, from flow.DomainID, task flow.TaskID) error {
	switch {
	case g.ledger == nil, (a == nil || a.Chain == nil) && task == "":
		return nil
	case a == nil || a.Chain == nil:
		return g.ledger.RevokedTask(from, task)
	}
	return g.ledger.Revoked(a.Chain, task)
}

// Serves refuses an answer by the names that it gives its task where one of them was revoked, whoever asked: a task may get its
// name, or lose it, after the call was proven. It is asked in the transaction that records the answer. The error is a [*Refusal].
func (g *Gateway) Serves(a *Authority, f *flow.Flow, ids IDs) error {
	if g.ledger == nil {
		return nil
	}
	for _, name := range [...]string{ids.Task, ids.Context} {
		if name == "" {
			continue
		}
		if err := g.revoked(a, f.To.Domain, flow.TaskID(name)); err != nil {
			return notAdmitted(err)
		}
	}
	return nil
}

// counted checks that what is limited is counted: here, or by the gateway of the domain that the call goes on to. Where none is
// known to stand before the recipient, nobody would count.
func counted(s *Snapshot, vd *capability.Verified, f *flow.Flow) error {
	for i := range vd.Links {
		if at := vd.Links[i].Grant.Counted; at != "" && at != s.Domain && (at != f.To.Domain || !s.toPeer(f)) {
			return &capability.Error{Rule: capability.RuleNotGranted, Link: i, Member: "counted"}
		}
	}
	return nil
}

// notAdmitted is the refusal of a call that its authority does not cover.
func notAdmitted(err error) *Refusal {
	return refuse(RuleCapability, "", err, "The capability does not allow this: %s.", inWords(err))
}

// lacking is the refusal of a call whose right is not proven. What it lacks is told in the challenge (RFC 9110, section 11.6.1).
func (s *Snapshot) lacking(what string, cause error, format string, args ...any) *Refusal {
	r := refuse(RuleCapability, "", cause, format, args...)
	r.unproven = true
	r.challenge = `Scrim realm="` + quotable(string(s.Domain)) + `", error="` + what + `"`
	return r
}

func (s *Snapshot) invalid(err error) *Refusal {
	return s.lacking("capability_invalid", err, "The capability is not accepted: %s.", inWords(err))
}

// inWords is an error about a capability as anybody may read it: rule and link, in the words of its package.
func inWords(err error) string {
	if e, ok := errors.AsType[*capability.Error](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*ledger.Error](err); ok {
		return e.Error()
	}
	return "it cannot be checked"
}

func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}

// giveNonce tells the caller a nonce for its next proof, where proofs need one.
func (g *Gateway) giveNonce(ctx context.Context, s *Snapshot) {
	if e := entryOf(ctx); e != nil && s.Capability.Nonce {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.header.Set(identity.HeaderNonce, g.nonces.New())
	}
}
