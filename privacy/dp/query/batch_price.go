package query

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/privacy/dp/workload"
)

// PricedBatch is a batch with its noise. It is safe for concurrent use.
type PricedBatch struct {
	batch *Batch
	terms Terms
	mu2   *big.Rat // of all
	spec  []account.Mechanism
	cost  account.Vector

	// Together: what is measured, by measure, and which of its queries each part is.
	shared []*workload.Strategy
	at     []map[int]int // by measure: part → query
	groups int64         // combinations of keys that one unit moves at most
	// parts have the laws of the numbers that are made of the measurements; or, one by one, those of their own noise.
	parts []*Priced
}

// Price decides the noise, which is Gaussian. Two ways are compared by declared facts, and the better one is taken:
//
//   - together: all questions are answered out of shared measurements, with the least weighted variance ([workload.Plan]);
//   - one by one: each has a part of μ² and its own bounds of contributions.
//
// What counts is Σ over queries of weight·Σ over its measures of variance/Most², so that a sum with wide bounds is no more important than a
// count. With V the variance for μ² = 1, the least such sum is (Σ√V)² at parts of μ² in proportion to √V (Cauchy and Schwarz): by measure for
// shared ones, by question otherwise.
//
// Each way is √(Σμ²)-GDP (Dong, Roth and Su 2022, corollary 3.3), which is converted to (ε, δ) exactly.
func (bt *Batch) Price(t Terms) (*PricedBatch, error) {
	switch {
	case t.Noise != "" && t.Noise != GaussianNoise && t.Noise != LaplaceNoise:
		return nil, &TermsError{"noise", "is laplace, gaussian or left out"}
	case t.Noise == LaplaceNoise || t.Delta == 0:
		return nil, &TermsError{"noise", "of several questions together is Gaussian, which needs a delta of the dataset"}
	case t.Epsilon <= 0 || t.Epsilon > mostEpsilon:
		return nil, &TermsError{"epsilon", "must be above 0 and at most 64"}
	case t.Delta < 0 || t.Delta >= wholeDelta:
		return nil, &TermsError{"delta", "must be at least 0 and below 1"}
	}
	t.Noise = GaussianNoise
	mu, err := muOf(t.Epsilon, t.Delta)
	if err != nil {
		return nil, err
	}
	mu2 := new(big.Rat).Mul(mu, mu)
	one, variance, err := bt.oneByOne(t, mu2)
	if err != nil {
		return nil, err
	}
	best := one
	if bt.Measured() == nil {
		return best, best.charge()
	}
	if together, v, err := bt.together(t, mu2); err == nil && v <= variance {
		best = together
	} else if err != nil && !errors.Is(err, workload.ErrTooMuch) && !errors.Is(err, workload.ErrBudget) {
		return nil, err
	}
	return best, best.charge()
}

// oneByOne gives each question noise of its own.
func (bt *Batch) oneByOne(t Terms, mu2 *big.Rat) (*PricedBatch, float64, error) {
	pb := &PricedBatch{batch: bt, terms: t, mu2: mu2}
	var weights []int64
	var roots []float64
	whole := 0.0
	for i, p := range bt.alone {
		pr, w, err := p.frame(t, GaussianNoise)
		if err != nil {
			return nil, 0, err
		}
		v := 0.0
		for j := range p.Measures {
			v += float64(pr.groups) * float64(w) / float64(pr.weights[j])
		}
		root := math.Sqrt(float64(bt.weights[i]) * v)
		whole += root
		pb.parts, weights, roots = append(pb.parts, pr), append(weights, w), append(roots, root)
	}
	for i, pr := range pb.parts {
		if err := pr.gaussianOf(part(mu2, roots[i]/whole), weights[i]); err != nil {
			return nil, 0, err
		}
		pr.cost = account.Vector{Epsilon: account.Infinite, Delta: account.Infinite} // never charged alone
	}
	m, _ := mu2.Float64()
	return pb, whole * whole / m, nil
}

// part is a part of a rational, rounded down, so that parts of 1 stay within it.
func part(of *big.Rat, share float64) *big.Rat {
	x := new(big.Rat)
	x.SetFloat64(share * (1 - 1e-12))
	return x.Mul(x, of)
}

