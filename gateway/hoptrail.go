package gateway

import (
	"cmp"
	"context"
	"database/sql"
	stdjson "encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/hop"
	"github.com/scrimhq/scrim/store"
)

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
	used    int64 // when it was last written
}

func (t *trail) limits() hop.Limits { return hop.Limits{Levels: t.Levels, Retain: t.Retain} }

// Each call from another domain leaves a trail, for as long as a task may go on, so that there are more of them than memory
// holds: it has those that were written or asked for last, and the store has all.
const (
	maxTrails  = 1 << 14
	mostTrails = 1 << 16          // where none of them may leave memory yet
	freshTrail = 30 * time.Second // for which one stays in memory, so that it is durable by then
)

func (g *Gateway) loadTrails(tx store.Tx, now int64) error {
	rows, err := tx.Query("SELECT trace, agent, sealed, expires FROM gateway_hops WHERE expires >= ? ORDER BY expires DESC LIMIT ?", now, maxTrails+1)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k trailKey
		var sealed []byte
		var expires int64
		if err := rows.Scan(&k.trace, &k.agent, &sealed, &expires); err != nil {
			return err
		}
		if len(g.hops.trail) == maxTrails {
			g.hops.more = true
			break
		}
		if g.hops.trail[k], err = g.openTrail(k, sealed, expires); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (g *Gateway) openTrail(k trailKey, sealed []byte, expires int64) (*trail, error) {
	plain, err := g.sealHops.Open(sealed, k.ad())
	if err != nil {
		return nil, err
	}
	t := &trail{expires: expires}
	return t, stdjson.Unmarshal(plain, t)
}

func (k trailKey) ad() []byte { return []byte(string(k.trace) + "\x00" + string(k.agent)) }

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

// trailOf returns the trail that a call of an agent continues; nil if it begins one. Where that cannot be found out it is one
// that lets nothing through.
func (g *Gateway) trailOf(s *Snapshot, trace flow.TraceID, agent flow.AgentID) *trail {
	k := trailKey{trace, agent}
	t, known := g.hops.of(k, g.now())
	if known {
		return t
	}
	err := g.db.View(context.Background(), func(tx store.Tx) (err error) {
		t, err = g.storedTrail(tx, k)
		return err
	})
	if err != nil {
		g.Fault(err)
		return shutTrail(s.Taxonomy)
	}
	g.hops.found(k, t, g.now())
	return t
}

// trailIn is the trail of an agent and trace as a transaction sees it; nil if there is none.
func (g *Gateway) trailIn(tx store.Tx, k trailKey) (*trail, error) {
	if t, known := g.hops.of(k, g.now()); known {
		return t, nil
	}
	return g.storedTrail(tx, k)
}

func (g *Gateway) storedTrail(tx store.Tx, k trailKey) (*trail, error) {
	var sealed []byte
	var expires int64
	err := tx.QueryRow("SELECT sealed, expires FROM gateway_hops WHERE trace = ? AND agent = ? AND expires >= ?", string(k.trace), string(k.agent), g.now().Unix()).Scan(&sealed, &expires)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return g.openTrail(k, sealed, expires)
}

// shutTrail lets nothing through.
func shutTrail(tax *flow.Taxonomy) *trail {
	t := &trail{Several: true, Levels: map[flow.Label]flow.Treatment{}}
	for _, c := range tax.All() {
		t.Levels[c.Label] = flow.Treatment{}
	}
	return t
}

// of returns what memory knows of a trail. It is not known where the store may have it.
func (m *hopMemory) of(k trailKey, now time.Time) (t *trail, known bool) {
	if k.trace == "" {
		return nil, true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t = m.trail[k]
	switch {
	case t == nil:
		return nil, !m.more
	case t.expires < now.Unix():
		return nil, true
	}
	return t, true
}

// found remembers a trail that the store had, unless a newer one came meanwhile.
func (m *hopMemory) found(k trailKey, t *trail, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t == nil || m.trail[k] != nil || !m.room(now) {
		return
	}
	m.trail[k] = t
}

// join adds a trail to what is known of the same agent and trace, which is old where memory has none, and returns both: of
// several calls the narrowest of each holds. It is remembered before it is durable, since what is only remembered narrows, and
// the next to write must not miss it.
func (m *hopMemory) join(k trailKey, old, t *trail, tax *flow.Taxonomy, now time.Time) (*trail, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if newer := m.trail[k]; newer != nil {
		old = newer
	} else if !m.room(now) {
		return nil, refuse(RuleBusy, "", errHopMany, "The gateway is busy; try again in a second.")
	}
	if old != nil {
		var fits bool
		if t, fits = old.meet(t, tax); !fits {
			return nil, refuse(RuleExhausted, "", errHopLabels, "The calls of this trace bound more labels than a gateway remembers; begin another trace.")
		}
	}
	t.used = now.Unix()
	m.trail[k] = t
	return t, nil
}

// room makes some for another trail: those that were written longest ago leave memory, an eighth of them at a time. The caller
// holds the lock.
func (m *hopMemory) room(now time.Time) bool {
	if len(m.trail) < maxTrails {
		return true
	}
	if now.Unix() >= m.tidy {
		var old []trailKey
		for k, t := range m.trail {
			if t.used < now.Add(-freshTrail).Unix() {
				old = append(old, k)
			}
		}
		slices.SortFunc(old, func(a, b trailKey) int { return cmp.Compare(m.trail[a].used, m.trail[b].used) })
		old = old[:min(len(old), len(m.trail)-maxTrails*7/8)]
		for _, k := range old {
			delete(m.trail, k)
			m.more = true
		}
		if len(old) < maxTrails/64 { // too little for the work
			m.tidy = now.Unix() + 1
		}
	}
	return len(m.trail) < mostTrails
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
