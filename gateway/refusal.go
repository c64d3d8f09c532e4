package gateway

import (
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/budget"
)

// Rule is why a flow was refused, one word of a closed list that may only grow.
type Rule string

// The rules.
const (
	RuleIdentity  Rule = "identity"  // nobody, or not who they say
	RuleFace      Rule = "face"      // this caller may not use this address
	RuleMalformed Rule = "malformed" // not a message of the protocol
	RuleTooBig    Rule = "too-big"   // over a limit
	RuleMethod    Rule = "method"    // not carried
	RuleVersion   Rule = "version"   // not spoken
	RulePlace     Rule = "place"     // a place of the protocol that is not carried, or holds what it must not
	RulePolicy    Rule = "policy"    // the terms do not allow it
	RuleSchema    Rule = "schema"    // the level would not fit the recipient's schema
	RuleConflict  Rule = "conflict"  // an id was used again with another request
	RuleUpstream  Rule = "upstream"  // the agent behind did not answer, or not as it should
	RuleRecord    Rule = "record"    // evidence could not be written
	RuleInternal  Rule = "internal"  // anything else; refused because unsure
	RuleEncoding  Rule = "encoding"  // a content encoding or media type that is not read
	RuleDrained   Rule = "draining"  // the gateway is going away
	RuleExhausted Rule = "exhausted" // a cap on tokens or task memory
	RuleHeader    Rule = "header"    // a header says something else than the message
	RuleOrigin    Rule = "origin"    // a web page of another site
	RuleRate      Rule = "rate"      // more than this caller may do in a time, or at one time
	RuleBusy      Rule = "busy"      // no slot is free
	RuleLoop      Rule = "loop"      // it came through too many gateways
	RuleScope     Rule = "scope"     // the token lacks a scope
	RulePush      Rule = "push"      // push notifications are not there
	RuleHandle    Rule = "handle"    // no such handle for this caller
	RuleHop       Rule = "hop"       // what the gateway before this one says is not believed
	RuleExtension Rule = "extension" // the agent requires one that the call does not ask for

	RuleBudget     Rule = "budget"     // the dataset's budget, or a quota, has no room for the question
	RuleCapability Rule = "capability" // the capability is not valid, or does not admit it
)

// Refusal is the error of a flow that did not happen. Public is for the other side, Cause for the operator's log;
// neither holds a value: Place has "*" for every member name that no schema declares.
type Refusal struct {
	Rule   Rule
	Place  flow.Path
	Public string  // what is wrong and what to do, in a sentence
	Ref    flow.ID // resolves to the whole story in the journal
	Cause  error

	unproven  bool   // whoever calls has proven no right: anybody can bring it about
	challenge string // what a caller without a proven right has to bring (RFC 9110); "" for the door's own
}

// Error returns the operator's text.
func (r *Refusal) Error() string {
	s := "refused by " + string(r.Rule)
	if r.Place != "" {
		s += " at " + string(r.Place)
	}
	if r.Ref != "" {
		s += " (" + string(r.Ref) + ")"
	}
	if r.Cause != nil {
		s += ": " + r.Cause.Error()
	}
	return s
}

// reason is what the record says: rule and place, and of a capability which of its rules was broken at which link.
func (r *Refusal) reason() string {
	s := string(r.Rule) + " " + string(r.Place)
	if r.Rule == RuleCapability && r.Cause != nil {
		s += inWords(r.Cause)
	}
	if errors.Is(r.Cause, errFrozen) {
		s += errFrozen.Error()
	}
	if e, ok := errors.AsType[*budget.Error](r.Cause); ok && r.Rule == RuleBudget {
		s += e.Error()
	}
	return s
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Cause }

// Text returns the public text: the rule's sentence, the place and the reference.
func (r *Refusal) Text() string {
	s := r.Public
	if r.Place != "" {
		s += " (at " + string(r.Place) + ")"
	}
	return s
}

// refuse makes a refusal. Format arguments must be places, rules or numbers, never values.
func refuse(rule Rule, place flow.Path, cause error, format string, args ...any) *Refusal {
	return &Refusal{Rule: rule, Place: place, Public: fmt.Sprintf(format, args...), Cause: cause}
}

// Refuse makes a refusal for protocol adapters. Format arguments must be places, rules or numbers, never values.
func Refuse(rule Rule, cause error, format string, args ...any) *Refusal {
	return refuse(rule, "", cause, format, args...)
}

// refusalOf returns err as a refusal: itself if it is one, else one by [RuleInternal] that tells the other side nothing.
func refusalOf(err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	if e, ok := errors.AsType[*json.Error](err); ok {
		return parseRefusal(e)
	}
	return refuse(RuleInternal, "", err, "The gateway could not decide this flow, so it did not happen.")
}

func parseRefusal(e *json.Error) *Refusal {
	for _, limit := range []error{json.ErrTooBig, json.ErrTooDeep, json.ErrTooMany, json.ErrNumber} {
		if errors.Is(e.Err, limit) {
			return refuse(RuleTooBig, "", e, "The message is over a limit at byte %d: %v.", e.Offset, limit)
		}
	}
	return refuse(RuleMalformed, "", e, "The message is not acceptable JSON at byte %d: %v.", e.Offset, e.Err)
}
