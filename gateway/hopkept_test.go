package gateway

import (
	"errors"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/hop"
)

func ruleOfHop(err error) Rule {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Rule
	}
	return ""
}

// A statement is taken once, also where a reload lets clocks be further apart after it was forgotten, and one domain's
// statements do not crowd out another's.
func TestAStatementIsTakenOnce(t *testing.T) {
	m := &hopMemory{seen: map[[32]byte]seenAt{}, seenBy: map[flow.DomainID]int{}}
	now := time.Unix(1_800_000_000, 0)
	made := func(by flow.DomainID, at time.Time) *hop.Statement {
		return &hop.Statement{ID: hop.NewID(), Issuer: by, IssuedAt: at, Expires: at.Add(hop.Lifetime)}
	}
	st := made("insurer", now)
	if err := m.claim(st, now, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if got := ruleOfHop(m.claim(st, now, 5*time.Second)); got != RuleHop {
		t.Errorf("the same again: rule %q", got)
	}
	other := *st
	other.Issuer = "lab"
	if err := m.claim(&other, now, 5*time.Second); err != nil {
		t.Errorf("the same id of another domain: %v", err)
	}
	later := now.Add(hop.Lifetime + 60*time.Second)
	if err := m.claim(made("insurer", later), later, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if _, there := m.seen[seenKey(st)]; there {
		t.Error("a statement is remembered for longer than it could be taken")
	}
	if got := ruleOfHop(m.claim(st, later, 5*time.Minute)); got != RuleHop {
		t.Errorf("the same after clocks may be further apart: rule %q", got)
	}
	if err := m.claim(made("insurer", later), later, 5*time.Minute); err != nil {
		t.Errorf("a new one: %v", err)
	}
	m.seenBy["insurer"] = maxHopsSeenBy
	if got := ruleOfHop(m.claim(made("insurer", later), later, time.Second)); got != RuleBusy {
		t.Errorf("one too many of a domain: rule %q, want busy", got)
	}
	if err := m.claim(made("lab", later), later, time.Second); err != nil {
		t.Errorf("one of another domain beside them: %v", err)
	}
}
