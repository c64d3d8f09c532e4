package config

import (
	"fmt"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Hops is how calls are taken in that gateways of other domains carry.
type Hops struct {
	Max    int            `yaml:"max" doc:"Gateways that a call may come through, this one included." default:"8" min:"1" max:"8"`
	Skew   Duration       `yaml:"skew" doc:"How far clocks of two gateways may be apart." default:"5s" min:"1s"`
	Others []flow.AgentID `yaml:"others" doc:"Agents of other domains, at most one of each, whose grants hold for those of their domain that are not listed under agents. Absent: a peer's gateway speaks for listed agents alone."`
}

const maxHopSkew = 5 * time.Minute

// hops checks who may be spoken for.
func (v *validator) hops(agents map[flow.AgentID]int) {
	if time.Duration(v.c.Hops.Skew) > maxHopSkew {
		v.wrong("hops/skew", "at most "+maxHopSkew.String(), "clocks this far apart would let old calls in")
	}
	seen := map[flow.DomainID]bool{}
	for i, id := range v.c.Hops.Others {
		at := fmt.Sprintf("hops/others/%d", i)
		known(v, at, "agent", id, agents)
		n, ok := agents[id]
		if !ok {
			continue
		}
		switch a := &v.c.Agents[n]; {
		case v.c.Own(*a):
			v.wrong(at, "name an agent whose domain is a peer", "an agent of this domain")
		case seen[a.Domain]:
			v.wrong(at, "", "another agent of that domain is listed before")
		default:
			seen[a.Domain] = true
		}
	}
}

// carried reports whether gateways of other domains may carry calls of the agent here.
func (c *Config) carried(a *Agent) bool { return !c.Own(*a) && c.Peering.Listen != "" }
