package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// ErrDraining is the cause with which a call's context ends when the gateway goes away before the call does.
var ErrDraining = errors.New("the gateway is going away")

// load is what goes on at the moment.
type load struct {
	flows, streams atomic.Int64
	held           atomic.Int64 // bytes of streams that wait for what comes next
	callers        sync.Map     // callerKey → *callerLoad; callers are those of a configuration, so they are few
	strikes        strikes
	refused        strangers // what is refused for its load is put on record no oftener than strangers are
}

type callerKey struct {
	agent  flow.AgentID
	domain flow.DomainID
}

// Load returns how many calls and how many open streams there are.
func (g *Gateway) Load() (flows, streams int64) { return g.load.flows.Load(), g.load.streams.Load() }

// entry is one call that came in by the door. Its slot is one of the calls until a stream is opened, then one of the
// streams; it is free again when the handler returns.
type entry struct {
	g      *Gateway
	header http.Header
	from   netip.Prefix
	began  time.Time
	full   bool // all slots were taken: whoever it is, it is told to come back

	mu        sync.Mutex // guards the fields below
	caller    *callerLoad
	limits    CallerLimits
	streaming bool
	proven    bool // whoever calls is who is taken for the caller

	held atomic.Int64 // of those of all streams

	tally tally // of what is reported

	parts []trailKey // guarded by the lock of [hopMemory]: what it is part of
}

type entryContext struct{}

func entryOf(ctx context.Context) *entry {
	e, _ := ctx.Value(entryContext{}).(*entry)
	return e
}

// Door counts the calls to next. While all slots are taken, callers are told so in the words of their protocol by
// [Gateway.Admit]; when even twice as many came, and for addresses whose credentials are refused over and over, without
// being asked who they are.
func (g *Gateway) Door(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limits := g.Snapshot().Load.complete()
		e := &entry{g: g, header: w.Header(), from: networkOf(r.RemoteAddr), began: time.Now()}
		if wait := g.load.strikes.out(e.from, g.now(), limits.Refusals); wait > 0 {
			e.retryAfter(wait)
			http.Error(w, "too many credentials from this address were refused; try again later", http.StatusTooManyRequests)
			return
		}
		n := g.load.flows.Add(1)
		defer e.end()
		if n > 2*int64(limits.Flows) {
			e.retryAfter(0)
			http.Error(w, "the gateway is busy; try again in a second", http.StatusServiceUnavailable)
			return
		}
		e.full = n > int64(limits.Flows)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), entryContext{}, e)))
	})
}

// Admit counts a call against its caller, once it is known who that is. The error is a [*Refusal] that is not on record
// yet; how long to wait is in the answer's headers already. Asking again for the same call changes nothing, and a call
// that came by no [Gateway.Door] has no limits.
func (g *Gateway) Admit(ctx context.Context, s *Snapshot, caller flow.Party) error {
	if err := g.haltedParty(caller); err != nil {
		return err
	}
	e := entryOf(ctx)
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.caller != nil {
		return nil
	}
	if e.full {
		e.retryAfter(0)
		return refuse(RuleBusy, "", nil, "The gateway is busy; try again in a second.")
	}
	limits := s.callerLimits(caller)
	of, _ := g.load.callers.LoadOrStore(callerKey{caller.Agent, caller.Domain}, &callerLoad{})
	c := of.(*callerLoad)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flows >= limits.Flows {
		e.retryAfter(0)
		return refuse(RuleRate, "", nil, "This caller has %d calls open, which is as many as it may.", limits.Flows)
	}
	if wait := c.calls.take(g.now(), limits.Rate); wait > 0 {
		e.retryAfter(wait)
		return refuse(RuleRate, "", nil, "This caller may make %d calls a second.", limits.Rate)
	}
	c.flows++
	e.caller, e.limits = c, limits
	return nil
}

// RetryAfter tells the caller of a call, in the headers of the answer, how long to wait before it comes again.
func (g *Gateway) RetryAfter(ctx context.Context, wait time.Duration) {
	if e := entryOf(ctx); e != nil {
		e.retryAfter(wait)
	}
}

// retryAfter says when to try again, in whole seconds.
func (e *entry) retryAfter(wait time.Duration) {
	e.header.Set("Retry-After", strconv.FormatInt(max(1, int64((wait+time.Second-1)/time.Second)), 10))
}

// Stream makes an open stream of a call that is none on record, such as one that only holds a connection for others. The
// error is a [*Refusal] that is not on record yet.
func (g *Gateway) Stream(ctx context.Context, s *Snapshot) error {
	lasts(ctx)
	return entryOf(ctx).stream(s)
}

// stream makes an open stream of the call.
func (e *entry) stream(s *Snapshot) error {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.streaming {
		return nil
	}
	most := int64(s.Load.complete().Streams)
	if e.g.load.streams.Add(1) > most {
		e.g.load.streams.Add(-1)
		e.retryAfter(0)
		return refuse(RuleBusy, "", nil, "The gateway has %d streams open, which is as many as it may.", most)
	}
	if c := e.caller; c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.streams >= e.limits.Streams {
			e.g.load.streams.Add(-1)
			e.retryAfter(0)
			return refuse(RuleRate, "", nil, "This caller has %d streams open, which is as many as it may.", e.limits.Streams)
		}
		c.streams++
		c.flows--
	}
	e.g.load.flows.Add(-1)
	e.streaming = true
	return nil
}

// hold waits until the caller may get another event of n bytes. Nothing is read from the agent meanwhile.
func (e *entry) hold(ctx context.Context, n int) error {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	c, limits := e.caller, e.limits
	e.mu.Unlock()
	if c == nil {
		return nil
	}
	c.mu.Lock()
	now := e.g.now()
	wait := max(c.events.overdraw(now, limits.Events, 1), c.bytes.overdraw(now, limits.Bytes, n))
	c.mu.Unlock()
	if wait == 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return BrokenOff(ctx, ctx.Err())
	}
}

// most is the limit of bytes of a message of this call.
func (e *entry) most(limit int) int {
	if e == nil {
		return limit
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.limits.Body > 0 {
		return min(limit, e.limits.Body)
	}
	return limit
}

func (e *entry) end() {
	e.g.hops.leave(e)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reported(e.streaming)
	e.g.load.held.Add(-e.held.Load()) // a stream that broke off holds nothing any more
	if e.streaming {
		e.g.load.streams.Add(-1)
	} else {
		e.g.load.flows.Add(-1)
	}
	if c := e.caller; c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if e.streaming {
			c.streams--
		} else {
			c.flows--
		}
	}
}

// BrokenOff is the refusal for a stream whose next event cannot be read.
func BrokenOff(ctx context.Context, err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](context.Cause(ctx)); ok {
		return r // see [Gateway.While]
	}
	switch {
	case errors.Is(context.Cause(ctx), ErrDraining):
		return refuse(RuleDrained, "", nil, "The gateway is going away; ask again in a moment.")
	case ctx.Err() != nil:
		return refuse(RuleUpstream, "", errors.New("caller went away"), "The caller went away.")
	case errors.Is(err, errIdle):
		return refuse(RuleUpstream, "", err, "The agent sent nothing for too long.")
	}
	return refuse(RuleUpstream, "", errors.New("stream broke off"), "The agent broke off its stream.")
}
