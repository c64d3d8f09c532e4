package gateway

import (
	"context"
	"crypto/sha256"
	stdjson "encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/hop"
	"github.com/scrimhq/scrim/store"
)

// hopMemory is what is remembered of hops. All of it is in the store, too; the store belongs to this process alone.
type hopMemory struct {
	refused strangers // statements that were not believed
	generic atomic.Pointer[generic]

	mu     sync.Mutex
	seen   map[[32]byte]seenAt // by digest of issuer and id of a statement
	seenBy map[flow.DomainID]int
	skew   time.Duration // the largest there was
	floor  time.Time     // what ended before is not taken in, whatever is remembered
	next   int64         // when it pays to look for those
	trail  map[trailKey]*trail
	byDom  map[flow.DomainID]int       // how many trails each domain brought about
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

// trail is under what limits an agent was called: its further calls in the same trace keep within them.
type trail struct {
	Hop         int                           `json:"hop"`
	Parent      flow.ID                       `json:"parent"` // the flow by which it was called
	From        flow.DomainID                 `json:"from"`
	Purpose     flow.Purpose                  `json:"purpose"`
	Criticality flow.Criticality              `json:"criticality"`
	Levels      map[flow.Label]flow.Treatment `json:"levels,omitempty"`
	Retain      time.Duration                 `json:"retain"`
	Several     bool                          `json:"several,omitempty"` // for more than one purpose: it has none

	expires int64
}

func (t *trail) limits() hop.Limits { return hop.Limits{Levels: t.Levels, Retain: t.Retain} }

// Bounds of what is remembered. What does not fit is refused: to forget would open.
const (
	maxHopsSeen   = 1 << 19
	maxHopsSeenBy = 1 << 18 // of one domain: some 7,000 calls a second
	maxTrails     = 1 << 16 // of each domain
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
	if st.Expires.Before(m.floor) {
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
	m.seen, m.seenBy, m.trail, m.open, m.byDom = map[[32]byte]seenAt{}, map[flow.DomainID]int{}, map[trailKey]*trail{}, map[trailKey]map[*entry]int{}, map[flow.DomainID]int{}
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

func (g *Gateway) loadTrails(tx store.Tx, now int64) error {
	rows, err := tx.Query("SELECT trace, agent, sealed, expires FROM gateway_hops WHERE expires >= ?", now)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k trailKey
		var sealed []byte
		t := new(trail)
		if err := rows.Scan(&k.trace, &k.agent, &sealed, &t.expires); err != nil {
			return err
		}
		plain, err := g.sealHops.Open(sealed, k.ad())
		if err != nil {
			return err
		}
		if err := stdjson.Unmarshal(plain, t); err != nil {
			return err
		}
		g.hops.trail[k] = t
		g.hops.byDom[t.From]++
	}
	return rows.Err()
}

func (k trailKey) ad() []byte { return []byte(string(k.trace) + "\x00" + string(k.agent)) }

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
	} else if of := g.hops.of(f.Trace, f.From.Agent, g.now()); of != nil && f.From.Domain == m.Snapshot.Domain {
		next := *of // an agent of the domain asks another of the domain for its part
		next.Parent, t = f.ID, &next
	}
	if t == nil || f.Trace == "" || f.To.Domain != m.Snapshot.Domain {
		return keep, nil
	}
	k := trailKey{f.Trace, f.To.Agent}
	if t, err = g.hops.join(k, t, m.Snapshot.Taxonomy); err != nil {
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

func (g *Gateway) writeTrail(tx store.Tx, k trailKey, t *trail) error {
	plain, err := stdjson.Marshal(t)
	if err != nil {
		return err
	}
	sealed, err := g.sealHops.Seal(plain, k.ad())
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO gateway_hops (trace, agent, sealed, expires) VALUES (?, ?, ?, ?)
		ON CONFLICT (trace, agent) DO UPDATE SET sealed = excluded.sealed, expires = excluded.expires`,
		string(k.trace), string(k.agent), sealed, t.expires)
	return err
}

// join adds a trail to what is known of the same agent and trace, and returns both: of several calls the narrowest of each
// holds. It is remembered before it is durable, since what is only remembered narrows, and the next to write must not miss it.
func (m *hopMemory) join(k trailKey, t *trail, tax *flow.Taxonomy) (*trail, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.trail[k]; old != nil {
		var fits bool
		if t, fits = old.meet(t, tax); !fits {
			return nil, refuse(RuleExhausted, "", errHopLabels, "The calls of this trace bound more labels than a gateway remembers; begin another trace.")
		}
	} else {
		if m.byDom[t.From] >= maxTrails {
			return nil, refuse(RuleExhausted, "", errHopMany, "This domain has as many traces open as it may.")
		}
		m.byDom[t.From]++
	}
	m.trail[k] = t
	return t, nil
}

// meet is false where no limits of a bounded size let through as little as both: whoever sends could make them grow with each call.
func (t *trail) meet(o *trail, tax *flow.Taxonomy) (*trail, bool) {
	l, ok := t.limits().Meet(o.limits(), tax).Within(hop.MaxLevels, tax)
	if !ok {
		return nil, false
	}
	out := &trail{
		Hop: max(t.Hop, o.Hop), Parent: o.Parent, From: t.From, Purpose: o.Purpose, Criticality: min(t.Criticality, o.Criticality),
		Levels: l.Levels, Retain: l.Retain, Several: t.Several || o.Several || t.Purpose != o.Purpose, expires: max(t.expires, o.expires),
	}
	if out.Several {
		out.Purpose = ""
	}
	return out, true
}

// of returns the trail that a call of an agent continues; nil if it begins one.
func (m *hopMemory) of(trace flow.TraceID, agent flow.AgentID, now time.Time) *trail {
	if trace == "" {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.trail[trailKey{trace, agent}]
	if t == nil || t.expires < now.Unix() {
		return nil
	}
	return t
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
			if m.byDom[t.From]--; m.byDom[t.From] <= 0 {
				delete(m.byDom, t.From)
			}
		}
	}
	return err
}
