package csv

import (
	"bytes"
	"context"
	stdcsv "encoding/csv"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/table"
)

const canary = "zzCANARYzz"

func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// copied reads a file and writes it again, and returns what stands at the destination.
func copied(t testing.TB, src string, in, out Options, change func(*table.Batch) error) ([]byte, error) {
	t.Helper()
	ctx := context.Background()
	s, err := File(src, in)
	if err != nil {
		return nil, err
	}
	r, err := s.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	dst := filepath.Join(t.TempDir(), "out.csv")
	w, err := Target(dst, out).Create(ctx, r.Columns(), table.Run{Tag: "t"})
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := table.Copy(ctx, r, w, change, table.Options{Workers: 2}); err != nil {
		return nil, err
	}
	if _, err := w.Finish(ctx); err != nil {
		return nil, err
	}
	if err := w.Commit(ctx); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	return b, nil
}

func TestUnchangedFilesStayByteForByte(t *testing.T) {
	for name, in := range map[string]string{
		"plain":               "a,b\n1,2\n3,4\n",
		"semicolons":          "a;b\n1;2,5\n3;4\n",
		"tabs and CRLF":       "a\tb\r\n1\t2\r\n",
		"bars":                "a|b\n1|2\n",
		"no last line end":    "a,b\n1,2\n3,4",
		"only a header":       "a,b",
		"header and line end": "a,b\n",
		"needless quotes":     "a,b\n\"1\",2\n",
		"quoted line ends":    "a,b\n\"x\r\ny\nz\",\"\"\"q\"\"\"\n",
		"null and no letters": "a,b\n,\"\"\n\"\",\n",
		"one column":          "a\n\n\"\"\nx\n\n",
		"a mark":              "\ufeffa,b\n1,2\n",
		"mixed line ends":     "a,b\n1,2\r\n3,4\n",
		"other letters":       "näme,b\nß,日本\n",
	} {
		for _, chunk := range []int{1, 2, 3, 7, 0} {
			got, err := copied(t, write(t, "in.csv", []byte(in)), Options{chunk: chunk}, Options{}, nil)
			if err != nil || string(got) != in {
				t.Errorf("%s, chunks of %d: got %q, %v, want %q", name, chunk, got, err, in)
			}
		}
	}
}

func TestErrorsNameThePlaceAndNeverTheCell(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		o    Options
		want table.Error
	}{
		"too few cells":       {in: "a,b\n1,2\n" + canary + "\n", want: table.Error{Row: 2, Line: 3, Why: "has 1 cell, the header has 2"}},
		"too many cells":      {in: "a,b\n1,2," + canary + "\n", want: table.Error{Row: 1, Line: 2, Why: "has 3 cells, the header has 2"}},
		"a bare quote":        {in: "a,b\n\"x\ny\",2\n1," + canary + "\"x\n", want: table.Error{Row: 2, Line: 4, Column: "b", Why: "a quote in a cell that has none around it"}},
		"never closed":        {in: "a,b\n1,2\n3,\"" + canary + "\n4,5\n", want: table.Error{Row: 2, Line: 3, Column: "b", Why: "a quote is opened and never closed"}},
		"behind a quote":      {in: "a,b\n\"1\"" + canary + ",2\n", want: table.Error{Row: 1, Line: 2, Column: "a", Why: "text behind a closing quote"}},
		"a carriage return":   {in: "a,b\n1,x\r" + canary + "\n", want: table.Error{Row: 1, Line: 2, Column: "b", Why: "a carriage return without a line feed, outside quotes"}},
		"not UTF-8":           {in: "a,b\n1,2\n1," + canary + "\xe9\n", want: table.Error{Row: 2, Line: 3, Column: "b", Why: wrongText}},
		"NUL":                 {in: "a,b\n1," + canary + "\x00\n", want: table.Error{Row: 1, Line: 2, Column: "b", Why: wrongText}},
		"not windows-1252":    {in: "a,b\n1,2\n" + canary + "\x81,2\n", o: Options{Encoding: "windows-1252"}, want: table.Error{Row: 2, Line: 3, Column: "a", Why: wrongText}},
		"too long":            {in: "a,b\n1,2\n" + strings.Repeat(canary, 10) + ",2\n", o: Options{MaxRow: 50}, want: table.Error{Row: 2, Line: 3, Why: "is longer than 50 bytes"}},
		"too long, in quotes": {in: "a,b\n1,2\n\"" + strings.Repeat(canary, 10) + "\",2\n", o: Options{MaxRow: 50}, want: table.Error{Row: 2, Line: 3, Why: "is longer than 50 bytes"}},
		"no header":           {in: "", want: table.Error{Line: 1, Why: "is empty: there is no header"}},
		"a name twice":        {in: "a,a\n" + canary + ",2\n", want: table.Error{Line: 1, Column: "a", Why: "stands twice in the header"}},
		"a name missing":      {in: "a,,b\n", want: table.Error{Line: 1, Why: "the header has a column without a name"}},
		"two delimiters fit":  {in: "a,b;c\n1,2;3\n", want: table.Error{Why: "more than one delimiter fits: say which it is"}},
		"no such encoding":    {in: "a\n", o: Options{Encoding: "klingon"}, want: table.Error{Why: "the encoding asked for is not known"}},
		"utf-16 without mark": {in: "a\x00,\x00b\x00\n\x00", o: Options{Encoding: "utf-16"}, want: table.Error{Why: "has no byte order mark: say utf-16le or utf-16be"}},
		"utf-16 taken for 8":  {in: "a\x00,\x00b\x00\n\x00", want: table.Error{Line: 1, Why: "the header is not in the encoding that the file is read in"}},
		"half a surrogate":    {in: "\xff\xfea\x00\n\x00x\x00\x00\xd8y\x00\n\x00", want: table.Error{Row: 1, Line: 2, Column: "a", Why: wrongText}},
	} {
		for _, chunk := range []int{1, 2, 5, 0} {
			c.o.chunk = chunk
			path := write(t, "in.csv", []byte(c.in))
			_, err := copied(t, path, c.o, Options{}, nil)
			e, ok := errors.AsType[*table.Error](err)
			if !ok {
				t.Errorf("%s, chunks of %d: error %v, want %q", name, chunk, err, c.want.Why)
				continue
			}
			c.want.Table = path
			got := *e
			got.Err = nil
			if got != c.want {
				t.Errorf("%s, chunks of %d: got %+v, want %+v", name, chunk, got, c.want)
			}
			if strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%s: the error holds the cell: %v", name, err)
			}
		}
	}
}

