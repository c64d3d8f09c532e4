package query

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// NeedsPilot says whether an accuracy can only be priced after a first, less exact answer ([Plan.Pilot], [Plan.PriceAfter]): it is
// relative to numbers that nobody knows yet, or absolute for columns such as averages, which are the more exact the more rows there are.
func (p *Plan) NeedsPilot(a Accuracy) bool {
	if a.Relative != "" {
		return true
	}
	for _, c := range p.Columns {
		if _, ok := p.linear(c.Expr); !ok && noisy(c.Expr) && p.kindOf(c.Expr) != "truth" {
			return true
		}
	}
	return false
}

// PriceFor is the cheapest price at which every number of the answer has a 95 % interval of at most that half-width: for each number the
// widest noise that keeps to it, of whichever kind has the least ε (of Gaussian noise at the δ of the terms). Terms.Epsilon is the most that it
// may cost. What cannot be reached is refused with a [*TermsError], by declared facts alone.
func (p *Plan) PriceFor(a Accuracy, t Terms) (*Priced, error) {
	if p.NeedsPilot(a) {
		return nil, &TermsError{"accuracy", "depends on numbers that are not known yet: a first, less exact answer has to be paid for"}
	}
	want, err := accuracy(a.HalfWidth)
	if err != nil {
		return nil, err
	}
	needs := p.needs(want)
	var best *Priced
	var failed error
	for _, kind := range []string{LaplaceNoise, GaussianNoise} {
		if t.Noise != "" && t.Noise != kind || kind == GaussianNoise && t.Delta == 0 {
			continue
		}
		pr, err := p.priceFor(needs, t, kind)
		if err != nil {
			failed = err
		} else if best == nil || pr.cost.Epsilon < best.cost.Epsilon {
			best = pr
		}
	}
	switch {
	case best == nil && failed == nil:
		return nil, &TermsError{"noise", "is laplace, gaussian or left out, and Gauss needs a delta"}
	case best == nil:
		return nil, failed
	case best.cost.Epsilon > t.Epsilon:
		return nil, &TermsError{"accuracy", fmt.Sprintf("needs an epsilon of %s, and one question may cost %s", amount(best.cost.Epsilon, 9), amount(t.Epsilon, 9))}
	}
	return best, nil
}

