package gateway

import (
	"context"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// StoreTrail writes a trail that memory does not have.
func StoreTrail(g *Gateway, trace flow.TraceID, agent flow.AgentID, levels map[flow.Label]flow.Treatment, until time.Time) error {
	g.hops.mu.Lock()
	g.hops.more = true
	g.hops.mu.Unlock()
	return g.update(context.Background(), func(tx store.Tx) error {
		return g.writeTrail(tx, trailKey{trace, agent}, &trail{From: "elsewhere", Levels: levels, expires: until.Unix()})
	})
}
