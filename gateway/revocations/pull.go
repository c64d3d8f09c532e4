package revocations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability/ledger"
)

// pull is how things stand with one peer's list. It is guarded by the exchange's mu.
type pull struct {
	due     time.Time // when it is asked for next
	began   time.Time // when it was last
	running bool
	failed  bool // the last time; the operator was told

	pushes float64 // that may still come at once
	filled time.Time
}

// of returns what is known of a peer. It is called with x.mu held, for peers alone.
func (x *Exchange) of(d flow.DomainID) *pull {
	p := x.pulls[d]
	if p == nil {
		p = &pull{pushes: mostPushes, filled: x.opt.Clock()}
		x.pulls[d] = p
	}
	return p
}

// How many lists of one peer are read: so many at once, and then one in so long.
const (
	mostPushes = 10
	onePush    = 200 * time.Millisecond
	askedAgain = 500 * time.Millisecond // the least time between two times that a list is asked for
)

// mayPush reports whether another list that says it is the peer's is read now.
func (x *Exchange) mayPush(d flow.DomainID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	p, now := x.of(d), x.opt.Clock()
	if gone := now.Sub(p.filled); gone > 0 {
		p.pushes = min(mostPushes, p.pushes+float64(gone)/float64(onePush))
	}
	p.filled = now
	if p.pushes < 1 {
		return false
	}
	p.pushes--
	return true
}

// askSoon has a peer's list asked for as soon as may be.
func (x *Exchange) askSoon(d flow.DomainID) {
	x.mu.Lock()
	p := x.of(d)
	if at := p.began.Add(askedAgain); at.Before(p.due) {
		p.due = at
	}
	x.mu.Unlock()
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// came notes that a peer's list has just come, whichever way.
func (x *Exchange) came(d flow.DomainID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.of(d)
	p.due, p.failed = x.opt.Clock().Add(x.every()), false
}

// lookAgain is the most time after which it is looked whether there are other peers.
const lookAgain = 2 * time.Second

// pulling asks each peer for its list when its time has come.
func (x *Exchange) pulling(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	room := make(chan struct{}, atOnce)
	for {
		next, all := x.opt.Clock().Add(lookAgain), x.opt.Peers.All()
		if err := Prune(ctx, x.opt.Ledger, all); err != nil && ctx.Err() == nil {
			x.fault(err)
		}
		x.leave(all)
		for _, peer := range all {
			due, start := x.begin(peer)
			if due.Before(next) {
				next = due
			}
			if !start {
				continue
			}
			wg.Go(func() {
				select {
				case room <- struct{}{}:
					defer func() { <-room }()
				case <-ctx.Done():
					return
				}
				x.ended(ctx, peer.Domain, x.ask(ctx, peer))
			})
		}
		timer := time.NewTimer(max(next.Sub(x.opt.Clock()), 10*time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-x.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// leave forgets how things stand with domains that are no peers.
func (x *Exchange) leave(all []Peer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for d, p := range x.pulls {
		if !p.running && !isPeer(all, d) {
			delete(x.pulls, d)
		}
	}
}

func isPeer(all []Peer, d flow.DomainID) bool {
	return slices.ContainsFunc(all, func(p Peer) bool { return p.Domain == d })
}

// begin reports when a peer's list is due, and whether that is now; then it is under way until [Exchange.ended].
func (x *Exchange) begin(peer Peer) (due time.Time, start bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p, now := x.of(peer.Domain), x.opt.Clock()
	if p.running || peer.List == "" || peer.Client == nil {
		return now.Add(lookAgain), false
	}
	if p.due.After(now) && p.due.Sub(now) <= x.every() { // a time that is further off is of a clock that was set back
		return p.due, false
	}
	p.running, p.began = true, now
	return now.Add(lookAgain), true
}

func (x *Exchange) ended(ctx context.Context, d flow.DomainID, err error) {
	x.mu.Lock()
	p := x.of(d)
	p.running = false
	first := err != nil && !p.failed
	if err != nil {
		p.failed = true
		p.due = x.opt.Clock().Add(max(x.every()/4, leastEvery))
	}
	x.mu.Unlock()
	if first && ctx.Err() == nil {
		x.fault(fmt.Errorf("asking %s for its list of revocations: %w", d, err))
	}
	select {
	case x.wake <- struct{}{}: // its next time may come before anything else does
	default:
	}
}

// ask gets a peer's list and takes it.
func (x *Exchange) ask(ctx context.Context, peer Peer) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, peer.List, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", ledger.MediaType)
	res, err := peer.Client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers with status %d", res.StatusCode)
	}
	signed, err := io.ReadAll(io.LimitReader(res.Body, ledger.MaxList+1))
	if err != nil {
		return err
	}
	return x.take(ctx, peer.Domain, signed)
}

// Prune forgets the lists of domains that are peers no longer, so that one that is added again, as a new domain perhaps, begins anew.
func Prune(ctx context.Context, led *ledger.Ledger, all []Peer) error {
	var errs []error
	for _, s := range led.Statuses() {
		if !isPeer(all, s.Domain) {
			errs = append(errs, led.Forget(ctx, s.Domain))
		}
	}
	return errors.Join(errs...)
}
