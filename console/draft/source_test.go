package draft_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/draft"
)

// spelled writes lines with [] around what is marked.
func spelled(lines []draft.SourceLine) string {
	var b strings.Builder
	for _, l := range lines {
		if l.Left > 0 {
			fmt.Fprintf(&b, "(%d)\n", l.Left)
		}
		fmt.Fprintf(&b, "%d ", l.Number)
		for _, p := range l.Parts {
			if p.Wrong {
				b.WriteString("[" + p.Text + "]")
			} else {
				b.WriteString(p.Text)
			}
		}
		fmt.Fprintf(&b, " %d\n", len(l.Mistakes))
	}
	return b.String()
}

func TestMistakesAreMarkedInTheirLines(t *testing.T) {
	at := func(line, column int) draft.Mistake { return draft.Mistake{File: "a", Line: line, Column: column} }
	for _, c := range []struct {
		name, text string
		ms         draft.Mistakes
		want       string
	}{
		{"a word", "permit (x);\nresurce, b\n", draft.Mistakes{at(2, 1)}, "1 permit (x); 0\n2 [resurce], b 1\n"},
		{"a mark", "a;;b", draft.Mistakes{at(1, 2)}, "1 a[;];b 1\n"},
		{"columns count characters", "éé wrong", draft.Mistakes{at(1, 4)}, "1 éé [wrong] 1\n"},
		{"two, not in order", "aa bb cc", draft.Mistakes{at(1, 7), at(1, 1)}, "1 [aa] bb [cc] 2\n"},
		{"two of one word", "aa bbbb", draft.Mistakes{at(1, 4), at(1, 5), at(1, 4)}, "1 aa [bbbb] 3\n"},
		{"behind the end", "permit", draft.Mistakes{at(1, 7)}, "1 permit[] 1\n"},
		{"far behind the end", "permit", draft.Mistakes{at(1, 1<<40)}, "1 permit[] 1\n"},
		{"the line behind the last newline", "a\n", draft.Mistakes{at(2, 1)}, "1 a 0\n2 [] 1\n"},
		{"a line without a column", "a", draft.Mistakes{at(1, 0)}, "1 a 1\n"},
		{"lines that are not there", "a", draft.Mistakes{at(0, 0), at(-3, -3), at(99, 1)}, ""},
		{"of Windows", "a b\r\nc\r\n", draft.Mistakes{at(1, 3)}, "1 a [b] 1\n2 c 0\n"},
	} {
		if got := spelled(draft.Inline(c.text, c.ms)); got != c.want {
			t.Errorf("%s:\n%swant\n%s", c.name, got, c.want)
		}
	}
}

// A text of a mebibyte of newlines is no page of a million rows.
func TestOfALongTextTheLinesAroundItsMistakesAreShown(t *testing.T) {
	text := strings.Repeat("\n", 1<<20)
	got := draft.Inline(text, draft.Mistakes{{Line: 500_000, Column: 1}, {Line: 500_015, Column: 1}, {Line: 1 << 20, Column: 1}})
	if len(got) != 21+15+11 || got[0].Left != 500_000-11 || got[0].Number != 500_000-10 || got[36].Left == 0 || got[1].Left != 0 || got[46].Number != 1<<20 {
		t.Errorf("%d lines: %.300s", len(got), spelled(got))
	}
	var everywhere draft.Mistakes
	for n := range 1 << 16 {
		everywhere = append(everywhere, draft.Mistake{Line: n + 1, Column: 1})
	}
	if got := draft.Inline(text, everywhere); len(got) != 400 {
		t.Errorf("%d lines of a text that is wrong everywhere", len(got))
	}
}
