package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/store"
)

// Grant is what agents of the domain may have capabilities for.
type Grant struct {
	Name     string         // what policies see as context.capabilities
	Agents   []flow.AgentID // who may have it
	Terms    capability.Grant
	Lifetime time.Duration
}

// Grants are those of a configuration.
type Grants []Grant

// ErrNoGrant is the error of [Grants.For].
var ErrNoGrant = errors.New("no such grant for this agent")

// For returns the grant that an agent asks for by name. No name is the only one there is for it. Grants that do not exist
// and those of others are refused alike.
func (gs Grants) For(agent flow.AgentID, name string) (*Grant, error) {
	var found *Grant
	for i := range gs {
		g := &gs[i]
		switch {
		case !slices.Contains(g.Agents, agent) || name != "" && g.Name != name:
		case found != nil:
			return nil, ErrNoGrant
		default:
			found = g
		}
	}
	if found == nil {
		return nil, ErrNoGrant
	}
	return found, nil
}

// Issue is a root token that is about to be given to an agent.
type Issue struct {
	Grant  string // by which grant
	Root   capability.Link
	Behalf string // on whose behalf the agent acts, in a form that says nothing to others; "": nobody's that was told
}

// Issued puts a root token on record: for whom, by which grant, until when. It returns when that is durable.
func (g *Gateway) Issued(ctx context.Context, s *Snapshot, f flow.Flow, is Issue) error {
	reason := fmt.Sprintf("capability %s %s for key %s hash %x until %s", is.Grant, is.Root.ID, is.Root.Holder, is.Root.Hash[:8], is.Root.Grant.Expires.UTC().Format(time.RFC3339))
	if is.Behalf != "" {
		reason += " on behalf of " + is.Behalf
	}
	ev := flow.Event{Time: g.now(), Flow: f, Outcome: flow.Issued, PolicyHash: s.Policy.Hash(), ConfigHash: s.ConfigHash, Reason: reason}
	err := g.update(ctx, func(tx store.Tx) error {
		if g.ledger != nil {
			if err := g.ledger.Issued(tx, is.Root); err != nil {
				return err
			}
		}
		_, err := g.journal.Append(tx, ev, audit.Private{})
		return err
	})
	if err == nil {
		g.told(ev)
	}
	return err
}
