package files_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/files"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
)

func column(name string, t relation.Type) relation.Field {
	return relation.Field{Source: name, As: name, Type: t, Exact: t.Kind == relation.Number && name == "unit"}
}

func countBy(key string) *relation.Bounded {
	return &relation.Bounded{
		In: &relation.Scan{Table: "t", Fields: []relation.Field{
			column("unit", relation.NumberType(0, 0, 1<<40)), column(key, relation.TextType)}},
		Unit: []string{"unit"}, Keys: []string{key}, Rows: 1, Groups: 1,
		Sums: []relation.Sum{{Op: relation.Count, High: 1}},
	}
}

func file(t *testing.T, name, content string) files.Table {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return files.Table{Paths: []string{path}}
}

func engine(t *testing.T, o files.Options) *files.Engine {
	t.Helper()
	e, err := files.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestFailuresTellNothing asks of files that are no tables, and of tables that are not there.
func TestFailuresTellNothing(t *testing.T) {
	const secret = "Mustermann"
	for name, c := range map[string]struct {
		tb   files.Table
		want error
	}{
		"a quote within a cell":      {file(t, "a.csv", "unit,k\n1,"+secret+"\n2,b\""+secret+"\n"), files.ErrDamaged},
		"a quote that is not closed": {file(t, "a.csv", "unit,k\n1,\""+secret+"\n"), files.ErrDamaged},
		"a line without an end":      {file(t, "a.jsonl", `{"unit":1,"k":"`+strings.Repeat(secret, 2<<20)), files.ErrDamaged},
		"no Parquet":                 {file(t, "a.parquet", secret), files.ErrDamaged},
		"no such column":             {file(t, "a.csv", "unit,"+secret+"\n1,2\n"), files.ErrTable},
		"no known format":            {file(t, "a.xyz", secret), files.ErrFiles},
		"no files":                   {files.Table{Paths: []string{filepath.Join(t.TempDir(), "*.csv")}}, files.ErrFiles},
		"a folder":                   {files.Table{Paths: []string{t.TempDir()}, Format: files.CSV}, files.ErrDamaged},
	} {
		e := engine(t, files.Options{Tables: map[string]files.Table{"t": c.tb}})
		err := e.Run(t.Context(), countBy("k"), relation.Seed{}, func(relation.Group) error {
			t.Errorf("%s: a group came", name)
			return nil
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: Run() error = %v, want %v", name, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), secret) || strings.ContainsAny(err.Error(), "0123456789")) {
			t.Errorf("%s: the error %q says what the file holds, or where", name, err)
		}
	}
	e := engine(t, files.Options{})
	if err := e.Run(t.Context(), countBy("k"), relation.Seed{}, nil); !errors.Is(err, files.ErrTable) {
		t.Errorf("a table that is none: Run() error = %v, want %v", err, files.ErrTable)
	}
	if err := e.Run(t.Context(), &relation.Bounded{}, relation.Seed{}, nil); !errors.Is(err, relation.ErrShape) {
		t.Errorf("a tree that is none: Run() error = %v, want %v", err, relation.ErrShape)
	}
}

// TestCheck looks for files and columns before anything is asked.
func TestCheck(t *testing.T) {
	e := engine(t, files.Options{Tables: map[string]files.Table{"t": file(t, "a.csv", "unit,k\n1,2\n"), "j": file(t, "a.jsonl", "{}\n")}})
	scan := *countBy("k").In.(*relation.Scan)
	if err := e.Check(t.Context(), []relation.Scan{scan}); err != nil {
		t.Errorf("Check() = %v", err)
	}
	scan.Table = "j"
	if err := e.Check(t.Context(), []relation.Scan{scan}); err != nil {
		t.Errorf("Check() of JSON lines without the members = %v", err)
	}
	scan = *countBy("other").In.(*relation.Scan)
	if err := e.Check(t.Context(), []relation.Scan{scan}); !errors.Is(err, files.ErrTable) {
		t.Errorf("Check() of a column that is not there = %v", err)
	}
}

// TestNoCellFails puts what cells can hold into every kind of column, and none makes a question fail or a row of somebody else vanish.
func TestNoCellFails(t *testing.T) {
	var b strings.Builder
	b.WriteString("unit,k,v\n")
	for i, s := range []string{"", "x", "NaN", "-Infinity", "1e999999999", "99999999999999999999999", "-0.000", "2020-13-45", "true", "\"a\nb\"", "'; DROP TABLE t", "ü\u0301"} {
		fmt.Fprintf(&b, "%d,%s,%s\n", i, s, s)
	}
	b.WriteString("77777777777777777777,x,1\n,x,1\n-1,x,1\n1.5,x,1\n") // of nobody
	tb := file(t, "a.csv", b.String())
	for _, k := range []relation.Kind{relation.Number, relation.Text, relation.Truth, relation.Date, relation.Time} {
		q := countBy("k")
		q.Keys = nil
		s := q.In.(*relation.Scan)
		s.Fields[1] = column("k", relation.Widest(k, 0))
		s.Fields = append(s.Fields, column("v", relation.NumberType(2, -10, 10)))
		q.Sums = append(q.Sums, relation.Sum{Op: relation.Count, Col: "k", High: 1}, relation.Sum{Op: relation.Total, Col: "v", Low: -10, High: 10})
		got := run(t, files.Options{Tables: map[string]files.Table{"t": tb}}, q, relation.Seed{})
		if len(got) != 1 || got[0].Units != 12 {
			t.Errorf("a key of %v: %v, want 12 units", k, got)
		}
	}
}

// TestBadRowsAreNobodys puts rows into files that are none, or hold bytes that are no text: they make no question fail, and nobody
// else's row vanish with them.
func TestBadRowsAreNobodys(t *testing.T) {
	for name, tb := range map[string]files.Table{
		"CSV":        file(t, "a.csv", "unit,k\n1,a\n2,b,c\n3\n4,\xff\xfe\n5,a\x00b\n\xff,a\n6,\"\xff\"\n7,ü\n"),
		"JSON lines": file(t, "a.jsonl", `{"unit":1}`+"\n[]\n{\n\n"+`{"unit":4,"k":7}`+"\n"+`{"unit":5,"unit":6}`+"\n"+`{"unit":5,"k":{}}`+"\n\"\xff\"\n"+`{"unit":6}`+"\nnull\n"+`{"unit":7}`),
	} {
		q := countBy("k")
		q.Keys = nil
		if got := run(t, files.Options{Tables: map[string]files.Table{"t": tb}}, q, relation.Seed{}); got[0].Units != 5 {
			t.Errorf("%s: %d units count, want 1, 4, 5, 6 and 7", name, got[0].Units)
		}
	}
}

// TestChangeIsNoticed changes a file before the first and before the second of the readings of one question.
func TestChangeIsNoticed(t *testing.T) {
	q := countBy("k")
	other := *q.In.(*relation.Scan)
	other.Fields = []relation.Field{{Source: "unit", As: "unit2", Type: relation.NumberType(0, 0, 0)}, {Source: "k", As: "k2", Type: relation.TextType}}
	q.In = &relation.Join{Left: q.In, Right: &relation.Filter{In: &other, Where: relation.NewTruth(false)}, On: []relation.Equal{{Left: "k", Right: "k2"}}}
	table := func(t *testing.T) files.Table { return file(t, "a.csv", "unit,k\n"+strings.Repeat("1,a\n", 20_000)) }
	calm := &pausing{Context: t.Context()}
	if err := engine(t, files.Options{Tables: map[string]files.Table{"t": table(t)}}).Run(calm, q, relation.Seed{}, nil); err != nil || calm.asked < 2 {
		t.Fatalf("Run() = %v, with %d readings begun", err, calm.asked)
	}
	for name, change := range map[string]func(path string) error{
		"more rows": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("1,a\n")
			return errors.Join(err, f.Close())
		},
		"another file in its place": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path+".new", b, 0o600), os.Rename(path+".new", path))
		},
		"no file": os.Remove,
	} {
		for _, at := range []int{2, calm.asked/3 + 2} { // who waits asks once; then two readings and the look at the units equally often
			tb := table(t)
			ctx := &pausing{Context: t.Context(), at: at, do: func() {
				if err := change(tb.Paths[0]); err != nil {
					t.Error(err)
				}
			}}
			e := engine(t, files.Options{Tables: map[string]files.Table{"t": tb}})
			err := e.Run(ctx, q, relation.Seed{}, func(relation.Group) error { t.Error("a group came"); return nil })
			if !errors.Is(err, files.ErrChanged) && (name != "no file" || !errors.Is(err, files.ErrDamaged)) {
				t.Errorf("%s, at %d: Run() error = %v, want %v", name, at, err, files.ErrChanged)
			}
		}
	}
}

