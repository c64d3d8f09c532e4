package anonymity

import (
	"fmt"
	"math"
)

// Model is a privacy model: what every class of the recoded table must be like. A class is the released rows with the same recoded
// quasi-identifiers. The types that implement it are in this package.
type Model interface {
	// String names the model with its parameters, as reports print it.
	String() string
	// needs names the sensitive attribute and the population that the model looks at, if any.
	needs() (of string, population *Table)
	// prepare returns the model's check for a table; of is the number of its sensitive attribute. Its errors wrap ErrOptions or
	// ErrTable.
	prepare(t *Table, of int) (check, error)
	// holds is the definition, word by word and slowly: of a class's rows, its people, and its sensitive values with those of the
	// whole table. Verify uses it, and nothing of check.
	holds(g group) bool
}

// class is what a model sees of one class of recoded rows. Its owner is one goroutine.
type class struct {
	rows    int64
	people  int64    // in the population; for models that ask for it
	values  []counts // by sensitive attribute; empty for those that no model asks for
	scratch []float64
}

// counts is which values occur and how often. No value occurs twice.
type counts struct{ values, rows []uint32 }

// room returns n zeros that hold until it is called again.
func (c *class) room(n int) []float64 {
	if cap(c.scratch) < n {
		c.scratch = make([]float64, n)
	}
	s := c.scratch[:n]
	clear(s)
	return s
}

// check is a model made ready for one table. It is used by many goroutines.
type check interface {
	// meets reports whether the class meets the model.
	meets(c *class) bool
	// may reports false only if no class within this one meets the model, and then it reports false for each of them too. It is
	// what a search prunes by: rows of classes that may not are lost at this node of the lattice and at all finer ones.
	may(c *class) bool
	// closed reports whether meets and may are the same, so that a class meets the model if any class within it does.
	closed() bool
	// absent reports whether the model allows that none of the class's rows is released.
	absent(c *class) bool
}

// slack is what sums of floating-point numbers are allowed to be off.
const slack = 1e-12

// KAnonymity asks that every class has at least K rows (Samarati and Sweeney 1998).
//
// It guarantees that a row cannot be told from K-1 others by its quasi-identifiers. It says nothing of what those rows have in common:
// if all of a class have the same diagnosis, who is in the class has it.
type KAnonymity struct{ K int }

// KMap asks that every class has at least K members in the population (Sweeney 2002).
//
// It guarantees that what is known of the population outside points to no fewer than K people. It does not hold against
// somebody who knows who is in the table, and is as good as the population's table is complete.
type KMap struct {
	K          int
	Population *Table // of the same attributes, by the same codings; its sensitive attributes are not looked at
}

// DeltaPresence asks that the share of a class's population that is in the table lies between Least and Most (Nergiz, Atzori and
// Clifton 2007).
//
// It guarantees that nobody's being in the table can be believed with more than Most, nor ruled out below Least. It does not hide
// what the table says of those in it. With Least above 0 no row can be suppressed, and every class of the population needs rows.
type DeltaPresence struct {
	Least, Most float64
	Population  *Table // the table's rows are among it
}

// always is what most models say to may.
type always struct{}

func (always) may(*class) bool { return true }
func (always) closed() bool    { return false }

// String implements [Model].
func (m KAnonymity) String() string { return fmt.Sprintf("k-anonymity (k=%d)", m.K) }

func (m KAnonymity) needs() (string, *Table) { return "", nil }

func (m KAnonymity) prepare(*Table, int) (check, error) {
	if m.K < 1 {
		return nil, fmt.Errorf("%w: k-anonymity wants k of at least 1", ErrOptions)
	}
	return atLeast{rows: int64(m.K)}, nil
}

// String implements [Model].
func (m KMap) String() string { return fmt.Sprintf("k-map (k=%d)", m.K) }

func (m KMap) needs() (string, *Table) { return "", m.Population }

func (m KMap) prepare(*Table, int) (check, error) {
	if m.K < 1 || m.Population == nil {
		return nil, fmt.Errorf("%w: k-map wants k of at least 1 and a population", ErrOptions)
	}
	return atLeast{people: int64(m.K)}, nil
}

