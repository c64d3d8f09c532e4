package score_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/detect/score"
)

func Example() {
	texts, err := score.Read(strings.NewReader(`{"text":"Call Ana Ruiz, 555 0100.","spans":[{"start":5,"end":13,"label":"NAME"},{"start":15,"end":23,"label":"PHONE"}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	var s score.Sheet
	for _, t := range texts {
		s.Add(t, []score.Span{{Start: 15, End: 23, Type: "phone"}, {Start: 0, End: 4, Type: "verb"}})
	}
	fmt.Printf("precision %.2f, recall %.2f, F2 %.2f, %d of %d values, %d false alarm\n",
		s.Tokens.Precision(), s.Tokens.Recall(), s.Tokens.F(2), s.Found, s.Values, s.FalseAlarms)
	// Output: precision 0.67, recall 0.50, F2 0.53, 1 of 2 values, 1 false alarm
}

func TestForms(t *testing.T) {
	for name, in := range map[string]string{
		"array": `[{"full_text":"ü Ana","spans":[{"entity_type":"PERSON","start_position":2,"end_position":5}]}]`,
		"lines": "\n" + `{"id":7,"text":"ü Ana","spans":[{"start":2,"end":5,"label":"PERSON"}]}` + "\n\n",
		"conll": "ü O\nAna B-PERSON\n\n",
	} {
		texts, err := score.Read(strings.NewReader(in))
		if err != nil || len(texts) != 1 {
			t.Errorf("%s: %v, %v", name, texts, err)
			continue
		}
		m := texts[0].Marked
		if len(m) != 1 || texts[0].Text[m[0].Start:m[0].End] != "Ana" || m[0].Type != "PERSON" {
			t.Errorf("%s: marked %v in %q", name, m, texts[0].Text)
		}
	}
}

func TestWhatIsNoDataSetNamesThePlaceAlone(t *testing.T) {
	for _, in := range []string{
		"", " \n", "[1]", `[{"full_text":"Ana","spans":[{"entity_type":"X","start_position":1,"end_position":9}]}]`,
		`{"text":"Ana","spans":[{"start":2,"end":2}]}`, `{"x":"Ana"}`, "{", "Ana\n", "Ana X-PER\n",
	} {
		texts, err := score.Read(strings.NewReader(in))
		if !errors.Is(err, score.ErrDataset) || texts != nil || strings.Contains(err.Error(), "Ana") {
			t.Errorf("Read(%q) = %v, %v", in, texts, err)
		}
	}
}

func TestAValueIsFoundAtSixtyPercent(t *testing.T) {
	text := score.Text{Text: "a b c d e", Marked: []score.Span{{Start: 0, End: 9, Type: "X"}}}
	for end, want := range map[int]int{3: 0, 5: 1, 9: 1} {
		var s score.Sheet
		s.Add(text, []score.Span{{Start: 0, End: end, Type: "x"}})
		if s.Found != want {
			t.Errorf("with %d bytes taken %d are found, want %d", end, s.Found, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`[{"full_text":"Ana","spans":[{"entity_type":"X","start_position":0,"end_position":1}]}]`)
	f.Add("Ana B-PER\nRuiz I-PER\n")
	f.Add(`{"text":"Ana","spans":[]}`)
	f.Fuzz(func(t *testing.T, in string) {
		texts, err := score.Read(strings.NewReader(in))
		if err != nil {
			return
		}
		var s score.Sheet
		for _, x := range texts {
			s.Add(x, x.Marked)
		}
		if s.Tokens.False != 0 || s.FalseAlarms != 0 || s.Found > s.Values {
			t.Errorf("marks as findings score %+v", s)
		}
	})
}