func TestEncodings(t *testing.T) {
	utf16 := "\xff\xfea\x00,\x00b\x00\n\x00\xe9\x00,\x00=\xd8\x00\xde\n\x00"
	for _, c := range []struct {
		in, want string
		o        Options
	}{
		{in: "a,b\n\xe9,\x80\n", o: Options{Encoding: "windows-1252"}, want: "a,b\né,€\n"},
		{in: "a,b\n\xe9,1\n", o: Options{Encoding: "latin1"}, want: "a,b\né,1\n"},
		{in: utf16, want: "a,b\né,😀\n"},
		{in: utf16[2:], o: Options{Encoding: "utf-16le"}, want: "a,b\né,😀\n"},
	} {
		got, err := copied(t, write(t, "in.csv", []byte(c.in)), c.o, Options{}, nil)
		if err != nil || string(got) != c.want {
			t.Errorf("%q: got %q, %v, want %q", c.in, got, err, c.want)
		}
		back, err := copied(t, write(t, "in.csv", []byte(c.want)), Options{}, Options{Encoding: c.o.Encoding}, nil)
		if c.o.Encoding == "utf-16le" {
			c.in = utf16
		}
		if c.o.Encoding != "" && (err != nil || string(back) != c.in) {
			t.Errorf("written as %s: got %q, %v, want %q", c.o.Encoding, back, err, c.in)
		}
	}
	_, err := copied(t, write(t, "in.csv", []byte("a,b\n1,日\n")), Options{}, Options{Encoding: "latin1"}, nil)
	if e, ok := errors.AsType[*table.Error](err); !ok || e.Row != 1 || e.Column != "b" {
		t.Errorf("letters that the encoding does not have: error %v, want row 1, column b", err)
	}
}

func TestChangedCellsAreQuotedAsNeeded(t *testing.T) {
	path := write(t, "in.csv", []byte("a;b;c\n1;\"2\";3\n4;5;6\n7;8;9"))
	texts := []string{"x;y", "", "q\"r\ns"}
	got, err := copied(t, path, Options{}, Options{}, func(b *table.Batch) error {
		for i := range b.Rows {
			b.Row(i)[2] = table.Cell{Kind: table.Text, Text: []byte(texts[i])}
		}
		b.Drop = []bool{false, true, false}
		return nil
	})
	if want := "a;b;c\n1;\"2\";\"x;y\"\n7;8;\"q\"\"r\ns\""; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	got, err = copied(t, path, Options{}, Options{Delimiter: ','}, nil)
	if want := "a,b,c\n1,2,3\n4,5,6\n7,8,9\n"; err != nil || string(got) != want {
		t.Errorf("with another delimiter: got %q, %v, want %q", got, err, want)
	}
}

func TestGuardedFormulas(t *testing.T) {
	in := "a,b\n=1+1,-5\n@x,\"+A1,2\"\n-1.5e3,-x\nok,＝1\n"
	want := "a,b\n'=1+1,-5\n'@x,\"'+A1,2\"\n-1.5e3,'-x\nok,'＝1\n"
	if got, err := copied(t, write(t, "in.csv", []byte(in)), Options{}, Options{Guard: true}, nil); err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got, err := copied(t, write(t, "in.csv", []byte(in)), Options{}, Options{}, nil); err != nil || string(got) != in {
		t.Errorf("unguarded: got %q, %v, want it as it came", got, err)
	}
}

