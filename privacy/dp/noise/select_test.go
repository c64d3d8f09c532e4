package noise

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
)

// fitChoices draws n choices and says where their counts leave the exact probabilities: Chernoff's bound for each candidate, false alarm at most falseAlarm over all.
func fitChoices(choose func() int, probabilities []*big.Float, n int) (place int, wrong bool) {
	counts := make([]int, len(probabilities))
	for range n {
		counts[choose()]++
	}
	limit := math.Log(2 * float64(len(counts)) / falseAlarm)
	for i, c := range counts {
		p, _ := probabilities[i].Float64()
		if kl(c, n, p) > limit {
			return i, true
		}
	}
	return 0, false
}

// scores with ties, gaps of every size and both ends of int64.
var choices = [][]int64{
	{0, 0, 0}, {1, 2, 3, 4, 5}, {-7}, {10, 10, 9, 4, 4, -2}, {math.MinInt64, math.MaxInt64, math.MaxInt64 - 1, 0}, {5, 4, 4, 4, 4, 4, 4, 4, 4, 4},
}

func TestExponentialChoosesByItsWeights(t *testing.T) {
	s := NewSource()
	for _, base := range []struct {
		x uint64
		y uint
	}{{1, 1}, {3, 2}, {1<<62 - 1, 62}, {0xdeadbeef, 32}, {1, 62}} {
		e := must(NewExponential(base.x, base.y))
		for _, scores := range choices {
			i, wrong := fitChoices(func() int { return must(e.Choose(s, scores)) }, e.Probabilities(scores), 3000)
			if wrong {
				t.Errorf("base %d/2^%d, scores %v: candidate %d is chosen too often or too seldom", base.x, base.y, scores, i)
			}
		}
	}
}

func TestExponentialWeightStaysWithinItsProof(t *testing.T) {
	s := NewSource()
	for _, y := range []uint{1, 7, 40, 62} {
		for range 60 {
			e := must(NewExponential(1+s.Below(1<<y-1), y))
			for _, g := range []uint64{1, 2, 3, s.Below(100) + 1, s.Below(1<<30) + 1, s.Uint64() | 1, math.MaxUint64} {
				w := e.weight(g)
				lo, hi := e.power(g, 64)
				if d := hi.Sub(hi, new(big.Int).SetUint64(w)); lo.Cmp(new(big.Int).SetUint64(w)) < 0 || d.Cmp(big.NewInt(weightSlack)) > 0 {
					t.Fatalf("base %d/2^%d, gap %d: weight %d is off by %d", e.x, y, g, w, d)
				}
			}
		}
	}
}

// words is a source of these words and then 2^62 for ever.
func words(w ...uint64) *Source {
	raw := bytes.Repeat([]byte{1 << 6, 0, 0, 0, 0, 0, 0, 0}, sourceWords)
	for i, v := range w {
		binary.BigEndian.PutUint64(raw[8*i:], v)
	}
	return SourceFrom(bytes.NewReader(raw))
}

// Each unit in the slack between a weight's lower bound and its proven end is decided by the exact weight, here 2^64·27/64.
func TestExponentialDecidesTheSlackExactly(t *testing.T) {
	e := must(NewExponential(3, 2))
	scores := []int64{3, 0}
	first := new(big.Int).SetUint64(e.weight(0))
	first.Add(first, big.NewInt(weightSlack))
	low := e.weight(3)
	total := new(big.Int).SetUint64(low)
	total.Add(total, big.NewInt(weightSlack)).Add(total, first)
	const exact = 27 << 58
	if low >= exact {
		t.Fatalf("weight %d is not below the exact one: nothing to decide", low)
	}
	for offset := low - 3; offset < low+weightSlack; offset++ {
		// The second 128-bit word that Lemire's product maps to this place (the first may be rejected); 2^62 would choose candidate 0.
		at := new(big.Int).Add(first, new(big.Int).SetUint64(offset))
		at.Lsh(at, 128).Add(at, total).Sub(at, one).Quo(at, total).Add(at, one)
		mask := new(big.Int).SetUint64(math.MaxUint64)
		s := words(new(big.Int).Rsh(at, 64).Uint64(), new(big.Int).And(at, mask).Uint64(), 1<<63)
		want := 0
		if offset < exact {
			want = 1
		}
		if got := must(e.Choose(s, scores)); got != want {
			t.Fatalf("offset %d above the weight, which is %d below the exact one: candidate %d", offset-low, exact-low, got)
		}
	}
}

