package risk

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Schema names the form of the report's JSON. A field may be added under the same name; what a field means changes with the name.
const Schema = "scrim-risk-report/1"

// Copy says whom a report is for.
type Copy string

// The copies.
const (
	ForOperator  Copy = "operator"  // whoever has the table anyway: exact
	ForRecipient Copy = "recipient" // whoever receives what was released: what the release does not show is rounded
)

// Report is what was measured. It holds names of columns, counts, shares and levels, and no value of the table. It is plain data:
// encoding/json writes it in the form [Schema] names, docs/spec/reidentification-risk.md says what each member means.
type Report struct {
	Schema     string         `json:"schema"`
	Copy       Copy           `json:"copy"`
	Table      string         `json:"table"`
	Columns    []string       `json:"quasi_identifiers"`
	Models     []string       `json:"models"`
	Population PopulationSaid `json:"population"`
	Thresholds []float64      `json:"thresholds"`
	RoundedTo  int64          `json:"rounded_to,omitempty"` // counts of Before, Suppressed among them, are rounded up to multiples of it; 0: exact
	Before     Figures        `json:"before"`
	After      *Figures       `json:"after,omitempty"`
	Utility    *Utility       `json:"utility,omitempty"`
	Assumes    []string       `json:"assumes"`
	NotCovered []string       `json:"not_covered"`

	least int64
}

// PopulationSaid is what the report was told of the population.
type PopulationSaid struct {
	Name    string `json:"name"`
	Known   bool   `json:"known"`
	Persons int64  `json:"persons"`
}

// Utility is what the change cost. The figures are computed elsewhere; shares are 0 to 1.
type Utility struct {
	Loss            float64  `json:"loss"`                     // of the whole, as the search scores it: 0 nothing lost, 1 all
	NonUniform      float64  `json:"entropy_loss"`             // non-uniform entropy, as a share of its maximum
	Discernibility  float64  `json:"discernibility,omitempty"` // sum of squares of class sizes, suppressed rows times all rows; not in the recipient's copy
	AverageClass    float64  `json:"average_class"`            // rows of a class
	SuppressedShare float64  `json:"suppressed_share"`         // of the rows
	Columns         []Column `json:"columns"`
}

// Column is what became of one column.
type Column struct {
	Name           string   `json:"name"`
	Level          int      `json:"level"`  // chosen; -1: differs from row to row
	Levels         int      `json:"levels"` // there are
	Technique      string   `json:"technique,omitempty"`
	Loss           float64  `json:"loss"`
	DistinctBefore int64    `json:"distinct_before"`
	DistinctAfter  int64    `json:"distinct_after"`
	Shift          *Shift   `json:"shift,omitempty"` // of a numeric column
	Reveals        []string `json:"reveals,omitempty"`
}

// Shift is by how much numbers moved, in standard deviations of the raw column: shares of something, and not the numbers themselves,
// since a mean or a quantile can be somebody's value. [ShiftOf] computes it.
type Shift struct {
	Mean   float64 `json:"mean"`
	Median float64 `json:"median"`
	Q1     float64 `json:"first_quartile"`
	Q3     float64 `json:"third_quartile"`
	Spread float64 `json:"spread"` // standard deviation after, as a multiple of the one before
}

// Numbers summarise a numeric column.
type Numbers struct{ Mean, Median, Q1, Q3, Deviation float64 }

// ShiftOf returns the shift from before to after, or nil where it cannot be told: for a column that is all one number, or figures that are none.
func ShiftOf(before, after Numbers) *Shift {
	d := before.Deviation
	s := Shift{(after.Mean - before.Mean) / d, (after.Median - before.Median) / d, (after.Q1 - before.Q1) / d, (after.Q3 - before.Q3) / d, after.Deviation / d}
	if !(d > 0) || slices.ContainsFunc(s.all(), odd) {
		return nil
	}
	return &s
}

func (s Shift) all() []float64 { return []float64{s.Mean, s.Median, s.Q1, s.Q3, s.Spread} }

func odd(f float64) bool { return math.IsNaN(f) || math.IsInf(f, 0) }

func (u *Utility) check() error {
	if u == nil {
		return nil
	}
	all := []float64{u.Loss, u.NonUniform, u.Discernibility, u.AverageClass, u.SuppressedShare}
	for _, c := range u.Columns {
		all = append(all, c.Loss)
		if c.Shift != nil {
			all = append(all, c.Shift.all()...)
		}
	}
	if slices.ContainsFunc(all, odd) {
		return fmt.Errorf("%w: the utility has figures that are no numbers", ErrInput)
	}
	return nil
}

func (u *Utility) clone() *Utility {
	if u == nil {
		return nil
	}
	c := *u
	c.Columns = slices.Clone(u.Columns)
	for i := range c.Columns {
		c.Columns[i].Reveals = slices.Clone(c.Columns[i].Reveals)
		if s := c.Columns[i].Shift; s != nil {
			copied := *s
			c.Columns[i].Shift = &copied
		}
	}
	return &c
}