// together shares measurements.
func (bt *Batch) together(t Terms, mu2 *big.Rat) (*PricedBatch, float64, error) {
	m := bt.merged
	pb := &PricedBatch{batch: bt, terms: t, mu2: new(big.Rat), groups: 1}
	if len(m.Keys) > 0 {
		pb.groups = m.Relation.Groups
	}
	loads := make([]workload.Workload, len(m.Measures))
	pb.at = make([]map[int]int, len(m.Measures))
	for j := range loads {
		pb.at[j] = map[int]int{}
		for _, k := range m.Keys {
			loads[j].Domain = append(loads[j].Domain, len(k.Values)+1) // and all others
		}
	}
	for i := range bt.parts {
		for _, j := range bt.measures(i) {
			pb.at[j][i] = len(loads[j].Queries)
			loads[j].Queries = append(loads[j].Queries, workload.Query{By: bt.by[i], Weight: bt.weights[i]})
		}
	}
	roots, whole := make([]float64, len(loads)), 0.0
	trial := make([]*workload.Strategy, len(loads))
	for j, w := range loads {
		if len(w.Queries) == 0 {
			continue
		}
		s, err := workload.Plan(w, workload.Unit{Groups: pb.groups, Most: 1}, big.NewRat(1, 1_000_000))
		if err != nil {
			return nil, 0, err
		}
		trial[j] = s
		v, _ := s.Objective().Float64()
		roots[j] = math.Sqrt(v * 1e-6)
		whole += roots[j]
	}
	if err := held(trial); err != nil {
		return nil, 0, err
	}
	for j, w := range loads {
		var s *workload.Strategy
		if len(w.Queries) > 0 {
			var err error
			if s, err = workload.Plan(w, workload.Unit{Groups: pb.groups, Most: m.Measures[j].Most}, part(mu2, roots[j]/whole)); err != nil {
				return nil, 0, err
			}
			pb.mu2.Add(pb.mu2, s.Mu2())
		}
		pb.shared = append(pb.shared, s)
	}
	if pb.mu2.Cmp(mu2) > 0 {
		return nil, 0, errors.New("parts of a budget add up to more than it")
	}
	for i := range bt.parts {
		pr, err := pb.made(i)
		if err != nil {
			return nil, 0, err
		}
		pb.parts = append(pb.parts, pr)
	}
	v, _ := mu2.Float64()
	return pb, whole * whole / v, nil
}

// finePlaces is how many decimals finePlaces than its deviation a number is rounded at least.
const finePlaces = 4

// made describes the numbers of a part that come from shared measurements. They are rounded to decimals that are 10^4 times finePlaces than their deviation. What they
// are off by is a normal number of their variance and, of rounding, a number that is bounded for certain; a normal number whose deviation is larger by that
// bound is further from 0 with any probability below ⅓.
func (pb *PricedBatch) made(i int) (*Priced, error) {
	bt := pb.batch
	p := *bt.parts[i]
	p.Measures = append([]Measure(nil), p.Measures...)
	pr := &Priced{plan: &p, terms: pb.terms, noise: GaussianNoise, groups: pb.groups, cells: 1, laws: make([]law, len(p.Measures)), trees: make([]*shape, len(p.Measures))}
	for _, k := range bt.by[i] {
		pr.cells *= int64(len(p.Keys[k].Values))
	}
	for _, j := range bt.measures(i) {
		query := pb.at[j][i]
		sigma, ok := rootAbove(pb.shared[j].Variance(query))
		if !ok {
			return nil, errWide
		}
		deviation := sigma.Rat()
		deviation.Add(deviation, pb.shared[j].Rounding(query))
		extra := 0
		for x := new(big.Rat).Set(deviation); extra < mostDigits && x.Cmp(new(big.Rat).SetInt(pow10(finePlaces))) < 0; extra++ {
			x.Mul(x, big.NewRat(10, 1))
		}
		deviation.Mul(deviation, new(big.Rat).SetInt(pow10(extra))).Add(deviation, big.NewRat(1, 1)) // rounding to these decimals
		if sigma, ok = rootAbove(deviation.Mul(deviation, deviation)); !ok {
			return nil, errWide
		}
		d, err := noise.NewRoundedGaussian(sigma)
		if err != nil {
			return nil, errWide
		}
		pr.laws[j] = law{d, GaussianNoise, d.Sigma(), newTails()}
		p.Measures[j].Places += extra
	}
	return pr, nil
}

// charge computes the cost of all.
func (pb *PricedBatch) charge() error {
	mu := new(big.Float).SetPrec(200).SetRat(pb.mu2)
	mu.Sqrt(mu)
	up, _ := mu.Rat(nil)
	pb.spec = []account.Mechanism{{Kind: account.GDP, Mu: floatFrom(up, 1)}}
	var err error
	if pb.cost, err = account.Batch(pb.spec, femtos(pb.terms.Delta)); err != nil {
		return priceless(err)
	}
	if pb.cost.Epsilon > pb.terms.Epsilon {
		pb.cost.Epsilon, pb.cost.Delta = pb.terms.Epsilon, pb.terms.Delta
	}
	return nil
}

// Cost is what all answers cost, at once.
func (pb *PricedBatch) Cost() account.Vector { return pb.cost }

// Spec is the mechanism that the cost is of.
func (pb *PricedBatch) Spec() []account.Mechanism {
	return append([]account.Mechanism(nil), pb.spec...)
}

// Epsilon is what was asked for, in nano.
func (pb *PricedBatch) Epsilon() int64 { return pb.terms.Epsilon }

// Scans are what is read.
func (pb *PricedBatch) Scans() []relation.Scan { return pb.batch.Scans() }

