package detect_test

import (
	"context"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// Of two findings in one place the surer counts, whichever of them gives the label.
func TestTheSurerOfTwoCounts(t *testing.T) {
	d, err := detect.New(detect.Options{FormsOnly: true, Rules: &detect.Rules{
		Types: []detect.Custom{
			{Name: "vague", Label: "time", Patterns: []string{`about [a-z@. ]+`, `[a-z]+@[a-z]+`, `code [0-9]+ [a-z]+`}, Score: .1},
			{Name: "sure", Label: "time", Patterns: []string{`code [0-9]+`}, Score: .7},
		},
		Lists: []detect.WordList{{Name: "project", Label: "person/name", Words: []string{"blue heron"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	known, err := detect.NewKnownSet([]detect.Known{{Text: "zelda", Label: "person/name"}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]float64{
		"about this": .1, "about blue heron": 1, "about jane@example.com": .98, "jane@example.com": .98, "about zelda": 1, "code 123 abc": .7,
	} {
		found, err := d.Find(context.Background(), text, known)
		if err != nil || len(found) != 1 || found[0].Score != want {
			t.Errorf("%s: %+v, error %v; want one with %g", text, found, err, want)
		}
		s, most := d.Stream(known), 0.
		for i := range len(text) + 1 {
			var pieces []detect.Piece
			if i == len(text) {
				pieces = s.Close()
			} else {
				pieces = s.Write(text[i : i+1])
			}
			for _, p := range pieces {
				if p.Finding != nil {
					most = max(most, p.Finding.Score)
				}
			}
		}
		if most != want {
			t.Errorf("%s in pieces: %g, want %g", text, most, want)
		}
	}
}

func TestMergedFindingsAreAsSureAsTheSurer(t *testing.T) {
	const text = "jane@doe.example, ok"
	one := func(end int, label flow.Label, score float64) []detect.Finding {
		return []detect.Finding{{Start: 0, End: end, Type: "x", Label: label, Score: score}}
	}
	for _, c := range []struct {
		name         string
		ours, theirs []detect.Finding
	}{
		{"a stricter guess takes the place of ours", one(16, "person/contact/email", .9), one(16, "health/diagnosis", .2)},
		{"a laxer guess gives way to ours", one(16, "health/diagnosis", .9), one(16, "time", .2)},
		{"a surer one within our guess", one(16, "health/diagnosis", .2), one(4, "time", .9)},
		{"a stricter one over our guess", one(4, "person/name", .2), one(16, "health/diagnosis", .9)},
	} {
		for _, f := range detect.Merge(flow.DefaultTaxonomy(), text, c.ours, c.theirs) {
			if f.Start == 0 && f.Score != .9 {
				t.Errorf("%s: %+v, want a score of 0.9", c.name, f)
			}
		}
	}
}
