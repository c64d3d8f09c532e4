package revocations

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/scrimhq/scrim/policy/capability/ledger"
)

// pushes sends the own list to every gateway of every peer when it changes, and once at the start: something may have been
// revoked while the gateway was stopped.
func (x *Exchange) pushes(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	room := make(chan struct{}, atOnce)
	for sent := int64(0); ; {
		changed := x.opt.Ledger.Changes() // before the version is looked at
		if v := x.opt.Ledger.Version(); v != sent {
			sent = v
			for _, peer := range x.opt.Peers.All() {
				for _, to := range peer.Push {
					if peer.Client == nil || !x.startPush(to) {
						continue // the one that is under way looks for another version before it ends
					}
					wg.Go(func() { x.pushTo(ctx, room, peer, to) })
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func (x *Exchange) startPush(to string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pushing[to] {
		return false
	}
	x.pushing[to] = true
	return true
}

// endPush ends a push unless there is another version by now.
func (x *Exchange) endPush(to string, version int64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if version >= 0 && x.opt.Ledger.Version() != version {
		return false
	}
	delete(x.pushing, to)
	return true
}

// Between two tries of a push.
const (
	firstWait = 250 * time.Millisecond
	lastWait  = 30 * time.Second
)

// pushTo sends the own list to one gateway until that has the newest. When trying has taken longer than a peer waits before it asks
// by itself, it is left to that.
func (x *Exchange) pushTo(ctx context.Context, room chan struct{}, peer Peer, to string) {
	began := x.opt.Clock()
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		version := x.opt.Ledger.Version()
		err := x.push(ctx, room, peer, to)
		switch {
		case ctx.Err() != nil:
			x.endPush(to, -1)
			return
		case err == nil:
			if x.endPush(to, version) {
				return
			}
			wait = firstWait
			continue
		case x.opt.Clock().Sub(began) > x.every() || !x.known(peer.Domain):
			x.endPush(to, -1)
			x.fault(fmt.Errorf("sending %s the list of revocations; it has to ask for it now: %w", peer.Domain, err))
			return
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

func (x *Exchange) push(ctx context.Context, room chan struct{}, peer Peer, to string) error {
	select {
	case room <- struct{}{}:
		defer func() { <-room }()
	case <-ctx.Done():
		return ctx.Err()
	}
	list, err := x.opt.Ledger.List()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(list))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", ledger.MediaType)
	res, err := peer.Client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection is used again
	if res.StatusCode >= 300 {
		return fmt.Errorf("it answers with status %d", res.StatusCode)
	}
	return nil
}
