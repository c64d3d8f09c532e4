package workload

import (
	"errors"
	"iter"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

func random(t *testing.T) *rand.Rand {
	t.Helper()
	return rand.New(rand.NewPCG(8, 15))
}

// table is cells by their number, the last attribute running fastest.
func table(domain []int, values []int64) iter.Seq2[[]int, int64] {
	return func(yield func([]int, int64) bool) {
		cell := make([]int, len(domain))
		for at, v := range values {
			rest := at
			for i := len(domain) - 1; i >= 0; i-- {
				cell[i], rest = rest%domain[i], rest/domain[i]
			}
			if v != 0 && !yield(cell, v) {
				return
			}
		}
	}
}

func size(domain []int) int {
	n := 1
	for _, d := range domain {
		n *= d
	}
	return n
}

// marginal is the plain sum, in the order of an answer.
func marginal(domain []int, values []int64, by []int) []int64 {
	n := 1
	for _, i := range by {
		n *= domain[i]
	}
	out := make([]int64, n)
	for cell, v := range table(domain, values) {
		at := 0
		for _, i := range by {
			at = at*domain[i] + cell[i]
		}
		out[at] += v
	}
	return out
}

func randomWorkload(r *rand.Rand, attributes, most int) Workload {
	w := Workload{}
	for range 1 + r.IntN(attributes) {
		w.Domain = append(w.Domain, 1+r.IntN(most))
	}
	for range 1 + r.IntN(4) {
		by := r.Perm(len(w.Domain))[:r.IntN(len(w.Domain)+1)]
		w.Queries = append(w.Queries, Query{By: by, Weight: 1 + r.Int64N(9)})
	}
	return w
}

func mustPlan(t testing.TB, w Workload, u Unit, mu2 *big.Rat) *Strategy {
	t.Helper()
	s, err := Plan(w, u, mu2)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func float(x *big.Rat) float64 { f, _ := x.Float64(); return f }

func none(_ int, v int64) int64 { return v }

func TestAnswersWithoutNoiseAreExact(t *testing.T) {
	r := random(t)
	for range 200 {
		w := randomWorkload(r, 4, 4)
		s := mustPlan(t, w, Unit{1 + r.Int64N(3), 1 + r.Int64N(100)}, big.NewRat(1, 100000))
		values := make([]int64, size(w.Domain))
		for i := range values {
			values[i] = r.Int64N(2_000_000) - 1_000_000
		}
		a, err := s.measure(table(w.Domain, values), none)
		if err != nil {
			t.Fatal(err)
		}
		for q := range w.Queries {
			got, den := a.Marginal(q)
			for c, want := range marginal(w.Domain, values, w.Queries[q].By) {
				if new(big.Int).Mul(big.NewInt(want), den).Cmp(got[c]) != 0 {
					t.Fatalf("domain %v by %v, cell %d: %v/%v, want %d", w.Domain, w.Queries[q].By, c, got[c], den, want)
				}
			}
		}
	}
}

// The variance that is declared is that of the linear map from noise to answers, whose columns are found one by one.
func TestVarianceIsThatOfTheAnswers(t *testing.T) {
	r := random(t)
	for range 40 {
		w := randomWorkload(r, 3, 4)
		s := mustPlan(t, w, Unit{1, 1 + r.Int64N(10)}, big.NewRat(1, 1000))
		sums := make([][]*big.Rat, len(w.Queries))
		for i, a := range s.sets {
			variance := s.laws[i].Sigma().Rat()
			variance.Mul(variance, variance).Add(variance, big.NewRat(1, 12))
			for k := range s.w.cells(a) {
				at := 0
				answers, err := s.measure(table(w.Domain, nil), func(j int, _ int64) int64 {
					if j != i {
						return 0
					}
					at++
					if at-1 == k {
						return 1
					}
					return 0
				})
				if err != nil {
					t.Fatal(err)
				}
				for q := range w.Queries {
					num, den := answers.Marginal(q)
					if sums[q] == nil {
						sums[q] = make([]*big.Rat, len(num))
					}
					for c := range num {
						x := new(big.Rat).SetFrac(num[c], den)
						x.Mul(x, x).Mul(x, variance)
						if sums[q][c] == nil {
							sums[q][c] = new(big.Rat)
						}
						sums[q][c].Add(sums[q][c], x)
					}
				}
			}
		}
		for q := range w.Queries {
			for _, got := range sums[q] {
				if got.Cmp(s.Variance(q)) != 0 {
					t.Fatalf("domain %v by %v: variance %v, declared %v", w.Domain, w.Queries[q].By, got, s.Variance(q))
				}
			}
		}
	}
}

// moved is Σ (L·v)²/σ² for what a unit adds, by the very code that measures.
func moved(t *testing.T, s *Strategy, v []int64) *big.Rat {
	t.Helper()
	sum := new(big.Rat)
	_, err := s.measure(table(s.w.Domain, v), func(i int, y int64) int64 {
		x := new(big.Rat).Quo(big.NewRat(y, 1), s.laws[i].Sigma().Rat())
		sum.Add(sum, x.Mul(x, x))
		return y
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// Every unit that there can be is tried: all choices of cells, all signs. None moves the measurements further than is charged, for one cell
// that is exactly how far one moves them, and for two it is attained as well where the signs fit.
func TestNoUnitMovesFurtherThanIsCharged(t *testing.T) {
	r := random(t)
	for _, domain := range [][]int{{4}, {2, 3}, {2, 2, 2}, {3, 1, 3}} {
		for groups := int64(1); groups <= 3; groups++ {
			for range 4 {
				w := randomWorkload(r, 1, 1)
				w.Domain = domain
				for i := range w.Queries {
					w.Queries[i].By = r.Perm(len(domain))[:r.IntN(len(domain)+1)]
				}
				const most = 7
				s := mustPlan(t, w, Unit{groups, most}, big.NewRat(1, 1000))
				if s.Mu2().Cmp(big.NewRat(1, 1000)) > 0 {
					t.Fatalf("charged %v, more than there was", s.Mu2())
				}
				greatest := new(big.Rat)
				v := make([]int64, size(domain))
				var try func(from int, left int64)
				try = func(from int, left int64) {
					if m := moved(t, s, v); m.Cmp(greatest) > 0 {
						greatest = m
					}
					if left == 0 {
						return
					}
					for c := from; c < len(v); c++ {
						for _, x := range []int64{most, -most} {
							v[c] = x
							try(c+1, left-1)
							v[c] = 0
						}
					}
				}
				try(0, groups)
				if greatest.Cmp(s.Mu2()) > 0 {
					t.Errorf("domain %v, %d groups, queries %v: a unit moves by %v, charged %v", domain, groups, w.Queries, float(greatest), float(s.Mu2()))
				}
				if ratio := float(greatest) / float(s.Mu2()); groups <= 2 && ratio < 1-1e-9 {
					t.Errorf("domain %v, %d groups, queries %v: charged %v, and no unit moves further than %v of it", domain, groups, w.Queries, float(s.Mu2()), ratio)
				}
			}
		}
	}
}

func TestClosedForms(t *testing.T) {
	mu2 := big.NewRat(1, 100)
	near := func(what string, got *big.Rat, want float64) {
		t.Helper()
		if math.Abs(float(got)/want-1) > 1e-3 { // the rounding of noise among it
			t.Errorf("%s: variance %v, want %v", what, float(got), want)
		}
	}
	// One marginal alone is measured as such: σ² = Most²/μ².
	near("identity", mustPlan(t, Workload{[]int{3, 4}, []Query{{[]int{0, 1}, 1}}}, Unit{1, 5}, mu2).Variance(0), 2500)
	near("total", mustPlan(t, Workload{[]int{3, 4}, []Query{{nil, 1}}}, Unit{1, 5}, mu2).Variance(0), 2500)
	near("constant attribute", mustPlan(t, Workload{[]int{1, 4}, []Query{{[]int{1, 0}, 1}}}, Unit{1, 5}, mu2).Variance(0), 2500)
	// The total and one marginal with n cells, weights w0 and w1: (√(w0 + w1/n²) + (1 − 1/n)·√w1)²·Most²/μ².
	s := mustPlan(t, Workload{[]int{4}, []Query{{nil, 3}, {[]int{0}, 5}}}, Unit{1, 1}, mu2)
	near("total and marginal", s.Objective(), 100*math.Pow(math.Sqrt(3+5.0/16)+0.75*math.Sqrt(5), 2))
	// For a unit of all cells, the total alone moves by all of them; it costs that and no more.
	near("total, more cells", mustPlan(t, Workload{[]int{3, 4}, []Query{{nil, 1}}}, Unit{4, 5}, mu2).Variance(0), 16*2500)
	near("identity, more cells", mustPlan(t, Workload{[]int{3, 4}, []Query{{[]int{0, 1}, 1}}}, Unit{4, 5}, mu2).Variance(0), 4*2500)
}

// solve inverts a positive definite matrix.
func solve(m [][]float64) [][]float64 {
	n := len(m)
	a := make([][]float64, n)
	for i := range a {
		a[i] = append(slices.Clone(m[i]), make([]float64, n)...)
		a[i][n+i] = 1
	}
	for i := range n {
		p := i
		for j := i; j < n; j++ {
			if math.Abs(a[j][i]) > math.Abs(a[p][i]) {
				p = j
			}
		}
		a[i], a[p] = a[p], a[i]
		for j := range n {
			if j == i {
				continue
			}
			f := a[j][i] / a[i][i]
			for k := i; k < 2*n; k++ {
				a[j][k] -= f * a[i][k]
			}
		}
	}
	for i := range n {
		for k := n; k < 2*n; k++ {
			a[i][k] /= a[i][i]
		}
		a[i] = a[i][n:]
	}
	return a
}

// No Gaussian mechanism at all does better, residuals or not: a descent over all information matrices K of cells, in no structure, with K's diagonal at
// most μ², minimises Σ w·q·K⁻¹·qᵀ. It comes to what Plan has, and not below.
func TestNoGaussianMechanismIsMoreExact(t *testing.T) {
	r := random(t)
	for _, domain := range [][]int{{3}, {2, 3}, {2, 2, 2}} {
		for range 3 {
			w := Workload{Domain: domain, Queries: []Query{{By: r.Perm(len(domain)), Weight: 1}}} // one by everything, so that K is regular
			for range 3 {
				w.Queries = append(w.Queries, Query{By: r.Perm(len(domain))[:r.IntN(len(domain)+1)], Weight: 1 + r.Int64N(20)})
			}
			mu2 := big.NewRat(1, 1_000_000)
			got := float(mustPlan(t, w, Unit{1, 1}, mu2).Objective()) * 1e-6
			n := size(domain)
			// The objective is tr(W·K⁻¹), W = Σ w·Qᵀ·Q/cells, because weights are of one number of a query.
			weights := make([][]float64, n)
			for c := range weights {
				weights[c] = make([]float64, n)
				for d := range n {
					for _, q := range w.Queries {
						e, f := make([]int64, n), make([]int64, n)
						e[c], f[d] = 1, 1
						if x := marginal(domain, e, q.By); slices.Equal(x, marginal(domain, f, q.By)) {
							weights[c][d] += float64(q.Weight) / float64(len(x))
						}
					}
				}
			}
			least := descendFreely(r, weights)
			if least < got*(1-1e-5) || least > got*1.01 {
				t.Errorf("domain %v, queries %v: a free descent comes to %v, Plan to %v", domain, w.Queries, least, got)
			}
		}
	}
}

// descendFreely minimises tr(W·(BᵀB)⁻¹) over matrices B with columns of norm 1 by gradient steps. The gradient by K is −K⁻¹·W·K⁻¹.
func descendFreely(r *rand.Rand, w [][]float64) float64 {
	n := len(w)
	b := make([][]float64, n)
	for i := range b {
		b[i] = make([]float64, n)
		for j := range b[i] {
			b[i][j] = 0.2 * r.NormFloat64()
		}
		b[i][i]++
	}
	product := func(x, y [][]float64) [][]float64 {
		z := make([][]float64, n)
		for i := range z {
			z[i] = make([]float64, n)
			for k := range n {
				for j := range n {
					z[i][j] += x[i][k] * y[k][j]
				}
			}
		}
		return z
	}
	turn := func(x [][]float64) [][]float64 {
		z := make([][]float64, n)
		for i := range z {
			z[i] = make([]float64, n)
			for j := range n {
				z[i][j] = x[j][i]
			}
		}
		return z
	}
	unit := func(x [][]float64) {
		for j := range n {
			s := 0.0
			for i := range n {
				s += x[i][j] * x[i][j]
			}
			for i := range n {
				x[i][j] /= math.Sqrt(s)
			}
		}
	}
	value := func(x [][]float64) (float64, [][]float64) {
		inv := solve(product(turn(x), x))
		v := product(w, inv)
		s := 0.0
		for i := range n {
			s += v[i][i]
		}
		return s, product(inv, v)
	}
	unit(b)
	best, slope := value(b)
	for step, i := 0.01, 0; i < 6000 && step > 1e-12; i++ {
		g := product(b, slope)
		next := make([][]float64, n)
		for i := range next {
			next[i] = make([]float64, n)
			for j := range n {
				next[i][j] = b[i][j] + step*g[i][j]
			}
		}
		unit(next)
		if v, d := value(next); v < best {
			best, slope, b, step = v, d, next, step*1.3
		} else {
			step /= 2
		}
	}
	return best
}

// The estimate is the one that weighted least squares gives over all measurements, solved without any structure.
func TestAnswersAreWeightedLeastSquares(t *testing.T) {
	r := random(t)
	for range 10 {
		w := Workload{Domain: []int{2, 3}, Queries: []Query{{[]int{0, 1}, 1}, {[]int{1}, 1 + r.Int64N(50)}, {nil, 1 + r.Int64N(50)}}}
		s := mustPlan(t, w, Unit{1, 1}, big.NewRat(1, 100))
		n := 6
		normal, right := make([][]float64, n), make([]float64, n)
		for i := range normal {
			normal[i] = make([]float64, n)
		}
		var y []float64
		var of []int
		truth := []int64{10, 0, 3, 500, 20, 7}
		answers, err := s.measure(table(w.Domain, truth), func(i int, v int64) int64 {
			v += r.Int64N(4001) - 2000
			y, of = append(y, float64(v)), append(of, i)
			return v
		})
		if err != nil {
			t.Fatal(err)
		}
		rows := make([][]float64, len(y)) // the matrix that measures
		for c := range n {
			e := make([]int64, n)
			e[c] = 1
			at := 0
			_, _ = s.measure(table(w.Domain, e), func(_ int, v int64) int64 {
				rows[at] = append(rows[at], float64(v))
				at++
				return v
			})
		}
		for k, row := range rows {
			sigma := float(s.laws[of[k]].Sigma().Rat())
			for i := range n {
				right[i] += row[i] * y[k] / sigma / sigma
				for j := range n {
					normal[i][j] += row[i] * row[j] / sigma / sigma
				}
			}
		}
		inv := solve(normal)
		num, den := answers.Marginal(0)
		for i := range n {
			want := 0.0
			for j := range n {
				want += inv[i][j] * right[j]
			}
			if got := float(new(big.Rat).SetFrac(num[i], den)); math.Abs(got-want) > 1e-6*(1+math.Abs(want)) {
				t.Fatalf("cell %d: %v, by least squares %v", i, got, want)
			}
		}
	}
}

// All answers are marginals of one table, to the last digit.
func TestAnswersAgreeWithEachOther(t *testing.T) {
	w := Workload{Domain: []int{3, 4, 2}, Queries: []Query{{[]int{0, 1}, 1}, {[]int{2, 1}, 5}, {[]int{1}, 2}, {nil, 9}}}
	s := mustPlan(t, w, Unit{2, 3}, big.NewRat(1, 2))
	a, err := s.Measure(table(w.Domain, []int64{5, 1, 7, 0, 0, 4}), noise.NewSource())
	if err != nil {
		t.Fatal(err)
	}
	sum := func(query int, keep func(c int) bool) *big.Rat {
		num, den := a.Marginal(query)
		x := new(big.Rat)
		for c := range num {
			if keep(c) {
				x.Add(x, new(big.Rat).SetFrac(num[c], den))
			}
		}
		return x
	}
	for v := range 4 {
		by0, by1 := sum(0, func(c int) bool { return c%4 == v }), sum(1, func(c int) bool { return c%4 == v })
		if alone := sum(2, func(c int) bool { return c == v }); by0.Cmp(by1) != 0 || by0.Cmp(alone) != 0 {
			t.Errorf("value %d: %v, %v and %v", v, by0, by1, alone)
		}
	}
	all := func(int) bool { return true }
	if x, y := sum(0, all), sum(3, all); x.Cmp(y) != 0 || sum(1, all).Cmp(y) != 0 {
		t.Errorf("totals %v and %v", x, y)
	}
}

// Over 4,000 runs the mean square of a number's error is χ² with 4,000 degrees of freedom, times the variance: off by more than 13.5 % less than once in
// ten million runs of this test, for each of the 20 numbers.
func TestErrorsAreAsDeclared(t *testing.T) {
	const runs = 4000
	w := Workload{Domain: []int{3, 4}, Queries: []Query{{[]int{0, 1}, 1}, {[]int{1}, 5}, {[]int{0}, 1}, {nil, 2}}}
	s := mustPlan(t, w, Unit{2, 3}, big.NewRat(1, 3))
	values := []int64{5, 1, 7, 0, 0, 4, 100, 3, 0, 0, 1, 9}
	src := noise.NewSource()
	squares, sums := make([][]float64, 4), make([][]float64, 4)
	for range runs {
		a, err := s.Measure(table(w.Domain, values), src)
		if err != nil {
			t.Fatal(err)
		}
		for q := range w.Queries {
			num, den := a.Marginal(q)
			for c, want := range marginal(w.Domain, values, w.Queries[q].By) {
				if squares[q] == nil {
					squares[q], sums[q] = make([]float64, len(num)), make([]float64, len(num))
				}
				e := float(new(big.Rat).Sub(new(big.Rat).SetFrac(num[c], den), big.NewRat(want, 1)))
				squares[q][c] += e * e
				sums[q][c] += e
			}
		}
	}
	for q := range w.Queries {
		v := float(s.Variance(q))
		for c := range squares[q] {
			if got := squares[q][c] / runs / v; math.Abs(got-1) > 0.135 {
				t.Errorf("query %d, cell %d: mean square %v of the variance", q, c, got)
			}
			if mean := sums[q][c] / runs / math.Sqrt(v/runs); math.Abs(mean) > 6 {
				t.Errorf("query %d, cell %d: the mean error is %v of its deviations", q, c, mean)
			}
		}
	}
}

// For units of more cells the shape comes from a descent. It is never worse than the shape for one cell, nor than measuring each marginal on its own with a
// share of the budget, and no random change of it is better by more than one part in a hundred.
func TestShapeForUnitsOfMoreCells(t *testing.T) {
	r := random(t)
	for range 20 {
		w := randomWorkload(r, 4, 5)
		u := Unit{2 + r.Int64N(5), 1}
		s := mustPlan(t, w, u, big.NewRat(1, 10000))
		v, p := s.coefficients()
		value := func(theta []float64) float64 {
			sum := 0.0
			for i := range theta {
				sum += v[i] / theta[i]
			}
			return sum * s.worst(theta)
		}
		best := s.shape()
		start := make([]float64, len(best))
		for i := range start {
			start[i] = math.Sqrt(v[i] / p[i])
		}
		least := value(best)
		if x := value(start); least > x*(1+1e-12) {
			t.Errorf("%v: %v, and %v for one cell", w, least, x)
		}
		for range 2000 {
			other := slices.Clone(best)
			for i := range other {
				other[i] *= math.Exp(r.NormFloat64() * 0.1)
			}
			if x := value(other); x < least*0.99 {
				t.Errorf("%v, %v: %v, and a random change gives %v", w, u, least, x)
				break
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	one := big.NewRat(1, 1)
	good := Workload{[]int{3}, []Query{{[]int{0}, 1}}}
	for name, c := range map[string]struct {
		w    Workload
		u    Unit
		mu2  *big.Rat
		want error
	}{
		"no query":     {Workload{[]int{3}, nil}, Unit{1, 1}, one, ErrTooMuch},
		"no values":    {Workload{[]int{0}, []Query{{nil, 1}}}, Unit{1, 1}, one, ErrTooMuch},
		"attributes":   {Workload{make([]int, 13), []Query{{nil, 1}}}, Unit{1, 1}, one, ErrTooMuch},
		"cells":        {Workload{[]int{2000, 2000}, []Query{{[]int{0, 1}, 1}}}, Unit{1, 1}, one, ErrTooMuch},
		"weight":       {Workload{[]int{3}, []Query{{nil, 0}}}, Unit{1, 1}, one, nil},
		"attribute":    {Workload{[]int{3}, []Query{{[]int{1}, 1}}}, Unit{1, 1}, one, nil},
		"negative":     {Workload{[]int{3}, []Query{{[]int{-1}, 1}}}, Unit{1, 1}, one, nil},
		"twice":        {Workload{[]int{3}, []Query{{[]int{0, 0}, 1}}}, Unit{1, 1}, one, nil},
		"no groups":    {good, Unit{0, 1}, one, ErrBudget},
		"no bound":     {good, Unit{1, 0}, one, ErrBudget},
		"no budget":    {good, Unit{1, 1}, new(big.Rat), ErrBudget},
		"too much":     {good, Unit{1, 1}, big.NewRat(1_000_000, 1), ErrBudget},
		"next to none": {good, Unit{1, 1 << 60}, big.NewRat(1, 1_000_000), ErrBudget},
	} {
		if s, err := Plan(c.w, c.u, c.mu2); err == nil || s != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
	s := mustPlan(t, good, Unit{1, 1}, one)
	for _, cell := range [][]int{{3}, {-1}, {}, {0, 0}} {
		if _, err := s.Measure(func(yield func([]int, int64) bool) { yield(cell, 1) }, noise.NewSource()); !errors.Is(err, ErrTable) {
			t.Errorf("cell %v: error %v, want ErrTable", cell, err)
		}
	}
}

// A table near the ends of 64 bits is measured within them.
func TestNumbersSaturate(t *testing.T) {
	s := mustPlan(t, Workload{[]int{3}, []Query{{[]int{0}, 1}, {nil, 1}}}, Unit{1, 1}, big.NewRat(1, 4))
	values := []int64{1<<62 - 1, 1<<62 - 1, -(1<<62 - 1)}
	_, err := s.measure(table(s.w.Domain, values), func(_ int, v int64) int64 {
		if v > noise.Limit || v < -noise.Limit {
			t.Errorf("%d is released", v)
		}
		return v
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A sum of any 64-bit values is the one that integers without bounds have.
func TestSumsOutgrow64Bits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		var got wide
		want := new(big.Int)
		for range 50 {
			v := []int64{math.MaxInt64, math.MinInt64, -1, 0, 1, int64(r.Uint64())}[r.IntN(6)]
			got.add(v)
			want.Add(want, big.NewInt(v))
		}
		if got.big().Cmp(want) != 0 {
			t.Fatalf("sum %v, want %v", got.big(), want)
		}
	}
}
