package run

import (
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy/capability"
)

// grantOf is the most that configuration lets an agent claim, however it proves who it is.
func grantOf(a *config.Agent) identity.Grant {
	return identity.Grant{Party: a.Party(), Purposes: a.Purposes, Default: a.DefaultPurpose, Criticality: a.Criticality}
}

// capabilityRules are how a configuration takes capabilities, once it is known whose roots are believed.
func capabilityRules(c *config.Config) gateway.CapabilityRules {
	set := &c.Capabilities
	rules := gateway.CapabilityRules{
		Nonce: set.Nonce, Callers: map[flow.AgentID]identity.Grant{},
		Required: map[string]gateway.Requirement{"foreign": gateway.RequireForeign, "always": gateway.RequireAlways}[set.Required],
	}
	for i := range c.Agents {
		if a := &c.Agents[i]; a.ID != c.Identity.Anonymous {
			rules.Callers[a.ID] = grantOf(a)
		}
	}
	cache := set.Cache
	if cache == 0 {
		cache = -1
	}
	rules.Options = capability.Options{Skew: time.Duration(set.Skew), MaxDepth: set.MaxDepth, MaxLifetime: time.Duration(set.MaxLifetime), Cache: cache}
	return rules
}
