package catalog

import (
	"cmp"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Governance is what a contract says of the use of data beside what they are. What a narrower place leaves out it
// takes over from around it: a field from the object it lies in, from its dataset, from the contract.
type Governance struct {
	Owners     []string       // who answers for it: team members or roles
	Purposes   []flow.Purpose // it may be used for; empty: not restricted here
	LegalBasis []string       // DPV terms, such as dpv:Consent
	Retention  time.Duration  // how long recipients may keep it; 0: not said
	Techniques []string       // in which it may be used, see [Techniques]; empty: not restricted here
	Recipients []string       // categories of recipients, for records of processing
	Transfers  []string       // third countries and safeguards, for records of processing
	Review     time.Time      // the day on which somebody has to look at it again; zero: none
}

// Techniques returns the techniques that a contract may name: message, by which values leave one by one, and the
// actions of policy on whole datasets.
func Techniques() []string {
	return []string{"message", "extract", "aggregate", "synthesize", "match", "compute", "score", "train"}
}

// Within returns g with what it leaves out taken over from outer.
func (g Governance) Within(outer Governance) Governance {
	g.Owners = orElse(g.Owners, outer.Owners)
	g.Purposes = orElse(g.Purposes, outer.Purposes)
	g.LegalBasis = orElse(g.LegalBasis, outer.LegalBasis)
	g.Retention = cmp.Or(g.Retention, outer.Retention)
	g.Techniques = orElse(g.Techniques, outer.Techniques)
	g.Recipients = orElse(g.Recipients, outer.Recipients)
	g.Transfers = orElse(g.Transfers, outer.Transfers)
	if g.Review.IsZero() {
		g.Review = outer.Review
	}
	return g
}

// sameUse reports whether two are the same as far as they bound the use of data.
func (g *Governance) sameUse(o *Governance) bool {
	return slices.Equal(g.Purposes, o.Purposes) && slices.Equal(g.Techniques, o.Techniques) && g.Retention == o.Retention
}

func orElse[T any](own, outer []T) []T {
	if len(own) > 0 {
		return own
	}
	return outer
}

// but returns what g says other than outer, so that g is but.Within(outer) wherever g lies within outer.
func (g Governance) but(outer Governance) Governance {
	var b Governance
	if !slices.Equal(g.Owners, outer.Owners) {
		b.Owners = g.Owners
	}
	if !slices.Equal(g.Purposes, outer.Purposes) {
		b.Purposes = g.Purposes
	}
	if !slices.Equal(g.LegalBasis, outer.LegalBasis) {
		b.LegalBasis = g.LegalBasis
	}
	if g.Retention != outer.Retention {
		b.Retention = g.Retention
	}
	if !slices.Equal(g.Techniques, outer.Techniques) {
		b.Techniques = g.Techniques
	}
	if !slices.Equal(g.Recipients, outer.Recipients) {
		b.Recipients = g.Recipients
	}
	if !slices.Equal(g.Transfers, outer.Transfers) {
		b.Transfers = g.Transfers
	}
	if !g.Review.Equal(outer.Review) {
		b.Review = g.Review
	}
	return b
}