// pausing does something when it is asked for the so-manieth time for what tells that it is done, which every reading does when it begins.
type pausing struct {
	context.Context
	at, asked int
	do        func()
}

func (p *pausing) Done() <-chan struct{} {
	if p.asked++; p.asked == p.at {
		p.do()
	}
	return p.Context.Done()
}

// TestMemory asks with little memory: what is too much for one reading is read several times, to the same answer, and what is too
// much for that is refused.
func TestMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	tables := relationtest.Random(rng, 30_000)
	tb := write(t, tables[:1], files.CSV, 2)
	s := tables[0].Fields
	q := &relation.Bounded{In: &relation.Scan{Table: "stays", Fields: s}, Unit: []string{"patient"}, Keys: []string{"ward"}, Rows: 2, Groups: 2,
		Sums: []relation.Sum{{Op: relation.Count, High: 2}, {Op: relation.Total, Col: "cost", Low: -5000_00, High: 5000_00}},
		Bins: []relation.Bins{{Col: "nights", Width: 1, Count: 31}}}
	want := run(t, files.Options{Tables: tb}, q, relation.Seed{1})
	got := run(t, files.Options{Tables: tb, Memory: 400 << 10}, q, relation.Seed{1})
	if !reflect.DeepEqual(got, want) {
		t.Errorf("in several readings: %v, want %v", got, want)
	}
	asked := map[int64]int{}
	for _, memory := range []int64{400 << 10, 1 << 30} {
		ctx := &pausing{Context: t.Context()}
		if err := engine(t, files.Options{Tables: tb, Memory: memory}).Run(ctx, q, relation.Seed{1}, func(relation.Group) error { return nil }); err != nil {
			t.Fatal(err)
		}
		asked[memory] = ctx.asked
	}
	if asked[400<<10] <= 2*asked[1<<30] {
		t.Error("with little memory the files are read no more often than with much: nothing was tried")
	}
	f := &relation.Fold{In: q.In, Keys: []string{"patient", "day", "cost"}, Aggs: []relation.Agg{{Name: "n", Op: relation.CountRows, Type: relation.NumberType(0, 0, 9)}}}
	e := engine(t, files.Options{Tables: tb, Memory: 400 << 10})
	folded := &relation.Bounded{In: f, Unit: q.Unit, Rows: 1, Sums: []relation.Sum{{Op: relation.Total, Col: "n", High: 9}}}
	if err := e.Run(t.Context(), folded, relation.Seed{}, nil); !errors.Is(err, files.ErrMemory) {
		t.Errorf("a fold that is too large: Run() error = %v, want %v", err, files.ErrMemory)
	}
}

