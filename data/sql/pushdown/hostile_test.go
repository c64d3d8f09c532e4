package pushdown_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scrimhq/scrim/data/sql/pushdown"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
	"github.com/scrimhq/scrim/store/pgtest"
)

// hostileTypes are what hostile cells are declared to be.
var hostileTypes = map[string]relation.Type{
	"small": relation.NumberType(0, 0, 120), "cents": relation.NumberType(2, -500, 10_000), "wide": relation.NumberType(0, relation.MinNumber, relation.MaxNumber),
	"fine": relation.NumberType(9, -1, 2_000_000_000), "text": relation.TextType, "truth": relation.TruthType,
	"date": relation.DateType(0, 20_000), "anyday": relation.DateType(relation.MinDate, relation.MaxDate),
	"time": relation.TimeType(0, 2_000_000_000_000_000), "anytime": relation.TimeType(relation.MinTime, relation.MaxTime),
}

// liteCells are what a column of SQLite may hold, whatever it was declared.
var liteCells = []any{
	nil, int64(0), int64(1), int64(-1), int64(120), int64(121), int64(math.MaxInt64), int64(math.MinInt64), 0.5, -0.5, 0.1, 0.3, 2.675, 1e300, -1e300, 5e-324,
	math.Inf(1), math.Inf(-1), 9.3e18, -9.3e18, 119.99999999999999, "", " ", "0", " 12 ", "+7", "-7.125", "1e2", "1E-2", "1e999999999", "-1e999999999", "1e-999999999", ".5", "5.",
	".", "e5", "1e", "0x10", "1_000", "12abc", "NaN", "nan", "Inf", "-Infinity", "999999999999999999999999", "true", "FALSE", "t", "F", "yes", "now", "2020-02-29", "2021-02-29",
	"2020-02-30", "0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "2020-1-1", "2020-01-01T00:00:00Z", "2020-01-01 23:59:59.9999999", "2020-01-01T00:00:00+14:00",
	"2020-01-01T24:00:00Z", "2020-12-31T23:59:60Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2020-01-01 00:00", "12:00", "'; DROP TABLE t; --", "Ä", "a\x00b",
	"\xff\xfe", []byte{}, []byte("12"), []byte{0xff}, []byte{0}, strings.Repeat("9", 5000), strings.Repeat("a", 100_000), "٣", "１", "e\u0301", "\u202e",
}

