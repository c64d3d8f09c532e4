package score

import (
	"cmp"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// Counts are what was right and wrong of one kind of thing.
type Counts struct{ True, False, Missed int }

// Precision is the share of what was taken that is positive; 1 where nothing was taken.
func (c Counts) Precision() float64 { return share(c.True, c.True+c.False) }

// Recall is the share of what is positive that was taken; 1 where nothing is positive.
func (c Counts) Recall() float64 { return share(c.True, c.True+c.Missed) }

// F weighs recall beta² times as much as precision.
func (c Counts) F(beta float64) float64 {
	p, r := c.Precision(), c.Recall()
	if p+r == 0 {
		return 0
	}
	return (1 + beta*beta) * p * r / (beta*beta*p + r)
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

// Sheet is what a detector scored on a data set.
type Sheet struct {
	Texts       int
	Tokens      Counts
	Characters  Counts
	Values      int // that were marked
	Found       int // of them
	FalseAlarms int // findings that touch nothing marked
	ByType      map[string]*TypeSheet
	Confusion   map[[2]string]int // marked type and type of the finding that covers it most, "" for none
	Alarms      map[string]int    // false alarms by type of the finding
	Bytes       int               // of all texts
	Map         Map               // for [Sheet.Typed]; set before anything is added

	falseBy map[flow.Label]int // tokens taken for something that is not marked there, by what they were taken for
}

// TypeSheet is the part of one marked type.
type TypeSheet struct {
	Values, Found int
	Tokens        Counts // False stays zero: a finding is of no marked type
	Typed         Counts // by the sheet's map, False aside
}

// Add scores one text.
func (s *Sheet) Add(t Text, found []Span) {
	if s.ByType == nil {
		s.ByType, s.Confusion, s.Alarms = map[string]*TypeSheet{}, map[[2]string]int{}, map[string]int{}
	}
	s.Texts++
	tokens := tokenise(t.Text)
	for _, tok := range tokens {
		s.Tokens.add(within(t.Marked, tok), within(found, tok))
	}
	for i, r := range t.Text {
		if !unicode.IsSpace(r) {
			one := Span{Start: i, End: i + utf8.RuneLen(r)}
			s.Characters.add(within(t.Marked, one), within(found, one))
		}
	}
	for _, m := range t.Marked {
		s.value(m, tokens, found)
	}
	s.typed(t, tokens, found)
	s.Bytes += len(t.Text)
	for _, f := range found {
		if !slices.ContainsFunc(t.Marked, func(m Span) bool { return m.Start < f.End && f.Start < m.End }) {
			s.FalseAlarms++
			s.Alarms[f.Type]++
		}
	}
}

func (c *Counts) add(positive, taken bool) {
	switch {
	case positive && taken:
		c.True++
	case positive:
		c.Missed++
	case taken:
		c.False++
	}
}

func (s *Sheet) value(m Span, tokens, found []Span) {
	one := s.ByType[m.Type]
	if one == nil {
		one = &TypeSheet{}
		s.ByType[m.Type] = one
	}
	all, taken := 0, 0
	for _, tok := range tokens {
		if m.Start <= tok.Start && tok.End <= m.End {
			got := within(found, tok)
			one.Tokens.add(true, got)
			all++
			if got {
				taken++
			}
		}
	}
	s.Values++
	one.Values++
	if all > 0 && taken*10 >= all*6 {
		s.Found++
		one.Found++
	}
	most, by := 0, ""
	for _, f := range found {
		if n := min(f.End, m.End) - max(f.Start, m.Start); n > most {
			most, by = n, f.Type
		}
	}
	s.Confusion[[2]string{m.Type, by}]++
}

// within reports whether a span of a list holds all of x.
func within(list []Span, x Span) bool {
	return slices.ContainsFunc(list, func(s Span) bool { return s.Start <= x.Start && x.End <= s.End })
}

func tokenise(text string) (tokens []Span) {
	start := -1
	for i, r := range text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			tokens = append(tokens, Span{Start: start, End: i})
			start = -1
		}
		if !unicode.IsSpace(r) {
			tokens = append(tokens, Span{Start: i, End: i + utf8.RuneLen(r)})
		}
	}
	if start >= 0 {
		tokens = append(tokens, Span{Start: start, End: len(text)})
	}
	return tokens
}

// Types returns the marked types, the most frequent first.
func (s *Sheet) Types() []string {
	var names []string
	for name := range s.ByType {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(s.ByType[b].Values, s.ByType[a].Values), cmp.Compare(a, b))
	})
	return names
}
