package duckdb_test

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/process"
	"github.com/scrimhq/scrim/data/sql/relation"
)

// hostile are the ends of DuckDB's types, and what the reference reads instead; "same" is the text itself.
var hostile = map[string][][2]any{
	"BIGINT":        {{"9223372036854775807", int64(1<<63 - 1)}, {"-9223372036854775808", int64(-1 << 63)}, {"0", int64(0)}, {nil, nil}},
	"UBIGINT":       {{"18446744073709551615", "same"}, {"0", "same"}, {nil, nil}},
	"HUGEINT":       {{"170141183460469231731687303715884105727", "same"}, {"-170141183460469231731687303715884105728", "same"}, {"7", "same"}},
	"DECIMAL(38,0)": {{"99999999999999999999999999999999999999", "same"}, {"-99999999999999999999999999999999999999", "same"}, {"-7", "same"}},
	"DECIMAL(38,9)": {{"-0.000000001", "same"}, {"0.995", "same"}, {"99999999999999999999999999999.999999999", "same"}},
	"DOUBLE":        {{"NaN", "NaN"}, {"Infinity", "1e999"}, {"-Infinity", "-1e999"}, {"1e308", "same"}, {"-1e308", "same"}, {"5e-324", "same"}, {"0.3", "same"}, {"2.675", "same"}, {"119.99999999999999", "same"}},
	"BOOLEAN":       {{"true", true}, {"false", false}, {nil, nil}},
	"VARCHAR": {{"", "same"}, {"12", "same"}, {"+7", "same"}, {"-7.125", "same"}, {"1e2", "same"}, {"1E-2", "same"}, {".", "same"}, {"e5", "same"}, {"0x", "same"}, {"12abc", "same"}, {"999999999999999999999999", "same"}, {"-999999999999999999999999", "same"},
		{"TRUE", "same"}, {" f ", "same"}, {"now", "same"}, {"2020-02-29", "same"}, {"2021-02-29", "same"}, {"2020-01-01T00:00:00Z", "same"}, {"2020-01-01 23:59:59.123456", "same"}, {"0001-01-01", "same"}, {"9999-12-31", "same"}, {"Ä", "same"},
		{"'; DROP TABLE t; --", "same"}, {nil, nil}},
	"DATE":        {{"infinity", "9999-12-31T23:59:59.999999Z"}, {"-infinity", "0001-01-01"}, {"5000-01-01 (BC)", "0001-01-01"}, {"100000-12-31", "9999-12-31T23:59:59.999999Z"}, {"2020-02-29", "same"}, {nil, nil}},
	"TIMESTAMP":   {{"4713-01-01 (BC) 00:00:00", "0001-01-01"}, {"200000-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999Z"}, {"1969-12-31 23:59:59.999999", "same"}, {"2020-02-29 12:34:56.789012", "same"}, {nil, nil}},
	"TIMESTAMPTZ": {{"2020-02-29 23:30:00-05", "2020-02-29T23:30:00-05:00"}, {nil, nil}},
}

// hostileReads says which columns are read as what.
var hostileReads = map[string]string{
	"BIGINT": "small cents wide text", "UBIGINT": "small cents wide", "HUGEINT": "small cents wide", "DECIMAL(38,0)": "small cents wide", "DECIMAL(38,9)": "small cents wide", "DOUBLE": "small cents wide", "BOOLEAN": "truth text",
	"VARCHAR": "small cents truth text date", "DATE": "date anyday time anytime", "TIMESTAMP": "date anyday time anytime", "TIMESTAMPTZ": "date anyday time anytime",
}

var hostileTypes = map[string]relation.Type{
	"small": relation.NumberType(0, 0, 120), "cents": relation.NumberType(2, -500, 10_000), "wide": relation.NumberType(0, relation.MinNumber, relation.MaxNumber),
	"text": relation.TextType, "truth": relation.TruthType, "date": relation.DateType(0, 20_000), "anyday": relation.DateType(relation.MinDate, relation.MaxDate),
	"time": relation.TimeType(0, 2_000_000_000_000_000), "anytime": relation.TimeType(relation.MinTime, relation.MaxTime),
}

