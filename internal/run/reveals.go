package run

import (
	"context"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy/change"
)

// Side is a configuration's rules as they are compared with others.
func Side(c *config.Config) (impact.Side, error) {
	set, err := Policies(c)
	if err != nil {
		return impact.Side{}, err
	}
	return sideOf(c, set), nil
}

// reveals reports whether rules may reveal more than others, and why that cannot be excluded.
func (r *rulebook) reveals(_ context.Context, old, now change.RuleSet) (bool, []string) {
	var sides [2]impact.Side
	for i, rs := range []change.RuleSet{old, now} {
		c, err := ruledBy(r.place, rs)
		if err == nil {
			sides[i], err = Side(c)
		}
		if err != nil {
			return true, []string{"the two sets of rules cannot be compared"}
		}
	}
	return impact.Reveals(sides[0], sides[1])
}