// Restricted is as [Plan.Restricted].
func (pb *PricedBatch) Restricted() bool { return pb.batch.Restricted() }

// Together is whether the questions share measurements.
func (pb *PricedBatch) Together() bool { return pb.shared != nil }

// Canonical is the same for the same questions with the same weights and noise, in the same order, and for no others.
func (pb *PricedBatch) Canonical() []byte {
	b := append([]byte("scrim.dev/batch/1\x00"), byte(len(pb.shared)))
	for i, p := range pb.batch.alone {
		plan := p.Canonical()
		b = binary.AppendUvarint(b, uint64(len(plan)))
		b = append(b, plan...)
		b = binary.AppendVarint(b, pb.batch.weights[i])
		for _, l := range pb.parts[i].laws {
			b = binary.BigEndian.AppendUint64(b, l.scale.Num)
			b = binary.BigEndian.AppendUint64(b, l.scale.Den)
		}
	}
	for _, s := range pb.shared {
		if s == nil {
			continue
		}
		for _, m := range s.Measures() {
			b = fmt.Appendf(b, "%v %d %d/%d;", m.By, m.Cells, m.Sigma.Num, m.Sigma.Den)
		}
	}
	return b
}

// QueryExplanation is what is known beforehand of one of several questions.
type QueryExplanation struct {
	Columns []Heading  `json:"columns"`
	Groups  string     `json:"groups"`
	Errors  []Expected `json:"errors"`
}

const (
	noteTogether = "The questions are answered out of measurements that they share, so that their numbers are exact marginals of one table before they are rounded to the decimals shown; a key that has none of its declared values is one value more of it, which is not shown. A unit counts in a bounded number of combinations of all of their keys."
	noteOneByOne = "The questions share a budget and nothing else: for a unit of that many groups this is more exact than shared measurements. Their numbers need not add up."
)

// Explain says what the answers will cost and how exact they will be.
func (pb *PricedBatch) Explain() *Explanation {
	m := pb.batch.merged
	e := &Explanation{Dataset: m.Dataset.Name, Columns: []Heading{}, Bounds: Bounds{m.Relation.Rows, pb.groups}, Privacy: pb.privacy(), Cost: CostOf(pb.cost), Errors: []Expected{}, Notes: pb.notes()}
	if !pb.Together() {
		for _, pr := range pb.parts {
			e.Bounds.Groups = max(e.Bounds.Groups, pr.groups)
		}
	}
	numbers := int64(0)
	for _, pr := range pb.parts {
		x := QueryExplanation{Columns: pr.plan.columns(), Groups: strconv.FormatInt(pr.cells, 10), Errors: []Expected{}}
		numbers += pr.cells
		for _, a := range pr.used() {
			x.Errors = append(x.Errors, pr.expected(&pr.plan.Aggregates[a]))
		}
		e.Queries = append(e.Queries, x)
	}
	e.Groups = strconv.FormatInt(numbers, 10)
	return e
}

// used are the aggregates that a plan's columns are made of.
func (pr *Priced) used() []int {
	seen := make([]bool, len(pr.plan.Aggregates))
	var out []int
	for _, c := range pr.plan.Columns {
		walk(c.Expr, func(x Post) {
			if a := x.(PostAggregate).Aggregate; !seen[a] {
				seen[a] = true
				out = append(out, a)
			}
		})
	}
	return out
}

func (pb *PricedBatch) notes() []string {
	notes := []string{noteNoise, noteOneByOne}
	if pb.Together() {
		notes[1] = noteTogether
	}
	if len(pb.batch.merged.Keys) > 0 {
		notes = append(notes, noteZeros)
	}
	if pb.Restricted() {
		notes = append(notes, noteRestricted)
	}
	return notes
}

func (pb *PricedBatch) privacy() Privacy {
	d := pb.batch.merged.Dataset
	x := Privacy{Claim: NoClaim, Unit: d.Unit, Epsilon: amount(pb.cost.Epsilon, 9), Delta: amount(pb.cost.Delta, 15), Mechanism: []Mechanism{}}
	if d.Formal {
		x.Claim = FormalClaim
	}
	if !pb.Together() {
		for i, pr := range pb.parts {
			for _, m := range pr.mechanisms() {
				m.Of = fmt.Sprintf("query %d: %s", i+1, m.Of)
				x.Mechanism = append(x.Mechanism, m)
			}
		}
		return x
	}
	for j, s := range pb.shared {
		if s == nil {
			continue
		}
		numbers := 0
		for _, m := range s.Measures() {
			numbers += m.Cells
		}
		text := (&Priced{plan: pb.batch.merged}).measureText(j)
		x.Mechanism = append(x.Mechanism, Mechanism{Of: fmt.Sprintf("%s: %d numbers of %d residuals", text, numbers, len(s.Measures())), Noise: "rounded_gaussian", Mu2: ratioText(s.Mu2())})
	}
	return x
}
