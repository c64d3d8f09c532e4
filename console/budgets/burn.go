package budgets

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

const (
	mostBuckets = 256 // of a series; where there would be more, two become one
	mostSeries  = 512
	mostPlans   = 200         // of a scope
	firstWidth  = time.Second // of a bucket
)

// burn remembers how sums of the ledger grew, in room that does not grow with it. It follows the ledger's entries whenever somebody looks.
type burn struct {
	ledger *budget.Ledger
	begin  func(func(context.Context)) // nil: what is to be read is read before the answer

	mu     sync.Mutex            // guards all below
	busy   bool                  // somebody reads entries
	at     map[int64]int64       // the last entry read of each writer
	read   int64                 // entries
	open   map[budget.ID]charged // charges and leases that may come back
	series map[place]*series
	plans  map[budget.Scope][]plan
	left   bool // there were more series than are kept
	err    error
}

// place is a scope at a block.
type place struct {
	scope budget.Scope
	block int64
}

type charged struct {
	scope  budget.Scope
	blocks budget.Range
	cost   account.Vector
	leased bool // it was paid for by a lease, or is none
}

// plan is what a scope had room for, from a time on.
type plan struct {
	At   time.Time
	Plan *budget.Plan // nil: the quota was taken away
	Caps budget.Caps
}

func newBurn(l *budget.Ledger, begin func(func(context.Context))) *burn {
	return &burn{
		ledger: l, begin: begin, at: map[int64]int64{}, open: map[budget.ID]charged{}, series: map[place]*series{}, plans: map[budget.Scope][]plan{},
	}
}

// patience is how long a page waits for entries that were not read yet.
const patience = 20 * time.Millisecond

// follow reads what was written since the last time, and returns how many entries are still to be read.
func (b *burn) follow(ctx context.Context) (behind int64, err error) {
	heads, err := b.ledger.Heads(ctx)
	if err != nil {
		return 0, err
	}
	b.mu.Lock()
	for _, h := range heads {
		behind += h.Seq - b.at[h.Writer]
	}
	idle := !b.busy
	if behind > 0 && idle {
		b.busy = true
	}
	last := b.err
	b.mu.Unlock()
	if behind == 0 || !idle {
		return behind, last
	}
	done := make(chan struct{})
	work := func(ctx context.Context) {
		defer close(done)
		err := b.catchUp(ctx, heads)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.busy, b.err = false, err
	}
	if b.begin == nil {
		work(ctx)
	} else {
		b.begin(work)
	}
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case <-done:
	case <-wait.C:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	behind = 0
	for _, h := range heads {
		behind += h.Seq - b.at[h.Writer]
	}
	return max(behind, 0), b.err
}

func (b *burn) catchUp(ctx context.Context, heads []budget.Head) error {
	for _, h := range heads {
		b.mu.Lock()
		after := b.at[h.Writer]
		b.mu.Unlock()
		if after >= h.Seq {
			continue
		}
		for e, err := range b.ledger.Entries(ctx, budget.Query{Writer: h.Writer, After: after}) {
			if err != nil {
				return err
			}
			b.mu.Lock()
			b.take(&e)
			b.at[h.Writer] = e.Seq
			b.read++
			b.mu.Unlock()
		}
	}
	return nil
}

// take does again what an entry records.
func (b *burn) take(e *budget.Entry) {
	switch e.Kind {
	case budget.Declared, budget.Quota:
		all := append(b.plans[e.Scope], plan{e.At, e.Plan, e.Caps})
		b.plans[e.Scope] = all[max(0, len(all)-mostPlans):]
	case budget.Reserved, budget.Leased:
		c := charged{e.Scope, e.Blocks, e.Cost, e.Lease != budget.ID{}}
		b.open[e.ID] = c
		if !c.leased {
			b.charge(e.At, c, max(e.Count, 1))
		}
	case budget.Committed:
		delete(b.open, e.ID)
	case budget.Released:
		if c, ok := b.open[e.ID]; ok {
			delete(b.open, e.ID)
			if !c.leased {
				b.charge(e.At, c, -1)
			}
		}
	case budget.Returned:
		if c, ok := b.open[e.ID]; ok {
			b.charge(e.At, c, -e.Count)
		}
	}
}

func (b *burn) charge(at time.Time, c charged, n int64) {
	for _, s := range above(c.scope) {
		for block := c.blocks.From; block < max(c.blocks.To, c.blocks.From+1); block++ {
			k := place{s, block}
			one := b.series[k]
			if one == nil {
				if len(b.series) >= mostSeries {
					b.left = true
					continue
				}
				one = &series{width: firstWidth}
				b.series[k] = one
			}
			one.add(at, c.cost, n)
		}
	}
}

// above returns the scopes that a charge to s is charged to.
func above(s budget.Scope) []budget.Scope {
	all := []budget.Scope{{Dataset: s.Dataset}}
	if s.Domain == "" {
		return all
	}
	all = append(all, budget.Scope{Dataset: s.Dataset, Domain: s.Domain})
	if s.Contract != "" {
		all = append(all, budget.Scope{Dataset: s.Dataset, Domain: s.Domain, Contract: s.Contract})
	}
	if s.Workflow != "" {
		all = append(all, budget.Scope{Dataset: s.Dataset, Domain: s.Domain, Workflow: s.Workflow})
	}
	if s.Agent != "" {
		all = append(all, budget.Scope{Dataset: s.Dataset, Domain: s.Domain, Workflow: s.Workflow, Agent: s.Agent})
	}
	return all
}

