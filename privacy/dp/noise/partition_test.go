package noise

import (
	"errors"
	"math"
	"testing"
)

func TestPartitionsMatchTheClosedForm(t *testing.T) {
	// Theorem 1's closed form: δ(exp(nε)−1)/(exp(ε)−1) up to n₁, then 1 − exp(−mε)(1−π(n₁)) + δ(1−exp(−mε))/(exp(ε)−1) with m = n−n₁, then 1.
	for _, row := range []struct {
		o       PartitionOptions
		eps, dl float64
	}{
		{PartitionOptions{nano, 10_000_000_000, 1}, 1, 1e-5},
		{PartitionOptions{nano, 10_000_000_000, 2}, 0.5, 5e-6},
		{PartitionOptions{nano / 10, 1_000, 3}, 1. / 30, 1e-12 / 3},
	} {
		p := must(NewPartitions(row.o))
		e, d := row.eps, row.dl
		n1 := 1 + math.Floor(math.Log((math.Exp(e)+2*d-1)/(d*(math.Exp(e)+1)))/e)
		low := func(n float64) float64 { return d * math.Expm1(n*e) / math.Expm1(e) }
		for n := int64(0); n <= p.Certain()+1; n += 1 + n/40 {
			want := low(float64(n))
			if m := float64(n) - n1; m > 0 {
				want = min(1-math.Exp(-m*e)*(1-low(n1))-d*math.Expm1(-m*e)/math.Expm1(e), 1)
			}
			got, _ := p.Probability(n).Float64()
			if math.Abs(got-want) > 1e-9*want {
				t.Fatalf("%+v: π(%d) = %.12g, want %.12g", row.o, n, got, want)
			}
		}
	}
}

func TestPartitionsMatchReferenceValues(t *testing.T) {
	// Keep probabilities of an independent implementation of the same mechanism.
	for _, row := range []struct {
		o    PartitionOptions
		n    int64
		want float64
	}{
		{PartitionOptions{nano, 10_000_000_000, 1}, 1, 1e-5},
		{PartitionOptions{nano, 10_000_000_000, 1}, 10, 0.12818308050524602},
		{PartitionOptions{nano, 10_000_000_000, 1}, 15, 0.9880721172346895},
		{PartitionOptions{nano, 10_000_000_000, 2}, 10, 0.0011361825622233875},
		{PartitionOptions{nano, 1_000_000_000, 4}, 60, 0.9131165403433014},
	} {
		got, _ := must(NewPartitions(row.o)).Probability(row.n).Float64()
		if math.Abs(got-row.want) > 1e-12*row.want {
			t.Errorf("%+v with %d units: %.17g, want %.17g", row.o, row.n, got, row.want)
		}
	}
}

// (ε′, δ′) holds between every count and the next, in both directions and for both outcomes, and one bound of the four is met with equality.
func TestPartitionsAreOptimal(t *testing.T) {
	p := must(NewPartitions(PartitionOptions{nano, 1_000_000_000, 2}))
	e, d := math.Exp(0.5), 5e-7
	for n := range p.Certain() {
		a, _ := p.Probability(n).Float64()
		b, _ := p.Probability(n + 1).Float64()
		tight := false
		for _, slack := range []float64{e*a + d - b, e*b + d - a, e*(1-a) + d - (1 - b), e*(1-b) + d - (1 - a), 1 - b} {
			if slack < -1e-12 {
				t.Fatalf("between %d and %d units (ε, δ) is exceeded by %g", n, n+1, -slack)
			}
			tight = tight || slack < 1e-12
		}
		if !tight {
			t.Fatalf("between %d and %d units more could be kept", n, n+1)
		}
	}
}

func TestKeepFollowsItsProbability(t *testing.T) {
	s := NewSource()
	const n = 20_000
	for _, o := range []PartitionOptions{{nano, 10_000_000_000, 1}, {nano / 2, femto / 5, 1}} { // of the second, the last uncertain count is kept nine times in ten
		p := must(NewPartitions(o))
		for _, units := range []int64{-1, 0, 1, 2, 9, 11, 12, 13, 15, p.Certain() - 1, p.Certain(), math.MaxInt64} {
			kept := 0
			for range n {
				if p.Keep(s, units) {
					kept++
				}
			}
			want, _ := p.Probability(units).Float64()
			if want == 0 && kept > 0 || want == 1 && kept < n || want > 0 && want < 1 && kl(kept, n, want) > 24 {
				t.Errorf("%+v, %d units: kept %d of %d, expected %.1f", o, units, kept, n, want*n)
			}
		}
	}
	p := must(NewPartitions(PartitionOptions{nano, 10_000_000_000, 1}))
	// The table's words and the exact recursion agree to the last bit but one.
	for units, w := range p.table {
		lo, hi := p.bounds(int64(units), 64)
		if !lo.IsUint64() || w > lo.Uint64() || hi.Uint64()-w > 2 {
			t.Fatalf("π(%d): %#x is not within [%#x, %#x]", units, w, lo, hi)
		}
	}
}

func TestPartitionsRefuse(t *testing.T) {
	for _, o := range []PartitionOptions{{}, {nano, 0, 1}, {nano, femto, 1}, {0, 1, 1}, {-1, 1, 1}, {nano, 1, 0}, {65 * nano, 1, 1}, {1, 1, 1}, {nano, 1, 1 << 33}} {
		if _, err := NewPartitions(o); !errors.Is(err, ErrParams) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestThresholds(t *testing.T) {
	laplace := must(LaplaceFor(nano, 1))
	rounded := must(NewRoundedGaussian(Ratio{422, 100}))
	discrete := must(NewDiscreteGaussian(Ratio{422, 100}))
	wide := must(NewDiscreteGaussian(Ratio{1000, 1}))
	for name, law := range map[string]Law{"laplace": laplace, "rounded": rounded, "discrete": discrete, "wide": wide} {
		for _, row := range [][3]int64{{1, 1, 1_000_000_000}, {5, 1, 10_000_000}, {3, 7, 1}} {
			at, err := ThresholdFor(law, row[0], row[1], row[2])
			if err != nil {
				t.Fatal(err)
			}
			delta := float64(row[2]) / femto / float64(row[1])
			hidden, _ := law.Tail(at - row[0]).Float64()
			shown, _ := law.Tail(at - row[0] - 1).Float64()
			if hidden > delta || shown <= delta*(1-1e-8) {
				t.Errorf("%s %v: T = %d shows a lone unit with %g, one less with %g; δ per partition is %g", name, row, at, hidden, shown, delta)
			}
		}
	}
	// The continuous threshold at (ε, δ) = (1, 10^−6) is 1 + ln(1/2δ) = 14.12; the discrete law needs exp(−x)/(1+exp(−1)) ≤ δ, so x = 14.
	if at := must(ThresholdFor(laplace, 1, 1, 1_000_000_000)); at != 15 {
		t.Errorf("threshold %d, want 15", at)
	}
	for _, row := range [][3]int64{{0, 1, 1}, {1, 0, 1}, {1, 1, 0}, {1, 1, femto}} {
		if _, err := ThresholdFor(laplace, row[0], row[1], row[2]); !errors.Is(err, ErrParams) {
			t.Errorf("%v: %v", row, err)
		}
	}
	if _, err := ThresholdFor(must(NewDiscreteLaplace(Ratio{1 << 52, 1})), 1, 1, 1); err != nil {
		t.Errorf("the widest law has no threshold: %v", err)
	}
}
