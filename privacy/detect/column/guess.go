package column

import (
	"context"
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// guesses ranks what the name suggests and what forms most values have.
func (c *Classifier) guesses(ctx context.Context, col *Column) []Guess {
	var out []Guess
	if l, ok := detect.HintLabel(col.Name); ok {
		out = append(out, Guess{Label: l, Confidence: 60, Evidence: []Evidence{{What: "name", Matched: 1, Of: 1}}})
	}
	counts, of := map[flow.Label]int{}, 0
	for _, v := range col.Values[:min(len(col.Values), MaxValues)] {
		found, err := c.engine.AppendForms(ctx, nil, v[:min(len(v), MaxValue)], nil)
		if err != nil {
			break
		}
		of++
		if len(found) == 1 && found[0].Start == 0 && found[0].End == len(v) {
			counts[found[0].Label]++
		}
	}
	for l, n := range counts {
		if 10*n < 6*of {
			continue
		}
		e := Evidence{What: "form", Matched: n, Of: of}
		if i := slices.IndexFunc(out, func(g Guess) bool { return g.Label == l }); i >= 0 {
			out[i].Confidence, out[i].Evidence = 95, append(out[i].Evidence, e)
			continue
		}
		out = append(out, Guess{Label: l, Confidence: uint8(80 * n / of), Evidence: []Evidence{e}})
	}
	slices.SortStableFunc(out, func(a, b Guess) int { return int(b.Confidence) - int(a.Confidence) })
	return out
}
