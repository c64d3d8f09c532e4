package run

import (
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/config"
)

// hopRules are how calls are taken in that gateways of peers carry: agents of other domains have what is configured for them.
func hopRules(c *config.Config) gateway.HopRules {
	out := gateway.HopRules{
		Max: c.Hops.Max, Skew: time.Duration(c.Hops.Skew),
		Callers: map[flow.AgentID]identity.Grant{}, Others: map[flow.DomainID]identity.Grant{},
	}
	for i := range c.Agents {
		a := &c.Agents[i]
		if c.Own(*a) {
			continue
		}
		grant := identity.Grant{Party: a.Party(), Purposes: a.Purposes, Default: a.DefaultPurpose, Criticality: a.Criticality}
		out.Callers[a.ID] = grant
		if slices.Contains(c.Hops.Others, a.ID) {
			out.Others[a.Domain] = grant
		}
	}
	return out
}