// series is how the sums at one place grew: what was added in each span of time. Spans grow so that there are few.
type series struct {
	width   time.Duration
	buckets []bucket // by time; those of nothing are left out
}

type bucket struct {
	at  int64 // times the width, since 1970
	sum sum
	n   int64 // charges, less those that came back
}

func (s *series) add(at time.Time, cost account.Vector, n int64) {
	k := at.UnixNano() / int64(s.width)
	i, ok := slices.BinarySearchFunc(s.buckets, k, func(b bucket, k int64) int { return cmp.Compare(b.at, k) })
	if !ok {
		s.buckets = slices.Insert(s.buckets, i, bucket{at: k})
	}
	s.buckets[i].sum.add(cost, n)
	s.buckets[i].n += n
	for len(s.buckets) > mostBuckets {
		s.halve()
	}
}

func (s *series) halve() {
	s.width *= 2
	out := s.buckets[:0]
	for _, b := range s.buckets {
		b.at /= 2
		if len(out) > 0 && out[len(out)-1].at == b.at {
			out[len(out)-1].sum.plus(&b.sum)
			out[len(out)-1].n += b.n
			continue
		}
		out = append(out, b)
	}
	s.buckets = out
}

// sum is a sum of cost vectors from which one can be taken away: what is without bound is counted beside it.
type sum struct{ finite, infinite [11]int64 }

func parts(v account.Vector) [11]int64 {
	return [11]int64{v.Epsilon, v.Delta, v.Rho, v.RDP[0], v.RDP[1], v.RDP[2], v.RDP[3], v.RDP[4], v.RDP[5], v.Mu2, v.Slack}
}

func (s *sum) add(v account.Vector, n int64) {
	for i, x := range parts(v) {
		if x == account.Infinite {
			s.infinite[i] += n
			continue
		}
		s.finite[i] += x * n
	}
}

func (s *sum) plus(o *sum) {
	for i := range s.finite {
		s.finite[i] += o.finite[i]
		s.infinite[i] += o.infinite[i]
	}
}

func (s *sum) vector() account.Vector {
	c := s.finite
	for i := range c {
		if c[i] = max(c[i], 0); s.infinite[i] > 0 {
			c[i] = account.Infinite
		}
	}
	return account.Vector{Epsilon: c[0], Delta: c[1], Rho: c[2], RDP: [6]int64(c[3:9]), Mu2: c[9], Slack: c[10]}
}

// Point is where a budget or a quota stood at a time.
type Point struct {
	At      time.Time `json:"at"`
	Left    float64   `json:"left_epsilon"` // by the filter that had most room
	Plan    float64   `json:"plan_epsilon"`
	Delta   float64   `json:"delta"` // of the plan
	Charges int64     `json:"charges"`
	Replan  bool      `json:"replan,omitempty"` // another plan came into force
}

// points are the steps of a place, the oldest first. Without a plan there is nothing that could be left.
func (b *burn) points(scope budget.Scope, block int64, now time.Time) []Point {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []Point{}
	plans := b.plans[scope]
	if len(plans) == 0 {
		return out
	}
	var buckets []bucket
	width := firstWidth
	if s := b.series[place{scope, block}]; s != nil {
		buckets, width = s.buckets, s.width
	}
	var have sum
	var n int64
	tell := func(at time.Time, p plan, replan bool) {
		if p.Plan == nil {
			return
		}
		st := budget.Standing{Scope: scope, Plan: p.Plan, Caps: p.Caps, Spent: have.vector()}
		st.Fits = p.Plan.Fits(p.Caps, st.Spent)
		e := float64(p.Plan.Epsilon) / 1e9
		out = append(out, Point{At: at.UTC(), Left: st.Left() * e, Plan: e, Delta: float64(p.Plan.Delta) / 1e15, Charges: n, Replan: replan})
	}
	next, at := 0, plan{}
	for _, one := range buckets {
		end := time.Unix(0, (one.at+1)*int64(width))
		for ; next < len(plans) && plans[next].At.Before(end); next++ {
			at = plans[next]
			tell(at.At, at, next > 0)
		}
		have.plus(&one.sum)
		n += one.n
		if end.After(now) {
			end = now
		}
		tell(end, at, false)
	}
	for ; next < len(plans); next++ {
		tell(plans[next].At, plans[next], next > 0)
	}
	return out
}

// rate is what was charged at a place since a time, less what came back, and over how long that was.
func (b *burn) rate(scope budget.Scope, block int64, since, now time.Time) (n int64, total account.Vector, over time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.series[place{scope, block}]
	over = now.Sub(since)
	if s == nil {
		return 0, total, over
	}
	var have sum
	for _, one := range s.buckets {
		end, begin := time.Unix(0, (one.at+1)*int64(s.width)), time.Unix(0, one.at*int64(s.width))
		if end.Before(since) {
			continue
		}
		over = max(over, now.Sub(begin)) // a span that began before is counted as a whole
		have.plus(&one.sum)
		n += one.n
	}
	return max(n, 0), have.vector(), over
}

// forecast tells when a budget is used up at the rate of a time until now.
func (b *burn) forecast(st budget.Standing, since, now time.Time) api.ForecastView {
	n, total, over := b.rate(st.Scope, st.Block, since, now)
	return api.ForecastOf(st, n, total, over, now)
}