func TestBelow128IsUniform(t *testing.T) {
	s := NewSource()
	third, n := 0, 20_000
	for range n {
		v := s.below128(3<<62, 0) // as for 64 bits: a product alone would favour multiples of three
		if v[0] >= 3<<62 {
			t.Fatal("beyond the end")
		}
		if (v[0]%3+v[1]%3)%3 == 0 { // 2^64 leaves 1
			third++
		}
	}
	if kl(third, n, 1.0/3) > 22 {
		t.Errorf("%d of %d are multiples of three", third, n)
	}
}

// The range of the best candidate is longer than its weight of 2^64: what lies beyond belongs to nobody.
func TestExponentialGivesNothingBeyondTheBest(t *testing.T) {
	e := must(NewExponential(3, 2))
	scores := []int64{0, 3}
	first := new(big.Int).SetUint64(e.weight(3) + weightSlack)
	total := new(big.Int).SetUint64(e.weight(0))
	total.Add(total, big.NewInt(weightSlack)).Add(total, first)
	for beyond := int64(-3); beyond < 100; beyond++ {
		at := new(big.Int).Add(first, new(big.Int).Lsh(one, 64))
		at.Add(at, big.NewInt(beyond)).Lsh(at, 128).Add(at, total).Sub(at, one).Quo(at, total).Add(at, one)
		mask := new(big.Int).SetUint64(math.MaxUint64)
		want := 1
		if beyond >= 0 {
			want = 0 // drawn again, at a quarter of the whole
		}
		if got := must(e.Choose(words(new(big.Int).Rsh(at, 64).Uint64(), new(big.Int).And(at, mask).Uint64()), scores)); got != want {
			t.Fatalf("%d beyond 2^64: candidate %d, want %d", beyond, got, want)
		}
	}
}

func TestNoisyMaxFollowsPermuteAndFlip(t *testing.T) {
	s := NewSource()
	for _, scale := range []Ratio{{1, 1}, {1, 2}, {7, 3}, {1 << 40, 1}} {
		m := must(NewNoisyMax(scale))
		for _, scores := range choices {
			i, wrong := fitChoices(func() int { return must(m.Choose(s, scores)) }, m.Probabilities(scores), 3000)
			if wrong {
				t.Errorf("scale %v, scores %v: candidate %d is chosen too often or too seldom", scale, scores, i)
			}
		}
	}
}

// Ding et al. 2021 prove that permute-and-flip is the noisy maximum with exponential noise: integrated for two candidates, P(better) = 1 − exp(−g)/2.
func TestNoisyMaxIsTheMaximumOfExponentialNoise(t *testing.T) {
	m := must(NewNoisyMax(Ratio{1, 1}))
	for g := range int64(5) {
		p, _ := m.Probabilities([]int64{g, 0})[0].Float64()
		if want := 1 - math.Exp(-float64(g))/2; math.Abs(p-want) > 1e-12 {
			t.Errorf("gap %d: %g, want %g", g, p, want)
		}
	}
}

// Every neighbour within the declared sensitivity changes each probability by a factor of at most exp(ε).
func TestChoicesKeepTheirEpsilon(t *testing.T) {
	e := must(ExponentialFor(nano/2, 3))
	m := must(NoisyMaxFor(nano/2, 3))
	if c := e.EpsilonNano(3); c > nano/2 || c < nano/2-1 {
		t.Errorf("exponential mechanism costs %d, asked for %d", c, nano/2)
	}
	if c := m.EpsilonNano(3); c != nano/2 {
		t.Errorf("noisy maximum costs %d, asked for %d", c, nano/2)
	}
	s := NewSource()
	worst := [2]float64{}
	for range 300 {
		a, b := make([]int64, 5), make([]int64, 5)
		for i := range a {
			a[i] = int64(s.Below(30))
			b[i] = a[i] + int64(s.Below(2))*6 - 3
		}
		for k, p := range [][2][]*big.Float{{e.Probabilities(a), e.Probabilities(b)}, {m.Probabilities(a), m.Probabilities(b)}} {
			for i := range a {
				f, _ := quo(p[0][i], p[1][i]).Float64()
				worst[k] = max(worst[k], math.Abs(math.Log(f)))
			}
		}
	}
	for k, w := range worst {
		if w > 0.5*(1+1e-9) || w < 0.2 {
			t.Errorf("mechanism %d: privacy loss up to %g over random neighbours, want close to and at most 0.5", k, w)
		}
	}
}