// say fills in what the figures assume and what they do not cover.
func (r *Report) say(in Input) {
	r.Assumes = append(r.Assumes,
		"An attacker knows the listed quasi-identifiers of a person without error, and no other column of the table.",
		"One row is one person. Persons with several rows are easier to find than the figures say, unless the sizes count persons.")
	switch {
	case in.Before.Matches != nil || in.After != nil && in.After.Matches != nil:
		r.Assumes = append(r.Assumes, "The register is the whole population, and says of everybody what the table says.")
	case r.Population.Known:
		r.Assumes = append(r.Assumes, "The table was drawn from the population at random, everybody with the same chance. Figures for the journalist, the marketer and uniqueness in the population are estimates by models.")
	default:
		r.Assumes = append(r.Assumes, "Nothing is known of the population, so the journalist and the marketer are taken to know who is in the table.")
	}
	if in.After != nil && in.After.Kept && in.After.Suppressed > 0 {
		r.Assumes = append(r.Assumes, "Suppressed rows are still in the table, without quasi-identifiers. They are one class: whoever fits no other class must be one of them.")
	}
	r.NotCovered = []string{
		"Columns that are not among the quasi-identifiers. What is not listed is taken to be unknown to everybody; if an attacker knows it, the risk is higher.",
		"What is learnt of persons without finding their row: if all rows of a class share a diagnosis, everybody in it has that diagnosis. Diversity and closeness of sensitive columns limit this, class sizes do not.",
		"Releases to come, and releases by others, of the same persons. Two tables that are each harmless can be joined.",
		"Text within cells. Free text can name a person in a column that nobody expects it in.",
	}
}

// ForRecipient returns the copy of the report that may go with the release.
//
// What the recipient can count in the release itself, the figures after the change, stays exact, apart from what needs the raw
// table. What tells of the raw table is rounded: counts up to the next multiple of k or 10, whichever is more, zero included, so that "at most 10" may be none;
// shares and risks to hundredths, or to what so many rows are of the table where that is more. Discernibility, which is suppressed rows times all rows, is left out. With exact counts, one suppressed row would say that exactly one person of the
// raw table is missing, and two reports of tables that differ by one person would say in which figures that person stands out. The reasons are in
// docs/decisions/risk-report-copies.md.
func (r *Report) ForRecipient() *Report {
	c := *r
	if r.Copy == ForRecipient {
		return &c
	}
	c.Copy, c.RoundedTo = ForRecipient, max(r.least, 10)
	rounded := rounding{to: c.RoundedTo, step: max(0.01, float64(c.RoundedTo)/float64(up(r.Before.Rows+r.Before.Suppressed, c.RoundedTo)))}
	c.Before = r.Before.rounded(rounded)
	if r.After != nil {
		after := *r.After
		if !after.Kept {
			after.Suppressed = up(after.Suppressed, c.RoundedTo)
		}
		// The sampling fraction tells how many rows the raw table had where the population is given as a share of it.
		after.Uniqueness = after.Uniqueness.rounded(rounded)
		c.After = &after
	}
	if c.Population.Known {
		c.Population.Persons = roundTo(c.Population.Persons)
	}
	if u := r.Utility.clone(); u != nil {
		u.Loss, u.NonUniform, u.SuppressedShare = rounded.share(u.Loss), rounded.share(u.NonUniform), rounded.share(u.SuppressedShare)
		u.Discernibility, u.AverageClass = 0, hundredths(u.AverageClass)
		for i := range u.Columns {
			col := &u.Columns[i]
			col.Loss, col.DistinctBefore = rounded.share(col.Loss), up(col.DistinctBefore, c.RoundedTo)
			if s := col.Shift; s != nil {
				*s = Shift{rounded.share(s.Mean), rounded.share(s.Median), rounded.share(s.Q1), rounded.share(s.Q3), rounded.share(s.Spread)}
			}
		}
		c.Utility = u
	}
	return &c
}

// rounding is how coarse the recipient's copy is: counts up to multiples of to, shares to multiples of step.
type rounding struct {
	to   int64
	step float64
}

func (r rounding) share(f float64) float64 {
	return math.Round(math.Round(f/r.step)*r.step*1e4) / 1e4
}

func (r rounding) chance(f float64) float64 { return min(r.share(f), 1) }

func (f Figures) rounded(by rounding) Figures {
	f.Rows, f.Suppressed, f.Classes = up(f.Rows, by.to), up(f.Suppressed, by.to), up(f.Classes, by.to)
	f.Smallest, f.Largest = up(f.Smallest, by.to), up(f.Largest, by.to)
	f.Average, f.Unique = hundredths(float64(f.Rows)/float64(f.Classes)), by.chance(f.Unique)
	f.Prosecutor, f.Journalist = f.Prosecutor.rounded(by), f.Journalist.rounded(by)
	f.Marketer.Share = by.chance(f.Marketer.Share)
	f.Uniqueness = f.Uniqueness.rounded(by)
	return f
}

func (a Attacker) rounded(by rounding) Attacker {
	a.Highest, a.Average = by.chance(a.Highest), by.chance(a.Average)
	a.AtRisk = slices.Clone(a.AtRisk)
	for i := range a.AtRisk {
		a.AtRisk[i].Share = by.chance(a.AtRisk[i].Share)
	}
	return a
}

func (u Uniqueness) rounded(by rounding) Uniqueness {
	u.Share, u.Fraction = by.chance(u.Share), by.chance(u.Fraction)
	u.Persons = float64(up(int64(u.Persons), by.to))
	u.Each = slices.Clone(u.Each)
	for i := range u.Each {
		u.Each[i].Share = by.chance(u.Each[i].Share)
	}
	return u
}

// up rounds a count up to a multiple, and zero to the first, so that nobody can tell zero from one.
func up(n, to int64) int64 { return max((n+to-1)/to, 1) * to }

func hundredths(f float64) float64 { return math.Round(f*100) / 100 }

// roundTo keeps two digits of a large count.
func roundTo(n int64) int64 {
	unit := int64(1)
	for n/unit >= 100 {
		unit *= 10
	}
	return (n + unit/2) / unit * unit
}

// JSON returns the report in the form that [Schema] names, indented, with a final newline. Equal reports give equal bytes.
func (r *Report) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the risk report: %w", err)
	}
	return append(b, '\n'), nil
}