// accuracy reads a positive decimal number.
func accuracy(text string) (*big.Rat, error) {
	if len(text) == 0 || len(text) > 40 || !plain(text) {
		return nil, &TermsError{"accuracy", "must be a positive decimal number"}
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok || r.Sign() <= 0 {
		return nil, &TermsError{"accuracy", "must be a positive decimal number"}
	}
	return r, nil
}

// plain is whether a text is digits with at most one point.
func plain(text string) bool {
	points := 0
	for _, c := range text {
		if c == '.' {
			points++
		} else if c < '0' || c > '9' {
			return false
		}
	}
	return points <= 1 && len(text) > points
}

// need is how wide the noise of one measure may be: half-width w in its places, wrong with a probability of alpha.
type need struct {
	w     int64
	alpha alpha
}

// needs shares the half-width of each column equally among the measures that it is linear in, and takes for each measure what the strictest
// column leaves it. Measures of no column, which HAVING and ORDER BY look at, are as exact as if they stood alone.
func (p *Plan) needs(want *big.Rat) [][]need {
	all := make([][]need, len(p.Measures))
	add := func(measure int, width *big.Rat, al alpha) {
		scaled := new(big.Rat).Quo(width, decimal(1, p.Measures[measure].Places))
		n := new(big.Int).Quo(scaled.Num(), scaled.Denom())
		if n.Cmp(big.NewInt(1<<52)) > 0 {
			n.SetInt64(1 << 52)
		}
		all[measure] = append(all[measure], need{n.Int64(), al})
	}
	for _, c := range p.Columns {
		of, ok := p.linear(c.Expr)
		if !ok {
			continue
		}
		for m, factor := range of {
			if factor.Sign() == 0 {
				continue
			}
			part := new(big.Rat).Quo(want, new(big.Rat).Abs(factor))
			add(m, part.Quo(part, big.NewRat(int64(len(of)), 1)), p.sharing(c.Expr))
		}
	}
	for m := range all {
		if all[m] == nil {
			add(m, want, wholeAlpha)
		}
	}
	return all
}

// linear is by what an expression multiplies each measure, if it does nothing else with them but add.
func (p *Plan) linear(e Post) (map[int]*big.Rat, bool) {
	switch e := e.(type) {
	case PostAggregate:
		a := p.Aggregates[e.Aggregate]
		switch a.Kind {
		case CountAggregate, SumAggregate:
		case HistogramAggregate:
			if p.Measures[a.Measures[0]].Levels > 1 {
				return nil, false
			}
		default:
			return nil, false
		}
		return map[int]*big.Rat{a.Measures[0]: big.NewRat(1, 1)}, true
	case PostArith:
		l, ok := p.linear(e.L)
		r, ok2 := p.linear(e.R)
		return combine(e, l, r, ok && ok2)
	}
	return map[int]*big.Rat{}, !noisy(e)
}

func combine(e PostArith, l, r map[int]*big.Rat, ok bool) (map[int]*big.Rat, bool) {
	if !ok {
		return nil, false
	}
	factor := func(of map[int]*big.Rat, by *big.Rat) (map[int]*big.Rat, bool) {
		for m := range of {
			of[m].Mul(of[m], by)
		}
		return of, true
	}
	switch {
	case e.Op == relation.Add || e.Op == relation.Sub:
		for m, f := range r {
			if e.Op == relation.Sub {
				f.Neg(f)
			}
			if l[m] == nil {
				l[m] = new(big.Rat)
			}
			l[m].Add(l[m], f)
		}
		return l, true
	case len(l) == 0 && len(r) == 0:
		return l, true
	case e.Op == relation.Mul && len(l) == 0:
		if c := constant(e.L); c != nil {
			return factor(r, c)
		}
	case e.Op == relation.Mul && len(r) == 0:
		if c := constant(e.R); c != nil {
			return factor(l, c)
		}
	case e.Op == relation.Div && len(r) == 0:
		if c := constant(e.R); c != nil && c.Sign() != 0 {
			return factor(l, new(big.Rat).Inv(c))
		}
	}
	return nil, false
}

// constant is a number that the question gives, nil for anything else.
func constant(e Post) *big.Rat {
	c, ok := e.(PostConst)
	if !ok {
		return nil
	}
	return datumOf(c.Value, c.Type.Places).num
}

// priceFor chooses the widest noise of one kind.
func (p *Plan) priceFor(needs [][]need, t Terms, kind string) (*Priced, error) {
	t.Epsilon = min(max(t.Epsilon, 1), mostEpsilon)
	pr, weights, err := p.frame(t, kind)
	if err != nil {
		return nil, err
	}
	var epsilon int64 // of the noise
	if kind == LaplaceNoise {
		epsilon, err = pr.widestLaplace(needs)
	} else {
		epsilon, err = pr.widestGaussian(needs)
	}
	if err != nil {
		return nil, err
	}
	pr.terms.Epsilon = epsilon
	if p.Private() { // as much as an average number gets
		pr.terms.Epsilon += max(epsilon/weights, 1)
		if err := pr.selectWith(max(epsilon/weights, 1)); err != nil {
			return nil, err
		}
	}
	if pr.terms.Epsilon > mostEpsilon {
		return nil, errNear
	}
	if err := pr.charge(epsilon); err != nil {
		return nil, err
	}
	return pr, nil
}

var errNear = &TermsError{"accuracy", "is too great: there would be hardly any noise"}

func (pr *Priced) widestLaplace(needs [][]need) (total int64, err error) {
	for i, m := range pr.plan.Measures {
		l1, _ := pr.norms(m)
		if !l1.IsInt64() {
			return 0, errWide
		}
		meets := func(epsilon int64) bool { // what is too wide for a law does not
			d, err := noise.LaplaceFor(epsilon, l1.Int64())
			l := law{d, LaplaceNoise, d.Scale(), newTails()}
			return err == nil && l.meets(needs[i])
		}
		most := int64(mostEpsilon) // with which the scale is at least 1/64 at any sensitivity
		if !meets(most) {
			return 0, errNear
		}
		lo, hi := int64(0), most
		for hi-lo > 1 {
			if mid := lo + (hi-lo)/2; meets(mid) {
				hi = mid
			} else {
				lo = mid
			}
		}
		d, err := noise.LaplaceFor(hi, l1.Int64())
		if err != nil {
			return 0, errNear
		}
		pr.setLaplace(i, d, l1.Int64())
		if total += hi; total > mostEpsilon {
			return 0, errNear
		}
	}
	return total, nil
}

// meets is whether noise is narrow enough.
func (l *law) meets(needs []need) bool {
	return !slices.ContainsFunc(needs, func(n need) bool {
		limit := new(big.Float).SetPrec(128).Quo(big.NewFloat(1).SetPrec(128), new(big.Float).SetInt64(40*int64(n.alpha)))
		return l.Tail(n.w+1).Cmp(limit) > 0
	})
}

// widestGaussian also returns the ε that all of it has at the terms' δ.
func (pr *Priced) widestGaussian(needs [][]need) (int64, error) {
	mu2 := new(big.Rat)
	for i, m := range pr.plan.Measures {
		_, square := pr.norms(m)
		var d noise.RoundedGaussian
		ok := false
		for n := int64(0); n < 40 && !ok; n++ { // the guess is that of rounding exactly; then a millionth less each time, and more
			var err error
			d, err = noise.NewRoundedGaussian(guessSigma(needs[i], n))
			if err != nil {
				return 0, errNear
			}
			l := law{d, GaussianNoise, d.Sigma(), newTails()}
			ok = l.meets(needs[i])
		}
		if !ok {
			return 0, errNear
		}
		pr.setGaussian(i, d, square)
		v := d.Sigma().Rat()
		mu2.Add(mu2, v.Quo(new(big.Rat).SetInt(square), v.Mul(v, v)))
	}
	f, _ := mu2.Float64()
	mu := math.Sqrt(f) * (1 + 1e-12)
	e, _, err := account.Epsilon([]account.Mechanism{{Kind: account.GDP, Mu: mu}}, femtos(pr.terms.Delta))
	if err != nil || e > mostEpsilon/1e9 {
		return 0, errNear
	}
	return int64(math.Ceil(e*1e9*(1+1e-12))) + 1, nil
}

// guessSigma is the σ with P(|N| ≥ w+½) = alpha for the strictest need, less by a factor that grows with n.
func guessSigma(needs []need, n int64) noise.Ratio {
	sigma := math.Inf(1)
	for _, x := range needs {
		sigma = math.Min(sigma, (float64(x.w)+0.5)/(math.Sqrt2*math.Erfinv(1-1/(20*float64(x.alpha)))))
	}
	sigma *= 1 - math.Ldexp(1e-9, int(n))
	const den = 1 << 24
	if sigma < 1<<30 {
		return noise.Ratio{Num: uint64(max(sigma*den, 0)), Den: den}
	}
	return noise.Ratio{Num: uint64(math.Min(sigma, noise.MaxScale)), Den: 1}
}

// Pilot is the first answer of a question whose accuracy depends on its numbers: the same question for a tenth of the most that it may cost.
func (p *Plan) Pilot(a Accuracy, t Terms) (*Priced, error) {
	if _, err := accuracyOf(a); err != nil {
		return nil, err
	}
	t.Epsilon = gridBelow(t.Epsilon / 10)
	return p.Price(t)
}

// accuracyOf reads what is asked for, of which there must be exactly one.
func accuracyOf(a Accuracy) (want *big.Rat, err error) {
	if (a.Relative == "") == (a.HalfWidth == "") {
		return nil, &TermsError{"accuracy", "is one half-width, absolute or relative"}
	}
	if a.Relative == "" {
		return accuracy(a.HalfWidth)
	}
	want, err = accuracy(a.Relative)
	if err == nil && want.Cmp(big.NewRat(1, 1)) >= 0 {
		return nil, &TermsError{"accuracy", "that is relative must be below 1"}
	}
	return want, err
}

// ErrExactEnough says that the pilot's answer is as exact as it was asked for: there is nothing more to pay.
var ErrExactEnough = errors.New("the first answer is exact enough")

// PriceAfter is the price of a question after its pilot, whose answer was pilot. It follows from that answer, declared facts and the question
// alone, so it tells no more than the answer did.
//
// Half-widths shrink in proportion to 1/ε, of quotients in about that; so ε is that of the pilot times the greatest ratio of a half-width
// that it had and the one that is wanted. A relative one is of the pilot's own estimate, for those numbers that it tells
// from zero; what cannot be told from zero for a tenth of the cost is not waited for. ε is rounded up to one of ten steps of a decade, so that who asks
// the same gets the same answer again. Terms.Epsilon is the most that pilot and this may cost together.
func (p *Plan) PriceAfter(a Accuracy, t Terms, pilot *Answer) (*Priced, error) {
	want, err := accuracyOf(a)
	if err != nil {
		return nil, err
	}
	first, ok := new(big.Rat).SetString(pilot.Privacy.Epsilon)
	if !ok || first.Sign() <= 0 {
		return nil, &TermsError{"accuracy", "cannot be priced after an answer without an epsilon"}
	}
	ratio := pilot.ratio(want, a.Relative != "")
	if ratio == nil {
		return nil, &TermsError{"accuracy", "cannot be reached: the first answer tells no number from zero"}
	}
	if ratio.Cmp(big.NewRat(1, 1)) <= 0 {
		return nil, ErrExactEnough
	}
	nano := new(big.Rat).Mul(first, big.NewRat(1_000_000_000, 1))
	left := t.Epsilon - ceilRat(nano)
	epsilon := gridAbove(ceilRat(ratio.Mul(ratio, nano)))
	if epsilon > left {
		return nil, &TermsError{"accuracy", fmt.Sprintf("needs an epsilon of %s after the first answer, and %s is left of what one question may cost", amount(epsilon, 9), amount(max(left, 0), 9))}
	}
	t.Epsilon = epsilon
	return p.Price(t)
}

// ratio is by how much the widest interval is too wide; nil if none counts.
func (a *Answer) ratio(want *big.Rat, relative bool) *big.Rat {
	var most *big.Rat
	see := func(value, low, high string) {
		v, ok := new(big.Rat).SetString(value)
		lo, ok2 := new(big.Rat).SetString(low)
		hi, ok3 := new(big.Rat).SetString(high)
		if !ok || !ok2 || !ok3 {
			return
		}
		half := new(big.Rat).Sub(hi, lo)
		half.Mul(half, big.NewRat(1, 2))
		allowed := want
		if relative {
			if lo.Sign() <= 0 && hi.Sign() >= 0 || v.Sign() == 0 {
				return
			}
			allowed = new(big.Rat).Mul(want, v.Abs(v))
		}
		if r := half.Quo(half, allowed); most == nil || r.Cmp(most) > 0 {
			most = r
		}
	}
	for _, row := range a.Rows {
		for _, c := range row {
			if c.Value != nil && c.Low != "" {
				see(*c.Value, c.Low, c.High)
			}
			for _, b := range c.Bars {
				see(b.Value, b.Low, b.High)
			}
		}
	}
	return most
}

func ceilRat(x *big.Rat) int64 {
	n := new(big.Int).Add(x.Num(), new(big.Int).Sub(x.Denom(), big.NewInt(1)))
	if n.Quo(n, x.Denom()); !n.IsInt64() {
		return math.MaxInt64
	}
	return n.Int64()
}