func TestSelectedColumns(t *testing.T) {
	s, err := File(write(t, "in.csv", []byte("a,b,c\n1,2,3\n4,5,6\n")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r, err = table.Select("t", r, []string{"c", "a"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	err = table.Each(t.Context(), r, func(_ int, b *table.Batch) error {
		for _, c := range b.Cells {
			got = append(got, string(c.Text))
		}
		return nil
	}, table.Options{Workers: 1})
	if err != nil || strings.Join(got, " ") != "3 1 6 4" {
		t.Errorf("got %v, %v, want 3 1 6 4", got, err)
	}
}

// TestLenientReaderLeavesOutWhatIsNoRow reads cells and rows that are errors to others.
func TestLenientReaderLeavesOutWhatIsNoRow(t *testing.T) {
	path := write(t, "in.csv", []byte("a,b\n1,x\n2\n3,y,z\n4,\xff\n5,\"a\x00\"\"b\"\n6,\"\"\n"))
	for _, lenient := range []bool{false, true} {
		s, err := File(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(t.Context())
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
		var got strings.Builder
		for i := range b.Rows {
			for _, c := range b.Row(i) {
				got.WriteString(string(c.Text) + map[bool]string{true: "NULL"}[c.Kind == table.Null] + " ")
			}
		}
		if want := "1 x 4 NULL 5 NULL 6  "; got.String() != want {
			t.Errorf("cells are %q, want %q", got.String(), want)
		}
	}
}

func TestChangedBetweenReadings(t *testing.T) {
	path := write(t, "in.csv", []byte("a,b\n1,2\n"))
	s, err := File(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	stat, _ := os.Stat(path)
	read := func() error {
		r, err := s.Open(t.Context())
		if err != nil {
			return err
		}
		defer r.Close()
		return table.Each(t.Context(), r, func(int, *table.Batch) error { return nil }, table.Options{})
	}
	if err := read(); err != nil || s.Fingerprint() == "" {
		t.Fatalf("first reading: %v, fingerprint %q", err, s.Fingerprint())
	}
	os.WriteFile(path, []byte("a,b\n1,3\n"), 0o600)
	os.Chtimes(path, stat.ModTime(), stat.ModTime()) // only the content says so
	if err := read(); !errors.Is(err, table.ErrChanged) {
		t.Errorf("another content: error %v, want ErrChanged", err)
	}
	os.WriteFile(path, []byte("a,b\n1,2\n3,4\n"), 0o600)
	if err := read(); !errors.Is(err, table.ErrChanged) {
		t.Errorf("another size: error %v, want ErrChanged", err)
	}
}

// FuzzRead holds the reader to encoding/csv where both accept a file, and to itself whatever the size of chunks.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a\n\"x\ny\"\n", "a,b\n\"\"\"\",\r\n", "a\n\n", "a,b\n1,\"2\n", "a,b\n\"1,2\n3,4\"x\n", "\xfe\xff\xf2\n\xff\xf2"} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, chunk uint8) {
		path := write(t, "in.csv", in)
		whole, wholeErr := copied(t, path, Options{Delimiter: ','}, Options{}, nil)
		small, smallErr := copied(t, path, Options{Delimiter: ',', chunk: int(chunk)%64 + 1}, Options{}, nil)
		if (wholeErr == nil) != (smallErr == nil) || wholeErr != nil && wholeErr.Error() != smallErr.Error() || !bytes.Equal(whole, small) {
			t.Fatalf("chunks matter: %q, %v and %q, %v", whole, wholeErr, small, smallErr)
		}
		if wholeErr != nil || bytes.HasPrefix(in, []byte("\xfe\xff")) || bytes.HasPrefix(in, []byte("\xff\xfe")) {
			return // encoding/csv reads no UTF-16
		}
		rows, err := stdcsv.NewReader(bytes.NewReader(bytes.TrimPrefix(in, []byte("\ufeff")))).ReadAll()
		if err != nil {
			return
		}
		s, err := File(path, Options{Delimiter: ','})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		width := len(r.Columns())
		var got [][]string
		var b table.Batch
		for {
			c, err := r.Next(t.Context())
			if err == io.EOF {
				break
			}
			if err == nil {
				err = r.Read(t.Context(), c, &b)
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Rows {
				if width == 1 && b.Row(i)[0].Kind == table.Null {
					continue // an empty line, which encoding/csv passes over
				}
				var row []string
				for _, c := range b.Row(i) {
					row = append(row, strings.ReplaceAll(string(c.Text), "\r\n", "\n"))
				}
				got = append(got, row)
			}
		}
		if len(rows) > 0 {
			rows = rows[1:]
		}
		if len(got) != len(rows) {
			t.Fatalf("%d rows, encoding/csv has %d", len(got), len(rows))
		}
		for i := range rows {
			if strings.Join(got[i], "\x00") != strings.Join(rows[i], "\x00") {
				t.Fatalf("row %d is %q, encoding/csv has %q", i+1, got[i], rows[i])
			}
		}
	})
}
