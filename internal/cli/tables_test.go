package cli

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/parquet"
	rows "github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/store/pgtest"
)

// carry copies a table from one argument to another.
func carry(t *testing.T, e *env, from, to string) {
	t.Helper()
	src, err := e.openSource(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	target, err := e.openTarget(to)
	if err != nil {
		t.Fatal(err)
	}
	r, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := target.Create(t.Context(), r.Columns(), rows.Run{Tag: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err = rows.Copy(t.Context(), r, w, nil, rows.Options{Checkpoint: -1}); err == nil {
		if _, err = w.Finish(t.Context()); err == nil {
			err = w.Commit(t.Context())
		}
	}
	if err != nil {
		t.Fatalf("%s to %s: %v", shown(from), shown(to), err)
	}
}

// cellsOf reads a table whole.
func cellsOf(t *testing.T, e *env, arg string) (columns []rows.Column, lines []string) {
	t.Helper()
	src, err := e.openSource(arg)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b rows.Batch
	for {
		c, err := r.Next(t.Context())
		if err == io.EOF {
			return r.Columns(), lines
		}
		if err == nil {
			err = r.Read(t.Context(), c, &b)
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			var line strings.Builder
			for _, cell := range b.Row(i) {
				fmt.Fprintf(&line, "%d:%s|", cell.Kind, cell.Text)
			}
			lines = append(lines, line.String())
		}
	}
}

func TestTableGoesThroughEveryFormAndComesBack(t *testing.T) {
	server := pgtest.Start(t)
	url := server.Database(t)
	dir := t.TempDir()
	e := &env{in: strings.NewReader("")}
	first := filepath.Join(dir, "first.csv")
	text := "zip,name,note,age\n"
	for i := range 700 {
		text += fmt.Sprintf("%05d,\"Ann\"\"a\"\" %d\",\"a\\b	tab, line\n%d é\",%d\n", i, i, i, i%90)
	}
	if err := os.WriteFile(first, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	road := []string{first, filepath.Join(dir, "t.parquet"), url + "&table=t", filepath.Join(dir, "t.jsonl"), "sqlite:" + filepath.Join(dir, "t.db") + "?table=t", filepath.Join(dir, "last.csv")}
	for i := range road[1:] {
		carry(t, e, road[i], road[i+1])
	}
	if got, err := os.ReadFile(road[len(road)-1]); err != nil || string(got) != text {
		t.Errorf("what came back is another table: %v\n%.300s", err, got)
	}
}

func TestTypesGoThroughDatabasesAndComeBack(t *testing.T) {
	server := pgtest.Start(t)
	dir := t.TempDir()
	e := &env{in: strings.NewReader("")}
	columns := []rows.Column{
		{Name: "id", Type: rows.Integer, Required: true}, {Name: "weight", Type: rows.Float}, {Name: "smokes", Type: rows.Truth}, {Name: "born", Type: rows.Date},
		{Name: "seen", Type: rows.Timestamp}, {Name: "scan", Type: rows.Bytes}, {Name: "text", Type: rows.String},
	}
	b := rows.Batch{First: 1, Width: len(columns)}
	for i := range 50 {
		b.Rows++
		put := func(kind rows.Kind, text string) {
			b.Cells = append(b.Cells, rows.Cell{Kind: kind, Text: []byte(text)})
		}
		put(rows.Number, fmt.Sprint(i*1_000_000_007))
		if i%5 == 4 {
			for range len(columns) - 1 {
				b.Cells = append(b.Cells, rows.Cell{})
			}
			continue
		}
		put(rows.Number, fmt.Sprintf("%d.5", i))
		put(rows.Bool, fmt.Sprint(i%2 == 0))
		put(rows.Text, fmt.Sprintf("19%02d-02-28", i))
		put(rows.Text, fmt.Sprintf("2024-02-29T23:59:%02d.123456Z", i))
		put(rows.Text, "AP8Q")
		put(rows.Text, fmt.Sprintf("\\N\t%d", i))
	}
	first := filepath.Join(dir, "first.parquet")
	w, err := parquet.Target(first, parquet.Options{}).Create(t.Context(), columns, rows.Run{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	one, err := w.Encode(&b)
	if err == nil {
		err = w.Write(t.Context(), one)
	}
	if err == nil {
		_, err = w.Finish(t.Context())
	}
	if err == nil {
		err = w.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	at, want := cellsOf(t, e, first)
	for _, through := range []string{server.Database(t) + "&table=t", "sqlite:" + filepath.Join(dir, "t.db") + "?table=t"} {
		back := filepath.Join(dir, strings.ToLower(through[:6])+".parquet")
		carry(t, e, first, through)
		carry(t, e, through, back)
		types, got := cellsOf(t, e, back)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("through %s:\n%s\nwant\n%s", shown(through), strings.Join(got[:5], "\n"), strings.Join(want[:5], "\n"))
		}
		if strings.HasPrefix(through, "postgres") && fmt.Sprint(types) != fmt.Sprint(at) {
			t.Errorf("through %s: columns %v, want %v", shown(through), types, at)
		}
	}
}

func TestStandardInputIsLookedAtAndLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	z.Write([]byte("a,b\n1,2\n"))
	z.Close()
	for name, input := range map[string]string{"csv": "a,b\n1,2\n", "lines": "{\"a\":\"1\",\"b\":\"2\"}\n", "gzip": packed.String()} {
		e := &env{in: strings.NewReader(input)}
		src, err := e.openSource("-")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		files, _ := os.ReadDir(tmp)
		if len(files) != 1 {
			t.Fatalf("%s: %d files", name, len(files))
		}
		if info, _ := files[0].Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: the copy has mode %v", name, info.Mode())
		}
		if src.Name() != "standard input" {
			t.Errorf("Name() = %s", src.Name())
		}
		for range 2 {
			r, err := src.Open(t.Context())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			n := 0
			err = rows.Each(t.Context(), r, func(_ int, b *rows.Batch) error { n += b.Rows * b.Width; return nil }, rows.Options{Workers: 1})
			if err != nil || n != 2 {
				t.Errorf("%s: %d cells, %v", name, n, err)
			}
			r.Close()
		}
		if err := src.Close(); err != nil {
			t.Error(err)
		}
		if files, _ := os.ReadDir(tmp); len(files) != 0 {
			t.Errorf("%s: the copy is left", name)
		}
	}
}

func TestWhatIsNoTableIsSaidWithoutPasswords(t *testing.T) {
	e := &env{in: strings.NewReader("")}
	for _, arg := range []string{
		"table.xlsx", "table", "sqlite:x.db", "sqlite:?table=t", "sqlite:x.db?table=t&mode=rw", "t.parquet.gz",
		"postgres://ann:canary@db/clinic", "postgres://ann:canary@db:port/clinic?table=t", "POSTGRES://ann:canary@db/x", "mysql://ann:canary@db/clinic?table=t",
		"postgresql://ann:canary%zz@db/clinic?table=t",
	} {
		_, err := e.openSource(arg)
		_, err2 := e.openTarget(arg)
		if err == nil || err2 == nil || strings.Contains(err.Error()+err2.Error(), "canary") {
			t.Errorf("%s: %v; %v", arg, err, err2)
		}
	}
	if _, err := e.openTarget("-"); err == nil {
		t.Error("a table was to be written to standard output")
	}
	if _, err := e.openTarget("t.csv.gz"); err == nil {
		t.Error("a table was to be written compressed")
	}
}
