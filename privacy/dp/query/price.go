package query

import (
	"encoding/binary"
	"math"
	"math/big"
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// Terms are what an answer may cost, and what by.
type Terms struct {
	Epsilon        int64  // nano: of all that the answer shows, selection of groups included
	Delta          int64  // femto: of Gaussian noise; 0: Laplace noise alone
	SelectionDelta int64  // femto: of the selection of groups, which needs one where keys are private; unused otherwise
	Noise          string // [LaplaceNoise], [GaussianNoise], or "": whichever is more exact
}

// The kinds of noise.
const (
	LaplaceNoise  = "laplace"
	GaussianNoise = "gaussian"
)

// TermsError refuses terms by declared facts alone: it names the term and the rule, never data.
type TermsError struct {
	Term string // such as epsilon
	Rule string // what it must be, or what cannot be had
}

func (e *TermsError) Error() string { return e.Term + " " + e.Rule }

// Bounds of one answer: what keeps its computation within seconds.
const (
	// MostNumbers bounds how many numbers get noise where all groups are known beforehand.
	MostNumbers = 1 << 22
	// MostBins bounds the cells of one tree.
	MostBins = 1 << 12
	// mostFanout bounds the children of one node.
	mostFanout = 64
	// mostSelected and mostHeld bound the groups of an answer whose keys are private, and the numbers of all of them, which are held at once. They are
	// reached by groups that were selected alone.
	mostSelected = 1 << 17
	mostHeld     = 4 * MostNumbers
)

// Priced is a plan with its noise: what an answer will cost and how exact it will be, known before anything is read. It is safe for
// concurrent use.
type Priced struct {
	plan      *Plan
	terms     Terms
	noise     string  // as decided
	groups    int64   // how many groups one unit moves at most
	cells     int64   // groups of public domains; 0: private
	most      int     // groups that are selected at most
	laws      []law   // by measure
	weights   []int64 // by measure
	selection *noise.Partitions
	chosen    selectionTerms
	spec      []account.Mechanism
	cost      account.Vector
	trees     []*shape // by measure; nil: a sum
}

// selectionTerms are what the choice of groups may cost.
type selectionTerms struct{ epsilon, delta int64 }

// law is the noise of one measure.
type law struct {
	noise.Law
	kind  string
	scale noise.Ratio // Laplace's scale or Gauss's σ, in the places of the measure
	tails *tails
}

// Price decides the noise of the plan's numbers. Nothing is read: what it returns and what it refuses, with a [*TermsError], depends on
// declared facts alone.
//
// # What is released together
//
// Let one unit with all its rows be there or not. It counts in at most L₀ groups ([relation.Bounded]). In each it moves a sum by at most
// Most, and of bins at most Most rows, each of which adds 1 to one node of every level. So the numbers of measure j, over all groups,
// move by at most
//
//	Δ₁(j) = L₀·Most·Levels   in L1,
//	Δ₂(j)² = L₀·Most²·Levels in L2
//
// (Levels is 1 for sums; all rows may lie in one leaf, so that the nodes of one level move by Most in either norm.) Each number is
// a whole one and gets independent noise of whole numbers of its measure's law; saturation ([noise.Release]) is 1-Lipschitz.
//
// Laplace noise of scale b_j: measure j alone is ε_j-differentially private for ε_j = Δ₁(j)/b_j, and all together Σε_j: the ratio of
// probabilities of any outcome is the product over all numbers of at most exp(|shift|/b_j), and Σ over numbers of |shift|/b_j is at most
// Σ_j Δ₁(j)/b_j.
//
// Gaussian noise of σ_j, rounded: measure j alone is Δ₂(j)/σ_j-GDP ([noise.RoundedGaussian]), and all together √(Σ Δ₂(j)²/σ_j²)-GDP (Dong,
// Roth and Su 2022, corollary 3.3), which for (ε, δ) is converted exactly (Balle and Wang 2018, theorem 8). The rounded Gaussian is taken and
// not the discrete one, because only it is GDP: its cost for a vector is exact in (ε, δ), and the ledger's GDP filter can add it up. What
// rounding adds to the variance is 1/12.
//
// The split gives measure j the part w_j/Σw of ε, or of μ²; see importance.
//
// Selection of groups (private keys) is (ε_s, δ_s)-differentially private by itself ([noise.Partitions] with L₀ partitions for each unit).
// Think of noise on all groups that there could be, and of the answer as those of them that were selected: a function of two
// independent mechanisms on the same rows, which together are (ε + ε_s, δ + δ_s)-differentially private by basic composition, or less by
// [account.Batch], since both are declared before either runs.
func (p *Plan) Price(t Terms) (*Priced, error) {
	switch t.Noise {
	case LaplaceNoise, GaussianNoise:
		return p.price(t, t.Noise)
	case "":
	default:
		return nil, &TermsError{"noise", "is laplace, gaussian or left out"}
	}
	laplace, err := p.price(t, LaplaceNoise)
	if t.Delta == 0 {
		return laplace, err
	}
	gauss, errGauss := p.price(t, GaussianNoise)
	switch {
	case errGauss != nil:
		return laplace, err
	case err != nil || gauss.moreExact(laplace):
		return gauss, nil
	}
	return laplace, nil
}

// moreExact compares the half-widths at 95 % of all measures by the product of their ratios.
func (pr *Priced) moreExact(than *Priced) bool {
	sum := 0.0
	for i := range pr.laws {
		sum += math.Log(float64(1+pr.laws[i].halfWidth(wholeAlpha))) - math.Log(float64(1+than.laws[i].halfWidth(wholeAlpha)))
	}
	return sum < 0
}

func (p *Plan) price(t Terms, kind string) (*Priced, error) {
	pr, weights, err := p.frame(t, kind)
	if err != nil {
		return nil, err
	}
	epsilon, err := pr.selectGroups(weights)
	if err != nil {
		return nil, err
	}
	if kind == LaplaceNoise {
		err = pr.laplace(epsilon, weights)
	} else {
		err = pr.gaussian(epsilon, weights)
	}
	if err != nil {
		return nil, err
	}
	if err := pr.charge(epsilon); err != nil {
		return nil, err
	}
	return pr, nil
}

// frame is what a price needs to know of the plan and checks it.
func (p *Plan) frame(t Terms, kind string) (*Priced, int64, error) {
	switch {
	case t.Epsilon <= 0 || t.Epsilon > mostEpsilon:
		return nil, 0, &TermsError{"epsilon", "must be above 0 and at most 64"}
	case t.Delta < 0 || t.Delta >= wholeDelta || t.SelectionDelta < 0 || t.SelectionDelta >= wholeDelta:
		return nil, 0, &TermsError{"delta", "must be at least 0 and below 1"}
	case kind == GaussianNoise && t.Delta == 0:
		return nil, 0, &TermsError{"noise", "of Gauss needs a delta, which this dataset does not give to questions"}
	case len(p.Measures) == 0:
		return nil, 0, &TermsError{"question", "asks for no number"}
	}
	pr := &Priced{plan: p, terms: t, noise: kind, laws: make([]law, len(p.Measures)), trees: make([]*shape, len(p.Measures))}
	if err := pr.countGroups(); err != nil {
		return nil, 0, err
	}
	weights, numbers := int64(0), int64(0)
	pr.weights = p.importance()
	for i, m := range p.Measures {
		if m.Weight < 1 || m.Weight > 1<<20 || m.Most < 1 || m.Most > noise.Limit {
			return nil, 0, &TermsError{"question", "has a number without bounds or weight"}
		}
		weights += pr.weights[i]
		n := int64(1)
		if m.Bins >= 0 {
			s, err := shapeOf(p.Relation.Bins[m.Bins].Count, m.Fanout, m.Levels)
			if err != nil {
				return nil, 0, err
			}
			pr.trees[i], n = s, int64(s.nodes)
		}
		numbers += n
	}
	pr.most = int(min(mostSelected, mostHeld/numbers))
	if numbers*max(pr.cells, 1) > MostNumbers {
		return nil, 0, &TermsError{"question", "asks for more numbers than one answer may have: group by fewer values"}
	}
	return pr, weights, nil
}

// importance is the weight of each measure: that of the plan, times 2 for the sum of an average and 3 for the squares of a variance. Of S/N, with S moved
// by Most and S/N = d, the error has the variance (Most²/ε_S² + d²/ε_N²)/N² up to a factor, which is least for ε_S : ε_N = (Most/d)^⅔: between 1 for
// the worst d and 2.8 for a fifth of it.
func (p *Plan) importance() []int64 {
	times := make([]int64, len(p.Measures))
	for i := range times {
		times[i] = 1
	}
	for _, a := range p.Aggregates {
		switch a.Kind {
		case AvgAggregate:
			times[a.Measures[0]] = max(times[a.Measures[0]], 2)
		case VarianceAggregate, StdDevAggregate:
			times[a.Measures[0]] = max(times[a.Measures[0]], 3)
		}
	}
	for i := range times {
		times[i] *= p.Measures[i].Weight
	}
	return times
}

// countGroups decides how many groups one unit moves: as many as the relation bounds, and no more than there are.
func (pr *Priced) countGroups() error {
	p := pr.plan
	if len(p.Relation.Keys) != len(p.Keys) {
		return &TermsError{"question", "has keys that nothing computes"}
	}
	if len(p.Keys) == 0 {
		pr.groups, pr.cells = 1, 1
		return nil
	}
	pr.groups = p.Relation.Groups
	if p.Private() {
		if pr.groups < 1 {
			return &TermsError{"groups", "of one unit must be bounded"}
		}
		return nil
	}
	pr.cells = 1
	for _, k := range p.Keys {
		if len(k.Values) == 0 || pr.cells > MostNumbers {
			return &TermsError{"question", "groups by too many values, or by none"}
		}
		pr.cells *= int64(len(k.Values))
	}
	if pr.groups < 1 || pr.groups > pr.cells {
		pr.groups = pr.cells
	}
	return nil
}

// selectGroups prices the selection of groups, as a measure of weight 1, and returns the ε that is left for noise.
func (pr *Priced) selectGroups(weights int64) (int64, error) {
	t := pr.terms
	if !pr.plan.Private() {
		return t.Epsilon, nil
	}
	if err := pr.selectWith(t.Epsilon / (weights + 1)); err != nil {
		return 0, err
	}
	return t.Epsilon - pr.chosen.epsilon, nil
}

// selectWith sets the selection of groups.
func (pr *Priced) selectWith(epsilon int64) error {
	delta := pr.terms.SelectionDelta
	if delta == 0 {
		return &TermsError{"delta", "is needed where groups are not known beforehand, and this dataset has none for it"}
	}
	var err error
	pr.selection, err = noise.NewPartitions(noise.PartitionOptions{EpsilonNano: epsilon, DeltaFemto: delta, PerUnit: pr.groups})
	if err != nil {
		return &TermsError{"epsilon", "is too small, or too large, to select groups with"}
	}
	pr.chosen = selectionTerms{epsilon, delta}
	return nil
}

// norms are Δ₁ and Δ₂² of a measure.
func (pr *Priced) norms(m Measure) (l1, l2squared *big.Int) {
	most, groups, levels := big.NewInt(m.Most), big.NewInt(pr.groups), big.NewInt(int64(max(m.Levels, 1)))
	l1 = new(big.Int).Mul(most, groups)
	l1.Mul(l1, levels)
	return l1, new(big.Int).Mul(l1, most)
}

var errWide = &TermsError{"epsilon", "is too small for numbers of these bounds: ask for more, or for a column with narrower bounds or fewer decimal places"}

func (pr *Priced) laplace(epsilon, weights int64) error {
	for i, m := range pr.plan.Measures {
		l1, _ := pr.norms(m)
		if !l1.IsInt64() {
			return errWide
		}
		part := share(epsilon, pr.weights[i], weights)
		d, err := noise.LaplaceFor(part, l1.Int64())
		if err != nil {
			return lawError(part, l1)
		}
		pr.setLaplace(i, d, l1.Int64())
	}
	return nil
}

func (pr *Priced) setLaplace(i int, d noise.DiscreteLaplace, l1 int64) {
	pr.laws[i] = law{d, LaplaceNoise, d.Scale(), newTails()}
	pr.spec = append(pr.spec, laplaceMechanism(d, l1))
}

// lawError tells noise that is too wide from noise that would be none.
func lawError(part int64, sensitivity *big.Int) error {
	if part > 0 && new(big.Int).Div(big.NewInt(part), sensitivity).Cmp(big.NewInt(mostEpsilon)) > 0 {
		return &TermsError{"epsilon", "is so large that there would be no noise"}
	}
	return errWide
}

// share is ⌊whole·part/parts⌋.
func share(whole, part, parts int64) int64 {
	n := new(big.Int).Mul(big.NewInt(whole), big.NewInt(part))
	return n.Quo(n, big.NewInt(parts)).Int64()
}

func (pr *Priced) gaussian(epsilon, weights int64) error {
	mu, err := muOf(epsilon, pr.terms.Delta)
	if err != nil {
		return err
	}
	return pr.gaussianOf(new(big.Rat).Mul(mu, mu), weights)
}

// gaussianOf splits μ² among the measures.
func (pr *Priced) gaussianOf(mu2 *big.Rat, weights int64) error {
	for i, m := range pr.plan.Measures {
		_, square := pr.norms(m)
		// σ² = Δ₂²·Σw/(μ²·w)
		v := new(big.Rat).SetFrac(new(big.Int).Mul(square, big.NewInt(weights)), big.NewInt(pr.weights[i]))
		v.Quo(v, mu2)
		sigma, ok := rootAbove(v)
		if !ok {
			return errWide
		}
		d, err := noise.NewRoundedGaussian(sigma)
		if err != nil {
			return lawError(pr.terms.Epsilon, square)
		}
		pr.setGaussian(i, d, square)
	}
	return nil
}

func (pr *Priced) setGaussian(i int, d noise.RoundedGaussian, square *big.Int) {
	pr.laws[i] = law{d, GaussianNoise, d.Sigma(), newTails()}
	pr.spec = append(pr.spec, gaussianMechanism(d, square))
}

// muOf is the greatest μ for which μ-GDP implies (ε, δ), rounded down.
func muOf(epsilon, delta int64) (*big.Rat, error) {
	mu, _, err := account.Calibrate([]account.Mechanism{{Kind: account.GDP}}, "mu", nanos(epsilon), femtos(delta))
	if err != nil {
		return nil, &TermsError{"epsilon", "is too small for Gaussian noise at this delta"}
	}
	return new(big.Rat).SetFloat64(mu), nil
}

func nanos(n int64) float64  { return float64(n) / 1e9 }
func femtos(n int64) float64 { return float64(n) / 1e15 }

const (
	mostEpsilon = 64 * 1_000_000_000
	wholeDelta  = 1_000_000_000_000_000
)

// rootAbove is the square root of v as a ratio, rounded up by less than one part in 2^50; false beyond 2^53.
func rootAbove(v *big.Rat) (noise.Ratio, bool) {
	whole := new(big.Int).Quo(v.Num(), v.Denom())
	if whole.BitLen() > 105 {
		return noise.Ratio{}, false
	}
	// n is the least integer with (n/2^j)² ≥ v: ⌊√w⌋+1 for w = ⌊v·4^j⌋, because (⌊√w⌋+1)² ≥ w+1 > v·4^j.
	j := uint(60 - (whole.BitLen()+1)/2)
	w := new(big.Int).Lsh(v.Num(), 2*j)
	w.Quo(w, v.Denom()).Sqrt(w).Add(w, big.NewInt(1))
	return noise.Ratio{Num: w.Uint64(), Den: 1 << j}, true
}

// Cost is what the answer costs, all of it and at once.
func (pr *Priced) Cost() account.Vector { return pr.cost }

// Spec is the mechanisms that the cost is made of.
func (pr *Priced) Spec() []account.Mechanism { return slices.Clone(pr.spec) }

// Plan is what is asked.
func (pr *Priced) Plan() *Plan { return pr.plan }

// Scans are what is read for the answer.
func (pr *Priced) Scans() []relation.Scan { return slices.Clone(pr.plan.Scans) }

// Restricted is whether rows are limited to the blocks of time that are paid for.
func (pr *Priced) Restricted() bool { return pr.plan.Restricted }

// Noise is the kind of noise that was decided on.
func (pr *Priced) Noise() string { return pr.noise }

// Epsilon is what was asked for, in nano.
func (pr *Priced) Epsilon() int64 { return pr.terms.Epsilon }

// Canonical is the same for the same plan with the same noise and for no other: what a book of answers knows the question by.
func (pr *Priced) Canonical() []byte {
	plan := pr.plan.Canonical()
	b := append([]byte("scrim.dev/priced/1\x00"), pr.noise...)
	b = binary.AppendUvarint(append(b, 0), uint64(len(plan)))
	b = append(b, plan...)
	for i, l := range pr.laws {
		b = binary.BigEndian.AppendUint64(b, l.scale.Num)
		b = binary.BigEndian.AppendUint64(b, l.scale.Den)
		b = binary.AppendVarint(b, pr.weights[i])
	}
	b = binary.AppendVarint(b, pr.groups)
	b = binary.AppendVarint(b, pr.chosen.epsilon)
	return binary.AppendVarint(b, pr.chosen.delta)
}
