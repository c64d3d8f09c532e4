// Package risk measures what remains of the risk that persons are found again in a table, before and after it was changed,
// and says in words what the figures assume and what they leave open.
//
// It never sees the table. What it takes is how many classes there are of each size, where a class is all rows that look
// alike in the quasi-identifiers, the columns that an attacker is thought to know from elsewhere. What it gives is a [Report]
// that holds names of columns, counts, shares and levels, and no value of the table. [Report.ForRecipient] is the copy for those who
// receive the table: they must not learn from the report what the table does not show.
//
// Three attackers are measured (El Emam and Dankar 2008, "Protecting privacy using k-anonymity"; El Emam et al. 2009):
//
//	prosecutor   looks for one person of whom it knows that they are in the table; finds them with chance 1/f, f rows alike
//	journalist   looks for anybody, does not know who is in the table, and has a register of the population; chance 1/F,
//	             F persons of the population alike
//	marketer     links as many rows as it can, and does not mind errors; the share of rows that it links correctly
//
// The share of persons who are unique in the population is estimated from the table by three models, of which
// a rule by Dankar et al. 2012 takes one: see [EstimateUniqueness].
//
// One row is taken for one person. Where persons have several rows, the sizes must count persons.
// [Link] is a real attack with a real register, for tests and demonstrations.
package risk

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
)

// Sizes is a histogram of equivalence classes: how many there are of each size, the size being in rows.
type Sizes map[int64]int64

// Add counts one more class with so many rows.
func (s Sizes) Add(rows int64) { s[rows]++ }

// Rows is how many rows all classes have together.
func (s Sizes) Rows() int64 {
	var n int64
	for size, classes := range s {
		n += size * classes
	}
	return n
}

// Classes is how many classes there are.
func (s Sizes) Classes() int64 {
	var n int64
	for _, classes := range s {
		n += classes
	}
	return n
}

// sorted returns the sizes that occur, smallest first.
func (s Sizes) sorted() []int64 { return slices.Sorted(maps.Keys(s)) }

// maxRows bounds what is added up, far from where an int64 wraps round.
const maxRows = int64(1) << 50

func (s Sizes) check() error {
	var sum int64
	for size, classes := range s {
		if size < 1 || classes < 0 || size > maxRows || classes > maxRows/size {
			return fmt.Errorf("%w: %d classes of %d rows", ErrInput, classes, size)
		}
		if sum += size * classes; sum > maxRows {
			return fmt.Errorf("%w: more than 2^50 rows", ErrInput)
		}
	}
	return nil
}

// Match is what a class of the table has in the table, and in the population.
type Match struct {
	Rows    int64 // in the table
	Persons int64 // in the population, those of the table among them
}

// State is a table at one time: before it was changed, or after.
type State struct {
	// Sizes are those of the classes by the quasi-identifiers as they stand in the table, suppressed rows apart.
	Sizes Sizes
	// Suppressed is how many rows are gone, or stand there with no quasi-identifier left if Kept is set. Rows that are kept look all
	// alike and are measured as one class more: whoever fits no other class must be one of them.
	Suppressed int64
	Kept       bool
	// Matches are the classes beside those of a register of the population, recoded in the same way; nil: there is no such register.
	Matches map[Match]int64
}

// Population is what is known of the population that the table was drawn from. The zero value says nothing is known: the journalist is then
// taken for as strong as the prosecutor, and uniqueness in the population is not estimated.
type Population struct {
	Name     string  // in words, as "inhabitants of Massachusetts", for the report
	Persons  int64   // how many there are; 0: not known
	Fraction float64 // which share of them the table held before anything was suppressed, used if Persons is 0; 0: not known
}

