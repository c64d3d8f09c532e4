package ask

import (
	"slices"
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Two names of one column of the source are two columns to capabilities: whoever may use the day may not use the hour, nor what is cut out of
// the column that names the unit.
func TestColumnsOfOneSourceAreToldApart(t *testing.T) {
	t.Parallel()
	text, day, hour := relation.Type{Kind: relation.Text}, relation.Widest(relation.Date, 0), relation.Widest(relation.Time, 0)
	d := &query.Dataset{Tables: []query.Table{{Name: "stays", Source: "clinic", Unit: []string{"id"}, Columns: []query.Column{
		{Name: "admission_day", Source: "admitted", Type: day}, {Name: "admitted", Source: "admitted", Type: hour},
		{Name: "id", Source: "patient", Type: text}, {Name: "number", Source: "patient", Type: relation.Widest(relation.Number, 0)},
		{Name: "town", Source: "place", Type: text}, {Name: "village", Source: "place", Type: text},
	}}}}
	for _, c := range []struct {
		f    relation.Field
		want []string
	}{
		{relation.Field{Source: "admitted", Type: day}, []string{"admission_day"}},
		{relation.Field{Source: "admitted", Type: hour}, []string{"admitted"}},
		{relation.Field{Source: "admitted", Type: text}, []string{"admission_day", "admitted"}},
		{relation.Field{Source: "patient", Type: text}, []string{}},
		{relation.Field{Source: "patient", Type: relation.Widest(relation.Number, 0)}, []string{"number"}},
		{relation.Field{Source: "place", Type: text}, []string{"town", "village"}},
		{relation.Field{Source: "weight", Type: text}, []string{"weight"}},
	} {
		if got := columnsOf(d, []relation.Scan{{Table: "clinic", Fields: []relation.Field{c.f}}}); !slices.Equal(got, c.want) {
			t.Errorf("%s as %v: %v, want %v", c.f.Source, c.f.Type.Kind, got, c.want)
		}
	}
}
