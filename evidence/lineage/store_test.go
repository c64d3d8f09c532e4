package lineage

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Whatever values an event brings along, none of them is in any file: there is nothing to be erased.
func TestTheGraphHoldsNoValues(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir, []store.Schema{Schema()}, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ev, err := Decode([]byte(visitsEvent()), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	tell(t, New(db, Options{}), ev, etl)
	found := map[string]bool{}
	look := func() {
		t.Helper()
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			raw, err := os.ReadFile(path)
			for _, word := range []string{"Jane", "upper(", "clinic.patients"} {
				found[word] = found[word] || bytes.Contains(raw, []byte(word))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	look()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	look()
	if found["Jane"] || found["upper("] || !found["clinic.patients"] {
		t.Errorf("found in the files: %v, want the name of the dataset alone", found)
	}
}

// BenchmarkAdd is an event that tells nothing new, as most do.
func BenchmarkAdd(b *testing.B) {
	g := open(b, Options{})
	ev := run(run1, "j", both, mart(ofMail))
	tell(b, g, ev, etl)
	for b.Loop() {
		tell(b, g, ev, etl)
	}
}

// BenchmarkLabels carries labels through a thousand datasets of ten columns, each made of two before it.
func BenchmarkLabels(b *testing.B) {
	g := open(b, Options{})
	last := []Name{table("patients"), table("stays")}
	for i := range 1_000 {
		fields := map[string][]Column{}
		for f := range 10 {
			c := fmt.Sprint("c", f)
			fields[c] = []Column{{last[0], c}, {last[1], c}}
			if i < 2 {
				fields[c] = []Column{{table("patients"), "mail"}, {table("stays"), "why"}}
			}
		}
		next := Name{"s3://lake", fmt.Sprint("d", i)}
		tell(b, g, run(run1, fmt.Sprint("j", i), last, Dataset{Name: next, Columns: of(fields)}), etl)
		last = []Name{last[1], next}
	}
	rules := clinic()
	rules.Declared = append(rules.Declared, Declared{Name: last[1], Of: "last", Columns: map[string]flow.Label{"c1": flow.PublicData}})
	for b.Loop() {
		if l := carried(b, g, rules); l.reached("last", "c1") == "" || l.Cut {
			b.Fatal("no label reached the last")
		}
	}
}
