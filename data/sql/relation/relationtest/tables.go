package relationtest

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// Table is a table of a source.
type Table struct {
	Name   string
	Public bool
	Unit   string // the field that names the unit, by its As; "": it is public
	Fields []relation.Field
	// Rows has a cell for each field: nil, int64, string or bool. Numbers with places are decimal text, dates are YYYY-MM-DD, times
	// are RFC 3339.
	Rows [][]any
}

// Tables are the tables of a source.
type Tables []Table

// Open reads the tables, for [relation.Evaluate].
func (ts Tables) Open() relation.Opener {
	return func(_ context.Context, s *relation.Scan) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			t, at, err := ts.find(s)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, row := range t.Rows {
				cells := make([]any, len(at))
				for i, j := range at {
					cells[i] = row[j]
				}
				if !yield(cells, nil) {
					return
				}
			}
		}
	}
}

func (ts Tables) find(s *relation.Scan) (*Table, []int, error) {
	for i := range ts {
		if ts[i].Name != s.Table {
			continue
		}
		var at []int
		for _, f := range s.Fields {
			for j, have := range ts[i].Fields {
				if have.Source == f.Source {
					at = append(at, j)
				}
			}
		}
		if len(at) != len(s.Fields) {
			return nil, nil, fmt.Errorf("a column of table %q is missing", s.Table)
		}
		return &ts[i], at, nil
	}
	return nil, nil, fmt.Errorf("table %q is missing", s.Table)
}

// Random is two private tables of about that many rows, whose units are those of patients, and a public one.
func Random(rng *rand.Rand, rows int) Tables {
	units := int64(max(rows/4, 1))
	ts := Tables{
		{Name: "stays", Unit: "patient", Fields: []relation.Field{
			{Source: "patient", As: "patient", Type: relation.NumberType(0, 0, 1_000_000), Exact: true},
			{Source: "ward", As: "ward", Type: relation.TextType},
			{Source: "cost", As: "cost", Type: relation.NumberType(2, -500_00, 5000_00)},
			{Source: "nights", As: "nights", Type: relation.NumberType(0, 0, 30)},
			{Source: "day", As: "day", Type: relation.DateType(10_000, 20_000)},
			{Source: "urgent", As: "urgent", Type: relation.TruthType},
		}},
		{Name: "labs", Unit: "patient", Fields: []relation.Field{
			{Source: "patient", As: "patient", Type: relation.NumberType(0, 0, 1_000_000), Exact: true},
			{Source: "code", As: "code", Type: relation.NumberType(0, 0, 5)},
			{Source: "level", As: "level", Type: relation.NumberType(3, 0, 100_000)},
			{Source: "taken", As: "taken", Type: relation.TimeType(0, 2_000_000_000_000_000)},
			{Source: "note", As: "note", Type: relation.TextType},
		}},
		{Name: "wards", Public: true, Fields: []relation.Field{
			{Source: "ward", As: "ward", Type: relation.TextType},
			{Source: "code", As: "code", Type: relation.NumberType(0, 0, 5)},
			{Source: "beds", As: "beds", Type: relation.NumberType(0, 0, 100)},
		}},
	}
	for i := range ts {
		n := rows
		if ts[i].Public {
			n = 6
		}
		for range n {
			row := make([]any, len(ts[i].Fields))
			for j, f := range ts[i].Fields {
				row[j] = cell(rng, f, units)
			}
			ts[i].Rows = append(ts[i].Rows, row)
		}
	}
	return ts
}

// words are text that engines have treated differently: no letters at all, quotes, backslashes, case, more bytes than characters.
var words = []string{"", "a", "A", "ab", "aB%", "b_c", "it's", `back\slash`, "über", "日本", "-- x", "a\nb", "Zoë😀"}

func cell(rng *rand.Rand, f relation.Field, units int64) any {
	if rng.IntN(12) == 0 {
		return nil
	}
	switch f.Source {
	case "patient":
		if rng.IntN(20) == 0 {
			return f.Type.Max + 1 + rng.Int64N(3) // beyond: nobody's
		}
		return rng.Int64N(units)
	case "ward":
		return words[rng.IntN(5)]
	}
	span := f.Type.Max - f.Type.Min
	v := f.Type.Min + rng.Int64N(span+1)
	if rng.IntN(6) == 0 { // beyond the bounds, or on them
		v = []int64{f.Type.Min - 1 - rng.Int64N(10), f.Type.Min, f.Type.Max, f.Type.Max + 1 + rng.Int64N(10)}[rng.IntN(4)]
	}
	switch f.Type.Kind {
	case relation.Text:
		return words[rng.IntN(len(words))]
	case relation.Truth:
		return rng.IntN(2) == 1
	case relation.Date:
		return time.Unix(v*86400, 0).UTC().Format(time.DateOnly)
	case relation.Time:
		return time.UnixMicro(v).UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	if f.Type.Places > 0 {
		return Decimal(v, f.Type.Places)
	}
	return v
}

// Decimal writes a number of so many places.
func Decimal(v int64, places int) string {
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	p := int64(1)
	for range places {
		p *= 10
	}
	if places == 0 {
		return fmt.Sprintf("%s%d", sign, v)
	}
	return fmt.Sprintf("%s%d.%0*d", sign, v/p, places, v%p)
}