// TestNoCellMakesDuckDBFail reads the ends of every type as whatever it may be read as, and compares with the reference.
func TestNoCellMakesDuckDBFail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.duckdb")
	db, err := sql.Open("duckdb", path)
	if err != nil {
		t.Fatal(err)
	}
	names, reference := map[string]string{}, map[string][]any{}
	for typ, cells := range hostile {
		names[typ] = fmt.Sprintf("t%d", len(names))
		if _, err := db.Exec("CREATE TABLE " + names[typ] + " (u BIGINT, x " + typ + ")"); err != nil {
			t.Fatal(err)
		}
		for i, c := range cells {
			if _, err := db.Exec("INSERT INTO "+names[typ]+" SELECT $1, CAST($2::VARCHAR AS "+typ+")", i, c[0]); err != nil {
				t.Fatal(typ, c[0], err)
			}
			if c[1] == "same" {
				c[1] = c[0]
			}
			reference[typ] = append(reference[typ], c[1])
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e := open(t, process.Options{Database: path})
	for typ := range hostile {
		for _, as := range strings.Fields(hostileReads[typ]) {
			f := relation.Field{Source: "x", As: "x", Type: hostileTypes[as]}
			s, err := relation.NewScan(names[typ], relation.Field{Source: "u", As: "u", Type: relation.NumberType(0, 0, 1000), Exact: true}, f)
			if err != nil {
				t.Fatal(err)
			}
			q := &relation.Bounded{In: s, Unit: []string{"u"}, Keys: []string{"x"}, Rows: 1, Sums: []relation.Sum{{Op: relation.Units, High: 1}}}
			cells := func(context.Context, *relation.Scan) iter.Seq2[[]any, error] {
				return func(yield func([]any, error) bool) {
					for i, c := range reference[typ] {
						if !yield([]any{int64(i), c}, nil) {
							return
						}
					}
				}
			}
			want, err := relation.Evaluate(t.Context(), q, seed, cells, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []relation.Group
			if err := e.Run(t.Context(), q, seed, func(g relation.Group) error { got = append(got, g); return nil }); err != nil {
				t.Errorf("%s as %s: %v", typ, as, err)
				continue
			}
			slices.SortFunc(got, func(a, b relation.Group) int {
				return strings.Compare(string(relation.Encode(nil, a.Keys...)), string(relation.Encode(nil, b.Keys...)))
			})
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s as %s:\n got %v\nwant %v", typ, as, got, want)
			}
		}
	}
}

// TestPatternsTakeNoTime has a pattern that a matcher which tries all ways takes years for, on one short text: whether that row is there must not
// show.
func TestPatternsTakeNoTime(t *testing.T) {
	path := t.TempDir() + "/t.duckdb"
	prepare(t, "ATTACH '"+path+"' AS d", "CREATE TABLE d.t AS SELECT 1 AS u, repeat('a', 100) AS k UNION ALL SELECT 2, repeat('a', 100) || 'é!'", "DETACH d")
	e := open(t, process.Options{Database: path})
	s, err := relation.NewScan("t", relation.Field{Source: "u", As: "u", Type: relation.NumberType(0, 0, 9), Exact: true}, relation.Field{Source: "k", As: "k", Type: relation.TextType})
	if err != nil {
		t.Fatal(err)
	}
	ref, err := relation.NewRef(s, "k")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"%a%a%a%a%a%a%a%a%a%a%a%a%a%!", "%_%_%_%_%_%_%_%_%_%_%_%_%_%!", "%a_%a_%a_%a_%a_%a_%a_%a_%_é!"} {
		like, err := relation.NewLike(ref, pattern, '\\')
		if err != nil {
			t.Fatal(err)
		}
		f, err := relation.NewFilter(s, like)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		n := int64(0)
		err = e.Run(ctx, &relation.Bounded{In: f, Unit: []string{"u"}, Rows: 1}, relation.Seed{}, func(g relation.Group) error { n = g.Units; return nil })
		if err != nil || n != 1 {
			t.Errorf("%s: %d units, error %v, want one", pattern, n, err)
		}
	}
}

// TestLongKeysFitTheirLines has more text in keys than one line of the protocol takes: a row's text must not make a question fail.
func TestLongKeysFitTheirLines(t *testing.T) {
	path := t.TempDir() + "/t.duckdb"
	prepare(t, "ATTACH '"+path+"' AS d", "CREATE TABLE d.t AS SELECT i AS u, repeat('<', 20000) || i AS k FROM range(300) r(i)", "DETACH d")
	s, err := relation.NewScan("t", relation.Field{Source: "u", As: "u", Type: relation.NumberType(0, 0, 1000), Exact: true}, relation.Field{Source: "k", As: "k", Type: relation.TextType})
	if err != nil {
		t.Fatal(err)
	}
	q := &relation.Bounded{In: s, Unit: []string{"u"}, Keys: []string{"k"}, Rows: 1, Sums: []relation.Sum{{Op: relation.Count, High: 1}}}
	if got := groupsOf(t, open(t, process.Options{Database: path}), q); len(got) != 300 {
		t.Errorf("%d groups, want 300", len(got))
	}
}
