package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/sql/files"
	"github.com/scrimhq/scrim/data/sql/process"
	"github.com/scrimhq/scrim/data/sql/pushdown"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/internal/config"
)

// Vanished returns the columns of data contracts that the source of a dataset does not have, each at its place in its contract. A contract
// that says of a column that is not there what may be done with it says nothing of the one that took its place.
func Vanished(ctx context.Context, c *config.Config, dataset string) (gone []catalog.Mistake, err error) {
	d, ok := c.Datasets[dataset]
	if !ok || !d.Asked() {
		return nil, nil
	}
	engine, err := openSource(ctx, c, d)
	if err != nil {
		return nil, fmt.Errorf("dataset %s: %w", dataset, err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	described, q := c.Described(dataset), c.Queried(dataset)
	if q == nil {
		return nil, fmt.Errorf("dataset %s: %w", dataset, errUnreached)
	}
	tables := map[string][]string{} // of the source, by the dataset of a contract
	for i := range q.Tables {
		t := &q.Tables[i]
		if of := described[t.Name]; of != "" {
			if err := engine.Check(ctx, []relation.Scan{{Table: t.Source}}); err != nil {
				return gone, fmt.Errorf("dataset %s: %w", dataset, err)
			}
			tables[of] = append(tables[of], t.Source)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		for _, contract := range c.Catalog().Contracts() {
			of, ok := contract.Dataset(name)
			if !ok {
				continue
			}
			for i := range of.Fields {
				f := &of.Fields[i]
				there, err := inSome(ctx, engine, tables[name], f.Column)
				if err != nil {
					return gone, fmt.Errorf("dataset %s: %w", dataset, err)
				}
				if !there {
					gone = append(gone, contract.Mistake(f.Name, "name", "take it out, or rename it as the source did",
						"the source of dataset %s has no such column, or it may not be read", dataset))
				}
			}
		}
	}
	return gone, nil
}

// inSome reports whether one of the tables has a column. What lies within another column is where that one is.
func inSome(ctx context.Context, engine relation.Engine, tables []string, column string) (bool, error) {
	for _, table := range tables {
		for _, name := range []string{column, outer(column)} {
			field := relation.Field{Source: name, As: "c", Type: relation.Widest(relation.Text, 0)}
			switch err := engine.Check(ctx, []relation.Scan{{Table: table, Fields: []relation.Field{field}}}); {
			case err == nil:
				return true, nil
			case errors.Is(err, pushdown.ErrConnection), errors.Is(err, pushdown.ErrTime), ctx.Err() != nil:
				return false, err
			case !lacks(engine, err): // it is there, and holds what no question can be about
				return true, nil
			}
		}
	}
	return false, nil
}

func outer(column string) string {
	name, _, _ := strings.Cut(column, ".")
	return name
}

// lacks reports whether an engine says by an error that there is no such column.
func lacks(engine relation.Engine, err error) bool {
	if _, other := engine.(*process.Engine); other {
		return true
	}
	return errors.Is(err, pushdown.ErrSchema) || errors.Is(err, files.ErrTable)
}
