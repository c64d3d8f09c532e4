package a2a

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/egress"
	"github.com/scrimhq/scrim/gateway/wire"
)

const extensionURI = card.PrivacyExtension

// Pushes relays push notifications: agents post them to an address of the gateway, and they are delivered to the
// caller's, changed for its eyes. It is safe for concurrent use. Mount it at [PushPath], and run it.
type Pushes struct {
	Gateway *gateway.Gateway
	URL     string           // base of the addresses that agents are given; "": as for cards
	Keep    time.Duration    // how long one is tried to be delivered; 24 h
	Tries   int              // at most; 12
	Queue   int              // how many wait at most; 10,000
	First   time.Duration    // between the first try and the second, doubled each time; 1 s
	Clock   func() time.Time // nil: time.Now

	mu        sync.Mutex // guards the fields below
	receivers map[gateway.PushID]*receiver
	waiting   map[gateway.PushID][]gateway.Notification // in order, without what they say
	busy      map[gateway.PushID]bool
	count     int
	seq       int64
	wake      chan struct{}

	snap   *gateway.Snapshot // that sender was made for
	sender *http.Client
}

// Bounds of delivery.
const (
	maxPerPush   = 512 // notifications of one config that wait
	maxReceivers = 20_000
	maxBackoff   = 10 * time.Minute
	deliverers   = 8
	frozenWait   = 2 * time.Second // between two looks whether it may go out again
)

func (p *Pushes) now() time.Time {
	if p.Clock != nil {
		return p.Clock()
	}
	return time.Now()
}

func (p *Pushes) keep() time.Duration {
	if p.Keep > 0 {
		return p.Keep
	}
	return 24 * time.Hour
}

// Load reads what waited when the process ended. It is to be called once, before anything is served.
func (p *Pushes) Load(ctx context.Context) error {
	all, err := p.Gateway.Notifications(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.receivers, p.busy = map[gateway.PushID]*receiver{}, map[gateway.PushID]bool{}
	p.waiting, p.count, p.seq, p.wake = map[gateway.PushID][]gateway.Notification{}, len(all), 0, make(chan struct{}, 1)
	for _, n := range all {
		p.waiting[n.Push] = append(p.waiting[n.Push], n)
		p.seq = max(p.seq, n.Seq)
	}
	return nil
}

// receiver returns what is known of a config's notifications. Those that were used least lately are forgotten first.
func (p *Pushes) receiver(id gateway.PushID, l *dialect) *receiver {
	p.mu.Lock()
	defer p.mu.Unlock()
	rc := p.receivers[id]
	if rc == nil {
		if len(p.receivers) >= maxReceivers {
			for old, r := range p.receivers { // a few at random, for a queue would have to be kept
				if p.now().Sub(r.used) > time.Minute || len(p.receivers) >= 2*maxReceivers {
					delete(p.receivers, old)
				}
			}
		}
		rc = &receiver{reader: l}
		rc.reset()
		p.receivers[id] = rc
	}
	rc.used = p.now()
	return rc
}

// room reports whether another notification may wait.
func (p *Pushes) room(id gateway.PushID) bool {
	most := p.Queue
	if most <= 0 {
		most = 10_000
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count < most && len(p.waiting[id]) < maxPerPush
}

// Waiting is how many notifications wait to be delivered.
func (p *Pushes) Waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *Pushes) next() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq++
	return p.seq
}

// queued notes that a notification waits.
func (p *Pushes) queued(n gateway.Notification) {
	n.Body = nil
	p.mu.Lock()
	p.waiting[n.Push] = append(p.waiting[n.Push], n)
	p.count++
	p.mu.Unlock()
	p.nudge()
}

