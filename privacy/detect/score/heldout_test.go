package score_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/detect/score"
)

// formalLabels are what the long formal texts are marked with.
var formalLabels = []string{"PERSON", "LOCATION", "ORGANIZATION", "DATETIME", "CODE", "DEMOGRAPHIC", "QUANTITY"}

// chatLabels are what the short everyday texts are marked with; a quarter of these holds nothing about anybody.
var chatLabels = append(slices.Clone(formalLabels), "ADDRESS", "EMAIL", "PHONE", "CARD", "ID")

// TestHeldOutSets holds the sets that a detector is measured on to their form: a mark that is a letter off, or a text in two
// sets, would bend every figure without anything failing.
func TestHeldOutSets(t *testing.T) {
	sets := []struct {
		file     string
		texts    int
		spans    int // at least
		unmarked int // texts without a mark
		labels   []string
	}{
		{"formal-dev.jsonl", 20, 1650, 0, formalLabels},
		{"formal-test.jsonl", 20, 1650, 0, formalLabels},
		{"chat-dev.jsonl", 60, 150, 15, chatLabels},
		{"chat-test.jsonl", 60, 150, 15, chatLabels},
	}
	seen := map[string]string{} // text to the set it is in
	for _, set := range sets {
		f, err := os.Open(filepath.Join("testdata", set.file))
		if err != nil {
			t.Fatal(err)
		}
		texts, err := score.Read(f)
		_ = f.Close()
		if err != nil {
			t.Fatalf("%s: %v", set.file, err)
		}
		var spans, unmarked int
		used := map[string]bool{}
		for _, one := range texts {
			if other, twice := seen[one.Text]; twice {
				t.Errorf("%s: text %s is also in %s", set.file, one.ID, other)
			}
			seen[one.Text] = set.file
			if len(one.Marked) == 0 {
				unmarked++
			}
			spans += len(one.Marked)
			checkMarks(t, set.file, one, set.labels, used)
		}
		if len(texts) != set.texts || spans < set.spans || unmarked != set.unmarked {
			t.Errorf("%s: %d texts, %d spans, %d texts without; want %d, at least %d, %d",
				set.file, len(texts), spans, unmarked, set.texts, set.spans, set.unmarked)
		}
		for _, label := range set.labels {
			if !used[label] {
				t.Errorf("%s: nothing is marked %s", set.file, label)
			}
		}
	}
}

// checkMarks demands that marks follow each other without overlap, hold something and are trimmed.
func checkMarks(t *testing.T, file string, one score.Text, labels []string, used map[string]bool) {
	t.Helper()
	last := 0
	for _, m := range one.Marked {
		value := one.Text[m.Start:m.End]
		if value == "" || value != strings.TrimSpace(value) || strings.Contains(value, "[[") || strings.Contains(value, "]]") {
			t.Errorf("%s: text %s: mark %q at %d is empty or not trimmed", file, one.ID, value, m.Start)
		}
		if m.Start < last {
			t.Errorf("%s: text %s: mark at %d overlaps the one before", file, one.ID, m.Start)
		}
		if !slices.Contains(labels, m.Type) {
			t.Errorf("%s: text %s: unknown label %s", file, one.ID, m.Type)
		}
		used[m.Type] = true
		last = m.End
	}
}
