package lineage

import (
	"context"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/store"
)

// FindQuery chooses datasets by how their names begin, in the order of names.
type FindQuery struct {
	Prefix string
	After  Name // those that come after this one
	Most   int  // how many
}

// Find lists datasets without their columns, and reports whether there are more. It takes no longer for a large graph.
func (g *Graph) Find(ctx context.Context, q FindQuery) (all []Seen, more bool, err error) {
	err = g.db.View(ctx, func(tx store.Tx) error {
		all, more = []Seen{}, false
		rows, err := tx.Query(`SELECT namespace, name, version, since, seen FROM lineage_datasets
			WHERE name >= ? AND name < ? AND (name > ? OR namespace > ?) ORDER BY name, namespace LIMIT ?`,
			max(q.Prefix, q.After.Name), q.Prefix+"\U0010ffff", q.After.Name, q.After.Namespace, q.Most+1)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // what it would say is said by Err
		for rows.Next() {
			var s Seen
			var since, seen int64
			if err := rows.Scan(&s.Namespace, &s.Name.Name, &s.Version, &since, &seen); err != nil {
				return err
			}
			s.Columns, s.First, s.Last = []string{}, time.UnixMilli(since).UTC(), time.UnixMilli(seen).UTC()
			all = append(all, s)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, false, fmt.Errorf("looking for datasets of the lineage graph: %w", err)
	}
	if more = len(all) > q.Most; more {
		all = all[:q.Most]
	}
	return all, more, nil
}