// TestCancelled gives up when it is told to.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	tb := file(t, "a.csv", "unit,k\n1,a\n")
	e := engine(t, files.Options{Tables: map[string]files.Table{"t": tb}})
	if err := e.Run(ctx, countBy("k"), relation.Seed{}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Run() error = %v, want %v", err, context.Canceled)
	}
	stop := errors.New("enough")
	if err := e.Run(t.Context(), countBy("k"), relation.Seed{}, func(relation.Group) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Run() error = %v, want what yield returned", err)
	}
}

// TestOthersWait holds one question up, and another one gives up waiting for it.
func TestOthersWait(t *testing.T) {
	e := engine(t, files.Options{Tables: map[string]files.Table{"t": file(t, "a.csv", "unit,k\n1,a\n")}})
	ctx, cancel := context.WithCancel(t.Context())
	asked := false
	err := e.Run(t.Context(), countBy("k"), relation.Seed{}, func(relation.Group) error {
		asked = true
		done := make(chan error)
		go func() { done <- e.Run(ctx, countBy("k"), relation.Seed{}, nil) }()
		select {
		case err := <-done:
			t.Errorf("the second question did not wait: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the one that waited: %v, want %v", err, context.Canceled)
		}
		return nil
	})
	if err != nil || !asked {
		t.Errorf("Run() = %v, asked %v", err, asked)
	}
}