func (p *Pushes) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// forget drops a config and all that waits for it.
func (p *Pushes) forget(ctx context.Context, id gateway.PushID) {
	if err := p.Gateway.DropPush(context.WithoutCancel(ctx), id); err != nil {
		p.Gateway.Fault(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count -= len(p.waiting[id])
	delete(p.waiting, id)
	delete(p.receivers, id)
}

// Run delivers what waits until ctx is done, and returns when nothing is under way any more. What was not delivered
// waits for the next run.
func (p *Pushes) Run(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, deliverers)
	for {
		due, wait := p.due(cap(slots) - len(slots))
		for _, n := range due {
			slots <- struct{}{}
			wg.Go(func() {
				p.deliver(ctx, n)
				<-slots
				p.nudge()
			})
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			wg.Wait()
			return
		case <-p.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// due takes at most so many notifications whose time has come, the first of their config, and says when to look again.
func (p *Pushes) due(most int) (all []gateway.Notification, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	wait = time.Minute
	for id, list := range p.waiting {
		if len(list) == 0 || p.busy[id] {
			continue
		}
		if in := list[0].Due.Sub(now); in > 0 {
			wait = min(wait, in)
			continue
		}
		if len(all) < most {
			p.busy[id] = true
			all = append(all, list[0])
		}
	}
	return all, max(wait, time.Millisecond)
}

// deliver makes one try.
func (p *Pushes) deliver(ctx context.Context, n gateway.Notification) {
	done := true
	defer func() { p.tried(n, done) }()
	there, err := p.Gateway.ReadNotification(ctx, &n)
	if err != nil {
		done = false
		n.Due = p.now().Add(p.backoff(n.Tries))
		return
	}
	push, err := p.Gateway.Push(ctx, n.Push)
	if err != nil {
		done = false
		n.Due = p.now().Add(p.backoff(n.Tries))
		return
	}
	s := p.Gateway.Snapshot()
	var f flow.Flow
	var agent *gateway.Agent
	var authority *gateway.Authority
	known := false
	if push != nil {
		f, agent, authority, known = p.flow(s, push)
	}
	if !there || !known {
		p.drop(ctx, n.Seq)
		return
	}
	if p.Gateway.Halted(&f) != nil && p.now().Before(n.Until) { // it waits for as long as it would for its caller
		done = false
		n.Due = p.now().Add(frozenWait)
		return
	}
	if pins := p.Gateway.Pins(s, authority, f); pins != n.Pins {
		n.Body, err = p.again(ctx, s, push, f, agent, authority, n.Body)
	}
	if err == nil {
		err = p.post(ctx, s, push, &n)
	}
	switch ref, refused := errors.AsType[*gateway.Refusal](err); {
	case err == nil, refused && ref.Rule != gateway.RuleRecord && ref.Rule != gateway.RuleInternal && ctx.Err() == nil:
		p.drop(ctx, n.Seq) // delivered, or refused on record
	case ctx.Err() != nil:
		done = false
	case errors.Is(err, errGone):
		p.Gateway.Refused(ctx, s, f, gateway.Refuse(gateway.RuleUpstream, err, "The caller's address takes no more notifications."))
		p.forget(ctx, push.ID())
	case errors.Is(err, egress.ErrAddress), errors.Is(err, egress.ErrURL), p.last(&n):
		p.Gateway.Refused(ctx, s, f, gateway.Refuse(gateway.RuleUpstream, err, "A notification could not be delivered and was dropped."))
		p.drop(ctx, n.Seq)
	default:
		done = false
		n.Tries++
		n.Due = p.now().Add(p.backoff(n.Tries))
		if err := p.Gateway.PostponeNotification(context.WithoutCancel(ctx), &n); err != nil {
			p.Gateway.Fault(err)
		}
	}
}

func (p *Pushes) drop(ctx context.Context, seq int64) {
	if err := p.Gateway.DropNotification(context.WithoutCancel(ctx), seq); err != nil {
		p.Gateway.Fault(err) // it is delivered again after a restart, under the same key
	}
}

// tried takes a notification out of the line, or puts it back at its head.
func (p *Pushes) tried(n gateway.Notification, done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.busy, n.Push)
	list := p.waiting[n.Push]
	if len(list) == 0 || list[0].Seq != n.Seq {
		return // the config was dropped meanwhile
	}
	if !done {
		n.Body = nil
		list[0] = n
		return
	}
	p.count--
	if p.waiting[n.Push] = list[1:]; len(list) == 1 {
		delete(p.waiting, n.Push)
	}
}

// last reports whether the try that failed was the last.
func (p *Pushes) last(n *gateway.Notification) bool {
	most := p.Tries
	if most <= 0 {
		most = 12
	}
	return n.Tries+1 >= most || !p.now().Before(n.Until)
}

// backoff doubles from try to try, and is spread so that many do not come at once.
func (p *Pushes) backoff(tries int) time.Duration {
	d := p.First
	if d <= 0 {
		d = time.Second
	}
	d = min(d<<min(tries, 16), maxBackoff)
	return d/2 + rand.N(d/2+1)
}

// again decides a notification anew that was decided by another configuration: the caller is shown no more than it was to
// be, and no more than terms now allow.
func (p *Pushes) again(ctx context.Context, s *gateway.Snapshot, push *gateway.Push, f flow.Flow, agent *gateway.Agent, a *gateway.Authority, body []byte) ([]byte, error) {
	m := p.message(s, push, f, agent, a, wire.AppendSuccess(nil, foreignCallID, body))
	m.Again, m.Outcome = true, flow.Replayed
	passed, err := p.Gateway.Pass(ctx, m)
	if err != nil {
		return nil, err
	}
	return resultOf(passed.Body)
}

var (
	errGone   = errors.New("the caller's address is gone")
	errStatus = errors.New("the caller's address answered with an error")
)

// post sends a notification to the caller's address.
func (p *Pushes) post(ctx context.Context, s *gateway.Snapshot, push *gateway.Push, n *gateway.Notification) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, push.URL, bytes.NewReader(n.Body))
	if err != nil {
		return egress.ErrURL
	}
	h := req.Header
	h.Set("Content-Type", "application/a2a+json")
	if push.Version != wire.A2A10 {
		h.Set("Content-Type", "application/json")
	}
	h.Set("A2A-Version", push.Version)
	h.Set("User-Agent", "scrim")
	h.Set("Idempotency-Key", n.ID)
	h.Set(gateway.HeaderHops, n.Hops)
	if push.Token != "" {
		h.Set("X-A2A-Notification-Token", push.Token)
		h.Set("A2A-Notification-Token", push.Token)
	}
	if push.Credentials != "" {
		switch strings.ToLower(push.Scheme) {
		case "bearer":
			h.Set("Authorization", "Bearer "+push.Credentials)
		case "basic":
			h.Set("Authorization", "Basic "+push.Credentials)
		case "apikey":
			h.Set("X-API-Key", push.Credentials)
		}
	}
	res, err := p.http(s).Do(req)
	if err != nil {
		for _, known := range []error{egress.ErrAddress, egress.ErrURL} {
			if errors.Is(err, known) {
				return known
			}
		}
		return errors.New("the caller's address cannot be reached") // the client's own error repeats it
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusGone:
		return errGone
	}
	return errStatus
}

// http is the client for a configuration.
func (p *Pushes) http(s *gateway.Snapshot) *http.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.snap != s {
		if p.sender != nil {
			p.sender.CloseIdleConnections()
		}
		p.snap, p.sender = s, egress.Client(s.Egress)
	}
	return p.sender
}
