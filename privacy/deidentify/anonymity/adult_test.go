package anonymity

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dataDir is where the reference tables are; without them the test is skipped, or fails where it must not be.
func dataDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("SCRIM_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	dir = filepath.Join(dir, "tables", "adult")
	if _, err := os.Stat(filepath.Join(dir, "arx_adult.csv")); err != nil {
		const why = "Adult is not there: set SCRIM_DATA to the folder that holds tables/adult"
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	return dir
}

// adult reads the table, with the named columns as sensitive instead of quasi-identifiers.
func adult(t testing.TB, sensitive ...string) (*Table, []*Coding) {
	t.Helper()
	dir := dataDir(t)
	raw, err := os.ReadFile(filepath.Join(dir, "arx_adult.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, dir, raw, sensitive...)
}

func encode(t testing.TB, dir string, raw []byte, sensitive ...string) (*Table, []*Coding) {
	t.Helper()
	header, rest, _ := bytes.Cut(raw, []byte("\r\n"))
	var codings []*Coding
	var slot []int // of a column: of the quasi-identifiers, or -1 less that of the sensitive ones
	names := strings.Split(string(header), ";")
	qi, extra := 0, 0
	for _, name := range names {
		f, err := os.Open(filepath.Join(dir, "hierarchies", name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		c, err := ReadListed(f)
		f.Close()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		codings = append(codings, c)
		at := qi
		for _, s := range sensitive {
			if s == name {
				at = -1 - extra
			}
		}
		if at < 0 {
			extra++
		} else {
			qi++
		}
		slot = append(slot, at)
	}
	b := NewBuilder(qi, extra)
	values, hidden := make([]uint32, qi), make([]uint32, extra)
	for len(rest) > 0 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		for i := range names {
			var cell []byte
			cell, line, _ = bytes.Cut(line, []byte(";"))
			code, err := codings[i].Code(cell)
			if err != nil {
				t.Fatalf("row %d, column %s: %v", b.Rows()+1, names[i], err)
			}
			if slot[i] < 0 {
				hidden[-1-slot[i]] = code
			} else {
				values[slot[i]] = code
			}
		}
		b.Add(values, hidden)
	}
	attributes, protected := make([]Attribute, qi), make([]Sensitive, extra)
	var kept []*Coding
	for i, name := range names {
		if slot[i] < 0 {
			protected[-1-slot[i]] = codings[i].Sensitive(name)
		} else {
			attributes[slot[i]] = codings[i].Attribute(name)
			kept = append(kept, codings[i])
		}
	}
	table, err := b.Table(attributes, protected)
	if err != nil {
		t.Fatal(err)
	}
	return table, kept
}
