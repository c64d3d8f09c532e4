package run

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	door "github.com/scrimhq/scrim/gateway/lineage"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// carried is what of the lineage graph is in force.
type carried struct {
	base  *gateway.Snapshot // the snapshot in force, without what columns carry
	turn  int64             // of the graph
	force string            // what columns carry, in words
}

// tellers is the door at which other tools tell where data comes from.
func (r *Gateway) tellers() *door.Door {
	return &door.Door{
		Gateway: r.Gateway, DB: r.DB, Journal: r.Log, Graph: r.Lineage, Changed: r.carry,
		Rules: func() door.Rules {
			c := r.Config()
			return door.Rules{Namespaces: c.LineageReporters(), Bytes: int(c.Lineage.Body)}
		},
	}
}

// labelled returns a snapshot with the labels that columns of a configuration carry by what the graph knows now.
func (st *State) labelled(ctx context.Context, c *config.Config, base *gateway.Snapshot) (*gateway.Snapshot, carried, error) {
	now := carried{base: base}
	if len(c.Lineage.Datasets) == 0 {
		return base, now, nil
	}
	var err error
	if now.turn, err = st.Lineage.Turn(ctx); err != nil { // before the labels: what is told meanwhile is looked at again
		return nil, now, fmt.Errorf("reading the lineage graph: %w", err)
	}
	all, err := st.Lineage.Labels(ctx, c.LineageRules())
	if err != nil {
		return nil, now, err
	}
	next, words := raised(c, base, all)
	now.force = words
	return next, now, nil
}

// carry has in force what follows from the graph. If that fails, it is tried again, and the gateway says that it is not ready.
func (r *Gateway) carry(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.carryNow(ctx)
	if err != nil {
		err = fmt.Errorf("labels that data brought along are not in force: %w", err)
		r.late.Store(&err)
		return err
	}
	r.late.Store(nil)
	return nil
}

func (r *Gateway) carryNow(ctx context.Context) error {
	c := r.Config()
	if len(c.Lineage.Datasets) == 0 {
		return nil
	}
	turn, err := r.Lineage.Turn(ctx)
	if err != nil || turn == r.carried.turn {
		return err
	}
	next, now, err := r.labelled(ctx, c, r.carried.base)
	if err != nil {
		return err
	}
	if now.force != r.carried.force {
		r.keepRules(ctx, next)
		if err := r.Gateway.Swap(ctx, next, "labels by lineage changed"); err != nil {
			return err
		}
		r.log.Info("labels that data brought along are in force")
	}
	r.carried = now
	return nil
}

// carryOn looks at the graph again and again: the own journal and runs that ended tell of data too.
func (r *Gateway) carryOn(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := r.carry(ctx); err != nil && ctx.Err() == nil {
				r.fault(err)
			}
			if n%1800 == 0 {
				if err := r.Lineage.Sweep(ctx); err != nil && ctx.Err() == nil {
					r.fault(err)
				}
			}
		}
	}
}

// raised returns a copy of a snapshot in which columns have the labels that they carry, and those in words.
func raised(c *config.Config, base *gateway.Snapshot, all *lineage.Labels) (*gateway.Snapshot, string) {
	more := map[string]map[string][]flow.Label{} // by what the column's table is called, and column
	words := map[string]bool{}
	for _, l := range all.Columns {
		for _, one := range l.Carried {
			if more[l.Of] == nil {
				more[l.Of] = map[string][]flow.Label{}
			}
			more[l.Of][l.Column.Field] = append(more[l.Of][l.Column.Field], one.Label)
			words[fmt.Sprintf("%q %q %s\n", l.Of, l.Column.Field, one.Label)] = true
		}
	}
	next := *base
	next.Datasets = maps.Clone(base.Datasets)
	for name, d := range base.Datasets {
		if q, changed := raise(c.Taxonomy(), name, d.Query, more); changed {
			one := *d
			one.Query = q
			next.Datasets[name] = &one
			if q == nil {
				delete(next.Datasets, name)
			}
		}
	}
	fields := map[string][]flow.Label{}
	for _, f := range base.Catalog.Fields() {
		if carried := more[config.LineageOf(f.Dataset, "")][f.Column]; len(carried) > 0 {
			fields[f.Name] = carried
		}
	}
	next.Policy = base.Policy.Carrying(fields)
	return &next, strings.Join(slices.Sorted(maps.Keys(words)), "")
}

// raise returns a dataset whose columns have the labels that they carry; nil if no question can be asked about it any more.
//
// A column that came to name somebody is no group of an answer. One of a public table that carries anything is withdrawn: what stands in it is
// about somebody, and nothing protects it there.
func raise(tax *flow.Taxonomy, name string, q *query.Dataset, more map[string]map[string][]flow.Label) (*query.Dataset, bool) {
	out, changed, withdrawn := *q, false, false
	out.Tables = slices.Clone(q.Tables)
	for i := range out.Tables {
		t := &out.Tables[i]
		carried := more[config.LineageOf(name, t.Name)]
		if len(carried) == 0 {
			continue
		}
		t.Columns = slices.Clone(t.Columns)
		for j := range t.Columns {
			col := &t.Columns[j]
			labels := carried[col.Source]
			if len(labels) == 0 {
				continue
			}
			changed = true
			label, rest := lineage.Strictest(tax, col.Label, labels)
			col.Label = label
			for _, l := range append(rest, label) {
				class, _ := tax.Class(l)
				col.NoKey = col.NoKey || class.Family == flow.Identifier
			}
		}
		if t.Public {
			n := len(t.Columns)
			t.Columns = slices.DeleteFunc(t.Columns, func(col query.Column) bool { return len(carried[col.Source]) > 0 })
			withdrawn = withdrawn || len(t.Columns) < n
		}
	}
	out.Tables = slices.DeleteFunc(out.Tables, func(t query.Table) bool { return t.Public && len(t.Columns) == 0 })
	if withdrawn && out.Check() != nil {
		return nil, true
	}
	return &out, changed
}
