package contract

import (
	"maps"
	"slices"

	"github.com/scrimhq/scrim/flow"
)

// Answers checks that an offer answers another: it is the next version of the same negotiation, made for exactly that offer, and in
// no place wider. The error is an [*Error] that names the rule and the place.
func (c *Contract) Answers(to *Contract) error {
	switch {
	case c.Negotiation != to.Negotiation, c.Name != to.Name, c.Parties[0].Domain != to.Parties[0].Domain, c.Parties[1].Domain != to.Parties[1].Domain:
		return broke(RuleAnother, "")
	case c.Version != to.Version+1 || c.Version > maxRounds:
		return broke(RuleVersion, "version")
	case c.Previous != to.ID():
		return broke(RuleVersion, "previous")
	}
	return c.Within(to)
}

// Within checks that a contract is in no place wider than another between the same parties. The error is an [*Error] by
// [RuleWidens].
func (c *Contract) Within(of *Contract) error {
	switch {
	case !subset(c.Purposes, of.Purposes):
		return broke(RuleWidens, "purposes")
	case c.NotBefore.Before(of.NotBefore):
		return broke(RuleWidens, "nbf")
	case c.Expires.After(of.Expires):
		return broke(RuleWidens, "exp")
	}
	for i := range c.Parties {
		a, b := &c.Parties[i], &of.Parties[i]
		if b.Agents != nil && (a.Agents == nil || !subset(a.Agents, b.Agents)) {
			return broke(RuleWidens, "agents")
		}
		if place := a.Gives.widens(&b.Gives); place != "" {
			return broke(RuleWidens, place)
		}
	}
	return nil
}

// widens names a place where g bounds less than of, "" if there is none.
func (g *Gives) widens(of *Gives) string {
	switch {
	case !levelsWithin(g, of):
		return "levels"
	case !datasetsWithin(g.Datasets, of.Datasets):
		return "datasets"
	case of.Techniques != nil && (g.Techniques == nil || !subset(g.Techniques, of.Techniques)):
		return "techniques"
	case of.Cost != nil && (g.Cost == nil || g.Cost.EpsilonNano > of.Cost.EpsilonNano || g.Cost.DeltaPico > of.Cost.DeltaPico):
		return "cost"
	case of.Retain != nil && (g.Retain == nil || *g.Retain > *of.Retain):
		return "retain"
	case !subset(of.Notify, g.Notify):
		return "notify"
	}
	return ""
}

// levelsWithin asks at every label that either names, for in between nothing changes. Two levels of one rank, of which one is of
// the other family, are not comparable.
func levelsWithin(g, of *Gives) bool {
	within := func(l flow.Label) bool {
		a, b := g.Level(l), of.Level(l)
		return a == b || b.Reveals(a)
	}
	for _, levels := range []map[flow.Label]flow.Level{g.Levels, of.Levels} {
		for l := range levels {
			if !within(l) {
				return false
			}
		}
	}
	return true // what neither names, not even by "*", is dropped in both
}

func datasetsWithin(a, b map[string][]string) bool {
	if b == nil {
		return true
	}
	if a == nil {
		return false
	}
	for name := range maps.Keys(a) {
		columns, ok := b[name]
		if !ok || columns != nil && (a[name] == nil || !subset(a[name], columns)) {
			return false
		}
	}
	return true
}

func subset[T comparable](a, b []T) bool {
	return !slices.ContainsFunc(a, func(x T) bool { return !slices.Contains(b, x) })
}
