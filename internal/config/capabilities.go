package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Capabilities are what agents get by tokens that only narrow, and what is asked of such tokens.
type Capabilities struct {
	Required    string            `yaml:"required" doc:"Whose calls come by a capability or are refused: never anybody's, those of other domains (foreign), or always. A capability that is shown bounds its call in any case. Hooks and standard input carry none." default:"never" enum:"never foreign always"`
	Nonce       bool              `yaml:"nonce" doc:"A proof names a nonce that this gateway gave not long ago, in Scrim-Nonce: proofs cannot be made ahead, at the price of one more call for a client that comes anew."`
	Skew        Duration          `yaml:"skew" doc:"How far other clocks may be ahead of this one, at most 5m. An expiry is never stretched." default:"30s" min:"0s"`
	MaxDepth    int               `yaml:"max_depth" doc:"How many times a root may be handed on, whatever it says itself." default:"8" min:"1" max:"32"`
	MaxLifetime Duration          `yaml:"max_lifetime" doc:"How long a token may be good for, from its issue to its end, at most 2160h." default:"24h" min:"1s"`
	StaleAfter  Duration          `yaml:"stale_after" doc:"How long a peer's list of revocations is believed. After that, none of that peer's roots is." default:"10m" min:"1s"`
	Cache       int               `yaml:"cache" doc:"Beginnings of chains whose signatures are remembered." default:"4096" min:"0" max:"1048576"`
	Grants      []CapabilityGrant `yaml:"grants" doc:"What agents of this domain may get a capability for, at /scrim/token or by the operator. It never is more than policy permits."`
}

// capabilities checks what is asked of capabilities.
func (v *validator) capabilities() {
	c := &v.c.Capabilities
	if time.Duration(c.Skew) > 5*time.Minute {
		v.wrong("capabilities/skew", "skew: 30s", "it is longer than 5m")
	}
	if time.Duration(c.MaxLifetime) > 90*24*time.Hour {
		v.wrong("capabilities/max_lifetime", "max_lifetime: 24h", "it is longer than 2160h")
	}
	for i := range v.c.Agents {
		if v.c.Agents[i].Capability != "" && v.c.Agents[i].ID == v.c.Identity.Anonymous {
			v.wrong(fmt.Sprintf("agents/%d/capability", i), "", "callers without a name have no capability")
		}
	}
}

// names reports whether the agent may have a capability, and so may call.
func (c *Capabilities) names(id flow.AgentID) bool {
	return slices.ContainsFunc(c.Grants, func(g CapabilityGrant) bool { return slices.Contains(g.Agents, id) })
}