// The exponential mechanism's privacy losses over all candidates lie within an interval of length ε (bounded range: Durfee, Rogers 2019), which is why
// it is ε²/8-zCDP. Those of the noisy maximum do not, and it is not: it is charged as pure ε, ε²/2-zCDP.
func TestOnlyTheExponentialMechanismHasBoundedRange(t *testing.T) {
	e, m := must(ExponentialFor(nano/2, 3)), must(NoisyMaxFor(nano/2, 3))
	a, b := []int64{0, 0}, []int64{-3, 3}
	spread := func(p, q []*big.Float) (length, divergence float64) {
		low, high := math.Inf(1), math.Inf(-1)
		for i := range p {
			f, _ := quo(p[i], q[i]).Float64()
			w, _ := p[i].Float64()
			low, high, divergence = min(low, math.Log(f)), max(high, math.Log(f)), divergence+w*math.Log(f)
		}
		return high - low, divergence
	}
	const rho = 0.5 * 0.5 / 8
	if length, d := spread(e.Probabilities(a), e.Probabilities(b)); length > 0.5*(1+1e-12) || d > rho {
		t.Errorf("exponential mechanism: losses spread over %g, divergence %g; want at most 0.5 and %g", length, d, rho)
	}
	if length, d := spread(m.Probabilities(a), m.Probabilities(b)); length < 0.8 || d < 2*rho || d > 4*rho {
		t.Errorf("noisy maximum: losses spread over %g, divergence %g; if they are no more than 0.5 and %g the page is wrong", length, d, rho)
	}
}

// Where one unit moves all scores the same way, half of ε is enough, as the page says.
func TestChoicesCostHalfWhereScoresMoveTogether(t *testing.T) {
	e, m := must(ExponentialFor(nano/2, 3)), must(NoisyMaxFor(nano/2, 3))
	s := NewSource()
	worst := [2]float64{}
	for range 300 {
		a, b := make([]int64, 5), make([]int64, 5)
		for i := range a {
			a[i] = int64(s.Below(30))
			b[i] = a[i] + int64(s.Below(2))*3
		}
		for k, p := range [][2][]*big.Float{{e.Probabilities(a), e.Probabilities(b)}, {m.Probabilities(a), m.Probabilities(b)}} {
			for i := range a {
				f, _ := quo(p[0][i], p[1][i]).Float64()
				worst[k] = max(worst[k], math.Abs(math.Log(f)))
			}
		}
	}
	for k, w := range worst {
		if w > 0.25*(1+1e-9) || w < 0.1 {
			t.Errorf("mechanism %d: privacy loss up to %g, want close to and at most 0.25", k, w)
		}
	}
}

func TestChoicesRefuse(t *testing.T) {
	e, m, s := must(NewExponential(1, 1)), must(NewNoisyMax(Ratio{1, 1})), NewSource()
	for _, scores := range [][]int64{nil, make([]int64, MaxCandidates+1)} {
		if _, err := e.Choose(s, scores); !errors.Is(err, ErrParams) {
			t.Errorf("exponential with %d candidates: %v", len(scores), err)
		}
		if _, err := m.Choose(s, scores); !errors.Is(err, ErrParams) {
			t.Errorf("noisy maximum with %d candidates: %v", len(scores), err)
		}
	}
	for _, b := range []struct {
		x uint64
		y uint
	}{{0, 3}, {8, 3}, {9, 3}, {1, 0}, {1, 63}, {1, 64}} {
		if _, err := NewExponential(b.x, b.y); !errors.Is(err, ErrParams) {
			t.Errorf("base %d/2^%d: %v", b.x, b.y, err)
		}
	}
	for _, c := range [][2]int64{{0, 1}, {1, 0}, {-1, 1}, {1, -1}, {1, math.MaxInt64}} {
		if _, err := ExponentialFor(c[0], c[1]); !errors.Is(err, ErrParams) {
			t.Errorf("ExponentialFor(%d, %d): %v", c[0], c[1], err)
		}
		if _, err := NoisyMaxFor(c[0], c[1]); !errors.Is(err, ErrParams) {
			t.Errorf("NoisyMaxFor(%d, %d): %v", c[0], c[1], err)
		}
	}
}

