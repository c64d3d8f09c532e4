package risk

import "math"

// Figures are what is measured of a table at one time. Shares are 0 to 1, of the rows that the table still has.
type Figures struct {
	Rows       int64      `json:"rows"`       // that the table has, suppressed ones that were kept included
	Suppressed int64      `json:"suppressed"` // rows gone, or kept without quasi-identifiers
	Kept       bool       `json:"suppressed_rows_kept"`
	Classes    int64      `json:"classes"`
	Smallest   int64      `json:"smallest_class"`
	Largest    int64      `json:"largest_class"`
	Average    float64    `json:"average_class"`
	Prosecutor Attacker   `json:"prosecutor"`
	Journalist Attacker   `json:"journalist"`
	Marketer   Marketer   `json:"marketer"`
	Unique     float64    `json:"unique_in_table"` // share of rows that no other row is like
	Uniqueness Uniqueness `json:"unique_in_population"`
}

// Basis says what the chances of an attacker are computed from.
type Basis string

// The bases, best first.
const (
	FromTable    Basis = "table"    // exact, from the table's own classes
	FromRegister Basis = "register" // exact, from a register of the population
	FromModel    Basis = "model"    // estimated from the table and the size of the population
	FromWorst    Basis = "worst"    // nothing is known of the population: as if it were the table
)

// Attacker is how likely one that looks for one person finds them.
type Attacker struct {
	Basis   Basis    `json:"basis"`
	Highest float64  `json:"highest"` // for the row that is easiest to find
	Average float64  `json:"average"` // over the rows
	AtRisk  []AtRisk `json:"at_risk"` // by threshold, lowest first
}

// AtRisk is the share of rows that are found with a higher chance than the threshold.
type AtRisk struct {
	Over  float64 `json:"over"`
	Share float64 `json:"share"`
}

// Marketer is the share of rows that one who links all of them links correctly, on average.
type Marketer struct {
	Basis Basis   `json:"basis"`
	Share float64 `json:"share"`
}

// group is classes whose rows are found with the same chance.
type group struct {
	rows   int64 // of all of them
	chance float64
}

func figures(s State, persons float64, thresholds []float64) Figures {
	sizes := Sizes{}
	for size, classes := range s.Sizes {
		if classes > 0 {
			sizes[size] = classes
		}
	}
	if s.Kept && s.Suppressed > 0 {
		sizes.Add(s.Suppressed)
	}
	f := Figures{Rows: sizes.Rows(), Suppressed: s.Suppressed, Kept: s.Kept, Classes: sizes.Classes()}
	var table []group
	order := sizes.sorted()
	for _, size := range order {
		table = append(table, group{size * sizes[size], 1 / float64(size)})
	}
	f.Prosecutor = attacker(FromTable, table, f.Rows, thresholds)
	if f.Rows > 0 {
		f.Smallest, f.Largest = order[0], order[len(order)-1]
		f.Average = float64(f.Rows) / float64(f.Classes)
		f.Unique = float64(sizes[1]) / float64(f.Rows)
	}
	basis, register := journalist(s, sizes, persons, table)
	f.Journalist = attacker(basis, register, f.Rows, thresholds)
	f.Marketer = Marketer{Basis: basis, Share: f.Journalist.Average}
	f.Uniqueness = EstimateUniqueness(sizes, persons)
	return f
}

func attacker(b Basis, groups []group, rows int64, thresholds []float64) Attacker {
	a := Attacker{Basis: b, AtRisk: make([]AtRisk, len(thresholds))}
	for i, t := range thresholds {
		a.AtRisk[i].Over = t
	}
	if rows == 0 {
		return a
	}
	for _, g := range groups {
		if g.rows == 0 {
			continue
		}
		share := float64(g.rows) / float64(rows)
		a.Highest = max(a.Highest, g.chance)
		a.Average += share * g.chance
		for i, t := range thresholds {
			if g.chance > t {
				a.AtRisk[i].Share += share
			}
		}
	}
	a.Average = min(a.Average, a.Highest)
	for i := range a.AtRisk {
		a.AtRisk[i].Share = min(a.AtRisk[i].Share, 1)
	}
	return a
}

// journalist returns the chances against the population. Rows that were kept without quasi-identifiers may be anybody's, so
// with a register their class is the table's own, which is never too small a chance.
func journalist(s State, sizes Sizes, persons float64, table []group) (Basis, []group) {
	if s.Matches != nil {
		var out []group
		for m, classes := range s.Matches {
			out = append(out, group{m.Rows * classes, 1 / float64(m.Persons)})
		}
		if s.Kept && s.Suppressed > 0 {
			out = append(out, group{s.Suppressed, 1 / float64(s.Suppressed)})
		}
		return FromRegister, out
	}
	rows := float64(sizes.Rows())
	if persons <= 0 || rows == 0 {
		return FromWorst, table
	}
	order := sizes.sorted()
	chances := expectedChances(rows/persons, order)
	out := make([]group, len(order))
	for i, size := range order {
		out[i] = group{size * sizes[size], min(chances[i], 1/float64(size))}
	}
	return FromModel, out
}

// expectedChances returns for each size f, which ascend, the expected value of 1/F: how likely a row of a class with f rows is the person sought,
// when the population's class has F persons and each of them came into the table with chance p.
//
// F given f is taken as f plus a negative binomial with f and p (Benedetti and Franconi 1998, the model of μ-Argus; Rinott 2003),
// so that E(1/F) = ∫₀¹ pᶠ sᶠ⁻¹ (1-qs)⁻ᶠ ds =: I(f), q = 1-p, with I(1) = -(p/q) ln p and I(f) = p/(q(f-1)) - (p/q) I(f-1). The
// recurrence multiplies errors by p/q: it runs upwards for p ≤ 1/2, and for larger p downwards from where I(f) ≈ p/(f-q) holds.
func expectedChances(p float64, sizes []int64) []float64 {
	out := make([]float64, len(sizes))
	q := 1 - p
	if p >= 1 || q < 1e-12 {
		for i, f := range sizes {
			out[i] = 1 / float64(f)
		}
		return out
	}
	const far = 4096 // from here on the approximation is used: off by less than one in a million
	exact := make([]float64, far+1)
	if p <= 0.5 {
		exact[1] = -p / q * math.Log(p)
		for f := 2; f <= far; f++ {
			exact[f] = p/(q*float64(f-1)) - p/q*exact[f-1]
		}
	} else {
		exact[far] = p / (far - q)
		for f := far; f > 1; f-- {
			exact[f-1] = 1/float64(f-1) - q/p*exact[f]
		}
	}
	for i, f := range sizes {
		if f <= far {
			out[i] = exact[f]
		} else {
			out[i] = p / (float64(f) - q)
		}
	}
	return out
}
