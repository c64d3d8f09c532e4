package score_test

import (
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/score"
)

// TestTypedCounts holds precision by type to a text counted by hand: of three persons one is found as a place, and a place
// that is none counts against places.
func TestTypedCounts(t *testing.T) {
	s := score.Sheet{Map: score.DefaultMap()}
	text := score.Text{Text: "Ann met Bob and Cem in Oslo on Monday", Marked: []score.Span{
		{Start: 0, End: 3, Type: "PERSON"}, {Start: 8, End: 11, Type: "PERSON"}, {Start: 16, End: 19, Type: "PERSON"}, {Start: 23, End: 27, Type: "city"},
	}}
	s.Add(text, []score.Span{
		{Start: 0, End: 3, Type: "person", Label: "person/name"}, {Start: 8, End: 11, Type: "person", Label: "person/name/given"},
		{Start: 16, End: 19, Type: "place", Label: "location/city"}, {Start: 23, End: 27, Type: "place", Label: "location/city"},
		{Start: 31, End: 37, Type: "place", Label: "location/city"},
	})
	person, ok := s.Typed("PERSON")
	if want := (score.Counts{True: 2, Missed: 1}); !ok || person != want {
		t.Errorf("persons are %+v, want %+v", person, want)
	}
	city, ok := s.Typed("city")
	if want := (score.Counts{True: 1, False: 2}); !ok || city != want {
		t.Errorf("cities are %+v, want %+v", city, want)
	}
	var sum score.Sheet
	sum.Map = s.Map
	sum.Merge(&s)
	sum.Merge(&s)
	if got, _ := sum.Typed("city"); got != (score.Counts{True: 2, False: 4}) || sum.Texts != 2 || sum.Tokens.True != 2*s.Tokens.True {
		t.Errorf("twice the same is %+v", got)
	}
}

func TestDefaultMapHasClasses(t *testing.T) {
	tax := flow.DefaultTaxonomy()
	for name, labels := range score.DefaultMap() {
		for _, l := range labels {
			if _, ok := tax.Class(l); !ok {
				t.Errorf("%s stands for %s, which is no class", name, l)
			}
		}
	}
}
