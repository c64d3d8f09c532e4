package a2a

import (
	"bytes"
	"context"

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
		if err := c.h.Gateway.Replayed(ctx, c.snap, c.authority, f, a); err != nil {
			c.deny(c.h.Gateway.Refused(ctx, c.snap, f, err))
			return
		}
		if !a.Stream {
			c.front.whole(c, a.Status, body)
			return
		}
		c.replay(body)
		return
	}
	c.ticket, c.anew = &gateway.Ticket{}, true // the earlier answer stays as it is
	if a.Stream {
		c.stream(ctx, c.transcript(a.Body))
		return
	}
	m := c.responseMessage(c.snap, gateway.WithID(a.Body, c.rpc.ID), false)
	m.Outcome = flow.Replayed
	passed, err := c.h.Gateway.Pass(ctx, m)
	if err != nil {
		c.deny(err)
		return
	}
	c.front.whole(c, a.Status, passed.Body)
}

// transcript reads a stream that was kept, with the id of this call. It was within limits before it was changed.
func (c *call) transcript(kept []byte) source {
	kept = gateway.WithIDs(kept, c.rpc.ID)
	limits := wire.EventLimits{Event: len(kept) + 1, Line: len(kept) + 1}
	return &sseSource{c.r.Context(), wire.NewEventReader(bytes.NewReader(kept), limits), func(data []byte) ([]byte, error) { return data, nil }}
}

// replay sends a stream that was kept, in the form of the binding that asks for it now.
func (c *call) replay(kept []byte) {
	c.front.begin(c)
	events := c.transcript(kept)
	for {
		ev, err := events.next()
		if err != nil || c.front.event(ev, ev.data) != nil {
			return // it came to its end, or the caller went away
		}
	}
}
