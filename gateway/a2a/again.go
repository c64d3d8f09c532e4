package a2a

import (
	"bytes"
	"context"
	"net/http"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// again gives the stored answer to a repeated request. The same pins give the same bytes; under other pins the
// answer goes down the road once more, so that it shows no more than it did and no more than the terms now allow.
func (c *call) again(ctx context.Context, a *gateway.Answer) {
	f := c.responseFlow()
	if a.Task != "" {
		c.flow.Task.ID, f.Task.ID = a.Task, a.Task
	}
	if a.SameAs {
		body := a.Body
		if !a.Stream {
			body = gateway.WithID(body, c.rpc.ID)
		}
		if err := c.h.Gateway.Replayed(ctx, c.snap, f, a); err != nil {
			c.deny(c.h.Gateway.Refused(ctx, c.snap, f, err))
			return
		}
		if !a.Stream {
			c.send(body)
			return
		}
		c.w.Header().Set("Content-Type", "text/event-stream")
		c.w.Header().Set("Cache-Control", "no-store")
		c.w.Header().Set("A2A-Version", wire.A2A10)
		c.w.WriteHeader(http.StatusOK)
		_, _ = c.w.Write(gateway.WithIDs(body, c.rpc.ID))
		return
	}
	c.ticket, c.anew = &gateway.Ticket{}, true // the earlier answer stays as it is
	if a.Stream {
		c.stream(ctx, bytes.NewReader(gateway.WithIDs(a.Body, c.rpc.ID)))
		return
	}
	m := c.responseMessage(c.snap, gateway.WithID(a.Body, c.rpc.ID), false)
	m.Outcome = flow.Replayed
	passed, err := c.h.Gateway.Pass(ctx, m)
	if err != nil {
		c.deny(err)
		return
	}
	c.send(passed.Body)
}
