package cli

import (
	"context"
	"strings"

	"github.com/scrimhq/scrim/console/api"
)

// rules says which version of the rules is in force, what on disk differs from it, and what somebody should look at again.
func (d *doctor) rules(ctx context.Context, e *env) {
	if !d.c.Governance.On() || !hasState(d.c) {
		return
	}
	s, err := askRules(ctx, e, d.c.File(), "/api/v1/rules/status", api.OfRules{}, api.ShowRulesStatus)
	if err != nil {
		d.say(wrong, "rules", "%v", err)
		return
	}
	d.say(fine, "rules", "version %d, digest %s", s.Version.Version, short(s.Version.Digest.String()))
	switch {
	case s.Wrong != "":
		d.say(doubtful, "rules on disk", "they are no rules, and decide nothing: %s", s.Wrong)
	case len(s.Drift) > 0:
		d.say(doubtful, "rules on disk", "they differ and decide nothing until they are proposed and approved: %s", strings.Join(s.Drift, " "))
	default:
		d.say(fine, "rules on disk", "they are those in force")
	}
	for _, w := range s.Waiting {
		if w.Restart {
			d.say(doubtful, "rules approved", "proposal %s waits for a restart of the gateway: %s", w.Proposal, plain(w.Why))
		} else {
			d.say(wrong, "rules approved", "proposal %s is not in force yet, and is tried again: %s", w.Proposal, plain(w.Why))
		}
	}
	for _, r := range s.Reviews {
		d.say(doubtful, "review", "%s should be looked at again since %s", plain(r.What), r.Since.Format("2006-01-02"))
	}
}