func TestSparseStopsAndCounts(t *testing.T) {
	o := must(SparseFor(nano, SparseOptions{Sensitivity: 2, Positives: 3, Threshold: 1000, Monotone: true}))
	if c := o.EpsilonNano(); c > nano || c < nano-2 {
		t.Errorf("costs %d, asked for %d", c, nano)
	}
	v := must(NewSparse(NewSource(), o))
	for range 200 {
		if above := must(v.Above(-100_000)); above {
			t.Fatal("a value far below is above")
		}
	}
	for want := int64(3); want > 0; want-- {
		if v.Left() != want {
			t.Fatalf("%d left, want %d", v.Left(), want)
		}
		if above := must(v.Above(100_000)); !above {
			t.Fatal("a value far above is below")
		}
	}
	for range 2 {
		if _, err := v.Above(0); !errors.Is(err, ErrSpent) {
			t.Fatalf("after three positive answers: %v, want ErrSpent", err)
		}
	}
}

// One answer against the exact probability Σ_z P(ρ = z)·P(ν ≥ T + z − q).
func TestSparseAnswersByItsLaw(t *testing.T) {
	o := SparseOptions{Sensitivity: 1, Positives: 1, Threshold: 5, ThresholdScale: Ratio{3, 2}, QueryScale: Ratio{5, 1}}
	rho, nu := must(NewDiscreteLaplace(o.ThresholdScale)), must(NewDiscreteLaplace(o.QueryScale))
	p := 0.0
	const q = 3
	for z := int64(-60); z <= 60; z++ {
		a, _ := rho.Mass(z).Float64()
		b, _ := nu.Tail(o.Threshold + z - q).Float64()
		p += a * b
	}
	s := NewSource()
	yes, n := 0, 40_000
	for range n {
		if must(must(NewSparse(s, o)).Above(q)) {
			yes++
		}
	}
	if kl(yes, n, p) > 22 {
		t.Errorf("%d of %d above, expected %.1f", yes, n, p*float64(n))
	}
}

func TestSumAtLeastNeverWraps(t *testing.T) {
	ends := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, math.MaxInt64 - 1, math.MaxInt64}
	for _, a := range ends {
		for _, b := range ends {
			for _, c := range ends {
				for _, d := range ends {
					x := new(big.Int).Add(big.NewInt(a), big.NewInt(b))
					y := new(big.Int).Add(big.NewInt(c), big.NewInt(d))
					if sumAtLeast(a, b, c, d) != (x.Cmp(y) >= 0) {
						t.Fatalf("%d + %d >= %d + %d: wrong", a, b, c, d)
					}
				}
			}
		}
	}
}

func TestSparseRefuses(t *testing.T) {
	good := SparseOptions{Sensitivity: 1, Positives: 1, ThresholdScale: Ratio{1, 1}, QueryScale: Ratio{1, 1}}
	for name, change := range map[string]func(*SparseOptions){
		"sensitivity": func(o *SparseOptions) { o.Sensitivity = 0 }, "positives": func(o *SparseOptions) { o.Positives = -1 },
		"threshold scale": func(o *SparseOptions) { o.ThresholdScale = Ratio{} }, "query scale": func(o *SparseOptions) { o.QueryScale = Ratio{1, 0} },
	} {
		o := good
		change(&o)
		if _, err := NewSparse(NewSource(), o); !errors.Is(err, ErrParams) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := SparseFor(1, good); !errors.Is(err, ErrParams) {
		t.Error("an ε that cannot be split was split")
	}
}

// Goroutines that ask at once get c positive answers together, not each.
func TestSparseGivesNoMoreToManyAtOnce(t *testing.T) {
	for range 500 {
		v := must(NewSparse(NewSource(), SparseOptions{Sensitivity: 1, Positives: 500, Threshold: 0, ThresholdScale: Ratio{1, 1}, QueryScale: Ratio{1, 1}}))
		var positive atomic.Int64
		begin := make(chan struct{})
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				<-begin
				for {
					above, err := v.Above(1 << 30)
					if err != nil {
						return
					}
					if above {
						positive.Add(1)
					}
				}
			})
		}
		close(begin)
		wg.Wait()
		if n := positive.Load(); n != 500 || v.Left() != 0 {
			t.Fatalf("%d positive answers, %d left; want 500 and none", n, v.Left())
		}
	}
}
