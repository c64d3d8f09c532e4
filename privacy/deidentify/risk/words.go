package risk

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// line is one figure, before and after, as text and HTML show it.
type line struct{ What, Before, After string }

// section is figures that belong together, and what they mean in words.
type section struct {
	Title, Words string
	Lines        []line
}

func percent(f float64) string {
	switch {
	case f == 0:
		return "0 %"
	case f < 0.0001:
		return "under 0.01 %"
	case f > 0.9999 && f < 1:
		return "over 99.99 %"
	}
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(f*100, 'f', 2, 64), "0"), ".") + " %"
}

func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

func (r *Report) count(n int64) string {
	if r.RoundedTo > 0 {
		return "at most " + count(n)
	}
	return count(n)
}

var bases = map[Basis]string{
	FromTable:    "counted in the table",
	FromRegister: "counted in a register of the population",
	FromModel:    "estimated from the size of the population",
	FromWorst:    "the worst there can be, since nothing is known of the population",
}

var estimators = map[Estimator]string{Pitman: "Pitman", Zayatz: "Zayatz", SNB: "slide negative binomial", Counted: "counted", None: "not estimated"}

// sections lays the report out once, for every form it is shown in.
func (r *Report) sections() []section {
	b, a := r.Before, r.After
	pair := func(what string, of func(Figures) string) line {
		l := line{What: what, Before: of(b)}
		if a != nil {
			l.After = of(*a)
		}
		return l
	}
	table := section{Title: "The table", Lines: []line{
		{"Rows", r.count(b.Rows), ""}, {"Rows suppressed", r.count(b.Suppressed), ""}, {"Classes of rows alike", r.count(b.Classes), ""},
		{"Rows of the smallest class", r.count(b.Smallest), ""},
	}}
	if a != nil {
		suppressed := count(a.Suppressed)
		if !a.Kept {
			suppressed = r.count(a.Suppressed)
		}
		for i, s := range []string{count(a.Rows), suppressed, count(a.Classes), count(a.Smallest)} {
			table.Lines[i].After = s
		}
	}
	table.Lines = append(table.Lines, pair("Rows of a class, on average", func(f Figures) string { return decimal(f.Average) }),
		pair("Rows that are alone in their class", func(f Figures) string { return percent(f.Unique) }))
	last := b
	if a != nil {
		last = *a
	}
	at := func(of func(Figures) Attacker) []line {
		lines := []line{
			pair("Chance to find the person who is easiest to find", func(f Figures) string { return percent(of(f).Highest) }),
			pair("Chance on average", func(f Figures) string { return percent(of(f).Average) }),
		}
		for i, t := range r.Thresholds {
			lines = append(lines, pair("Rows found with a chance over "+percent(t), func(f Figures) string { return percent(of(f).AtRisk[i].Share) }))
		}
		return lines
	}
	out := []section{table,
		{"Prosecutor", "Looks for one person of whom it knows that they are in the table, such as a neighbour or a colleague. Figures are " + bases[last.Prosecutor.Basis] + ".",
			at(func(f Figures) Attacker { return f.Prosecutor })},
		{"Journalist", "Looks for anybody to show that it can be done, does not know who is in the table, and compares it with the population. Figures are " + bases[last.Journalist.Basis] + ".",
			at(func(f Figures) Attacker { return f.Journalist })},
		{"Marketer", "Links as many rows with a register as it can, and does not mind that some are wrong. Figures are " + bases[last.Marketer.Basis] + ".",
			[]line{pair("Rows linked with the right person", func(f Figures) string { return percent(f.Marketer.Share) })}},
	}
	return append(out, r.uniqueness(last, pair))
}

func (r *Report) uniqueness(last Figures, pair func(string, func(Figures) string) line) section {
	s := section{Title: "Unique in the population"}
	if last.Uniqueness.Taken == None {
		s.Words = "How many persons of the population are like nobody else in the quasi-identifiers. Not estimated, since the size of the population is not known."
		return s
	}
	s.Words = "How many persons of the population are like nobody else in the quasi-identifiers. Whoever finds one of them in the table knows that it is them. The model is chosen by the share of the population that the table holds."
	s.Lines = []line{
		pair("Persons who are unique", func(f Figures) string { return percent(f.Uniqueness.Share) }),
		pair("By the model of", func(f Figures) string { return estimators[f.Uniqueness.Taken] }),
	}
	for _, by := range []Estimator{Pitman, Zayatz, SNB} {
		s.Lines = append(s.Lines, pair("What "+estimators[by]+" says", func(f Figures) string {
			for _, e := range f.Uniqueness.Each {
				if e.By == by && e.Valid {
					return percent(e.Share)
				}
			}
			return "–"
		}))
	}
	notes := []string{}
	add := func(when string, f Figures) {
		if f.Uniqueness.Note != "" {
			notes = append(notes, when+": "+f.Uniqueness.Note)
		}
		for _, e := range f.Uniqueness.Each {
			if e.Note != "" {
				notes = append(notes, when+", "+estimators[e.By]+": "+e.Note+".")
			}
		}
	}
	add("Before", r.Before)
	if r.After != nil {
		add("After", *r.After)
	}
	s.Words = strings.Join(append([]string{s.Words}, notes...), " ")
	return s
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) }

// costs are the lines of the utility report that are of the whole table.
func (u *Utility) costs() [][2]string {
	out := [][2]string{{"Loss, 0 to 1", strconv.FormatFloat(u.Loss, 'f', 4, 64)}, {"Non-uniform entropy lost", percent(u.NonUniform)}}
	if u.Discernibility > 0 {
		out = append(out, [2]string{"Discernibility", strconv.FormatFloat(u.Discernibility, 'f', 0, 64)})
	}
	return append(out, [][2]string{
		{"Rows of a class, on average", decimal(u.AverageClass)},
		{"Rows suppressed", percent(u.SuppressedShare)},
	}...)
}

func (c Column) level() string {
	if c.Level < 0 {
		return "by row"
	}
	if c.Levels > 0 {
		return fmt.Sprintf("%d of %d", c.Level, c.Levels-1)
	}
	return strconv.Itoa(c.Level)
}

func (c Column) shift() string {
	if c.Shift == nil {
		return ""
	}
	return fmt.Sprintf("mean %+.2f, median %+.2f, quartiles %+.2f and %+.2f deviations; spread × %.2f", c.Shift.Mean, c.Shift.Median, c.Shift.Q1, c.Shift.Q3, c.Shift.Spread)
}

// plain removes what a terminal would obey, from names that come from files.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return '\uFFFD'
		}
		return r
	}, s)
}
