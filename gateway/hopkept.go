package gateway

import (
	"context"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/hop"
	"github.com/scrimhq/scrim/store"
)

// hopMemory is what is remembered of hops. All of it is in the store, too, and of trails the store may have more; it belongs to
// this process alone.
type hopMemory struct {
	refused strangers // statements that were not believed
	generic atomic.Pointer[generic]

	mu     sync.Mutex
	seen   map[[32]byte]seenAt // by digest of issuer and id of a statement
	seenBy map[flow.DomainID]int
	skew   time.Duration // the largest there was
	floor  time.Time     // what ended before is not taken in, whatever is remembered
	lost   time.Time     // nor is what was issued by then: see [Options.Lost]
	next   int64         // when it pays to look for those
	trail  map[trailKey]*trail
	more   bool                        // the store may have trails that are not among these
	tidy   int64                       // when it pays to look for some that may leave memory
	open   map[trailKey]map[*entry]int // calls under way: at which hop each agent is called, or calls
}

// seenAt is when a statement may be forgotten, and whose it is; "" if that is not known any more.
type seenAt struct {
	until int64
	by    flow.DomainID
}

type trailKey struct {
	trace flow.TraceID
	agent flow.AgentID
}

// Bounds of what is remembered. What does not fit is refused: to forget would open.
const (
	maxHopsSeen   = 1 << 19
	maxHopsSeenBy = 1 << 18 // of one domain: some 7,000 calls a second
)

func seenKey(st *hop.Statement) [32]byte {
	return sha256.Sum256(append(append([]byte(st.Issuer), 0), st.ID[:]...))
}

// claim takes a statement as seen from now on, until it cannot be taken in any more. The error is a [*Refusal].
func (m *hopMemory) claim(st *hop.Statement, now time.Time, skew time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if skew > m.skew { // what ended by the smaller one may be forgotten, and the larger would let it in again
		m.floor, m.skew = now.Add(-m.skew), skew
	}
	if st.Expires.Before(m.floor) || !m.lost.IsZero() && !st.IssuedAt.After(m.lost) {
		return hopRefusal(errHopAgain)
	}
	if sec := now.Unix(); sec >= m.next {
		for k, at := range m.seen {
			if at.until < sec {
				delete(m.seen, k)
				m.count(at.by, -1)
			}
		}
		m.next = sec + 5
	}
	key := seenKey(st)
	if _, again := m.seen[key]; again {
		return hopRefusal(errHopAgain)
	}
	if len(m.seen) >= maxHopsSeen || m.seenBy[st.Issuer] >= maxHopsSeenBy {
		return refuse(RuleBusy, "", errHopMany, "The gateway is busy; try again in a second.")
	}
	m.seen[key] = seenAt{m.forgetAt(st), st.Issuer}
	m.count(st.Issuer, 1)
	return nil
}

// forgetAt is when a statement need not be remembered any more. The caller holds the lock.
func (m *hopMemory) forgetAt(st *hop.Statement) int64 { return st.Expires.Add(m.skew).Unix() + 2 }

func (m *hopMemory) count(by flow.DomainID, n int) {
	if m.seenBy[by] += n; m.seenBy[by] <= 0 {
		delete(m.seenBy, by)
	}
}

// until is when a statement that was claimed may be forgotten.
func (m *hopMemory) until(st *hop.Statement) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.forgetAt(st)
}

// loadHops reads what was remembered.
func (g *Gateway) loadHops(ctx context.Context) error {
	m := &g.hops
	m.seen, m.seenBy, m.trail, m.open = map[[32]byte]seenAt{}, map[flow.DomainID]int{}, map[trailKey]*trail{}, map[trailKey]map[*entry]int{}
	m.lost = g.lost
	now := g.now().Unix()
	return g.db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT id, expires FROM gateway_hops_seen WHERE expires >= ?", now)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id []byte
			var until int64
			if err := rows.Scan(&id, &until); err != nil {
				return err
			}
			m.seen[[32]byte(id)] = seenAt{until: until}
			m.count("", 1)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return g.loadTrails(tx, now)
	})
}

// keepHop writes, in the transaction that records a call, that its statement was seen, and under what limits the agent is
// called. Keep is to be called when the transaction is durable. The error is a [*Refusal] or the store's.
func (g *Gateway) keepHop(tx store.Tx, m *Message) (keep func(), err error) {
	keep = func() {}
	f := &m.Query.Flow
	if f.Direction != flow.Request {
		return keep, nil
	}
	var t *trail
	if h := m.Authority.carried(); h != nil {
		if keep, err = h.keep(tx, g.hops.until(h.Statement)); err != nil {
			return nil, err
		}
		t = &trail{
			Hop: f.Hop, Parent: f.ID, From: h.Issuer, Purpose: f.Purpose, Criticality: f.Task.Criticality,
			Levels: h.Limits.Levels, Retain: h.Limits.Retain, expires: g.now().Add(g.retention.Tasks).Unix(),
		}
	} else if f.From.Domain == m.Snapshot.Domain {
		of, err := g.trailIn(tx, trailKey{f.Trace, f.From.Agent})
		if err != nil {
			return nil, err
		}
		if of != nil { // an agent of the domain asks another of the domain for its part
			next := *of
			next.Parent, t = f.ID, &next
		}
	}
	if t == nil || f.Trace == "" || f.To.Domain != m.Snapshot.Domain {
		return keep, nil
	}
	k := trailKey{f.Trace, f.To.Agent}
	old, err := g.trailIn(tx, k)
	if err != nil {
		return nil, err
	}
	if t, err = g.hops.join(k, old, t, m.Snapshot.Taxonomy, g.now()); err != nil {
		return nil, err
	}
	return keep, g.writeTrail(tx, k, t)
}

// keep writes that a statement was seen.
func (h *carried) keep(tx store.Tx, until int64) (kept func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.kept {
		key := seenKey(h.Statement)
		if _, err := tx.Exec("INSERT INTO gateway_hops_seen (id, expires) VALUES (?, ?)", key[:], until); err != nil {
			return nil, err
		}
	}
	return func() {
		h.mu.Lock()
		h.kept = true
		h.mu.Unlock()
	}, nil
}

func (g *Gateway) sweepHops(ctx context.Context) error {
	now := g.now().Unix()
	err := g.update(ctx, func(tx store.Tx) error {
		if _, err := tx.Exec("DELETE FROM gateway_hops_seen WHERE expires < ?", now); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM gateway_hops WHERE expires < ?", now)
		return err
	})
	m := &g.hops
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, t := range m.trail {
		if t.expires < now {
			delete(m.trail, k)
		}
	}
	return err
}
