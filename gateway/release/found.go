package release

import (
	"context"
	"errors"
	"io"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

const (
	looked    = 200 // rows of a source that detection looks at
	foundSure = 0.6 // score from which a finding counts
)

// Found is what detection says of a source's columns, by name: a label where it finds one, as the whole value, in at least half of
// the values that it looks at, the first rows'. It can only raise what contract and plan say. That it finds nothing proves nothing.
func Found(ctx context.Context, e *detect.Engine, tax *flow.Taxonomy, src table.Source) (_ map[string]flow.Label, err error) {
	r, err := src.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	chunk, err := r.Next(ctx)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var b table.Batch
	if err := r.Read(ctx, chunk, &b); err != nil {
		return nil, err
	}
	out := map[string]flow.Label{}
	for i, c := range r.Columns() {
		if i >= b.Width {
			break
		}
		l, err := foundIn(ctx, e, tax, &b, i)
		if err != nil {
			return nil, err
		}
		if l != "" {
			out[c.Name] = l
		}
	}
	return out, nil
}

func foundIn(ctx context.Context, e *detect.Engine, tax *flow.Taxonomy, b *table.Batch, column int) (flow.Label, error) {
	times, values := map[flow.Label]int{}, 0
	for row := range min(b.Rows, looked) {
		cell := b.Row(row)[column]
		if cell.Kind == table.Null || len(cell.Text) == 0 || len(cell.Text) > detect.Holdback {
			continue
		}
		values++
		text := string(cell.Text)
		found, err := e.Find(ctx, text, nil)
		if err != nil {
			return "", err
		}
		if len(found) == 1 && found[0].Start == 0 && found[0].End == len(text) && found[0].Score >= foundSure {
			times[found[0].Label]++
		}
	}
	var out flow.Label
	for l, n := range times {
		if n*2 < values {
			continue
		}
		if out == "" {
			out = l
		} else {
			out = tax.Stricter(out, l)
		}
	}
	return out, nil
}