// TestNoCellMakesSQLiteFail reads everything as everything, exactly and not, and compares with the reference.
func TestNoCellMakesSQLiteFail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(0)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE t (u INTEGER, x COLLATE NOCASE)`); err != nil {
		t.Fatal(err)
	}
	for i, c := range liteCells {
		if _, err := db.Exec(`INSERT INTO t VALUES (?, ?)`, i, c); err != nil {
			t.Fatal(err)
		}
	}
	_ = db.Close()
	e, err := pushdown.SQLite(path, pushdown.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for name, typ := range hostileTypes {
		for _, exact := range []bool{false, true} {
			q := hostileQuestion(t, typ, exact)
			want, err := relation.Evaluate(t.Context(), q, seed, cells(liteCells), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := run(t, e, q); !same(got, want) {
				t.Errorf("%s, exact %v:\n got %q\nwant %q", name, exact, fmt.Sprint(got), fmt.Sprint(want))
			}
		}
	}
}

// hostileQuestion counts the values of x, and units for each.
func hostileQuestion(t *testing.T, typ relation.Type, exact bool) *relation.Bounded {
	t.Helper()
	s, err := relation.NewScan("t", relation.Field{Source: "u", As: "u", Type: relation.NumberType(0, 0, 1<<40), Exact: true}, relation.Field{Source: "x", As: "x", Type: typ, Exact: exact})
	if err != nil {
		t.Fatal(err)
	}
	q := &relation.Bounded{In: s, Unit: []string{"u"}, Keys: []string{"x"}, Rows: 2, Groups: 1, Sums: []relation.Sum{{Op: relation.Units, High: 1}, {Op: relation.Count, Col: "x", High: 2}}}
	if typ.Kind == relation.Number {
		q.Sums = append(q.Sums, relation.Sum{Op: relation.Total, Col: "x", Low: -relation.MaxSum, High: relation.MaxSum}, relation.Sum{Op: relation.Share, Col: "x", Low: -relation.MaxSum, High: relation.MaxSum})
	}
	return q
}

func cells(of []any) relation.Opener {
	return func(context.Context, *relation.Scan) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			for i, c := range of {
				if s, ok := c.([]byte); ok && s == nil {
					c = nil
				}
				if !yield([]any{int64(i), c}, nil) {
					return
				}
			}
		}
	}
}

// pgCells are the ends of PostgreSQL's types, and what the reference reads instead.
var pgCells = map[string][][2]any{
	"int2":    {{"32767", int64(32767)}, {"-32768", int64(-32768)}, {nil, nil}},
	"int8":    {{"9223372036854775807", int64(math.MaxInt64)}, {"-9223372036854775808", int64(math.MinInt64)}, {"0", int64(0)}, {nil, nil}},
	"numeric": {{"NaN", math.NaN()}, {"Infinity", math.Inf(1)}, {"-Infinity", math.Inf(-1)}, {"1e131071", "1e131071"}, {"-1e131071", "-1e131071"}, {"1e-16383", "1e-16383"}, {"-1e-16383", "-1e-16383"}, {"120.0", "120.0"}, {"0.995", "0.995"}, {"-0.001", "-0.001"}, {nil, nil}},
	"float8":  {{"NaN", math.NaN()}, {"Infinity", math.Inf(1)}, {"-Infinity", math.Inf(-1)}, {"1e308", 1e308}, {"-1e308", -1e308}, {"5e-324", 5e-324}, {"0.3", 0.3}, {"2.675", 2.675}, {"-0", 0.0}, {"119.99999999999999", 119.99999999999999}, {nil, nil}},
	"float4":  {{"NaN", math.NaN()}, {"0.3", "0.3"}, {"3.4028235e38", "3.4028235e38"}, {nil, nil}},
	"bool":    {{"true", true}, {"false", false}, {nil, nil}},
	"text": {{"", ""}, {" 12 ", " 12 "}, {"+7", "+7"}, {"-7.125", "-7.125"}, {"1e2", "1e2"}, {"1E-2", "1E-2"}, {".5", ".5"}, {"5.", "5."}, {".", "."}, {"e5", "e5"}, {"1e", "1e"}, {"0x10", "0x10"}, {"12abc", "12abc"},
		{"NaN", "NaN"}, {"Infinity", "Infinity"}, {"999999999999999999999999", "999999999999999999999999"}, {"-999999999999999999999999", "-999999999999999999999999"}, {"TRUE", "TRUE"}, {" f ", " f "}, {"1\n", "1\n"}, {"1\n2", "1\n2"},
		{"now", "now"}, {"2020-02-29", "2020-02-29"}, {"2021-02-29", "2021-02-29"}, {"2020-02-30", "2020-02-30"}, {"2020-04-31", "2020-04-31"}, {"0000-01-01", "0000-01-01"}, {"0001-01-01", "0001-01-01"}, {"9999-12-31", "9999-12-31"},
		{"2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"}, {"2020-01-01 23:59:59.9999999", "2020-01-01 23:59:59.9999999"}, {"2020-01-01T00:00:00+14:00", "2020-01-01T00:00:00+14:00"}, {"2020-01-01t00:00:00 -0130", "2020-01-01t00:00:00 -0130"},
		{"2020-01-01 10:30+02", "2020-01-01 10:30+02"}, {"2020-01-01T24:00:00Z", "2020-01-01T24:00:00Z"}, {"0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00+01:00"}, {"9999-12-31T23:59:59-01:00", "9999-12-31T23:59:59-01:00"},
		{"2020-01-01 00:00:00.", "2020-01-01 00:00:00."}, {"2020-01-01T", "2020-01-01T"}, {"2020-13-01", "2020-13-01"}, {"Ä", "Ä"}, {"'; DROP TABLE t; --", "'; DROP TABLE t; --"}, {nil, nil}},
	"date": {{"infinity", "9999-12-31T23:59:59.999999Z"}, {"-infinity", "0001-01-01"}, {"4713-01-01 BC", "0001-01-01"}, {"5874897-12-31", "9999-12-31T23:59:59.999999Z"}, {"1970-01-01", "1970-01-01"}, {"2020-02-29", "2020-02-29"}, {nil, nil}},
	"timestamp": {{"infinity", "9999-12-31T23:59:59.999999Z"}, {"-infinity", "0001-01-01"}, {"4713-01-01 BC", "0001-01-01"}, {"294276-12-31 23:59:59.999999", "9999-12-31T23:59:59.999999Z"}, {"1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"},
		{"2020-02-29 12:34:56.789012", "2020-02-29 12:34:56.789012"}, {nil, nil}},
	"timestamptz": {{"infinity", "9999-12-31T23:59:59.999999Z"}, {"-infinity", "0001-01-01"}, {"294276-12-31 23:59:59.999999+00", "9999-12-31T23:59:59.999999Z"}, {"2020-02-29 23:30:00-05", "2020-02-29T23:30:00-05:00"}, {nil, nil}},
}

// pgReads says which columns are read as what.
var pgReads = map[string]string{
	"int2": "small cents wide fine truth text", "int8": "small cents wide fine text", "numeric": "small cents wide fine", "float8": "small cents wide fine", "float4": "small cents", "bool": "truth text",
	"text": "small cents fine truth text date anyday time anytime", "date": "date anyday time anytime", "timestamp": "date anyday time anytime", "timestamptz": "date anyday time anytime",
}

// TestNoCellMakesPostgresFail reads the ends of every type as whatever it may be read as, and compares with the reference.
func TestNoCellMakesPostgresFail(t *testing.T) {
	url := pgtest.Common(t).Database(t)
	e, err := pushdown.Postgres(url, pushdown.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for typ, list := range pgCells {
		if _, err := conn.Exec(t.Context(), "DROP TABLE IF EXISTS t; CREATE TABLE t (u int8, x "+typ+")"); err != nil {
			t.Fatal(err)
		}
		var reference []any
		for i, c := range list {
			if _, err := conn.Exec(t.Context(), "INSERT INTO t SELECT $1, $2::text::"+typ, i, c[0]); err != nil {
				t.Fatal(err)
			}
			reference = append(reference, c[1])
		}
		if err := e.Check(t.Context(), nil); err != nil { // what columns hold is asked anew
			t.Fatal(err)
		}
		for _, as := range strings.Fields(pgReads[typ]) {
			for _, exact := range []bool{false, true} {
				if exact && strings.HasPrefix(typ, "timestamp") || exact && typ == "date" {
					continue // infinite ones are beyond any bounds, and those that stand for them are not
				}
				q := hostileQuestion(t, hostileTypes[as], exact)
				q.Groups = 0
				want, err := relation.Evaluate(t.Context(), q, seed, cells(reference), nil)
				if err != nil {
					t.Fatal(err)
				}
				if got := run(t, e, q); !same(got, want) {
					t.Errorf("%s as %s, exact %v:\n got %q\nwant %q", typ, as, exact, fmt.Sprint(got), fmt.Sprint(want))
				}
			}
		}
	}
}

// TestErrorsRepeatNothing makes sources fail in every way that a test can.
func TestErrorsRepeatNothing(t *testing.T) {
	url := pgtest.Common(t).Database(t)
	pgtest.Exec(t, url, `CREATE TABLE bad AS SELECT 1::int8 AS u, 'secret'::text AS x`, `CREATE VIEW t AS SELECT u, x::int8 AS x FROM bad`,
		`CREATE VIEW slow AS SELECT u, (SELECT count(*) FROM generate_series(1, 1000000000)) AS x FROM bad`)
	e, err := pushdown.Postgres(url, pushdown.Options{Timeout: 2 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	hasty, err := pushdown.Postgres(url, pushdown.Options{Timeout: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer hasty.Close()
	q := hostileQuestion(t, relation.NumberType(0, 0, 120), false)
	nothing := func(relation.Group) error { t.Error("a group came of a statement that failed"); return nil }
	err = e.Run(t.Context(), q, seed, nothing)
	if !errors.Is(err, pushdown.ErrFailed) || strings.Contains(err.Error(), "secret") {
		t.Errorf("a cast that fails: error = %v, want ErrFailed without the value", err)
	}
	q.In.(*relation.Scan).Table = "slow"
	began := time.Now()
	if err := hasty.Run(t.Context(), q, seed, nothing); !errors.Is(err, pushdown.ErrTime) {
		t.Errorf("a slow source: error = %v, want ErrTime", err)
	}
	if d := time.Since(began); d > time.Minute {
		t.Errorf("it took %v, want about the timeout", d)
	}
	q.In.(*relation.Scan).Table = "nowhere"
	if err := e.Run(t.Context(), q, seed, nothing); !errors.Is(err, pushdown.ErrSchema) {
		t.Errorf("a table that is not there: error = %v, want ErrSchema", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Run(ctx, q, seed, nothing); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is over: error = %v, want Canceled", err)
	}
	if p, err := pushdown.Postgres("postgres://u:hunter2@127.0.0.1:1/none?connect_timeout=1", pushdown.Options{}); err != nil {
		t.Error(err)
	} else if err := p.Run(t.Context(), q, seed, nothing); !errors.Is(err, pushdown.ErrConnection) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("no server: error = %v, want ErrConnection without the password", err)
	}
	bad := filepath.Join(t.TempDir(), "none.db")
	if l, err := pushdown.SQLite(bad, pushdown.Options{}); err != nil {
		t.Error(err)
	} else if err := l.Run(t.Context(), q, seed, nothing); !errors.Is(err, pushdown.ErrConnection) {
		t.Errorf("no file: error = %v, want ErrConnection", err)
	}
	if err := os.WriteFile(bad, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := pushdown.SQLite(bad, pushdown.Options{}); err != nil {
		t.Error(err)
	} else if err := l.Run(t.Context(), q, seed, nothing); !errors.Is(err, pushdown.ErrConnection) {
		t.Errorf("no database: error = %v, want ErrConnection", err)
	}
}

// TestPatternsTakeNoTime has patterns that a matcher which tries all ways takes years for, on one short text: whether that row is there must not
// show.
func TestPatternsTakeNoTime(t *testing.T) {
	row := relationtest.Table{Name: "t", Unit: "u", Fields: []relation.Field{
		{Source: "u", As: "u", Type: relation.NumberType(0, 0, 9), Exact: true}, {Source: "k", As: "k", Type: relation.TextType},
	}, Rows: [][]any{{int64(1), strings.Repeat("a", 100)}, {int64(2), strings.Repeat("a", 100) + "é!"}}}
	tables := relationtest.Tables{row}
	s, err := relation.NewScan("t", row.Fields...)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := relation.NewRef(s, "k")
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range engines(t, tables) {
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
			err = e.Run(ctx, &relation.Bounded{In: f, Unit: []string{"u"}, Rows: 1}, seed, func(g relation.Group) error { n = g.Units; return nil })
			if err != nil || n != 1 {
				t.Errorf("%s: %s: %d units, error %v, want one", name, pattern, n, err)
			}
		}
	}
}
