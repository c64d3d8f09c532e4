package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scrimhq/scrim/store"
)

// readyFor is how long an answer of [Gateway.Ready] is believed: asking is for anybody, and writing is not free.
const readyFor = 2 * time.Second

type readiness struct {
	mu    sync.Mutex // held while the store is tried
	until time.Time
	err   error
}

// Ready reports whether flows could be put on record: it makes a write durable. Without that every flow would be
// refused, so callers are better sent elsewhere. The error says nothing but that.
func (g *Gateway) Ready(ctx context.Context) error {
	g.readiness.mu.Lock()
	defer g.readiness.mu.Unlock()
	now := g.now()
	if now.Before(g.readiness.until) {
		return g.readiness.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := g.update(ctx, func(tx store.Tx) error { // a name that no id has, which the next sweep takes away
		_, err := tx.Exec("INSERT INTO gateway_tasks (alias, task, expires) VALUES (?, '', ?) ON CONFLICT (alias) DO UPDATE SET expires = excluded.expires",
			[]byte("ready"), now.Unix())
		return err
	})
	if err != nil {
		g.Fault(err)
		err = errors.New("nothing can be put on record")
	}
	g.readiness.until, g.readiness.err = now.Add(readyFor), err
	return err
}
