package query

import (
	"math/big"
	"strconv"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// Privacy says what an answer costs, what of, and what is claimed for it.
type Privacy struct {
	Claim     string      `json:"claim"` // [FormalClaim] or [NoClaim]
	Unit      string      `json:"unit"`
	Epsilon   string      `json:"epsilon"` // of the whole answer
	Delta     string      `json:"delta"`
	Mechanism []Mechanism `json:"mechanism"`
}

// What is claimed.
const (
	FormalClaim = "differentially private: rows of this dataset leave through its budget alone"
	NoClaim     = "no formal claim: rows of this dataset may leave in other ways too"
)

// Mechanism is the noise of one number for each group, or of a tree of them, or the selection of groups.
type Mechanism struct {
	Of          string `json:"of"`
	Noise       string `json:"noise"`                 // discrete_laplace, rounded_gaussian or partition_selection
	Scale       string `json:"scale,omitempty"`       // of Laplace noise
	Sigma       string `json:"sigma,omitempty"`       // of Gaussian noise
	Sensitivity string `json:"sensitivity,omitempty"` // by how much one unit moves all such numbers together: in L1 of Laplace, squared in L2 of Gaussian noise
	Levels      int    `json:"levels,omitempty"`      // of a tree
	Mu2         string `json:"mu2,omitempty"`         // of measurements that several questions share: what they cost together
	Epsilon     string `json:"epsilon,omitempty"`
	Delta       string `json:"delta,omitempty"`
}

// Notes that are the same for every question of their kind, whatever the data.
const (
	noteNoise      = "Intervals hold with a probability of at least 95 % each and are about noise alone. That values are clamped to declared bounds, and that rows and groups of a unit beyond the bounds of the question are left out, is not in them."
	noteSuppressed = "Groups that few units are in are left out at random. How many were, and whether any, is not told."
	noteZeros      = "Every group of the declared values is in the answer, whether or not anybody is in it."
	noteRestricted = "Only rows of the blocks of time that are paid for were read."
)

func (pr *Priced) notes() []string {
	notes := []string{noteNoise}
	switch {
	case pr.plan.Private():
		notes = append(notes, noteSuppressed)
	case len(pr.plan.Keys) > 0:
		notes = append(notes, noteZeros)
	}
	if pr.plan.Restricted {
		notes = append(notes, noteRestricted)
	}
	return notes
}

func (pr *Priced) privacy() Privacy {
	claim := NoClaim
	if pr.plan.Dataset.Formal {
		claim = FormalClaim
	}
	return Privacy{Claim: claim, Unit: pr.plan.Dataset.Unit, Epsilon: amount(pr.cost.Epsilon, 9), Delta: amount(pr.cost.Delta, 15), Mechanism: pr.mechanisms()}
}

// amount writes a cost in decimal digits; Infinite is "none".
func amount(n int64, places int) string {
	if n == account.Infinite {
		return "none"
	}
	r := decimal(n, places)
	text := r.FloatString(places)
	for text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	if text[len(text)-1] == '.' {
		text = text[:len(text)-1]
	}
	return text
}

func (pr *Priced) mechanisms() []Mechanism {
	var all []Mechanism
	if pr.selection != nil {
		all = append(all, Mechanism{Of: "selection of groups", Noise: "partition_selection", Sensitivity: strconv.FormatInt(pr.groups, 10),
			Epsilon: amount(pr.chosen.epsilon, 9), Delta: amount(pr.chosen.delta, 15)})
	}
	for i, m := range pr.plan.Measures {
		l1, square := pr.norms(m)
		scale := decimal(1, m.Places)
		scale.Mul(scale, pr.laws[i].scale.Rat())
		x := Mechanism{Of: pr.measureText(i), Noise: "discrete_laplace", Scale: ratioText(scale), Sensitivity: decimalText(timesRat(l1, decimal(1, m.Places)), mostDigits)}
		if pr.noise == GaussianNoise {
			x.Noise, x.Sigma, x.Scale = "rounded_gaussian", x.Scale, ""
			x.Sensitivity = decimalText(timesRat(square, decimal(1, 2*m.Places)), mostDigits)
		}
		if m.Bins >= 0 {
			x.Levels = m.Levels
		}
		all = append(all, x)
	}
	return all
}

// ratioText is a scale in decimal digits, rounded up: 9 of them.
func ratioText(r *big.Rat) string { return decimalText(towards(r, mostDigits, true), mostDigits) }

// measureText names a measure by the first aggregate that is made of it, and which of its numbers it is.
func (pr *Priced) measureText(i int) string {
	for _, a := range pr.plan.Aggregates {
		for j, m := range a.Measures {
			if m != i {
				continue
			}
			switch {
			case a.Kind == AvgAggregate:
				return []string{"sum", "count"}[j] + " of " + a.Text
			case a.Kind == VarianceAggregate || a.Kind == StdDevAggregate:
				return []string{"sum of squares", "sum", "count"}[j] + " of " + a.Text
			}
			return a.Text
		}
	}
	return "number " + strconv.Itoa(i+1)
}

// Explanation is what is known of an answer before anything is read or spent.
type Explanation struct {
	Dataset string     `json:"dataset"`
	Columns []Heading  `json:"columns"`
	Groups  string     `json:"groups"` // how many, or that they are selected
	Bounds  Bounds     `json:"bounds"`
	Privacy Privacy    `json:"privacy"`
	Cost    Cost       `json:"cost"`
	Errors  []Expected `json:"errors"`
	Notes   []string   `json:"notes"`

	Remaining *Remaining `json:"remaining,omitempty"` // filled in by whoever knows the budget
	Offer     *Offer     `json:"offer,omitempty"`     // what there is room for, where there is none for this
	Others    []Offer    `json:"others,omitempty"`    // more of [Plan.Affordable]

	Queries []QueryExplanation `json:"queries,omitempty"` // of several together: what differs from one to the next, and is not above then
}

// Bounds are how much of one unit counts.
type Bounds struct {
	Rows   int64 `json:"rows"`   // in one group
	Groups int64 `json:"groups"` // of the answer
}

// Cost is a cost vector in decimal digits; "none" says that no such bound holds.
type Cost struct {
	Epsilon string            `json:"epsilon"`
	Delta   string            `json:"delta"`
	Rho     string            `json:"rho"`
	RDP     map[string]string `json:"rdp"` // by order
	Mu2     string            `json:"mu2"`
	Slack   string            `json:"slack"`
}

// Expected is how exact one aggregate will be, whatever the data: half of the width of its 95 % interval, and the root mean square of its error.
type Expected struct {
	Of        string `json:"of"`
	HalfWidth string `json:"half_width"`
	RMSE      string `json:"rmse,omitempty"`
	// Per says what HalfWidth is to be divided by, or what it counts, where that depends on data.
	Per string `json:"per,omitempty"`
}

// Remaining is what is left after the question, as far as its asker may know.
type Remaining struct {
	More    int64  `json:"more"`              // how many more such questions there is room for, before this one
	Epsilon string `json:"epsilon,omitempty"` // that is left after it
}

// Explain says what the answer will cost and how exact it will be.
func (pr *Priced) Explain() *Explanation {
	p := pr.plan
	e := &Explanation{Dataset: p.Dataset.Name, Columns: p.columns(), Bounds: Bounds{p.Relation.Rows, pr.groups}, Privacy: pr.privacy(), Cost: CostOf(pr.cost), Notes: pr.notes()}
	switch {
	case p.Private():
		e.Groups = "those that are selected"
	default:
		e.Groups = strconv.FormatInt(pr.cells, 10)
	}
	for i := range p.Aggregates {
		e.Errors = append(e.Errors, pr.expected(&p.Aggregates[i]))
	}
	return e
}

// CostOf writes a vector.
func CostOf(v account.Vector) Cost {
	c := Cost{amount(v.Epsilon, 9), amount(v.Delta, 15), amount(v.Rho, 9), map[string]string{}, amount(v.Mu2, 9), amount(v.Slack, 15)}
	for i, order := range account.Orders {
		c.RDP[strconv.Itoa(order)] = amount(v.RDP[i], 9)
	}
	return c
}

// expected is how exact an aggregate will be. Of a quotient S/N it is known up to the number of rows: about √(w_S² + (S/N)²·w_N²)/N, and |S/N| is at
// most the distance of the bounds from the centre; of a variance likewise, with what its three numbers are off by added up; of a quantile, it is
// how many rows of the group lie between the noisy quantile and the true one at most, q being least certain at ½.
func (pr *Priced) expected(a *Aggregate) Expected {
	m := a.Measures[0]
	l := &pr.laws[m]
	places := pr.plan.Measures[m].Places
	width := func(m int, al alpha) *big.Rat { return decimal(pr.laws[m].halfWidth(al), pr.plan.Measures[m].Places) }
	x := Expected{Of: a.Text}
	switch a.Kind {
	case CountAggregate, SumAggregate, HistogramAggregate:
		x.HalfWidth = decimalText(width(m, 1), mostDigits)
		x.RMSE = approx(l.deviation() / pow10Float(places))
	case AvgAggregate:
		far := greatest(new(big.Rat).Sub(a.high(), a.centre()), new(big.Rat).Sub(a.centre(), a.low()))
		w, wn := new(big.Rat).Set(width(m, 1)), new(big.Rat).Mul(far, width(a.Measures[1], 1))
		w.Mul(w, w).Add(w, wn.Mul(wn, wn))
		x.HalfWidth, x.Per = decimalText(root(w), 3), "divided by the number of rows in the group"
	case VarianceAggregate, StdDevAggregate:
		far := greatest(new(big.Rat).Sub(a.high(), a.centre()), new(big.Rat).Sub(a.centre(), a.low()))
		w := new(big.Rat).Mul(far, width(a.Measures[2], 3)) // of S/N and, times far, of Q/N
		w.Mul(w, big.NewRat(3, 1)).Add(w, new(big.Rat).Mul(big.NewRat(2, 1), width(a.Measures[1], 3))).Mul(w, far)
		x.HalfWidth, x.Per = decimalText(w.Add(w, width(m, 3)), 3), "of the variance, divided by the number of rows in the group"
	case QuantileAggregate:
		s := pr.trees[m]
		nodes := 0
		for k := range s.prefix {
			nodes = max(nodes, s.prefix[k]+s.suffix[k])
		}
		x.HalfWidth, x.Per = approx(float64(l.halfWidth(1))*0.5*sqrt(nodes)), "rows of the group by rank"
	}
	return x
}

// approx writes four significant digits, without an exponent.
func approx(x float64) string {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	if err != nil {
		return ""
	}
	return strconv.FormatFloat(y, 'f', -1, 64)
}

func timesRat(n *big.Int, x *big.Rat) *big.Rat { return new(big.Rat).Mul(new(big.Rat).SetInt(n), x) }
