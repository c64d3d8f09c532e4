package risk

import (
	"fmt"
	"math/bits"
)

// Person is a line of an attacker's register: who it is, and what is known of them in the quasi-identifiers.
type Person struct {
	Name  string   // who it is; "" is nobody
	Known []string // a value for each quasi-identifier
}

// Row is a row of the table under attack. Subject is the truth, by which the attack is judged and which the attacker does not see;
// Secret is what the attacker would like to learn.
type Row struct {
	Subject string
	Shown   []string // the quasi-identifiers as the table shows them
	Secret  string   // "": nothing
}

// Outcome is how an attack went. Shares are of the persons in the register who have rows in the table.
type Outcome struct {
	Persons  int     // in the register
	Present  int     // of these, who have at least one row in the table
	Claimed  int     // persons for whom the attacker saw exactly one row that fits, and named it
	Correct  int     // of these, whose row it is
	Share    float64 // Correct / Present
	Fewest   int     // rows that fit a present person, where they are fewest; 0: nobody is present
	Best     float64 // the chance to name the right row where that chance is best
	Expected float64 // the share of the present whom the attacker names rightly if it guesses among the rows that fit
	Learnt   int     // present persons for whom all rows that fit have one secret, so that it is known without knowing the row
}

// Link attacks a table with a register by the full set of quasi-identifiers: for every person it finds the rows that fit in
// all of them. Covers says whether what the table shows in a column may stand for a value; nil: only for the same text. It is asked once for each
// two texts of a column.
//
// The attacker is a strong one: it knows every quasi-identifier of everybody without error. Rows that fit everybody in the register in all columns, as
// suppressed ones do, are left aside for a person whom other rows fit. It does not use the constraint that two persons cannot have the same row.
//
// It returns [ErrInput] if rows or persons differ in how many quasi-identifiers they have. It is meant for tests and demonstrations: memory
// is one bit for each distinct value of the register times distinct row of the table.
func Link(register []Person, table []Row, covers func(column int, shown, known string) bool) (Outcome, error) {
	if covers == nil {
		covers = func(_ int, shown, known string) bool { return shown == known }
	}
	if len(register) == 0 || len(table) == 0 {
		return Outcome{Persons: len(register)}, nil
	}
	a := attack{width: len(register[0].Known), covers: covers}
	for i := range register {
		if len(register[i].Known) != a.width {
			return Outcome{}, fmt.Errorf("%w: person %d of the register has %d quasi-identifiers, want %d", ErrInput, i+1, len(register[i].Known), a.width)
		}
	}
	for i := range table {
		if len(table[i].Shown) != a.width {
			return Outcome{}, fmt.Errorf("%w: row %d has %d quasi-identifiers, want %d", ErrInput, i+1, len(table[i].Shown), a.width)
		}
	}
	a.gather(table)
	a.index(register)
	return a.run(register), nil
}

// class is the rows that show the same.
type class struct {
	shown    []string
	rows     int
	subjects map[string]int // rows of each
	secret   string
	mixed    bool // more than one secret
}

type attack struct {
	width   int
	covers  func(column int, shown, known string) bool
	classes []*class
	fit     []map[string][]uint64 // by column: known value → classes that may stand for it
	star    []uint64              // classes that fit everybody
}

func key(values []string) string {
	var b []byte
	for _, v := range values {
		b = fmt.Appendf(b, "%d:", len(v))
		b = append(b, v...)
	}
	return string(b)
}

func (a *attack) gather(table []Row) {
	byShown := map[string]*class{}
	for _, r := range table {
		k := key(r.Shown)
		c := byShown[k]
		if c == nil {
			c = &class{shown: r.Shown, subjects: map[string]int{}, secret: r.Secret}
			byShown[k] = c
			a.classes = append(a.classes, c)
		}
		c.rows++
		c.subjects[r.Subject]++
		c.mixed = c.mixed || c.secret != r.Secret
	}
}

// index finds for each column and each value of the register the classes that may stand for it.
func (a *attack) index(register []Person) {
	words := (len(a.classes) + 63) / 64
	a.star = make([]uint64, words)
	for i := range a.classes {
		a.star[i/64] |= 1 << (i % 64)
	}
	for column := range a.width {
		shown := map[string][]uint64{}
		for i, c := range a.classes {
			set := shown[c.shown[column]]
			if set == nil {
				set = make([]uint64, words)
				shown[c.shown[column]] = set
			}
			set[i/64] |= 1 << (i % 64)
		}
		fit := map[string][]uint64{}
		for _, p := range register {
			known := p.Known[column]
			if fit[known] != nil {
				continue
			}
			set := make([]uint64, words)
			for text, classes := range shown {
				if a.covers(column, text, known) {
					or(set, classes)
				}
			}
			fit[known] = set
			and(a.star, set)
		}
		a.fit = append(a.fit, fit)
	}
}

func (a *attack) run(register []Person) Outcome {
	out := Outcome{Persons: len(register)}
	present := map[string]bool{}
	for _, c := range a.classes {
		for s := range c.subjects {
			present[s] = true
		}
	}
	set := make([]uint64, len(a.star))
	for _, p := range register {
		found := a.find(set, p)
		rows, own := 0, 0
		for _, c := range found {
			rows += c.rows
			if p.Name != "" {
				own += c.subjects[p.Name]
			}
		}
		if rows == 1 {
			out.Claimed++
			out.Correct += own
		}
		if p.Name == "" || !present[p.Name] {
			continue
		}
		out.Present++
		if rows == 0 {
			continue
		}
		if out.Fewest == 0 || rows < out.Fewest {
			out.Fewest = rows
		}
		chance := float64(own) / float64(rows)
		out.Best = max(out.Best, chance)
		out.Expected += chance
		if own > 0 && oneSecret(found) {
			out.Learnt++
		}
	}
	if out.Present > 0 {
		out.Share = float64(out.Correct) / float64(out.Present)
		out.Expected /= float64(out.Present)
	}
	return out
}

// find returns the classes that fit the person in every column.
func (a *attack) find(set []uint64, p Person) []*class {
	for i := range set {
		set[i] = ^uint64(0)
	}
	for column, known := range p.Known {
		and(set, a.fit[column][known])
	}
	only := true
	for i := range set {
		if set[i]&^a.star[i] != 0 {
			only = false
		}
	}
	var out []*class
	for i, w := range set {
		if !only {
			w &^= a.star[i]
		}
		for ; w != 0; w &= w - 1 {
			out = append(out, a.classes[i*64+bits.TrailingZeros64(w)])
		}
	}
	return out
}

func oneSecret(classes []*class) bool {
	for _, c := range classes {
		if c.mixed || c.secret == "" || c.secret != classes[0].secret {
			return false
		}
	}
	return true
}

func or(dst, src []uint64) {
	for i := range dst {
		dst[i] |= src[i]
	}
}

func and(dst, src []uint64) {
	for i := range dst {
		dst[i] &= src[i]
	}
}
