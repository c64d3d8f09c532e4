package bundle

import (
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// Outside is what the bundle asks of policy: to be loaded beside one's own. Budgets, pads and defaults are not among it.
func (b *Bundle) Outside() policy.Outside {
	out := policy.Outside{From: b.ID(), Forbid: b.Policies}
	for _, l := range b.Labels {
		out.Labels = append(out.Labels, policy.OutsideLabel{Label: l.Label, Tier: l.Tier, Level: l.Level, Retain: l.Retain})
	}
	for _, d := range b.Datasets {
		one := policy.OutsideDataset{Name: d.Name, Purposes: d.Purposes, Techniques: d.Techniques, Retain: d.Retain}
		for _, c := range d.Columns {
			if one.Columns == nil {
				one.Columns = map[string][]flow.Label{}
			}
			one.Columns[c.Name] = slices.Clone(c.Labels)
		}
		out.Datasets = append(out.Datasets, one)
	}
	return out
}

// Strictness is what holds while a bundle that is subscribed to does not count: none came yet, or the last one's time is over. The last
// one's limits hold beside it. The zero value is the least strict.
type Strictness uint8

// The choices, each stricter than the one before.
const (
	MaskedAcross  Strictness = iota // what is not public leaves the domain masked at most, and no question or table is answered across domains
	DroppedAcross                   // nothing but what is public leaves the domain
	Stop                            // nothing shows, within the domain neither
)

var strictnessNames = [...]string{MaskedAcross: "masked", DroppedAcross: "dropped", Stop: "stop"}

// String returns the name that configuration uses.
func (s Strictness) String() string { return strictnessNames[min(s, Stop)] }

// ParseStrictness reads a name; another one is the strictest.
func ParseStrictness(name string) Strictness {
	if i := slices.Index(strictnessNames[:], name); i >= 0 {
		return Strictness(i)
	}
	return Stop
}

// Late is what holds while the bundle of that id does not count.
func Late(id string, s Strictness) policy.Outside {
	const questions = `
@id("late-asked") forbid (principal, action in [Action::"aggregate", Action::"compute", Action::"extract", Action::"match", Action::"score", Action::"synthesize", Action::"train"], resource) unless { context.same_domain };
@id("late-open") forbid (principal, action == Action::"open", resource) unless { context.same_domain };
`
	text := `@id("late") forbid (principal, action, resource);`
	switch s {
	case MaskedAcross:
		text = `@id("late") forbid (principal, action in [Action::"atleast_tokenized", Action::"atleast_generalized"], resource) unless { context.same_domain || resource.tier == "public" };` + questions
	case DroppedAcross:
		text = `@id("late") forbid (principal, action in Action::"atleast_masked", resource) unless { context.same_domain || resource.tier == "public" };` + questions
	}
	return policy.Outside{From: id, Forbid: text}
}
