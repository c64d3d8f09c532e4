package detect_test

import (
	"context"
	"math"
	"slices"
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

// The lowest score of all built-in types holds for those alone, and a type's own goes before it.
func TestTheLowestScoreOfAll(t *testing.T) {
	find := func(r detect.Rules, text string) (out []string) {
		t.Helper()
		known, err := detect.NewKnownSet([]detect.Known{{Text: "zelda", Label: "person/name"}})
		if err != nil {
			t.Fatal(err)
		}
		d, err := detect.New(detect.Options{Rules: &r})
		if err != nil {
			t.Fatal(err)
		}
		found, err := d.Find(context.Background(), text, known)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			out = append(out, f.Type)
		}
		return out
	}
	const text = "zelda met blue heron, EMP-123456, for 3 days, jane@example.com, 219-09-9998, -----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----"
	own := detect.Rules{
		Types: []detect.Custom{{Name: "staff", Label: "organization", Patterns: []string{`EMP-[0-9]{6}`}, Score: .1}},
		Lists: []detect.WordList{{Name: "project", Label: "person/name", Words: []string{"blue heron"}}},
	}
	for _, c := range []struct {
		least   float64
		builtin map[string]detect.Change
		want    []string
	}{
		{0, nil, []string{"known", "project", "staff", "duration", "email", "ssn", "private-key"}},
		{.31, nil, []string{"known", "project", "staff", "email", "ssn", "private-key"}},
		{.95, nil, []string{"known", "project", "staff", "email", "private-key"}},
		{1, nil, []string{"known", "project", "staff", "private-key"}},
		{1, map[string]detect.Change{"ssn": {MinScore: .9}}, []string{"known", "project", "staff", "ssn", "private-key"}},
		{.3, map[string]detect.Change{"ssn": {MinScore: .95}, "person": {Off: true}}, []string{"known", "project", "staff", "duration", "email", "private-key"}},
	} {
		r := own
		r.MinScore, r.Builtin = c.least, c.builtin
		if got := find(r, text); !slices.Equal(got, c.want) {
			t.Errorf("min_score %g, builtin %v: %v, want %v", c.least, c.builtin, got, c.want)
		}
	}
	for _, score := range []float64{-.1, 1.1, math.NaN()} {
		if _, err := detect.New(detect.Options{Rules: &detect.Rules{MinScore: score}}); err == nil {
			t.Errorf("a lowest score of %g: no error", score)
		}
	}
}