// Input is what [Measure] takes.
type Input struct {
	Table      string     // what the table is called in the report
	Columns    []string   // names of the quasi-identifiers
	Models     []string   // privacy models that the table was made to meet, in words
	K          int64      // the smallest class that is allowed, by which counts are rounded in the recipient's copy; 0: 10
	Before     State      // classes by the raw quasi-identifiers
	After      *State     // classes as released; nil: only what is there is measured
	Population Population // zero: nothing is known
	// Thresholds are the chances of being found above which a row counts as at risk; nil: 0.05, 0.09, 0.2 and 0.33.
	Thresholds []float64
	Utility    *Utility // what the change cost, for the report; nil: not told
}

// DefaultThresholds are used if an input has none: those of classes of 20, 11, 5 and 3, which data offices commonly ask for.
var DefaultThresholds = []float64{0.05, 0.09, 0.2, 0.33}

// ErrInput is returned for sizes and shares that cannot be.
var ErrInput = errors.New("figures to measure risk by do not fit together")

// Measure computes the report. It returns [ErrInput] for negative sizes, a population smaller than the table, a class with
// fewer persons in the population than rows in the table, a threshold outside of 0 to 1.
func Measure(in Input) (*Report, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	thresholds := slices.Clone(in.Thresholds)
	if thresholds == nil {
		thresholds = slices.Clone(DefaultThresholds)
	}
	slices.Sort(thresholds)
	persons := in.persons()
	r := &Report{
		Schema: Schema, Copy: ForOperator, Table: in.Table, Columns: slices.Clone(in.Columns), Models: slices.Clone(in.Models), Thresholds: thresholds,
		Population: PopulationSaid{Name: in.Population.Name, Persons: int64(math.Round(persons)), Known: persons > 0}, least: in.K,
	}
	r.Before = figures(in.Before, persons, thresholds)
	if in.After != nil {
		after := figures(*in.After, persons, thresholds)
		r.After = &after
	}
	r.Utility = in.Utility.clone()
	r.say(in)
	return r, nil
}

// persons is how many the population has, 0: not known.
func (in Input) persons() float64 {
	if in.Population.Persons > 0 {
		return float64(in.Population.Persons)
	}
	if in.Population.Fraction > 0 {
		return float64(in.Before.Sizes.Rows()+in.Before.Suppressed) / in.Population.Fraction
	}
	return 0
}

func (in Input) check() error {
	states := []State{in.Before}
	if in.After != nil {
		states = append(states, *in.After)
	}
	p := in.Population
	if p.Persons < 0 || !(p.Fraction >= 0 && p.Fraction <= 1) || in.K < 0 {
		return fmt.Errorf("%w: the population", ErrInput)
	}
	for _, s := range states {
		if err := s.check(p.Persons); err != nil {
			return err
		}
	}
	for _, t := range in.Thresholds {
		if !(t >= 0 && t <= 1) {
			return fmt.Errorf("%w: a threshold of %v", ErrInput, t)
		}
	}
	return in.Utility.check()
}

func (s State) check(persons int64) error {
	if err := s.Sizes.check(); err != nil {
		return err
	}
	if s.Suppressed < 0 || s.Suppressed > maxRows {
		return fmt.Errorf("%w: %d rows suppressed", ErrInput, s.Suppressed)
	}
	if persons > 0 && s.Sizes.Rows()+s.Suppressed > persons {
		return fmt.Errorf("%w: more rows than persons in the population", ErrInput)
	}
	if s.Matches == nil {
		return nil
	}
	sizes := Sizes{}
	for m, classes := range s.Matches {
		if m.Persons < m.Rows || m.Rows < 1 || classes < 0 {
			return fmt.Errorf("%w: %d classes of %d rows with %d persons in the population", ErrInput, classes, m.Rows, m.Persons)
		}
		sizes[m.Rows] += classes
	}
	for size, classes := range s.Sizes {
		if sizes[size] != classes {
			return fmt.Errorf("%w: classes of %d rows are not those of the register", ErrInput, size)
		}
	}
	if sizes.Classes() != s.Sizes.Classes() {
		return fmt.Errorf("%w: the register has classes that the table has not", ErrInput)
	}
	return nil
}
