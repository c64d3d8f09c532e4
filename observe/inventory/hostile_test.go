package inventory

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/table"
)

func TestObjectsWhoseMembersAreValuesAreOneColumn(t *testing.T) {
	var mails, people strings.Builder
	for i := range 30 {
		fmt.Fprintf(&mails, `{"canary%d@example.org":{"visits":%d}}`+"\n", i, i)
		fmt.Fprintf(&people, `{"canary%s":%d}`+"\n", strings.Repeat("x", i), i)
	}
	for name, content := range map[string]string{"mails": mails.String(), "people": people.String()} {
		inv, l := scan(t, linesFile(written(t, "x.jsonl", content)), Options{})
		if a := inv.Assets[0]; !slices.Equal(columnNames(a), []string{"*"}) || a.Rows != 30 {
			t.Errorf("%s: columns %d, want one that names nothing", name, len(a.Columns))
		}
		if out, _ := json.Marshal(inv); strings.Contains(string(out), "canary") {
			t.Errorf("%s: the inventory holds a member's name", name)
		}
		if v := l["x/*"].Values; len(v) < 60 {
			t.Errorf("%s: %d values were looked at, want the names too", name, len(v))
		}
	}
}

// A compressed file that unfolds into one endless row ends with an error that names the place.
func TestAFileThatUnfoldsWithoutEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bomb.csv.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	_, _ = z.Write([]byte("a,b\n1,\""))
	zeros := make([]byte, 1<<20)
	for i := range zeros {
		zeros[i] = 'x'
	}
	for range 64 {
		_, _ = z.Write(zeros)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	inv, _ := scan(t, Files("x", []Opened{{Name: "bomb.csv.gz", Open: func() (table.Source, error) { return csv.File(path, csv.Options{}) }}}), Options{})
	if a := inv.Assets[0]; !a.Failed || !strings.Contains(a.Why, "bomb.csv.gz") || strings.Contains(a.Why, "xxx") {
		t.Errorf("the bomb: failed %v, %s", a.Failed, a.Why)
	}
}

// A table that takes too long is given up, and the others are looked at.
func TestATableThatTakesTooLong(t *testing.T) {
	endless := `CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) AS s FROM n`
	src := SQLite(liteFile(t, endless, `CREATE TABLE short (id INTEGER)`, `INSERT INTO short VALUES (1)`))
	began := time.Now()
	inv, _ := scan(t, src, Options{Views: true, Each: 5 * time.Second}) // opening and listing have as long
	if a := asset(t, inv, "endless"); !a.Failed || !strings.Contains(a.Why, "endless") {
		t.Errorf("the endless view: %+v", a)
	}
	if a := asset(t, inv, "short"); a.Failed || a.Rows != 1 {
		t.Errorf("the table beside it: %+v", a)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}

func TestParquetFileThatLies(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "x.parquet")
	raw := []byte("PAR1" + strings.Repeat("canary", 20) + "\xff\xff\xff\x7fPAR1")
	if err := os.WriteFile(whole, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	inv, _ := scan(t, Files("x", []Opened{{Name: "x.parquet", Open: func() (table.Source, error) { return parquet.File(whole) }}}), Options{})
	if a := inv.Assets[0]; !a.Failed || !strings.Contains(a.Why, "footer") || strings.Contains(a.Why, "canary") {
		t.Errorf("a footer longer than its file: %+v", a)
	}
}

// Whatever names a source has, a contract comes of it that can be read, and that compares as the same.
func FuzzNames(f *testing.F) {
	for _, s := range [][4]string{
		{"patients", "id", "home", "city"}, {`"; drop table`, "a/b", "a.b", "a_b"}, {"\x1b]0;x\x07", "\n", "\u202e", "\xff"},
		{"", "", ".", ".."}, {"a: b", "- x", "#", "'"}, {"A", "a", "A", "a.A"}, {"public.x", "x", "null", "~"}, {"<<", "*a", "&b", "!!str"},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	f.Fuzz(func(t *testing.T, name, a, b, c string) {
		inv := &Inventory{Source: name, Assets: []Asset{
			{Name: name, Kind: Table, Columns: []Column{{Name: a, Type: name}, {Name: b, Logical: "object", References: c}, {Name: b + "." + c, Type: a}}},
			{Name: name + "2", Kind: File, Why: a, Columns: []Column{{Name: c, Why: b}}},
		}}
		inv.Assets[1].Columns[0].refer(name, a)
		p := Proposal{ID: "x"}
		got, err := inv.Contract(p)
		if err != nil {
			t.Fatalf("%q %q %q %q: %v", name, a, b, c, err)
		}
		again, err := catalog.ParseContract("x", got.AppendYAML(nil), nil)
		if err != nil {
			t.Fatalf("reading it again: %v", err)
		}
		if a == b || b == b+"."+c || a == b+"."+c || name == name+"2" {
			return // no source has a column twice
		}
		if len(name) >= 200 || len(a) > 200 || len(b)+len(c) >= 200 {
			return // names are cut there, and two that differ behind it are told apart by their order alone
		}
		if d := inv.Diff(again, p); len(d) > 0 {
			t.Fatalf("the same differs: %v", d)
		}
	})
}

func FuzzSchema(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#/$defs/b"}},"$defs":{"b":{"allOf":[{"$ref":"#"}]}}}`)
	f.Add(`{"items":{"items":{"properties":{"":{}}}},"type":["null","array"]}`)
	f.Fuzz(func(t *testing.T, raw string) {
		var v any
		if json.Unmarshal([]byte(raw), &v) != nil {
			return
		}
		if n := len(schemaColumns(v, "arguments")); n < 1 || n > maxPlaces {
			t.Errorf("%d places", n)
		}
	})
}

func FuzzNested(f *testing.F) {
	f.Add(`{"a":[{"b":1},{"b":null,"c":[[{}]]}],"":{"x@y.z":true}}`)
	f.Fuzz(func(t *testing.T, raw string) {
		m := &member{name: "x"}
		if !m.take([]byte(raw)) {
			return
		}
		var d draft
		m.columns(&d, Column{Name: "x"})
		if len(d.Columns) != len(d.values) {
			t.Errorf("%d columns, %d lists of values", len(d.Columns), len(d.values))
		}
		for _, c := range d.Columns {
			if c.Name != "x" && !plausible(c.Name) && strings.Contains(c.Name, "@") {
				t.Errorf("a place is called by a value")
			}
		}
	})
}
