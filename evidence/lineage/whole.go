package lineage

import (
	"context"
	"fmt"
	"slices"

	"github.com/scrimhq/scrim/store"
)

// Whole returns all that is known, as far as it lies within the reach: every dataset with its columns, how each was made, and who
// received it. Datasets that were told of first come first where there are too many.
func (g *Graph) Whole(ctx context.Context, r Reach) (out *Picture, err error) {
	r = r.withDefaults()
	err = g.db.View(ctx, func(tx store.Tx) error {
		starts, err := everyDataset(tx, r.Datasets+1)
		if err != nil {
			return err
		}
		more := len(starts) > r.Datasets
		starts = starts[:min(len(starts), r.Datasets)]
		p, err := load(tx, starts, true, r)
		if err != nil {
			return err
		}
		p.cut = p.cut || more
		w := &walk{part: p, seen: map[node]bool{}}
		for _, k := range starts {
			s := p.sets[k]
			w.visit(node{set: k})
			for _, f := range s.columns {
				w.visit(node{k, f})
			}
			for i := range s.edges {
				e := &s.edges[i]
				from, to := p.ends(e)
				w.steps = append(w.steps, step{from, to, e.job, e.how, e.masking, e.since, e.seen})
			}
			for _, m := range s.made {
				if !s.explained[m.job] {
					w.steps = append(w.steps, step{from: node{set: m.source}, to: node{set: k}, job: m.job, since: m.since, seen: m.seen})
				}
			}
		}
		w.steps = slices.DeleteFunc(w.steps, func(s step) bool { return p.sets[s.from.set] == nil || p.sets[s.to.set] == nil })
		out, err = w.picture()
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func everyDataset(tx store.Tx, most int) (ids []key, err error) {
	rows, err := tx.Query(`SELECT id FROM lineage_datasets ORDER BY since, id LIMIT ?`, most)
	if err != nil {
		return nil, fmt.Errorf("listing the datasets of the lineage graph: %w", err)
	}
	defer rows.Close() //nolint:errcheck // what it would say is said by Err
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, fmt.Errorf("listing the datasets of the lineage graph: %w", err)
		}
		ids = append(ids, key(b))
	}
	return ids, rows.Err()
}