// atLeast is k-anonymity and k-map.
type atLeast struct{ rows, people int64 }

func (k atLeast) meets(c *class) bool { return c.rows >= k.rows && c.people >= k.people }
func (k atLeast) may(c *class) bool   { return k.meets(c) }
func (k atLeast) closed() bool        { return true }
func (k atLeast) absent(*class) bool  { return true }

// String implements [Model].
func (m DeltaPresence) String() string {
	return fmt.Sprintf("δ-presence (%g to %g)", m.Least, m.Most)
}

func (m DeltaPresence) needs() (string, *Table) { return "", m.Population }

func (m DeltaPresence) prepare(*Table, int) (check, error) {
	if !(m.Least >= 0) || !(m.Most > 0) || !(m.Most <= 1) || m.Least > m.Most || m.Population == nil {
		return nil, fmt.Errorf("%w: δ-presence wants 0 ≤ least ≤ most ≤ 1, most above 0, and a population", ErrOptions)
	}
	return presence{least: m.Least, most: m.Most}, nil
}

type presence struct {
	always
	least, most float64
}

func (p presence) meets(c *class) bool {
	rows, people := float64(c.rows), float64(c.people)
	return c.rows <= c.people && rows >= (p.least-slack)*people && rows <= (p.most+slack)*people
}

func (p presence) absent(c *class) bool { return p.least <= 0 || c.people == 0 }

// prepared is the models of a search, ready.
type prepared struct {
	k          int64 // of k-anonymity, the largest asked for; at least 1
	k2         int64 // of k-map, likewise; 0: none
	checks     []check
	closed     bool  // all checks are
	of         []int // sensitive attributes that a check looks at, ascending
	population *Table
	allowed    int64 // rows that may be suppressed
}

func prepare(t *Table, o Options) (*prepared, error) {
	if len(o.Models) == 0 || !(o.Suppression >= 0 && o.Suppression <= 1) || o.Metric > AverageClassSize || o.Workers < 0 {
		return nil, fmt.Errorf("%w: no model, a share of suppressed rows outside 0 to 1, an unknown metric, or workers below 0", ErrOptions)
	}
	if t.rows == 0 {
		return nil, fmt.Errorf("%w: it has no rows", ErrTable)
	}
	p := &prepared{k: 1, closed: true, allowed: int64(math.Floor(o.Suppression*float64(t.rows) + 1e-9))}
	used := make([]bool, len(t.sensitive))
	for _, m := range o.Models {
		if m == nil {
			return nil, fmt.Errorf("%w: a model is nil", ErrOptions)
		}
		name, population := m.needs()
		of := -1
		for i, s := range t.sensitive {
			if s.Name == name && name != "" {
				of, used[i] = i, true
			}
		}
		if of < 0 && name != "" {
			return nil, fmt.Errorf("%w: %s: the table has no sensitive attribute of that name", ErrOptions, m)
		}
		c, err := m.prepare(t, of)
		if err != nil {
			return nil, err
		}
		if population != nil {
			if p.population != nil && p.population != population {
				return nil, fmt.Errorf("%w: the models name two populations", ErrOptions)
			}
			p.population = population
		}
		if k, ok := c.(atLeast); ok {
			p.k, p.k2 = max(p.k, k.rows), max(p.k2, k.people)
			continue
		}
		p.closed = p.closed && c.closed()
		p.checks = append(p.checks, c)
	}
	for i, u := range used {
		if u {
			p.of = append(p.of, i)
		}
	}
	return p, nil
}

// meets, may and absent ask every model.

func (p *prepared) meets(c *class) bool {
	if c.rows < p.k || c.people < p.k2 {
		return false
	}
	for _, m := range p.checks {
		if !m.meets(c) {
			return false
		}
	}
	return true
}

func (p *prepared) may(c *class) bool {
	if c.rows < p.k || c.people < p.k2 {
		return false
	}
	for _, m := range p.checks {
		if !m.may(c) {
			return false
		}
	}
	return true
}

func (p *prepared) absent(c *class) bool {
	for _, m := range p.checks {
		if !m.absent(c) {
			return false
		}
	}
	return true
}
