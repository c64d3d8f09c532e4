package lines

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/table"
)

func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// copied reads a table and writes these columns of it, or all, as JSON lines.
func copied(t testing.TB, s table.Source, names []string, change func(*table.Batch) error) (string, error) {
	t.Helper()
	ctx := context.Background()
	r, err := s.Open(ctx)
	if err != nil {
		return "", err
	}
	defer r.Close()
	if names != nil {
		if r, err = table.Select(s.Name(), r, names); err != nil {
			return "", err
		}
	}
	dst := filepath.Join(t.TempDir(), "out.jsonl")
	w, err := Target(dst, Options{}).Create(ctx, r.Columns(), table.Run{Tag: "t"})
	if err != nil {
		return "", err
	}
	defer w.Close()
	if err := table.Copy(ctx, r, w, change, table.Options{Workers: 2}); err != nil {
		return "", err
	}
	if _, err := w.Finish(ctx); err != nil {
		return "", err
	}
	if err := w.Commit(ctx); err != nil {
		return "", err
	}
	b, err := os.ReadFile(dst)
	return string(b), err
}

func open(t testing.TB, in string, o Options) table.Source {
	t.Helper()
	s, err := File(write(t, "in.jsonl", []byte(in)), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestUnchangedLinesStayByteForByte(t *testing.T) {
	for _, in := range []string{
		"",
		"{}\n{ }\n",
		"{\"a\":1,\"b\":\"x\"}\n{\"b\" : \"\\u0041\\/\" ,\t\"a\":1.00e+2 }\r\n",
		" {\"a\":{\"x\":[1, 2]},\"b\":null} \n{\"c\":true,\"b\":12345678901234567890.10}",
		"\ufeff{\"a\":1}\n",
		"{\"/a\":1,\"\":2,\"~\":3}\n{\"\\u0061b\":1}\n",
	} {
		for _, chunk := range []int{1, 3, 0} {
			got, err := copied(t, open(t, in, Options{chunk: chunk}), nil, nil)
			if err != nil || got != in {
				t.Errorf("chunks of %d: got %q, %v, want %q", chunk, got, err, in)
			}
		}
	}
}

func TestMembersThatNoColumnNamesNeverPass(t *testing.T) {
	in := `{"a":1,"SECRET":2,"o":{"SECRET":3,"x":4,"p":{"y":5,"SECRET":[{"y":6}]}},"b":"z"}
{"SECRET":1,"SECRET2":{"x":"SECRET"}}
{"o":"SECRET","a":7}
{"o":[{"x":"SECRET"}],"a":null,"b":{"SECRET":0}}
{"S\u0045CRET":"SECRET" , "b":1}
`
	want := `{"a":1,"o":{"x":4,"p":{"y":5}}}
{}
{"a":7}
{"a":null}
{}
`
	s := open(t, in, Options{Columns: []string{"a", "/o/x", "/o/p/y"}, Sample: -1})
	for range 2 {
		r, _ := s.Open(t.Context())
		got, err := copied(t, s, nil, nil)
		if err != nil || got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
		r.Close()
	}
	r, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := table.Each(t.Context(), r, func(int, *table.Batch) error { return nil }, table.Options{}); err != nil {
		t.Fatal(err)
	}
	if rows, first := Late(r); rows != 4 || first != 1 {
		t.Errorf("Late() = %d, %d, want 4 rows, the first of them 1", rows, first)
	}
	// Found columns that are not selected do not pass either, nor do members that come after the sample.
	s = open(t, "{\"a\":1,\"b\":2}\n{\"b\":3,\"SECRET\":4,\"a\":5}\n", Options{Sample: 1})
	if got, err := copied(t, s, []string{"a"}, nil); err != nil || got != "{\"a\":1}\n{\"a\":5}\n" {
		t.Errorf("selected: got %q, %v", got, err)
	}
	if got, err := copied(t, s, nil, nil); err != nil || got != "{\"a\":1,\"b\":2}\n{\"b\":3,\"a\":5}\n" {
		t.Errorf("late: got %q, %v", got, err)
	}
}

// A writer that has fewer columns than the reader writes those alone, wherever the others stand.
func TestWriterOfFewerColumns(t *testing.T) {
	s := open(t, "{\"b\":\"SECRET\" , \"a\": 1,\"o\":{\"x\":\"SECRET\",\"y\":2}}\n{\"a\":3,\"b\":4}\n", Options{Columns: []string{"/o/x", "/o/y"}})
	r, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var keep []int
	var columns []table.Column
	for i, c := range r.Columns() {
		if c.Name == "/o/y" || c.Name == "a" {
			keep, columns = append(keep, i), append(columns, c)
		}
	}
	dst := filepath.Join(t.TempDir(), "out.jsonl")
	w, err := Target(dst, Options{}).Create(t.Context(), columns, table.Run{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	err = table.Copy(t.Context(), r, w, func(b *table.Batch) error { b.Select(keep); return nil }, table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(dst + ".scrim-partial")
	if want := "{ \"a\": 1,\"o\":{\"y\":2}}\n{\"a\":3}\n"; err != nil || string(b) != want {
		t.Errorf("got %q, %v, want %q", b, err, want)
	}
}

func TestChangedCells(t *testing.T) {
	in := "{\"a\": 1, \"b\": \"x\", \"o\": {\"c\": 2}}\n{\"b\":\"y\"}\n{\"a\":3,\"b\":\"z\"}\n"
	want := "{\"a\": 1, \"b\": \"\\\"é\\n\", \"o\": {}}\n{\"b\":\"\\\"é\\n\",\"o\":{\"c\":9}}\n"
	s := open(t, in, Options{Columns: []string{"/o/c"}})
	got, err := copied(t, s, nil, func(b *table.Batch) error {
		for i := range b.Rows {
			b.Row(i)[1] = table.Cell{Kind: table.Text, Text: []byte("\"é\n")}
		}
		b.Row(0)[2] = table.Cell{}
		b.Row(1)[2] = table.Cell{Kind: table.Number, Text: []byte("9")}
		b.Drop = []bool{false, false, true}
		return nil
	})
	if err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, c := range []table.Cell{
		{Kind: table.Number, Text: []byte("01")}, {Kind: table.Number, Text: []byte(`1,"SECRET":2`)}, {Kind: table.Bool, Text: []byte("yes")},
		{Kind: table.Text, Text: []byte("\xff")}, {Kind: table.Nested, Text: []byte("{")},
	} {
		_, err := copied(t, s, nil, func(b *table.Batch) error { b.Row(2)[0] = c; return nil })
		e, ok := errors.AsType[*table.Error](err)
		if !ok || e.Row != 3 || e.Column != "a" || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("cell that is not of its kind: error %v, want row 3, column a", err)
		}
	}
}

func TestFoundFurtherDown(t *testing.T) {
	s := open(t, "{\"a\":1,\"o\":{\"x\":2,\"SECRET\":3}}\n{\"o\":{\"y\":{\"z\":4}}}\n", Options{})
	if err := s.(table.Finder).Find([]string{"a", "b", "/o/x", "/o/none", "/o/y/z", "/a/b"}); err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var names []string
	for _, c := range r.Columns() {
		names = append(names, c.Name)
	}
	if got := strings.Join(names, " "); got != "a /o/x /o/y/z" {
		t.Errorf("columns %s, want a /o/x /o/y/z", got)
	}
	if got, err := copied(t, s, nil, nil); err != nil || got != "{\"a\":1,\"o\":{\"x\":2}}\n{\"o\":{\"y\":{\"z\":4}}}\n" {
		t.Errorf("got %q, %v", got, err)
	}
	s = open(t, "{\"o\":{\"x\":2}}\n", Options{})
	if err := s.(table.Finder).Find([]string{"/o", "/o/x"}); err == nil {
		t.Error("a column within another was taken")
	}
}

func TestErrorsNameTheRow(t *testing.T) {
	for name, c := range map[string]struct {
		line, why string
	}{
		"empty":          {"", "an empty line is no row"},
		"a name twice":   {`{"a":"CANARY","\u0061":1}`, "has a member's name twice in one object, at byte 15 of the line"},
		"twice, deep":    {`{"a":{"x":1,"x":2}}`, "has a member's name twice in one object, at byte 13 of the line"},
		"not UTF-8":      {"{\"a\":\"CANARY\xff\"}", "has text that is not valid Unicode, at byte 13 of the line"},
		"no object":      {`["CANARY"]`, "is not an object"},
		"two documents":  {`{} {"CANARY":1}`, "is not valid JSON, at byte 4 of the line"},
		"cut short":      {`{"CANARY":`, "is not valid JSON, at byte 11 of the line"},
		"too long":       {`{"a":"` + strings.Repeat("CANARY", 100) + `"}`, "is longer than 200 bytes"},
		"not even ended": {strings.Repeat("CANARY", 1000), "is longer than 200 bytes"},
	} {
		for _, chunk := range []int{1, 30, 0} {
			path := write(t, "in.jsonl", []byte("{\"a\":1}\n{\"a\":2}\n"+c.line+"\n{\"a\":3}\n"))
			s, err := File(path, Options{Sample: 2, MaxRow: 200, chunk: chunk})
			if err == nil {
				_, err = copied(t, s, nil, nil)
			}
			want := path + ": row 3 (line 3): " + c.why
			if err == nil || err.Error() != want {
				t.Errorf("%s, chunks of %d: error %v, want %s", name, chunk, err, want)
			}
		}
	}
	for _, columns := range [][]string{{"a", "a"}, {"a", "/a"}, {"a", "/a/b"}, {"/a/b", "a"}, {"/a~2"}, {""}} {
		if _, err := File(write(t, "in.jsonl", nil), Options{Columns: columns}); err == nil {
			t.Errorf("columns %q: no error", columns)
		}
	}
}

// TestLenientReaderLeavesOutWhatIsNoRow reads lines that are errors to others.
func TestLenientReaderLeavesOutWhatIsNoRow(t *testing.T) {
	in := "{\"a\":1}\n[]\n{\n\n{\"a\":2}\n{\"a\":1,\"a\":2}\n\xff\n{\"a\":3}"
	for _, lenient := range []bool{false, true} {
		r, err := open(t, in, Options{Columns: []string{"a"}, Sample: -1}).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if lenient {
			r.(*reader).Lenient()
		}
		c, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var b table.Batch
		err = r.Read(t.Context(), c, &b)
		r.Close()
		if !lenient {
			if err == nil {
				t.Error("without leniency the file is read")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for i := range b.Rows {
			got += string(b.Row(i)[0].Text)
		}
		if got != "123" {
			t.Errorf("rows are %q, want 1, 2 and 3", got)
		}
	}
}

func TestRowsOfOtherFormatsBecomeObjects(t *testing.T) {
	s, err := csv.File(write(t, "in.csv", []byte("a,/b/c,/b/d\n1,\"x\"\"y\",\n,,z\n")), csv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := copied(t, s, nil, nil)
	want := `{"a":"1","b":{"c":"x\"y","d":null}}` + "\n" + `{"a":null,"b":{"c":null,"d":"z"}}` + "\n"
	if err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n{\"b\" : \"\\u00e9\" }"), uint8(1))
	f.Add([]byte("{\"a\":{\"b\":[1,{}]},\"/x\":null}\r\n{}\n"), uint8(7))
	f.Add([]byte("{\"a\":1,\"a\":2}\n\n"), uint8(7))
	f.Fuzz(func(t *testing.T, in []byte, chunk uint8) {
		path := write(t, "in.jsonl", in)
		run := func(o Options) (string, error) {
			s, err := File(path, o)
			if err != nil {
				return "", err
			}
			return copied(t, s, nil, nil)
		}
		whole, err := run(Options{})
		small, smallErr := run(Options{chunk: int(chunk) + 1})
		if whole != small || (err == nil) != (smallErr == nil) || err != nil && err.Error() != smallErr.Error() {
			t.Fatalf("chunks matter: %q, %v and %q, %v", whole, err, small, smallErr)
		}
		if err == nil && !bytes.Equal([]byte(whole), in) {
			t.Fatalf("got %q, want %q", whole, in)
		}
		if none, err := run(Options{Sample: -1, Columns: []string{"/none/of/them"}}); err == nil && strings.ContainsAny(none, "\":,[") {
			t.Fatalf("something passed that no column names: %q", none)
		}
	})
}
