package trace

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// An agent may use whatever it was given. What happens within it nobody sees, so that a column that it sends counts as made,
// perhaps, of those of the same label that it was given before.

// holder is an agent and a label.
type holder struct {
	agent  flow.AgentID
	domain flow.DomainID
	label  flow.Label
}

// holderOf names a holder so that every database takes it: an agent of another domain is called as that domain likes.
func holderOf(p flow.Party, l flow.Label) holder {
	return holder{flow.AgentID(clean(string(p.Agent))), flow.DomainID(clean(string(p.Domain))), l}
}

// mostHeld is how many columns of a label an agent is known to hold. There are few: one for each place of a schema.
const mostHeld = 32

// holding is what follows from trace_held, in memory.
type holding struct {
	mu     sync.Mutex
	first  map[holder]map[lineage.Column]int64 // entry that gave it first; some may not be in the store yet
	stored map[held]bool                       // are
}

// telling reports whether a label says enough that two columns of it belong together. Text without a class does not.
func telling(l flow.Label) bool {
	return l != flow.Unlabelled && l != flow.PublicData && !strings.HasPrefix(string(l), "text/") && l != ""
}

// load reads what is held of a label.
func (h *holding) load(tx store.Tx, k holder) (err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.first[k] != nil {
		return nil
	}
	rows, err := tx.Query(`SELECT namespace, name, field, seq FROM trace_held WHERE agent = ? AND domain = ? AND label = ?`, string(k.agent), string(k.domain), string(k.label))
	if err != nil {
		return fmt.Errorf("reading what an agent was given: %w", err)
	}
	defer rows.Close() //nolint:errcheck // what it would say is said by Err
	all := map[lineage.Column]int64{}
	for rows.Next() {
		var c lineage.Column
		var seq int64
		if err := rows.Scan(&c.Dataset.Namespace, &c.Dataset.Name, &c.Field, &seq); err != nil {
			return fmt.Errorf("reading what an agent was given: %w", err)
		}
		all[c] = seq
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading what an agent was given: %w", err)
	}
	if h.first == nil {
		h.first = map[holder]map[lineage.Column]int64{}
	}
	h.first[k] = all
	return nil
}

// holds returns, for each label of what is sent, what the sender was given of it before an entry. The answer is the same whenever it
// is asked for.
func (t *Tracer) holds(ctx context.Context, f *flow.Flow, m *made, before int64) (func(flow.Label) []lineage.Column, error) {
	if f.Protocol == protocolTable || f.From.Agent == "" {
		return nil, nil
	}
	found := map[flow.Label][]lineage.Column{}
	for i := range m.leaves {
		l := &m.leaves[i]
		if _, had := found[l.label]; had || l.own || !telling(l.label) {
			continue
		}
		k := holderOf(f.From, l.label)
		all, err := t.heldBy(ctx, k)
		if err != nil {
			return nil, err
		}
		found[l.label] = []lineage.Column{}
		for c, seq := range all {
			if seq < before {
				found[l.label] = append(found[l.label], c)
			}
		}
		sortColumns(found[l.label])
	}
	return func(l flow.Label) []lineage.Column { return found[l] }, nil
}

func (t *Tracer) heldBy(ctx context.Context, k holder) (map[lineage.Column]int64, error) {
	if all := t.held.of(k); all != nil {
		return all, nil
	}
	if err := t.opt.DB.View(ctx, func(tx store.Tx) error { return t.held.load(tx, k) }); err != nil {
		return nil, err
	}
	return t.held.of(k), nil
}

// of returns what is known to be held; nil where that was not read yet.
func (h *holding) of(k holder) map[lineage.Column]int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.first[k])
}

// forget bounds the memory. Nothing may be on its way into the store.
func (h *holding) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.first) > 1<<14 {
		h.first, h.stored = nil, nil
	}
}

// given remembers what the recipient of a row was given, so that the rows after it know.
func (t *Tracer) given(ctx context.Context, row *Traced) error {
	to := row.ev.Flow.To
	for _, g := range row.told {
		if to.Agent == "" || !telling(g.label) {
			continue
		}
		k := holderOf(to, g.label)
		if _, err := t.heldBy(ctx, k); err != nil {
			return err
		}
		t.held.mu.Lock()
		if all := t.held.first[k]; all != nil && len(all) < mostHeld {
			if _, there := all[g.column]; !there {
				all[g.column] = row.Seq
			}
		}
		t.held.mu.Unlock()
	}
	return nil
}

// held is a column that somebody holds.
type held struct {
	holder
	lineage.Column
}

// gave keeps what the recipient of a row was given first by it, in the transaction of the cursor.
func (t *Tracer) gave(tx store.Tx, row *Traced) (kept []held, err error) {
	for _, g := range row.told {
		one := held{holderOf(row.ev.Flow.To, g.label), g.column}
		t.held.mu.Lock()
		seq, there := t.held.first[one.holder][one.Column]
		done := t.held.stored[one]
		t.held.mu.Unlock()
		if !there || done || seq != row.Seq {
			continue
		}
		if _, err := tx.Exec(`INSERT INTO trace_held (agent, domain, label, namespace, name, field, seq) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (agent, domain, label, namespace, name, field) DO NOTHING`,
			string(one.agent), string(one.domain), string(one.label), one.Dataset.Namespace, one.Dataset.Name, one.Field, seq); err != nil {
			return nil, fmt.Errorf("keeping what an agent was given: %w", err)
		}
		kept = append(kept, one)
	}
	return kept, nil
}

// keep takes note that these are in the store.
func (h *holding) keep(all []held) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stored == nil {
		h.stored = map[held]bool{}
	}
	for _, one := range all {
		h.stored[one] = true
	}
}
