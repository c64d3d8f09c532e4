package noise

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
)

func TestReleaseIsTheClampOfTheUnboundedSum(t *testing.T) {
	for _, q := range []int64{0, 1, -1, Limit, -Limit, math.MaxInt64, math.MinInt64} {
		for _, n := range []int64{0, 5, -5, Limit, math.MaxInt64, -math.MaxInt64} {
			sum := new(big.Int).Add(big.NewInt(Clamp(q)), big.NewInt(n))
			want := int64(Limit)
			if sum.CmpAbs(big.NewInt(Limit)) <= 0 {
				want = sum.Int64()
			} else if sum.Sign() < 0 {
				want = -Limit
			}
			if got := Release(nil, q, constant(n)); got != want {
				t.Errorf("%d with noise %d: %d, want %d", q, n, got, want)
			}
			// Whatever lies beyond the end of Sample gives the same as the end.
			if n == math.MaxInt64 && want != Limit || n == -math.MaxInt64 && want != -Limit {
				t.Errorf("saturated noise %d does not decide the release of %d", n, q)
			}
		}
	}
}

// constant is a law of one value.
type constant int64

func (c constant) Sample(*Source) int64  { return int64(c) }
func (c constant) Mass(int64) *big.Float { return nil }
func (c constant) Tail(int64) *big.Float { return nil }

// Removing any one number moves the sum by at most the sensitivity, whatever the order, also where a plain int64 sum would wrap
// or saturate on the way.
func TestSumSensitivity(t *testing.T) {
	s := NewSource()
	for range 300 {
		lower, upper := -int64(s.Below(Limit)), int64(s.Below(Limit))+1
		values := make([]int64, 1+s.Below(12))
		for i := range values {
			values[i] = int64(s.Uint64())
		}
		all := must(NewSum(lower, upper))
		exact := new(big.Int)
		for _, v := range values {
			all.Add(v)
			exact.Add(exact, big.NewInt(min(max(v, lower), upper)))
		}
		want := int64(Limit) * int64(exact.Sign())
		if exact.CmpAbs(big.NewInt(Limit)) <= 0 {
			want = exact.Int64()
		}
		if all.Value() != want {
			t.Fatalf("sum %d, want %d", all.Value(), want)
		}
		for skip := range values {
			rest, other := must(NewSum(lower, upper)), must(NewSum(lower, upper))
			for i := len(values) - 1; i >= 0; i-- {
				if i == skip {
					continue
				}
				if i%2 == 0 {
					rest.Add(values[i])
				} else {
					other.Add(values[i])
				}
			}
			if err := rest.Merge(other); err != nil {
				t.Fatal(err)
			}
			d := new(big.Int).Sub(big.NewInt(all.Value()), big.NewInt(rest.Value()))
			if d.CmpAbs(big.NewInt(all.Sensitivity())) > 0 {
				t.Fatalf("one number moves the sum by %d, more than %d", d, all.Sensitivity())
			}
		}
	}
}

// The control: the same check on a plain int64 sum finds the overflow.
func TestAPlainSumWouldOverflow(t *testing.T) {
	plain := int64(0)
	exact := must(NewSum(0, Limit))
	for range 3 {
		before, honest := plain, exact.Value()
		plain += Limit
		exact.Add(Limit)
		if exact.Value()-honest > exact.Sensitivity() || exact.Value() < honest {
			t.Fatal("the exact sum jumped")
		}
		if plain < before {
			return
		}
	}
	t.Error("int64 did not wrap: the control controls nothing")
}

func TestSumRefuses(t *testing.T) {
	for _, b := range [][2]int64{{0, 0}, {1, 0}, {-Limit - 1, 0}, {0, Limit + 1}} {
		if _, err := NewSum(b[0], b[1]); !errors.Is(err, ErrParams) {
			t.Errorf("%v: %v", b, err)
		}
	}
	a, b := must(NewSum(0, 1)), must(NewSum(0, 2))
	if err := a.Merge(b); !errors.Is(err, ErrParams) {
		t.Errorf("sums of different bounds merged: %v", err)
	}
	if s := must(NewSum(-3, 2)); s.Sensitivity() != 3 || s.ReplaceSensitivity() != 5 {
		t.Errorf("sensitivities %d and %d", s.Sensitivity(), s.ReplaceSensitivity())
	}
}

func TestFixedReadsAndWrites(t *testing.T) {
	f := must(NewFixed(10))
	for _, row := range []struct {
		text string
		want int64
		back string
	}{
		{"0", 0, "0"}, {"1", 1024, "1"}, {"-1.5", -1536, "-1.5"}, {".5", 512, "0.5"}, {"+2.", 2048, "2"}, {"0.0009", 0, "0"}, {"-0.0001", -1, "-0.0009765625"},
		{"123456.789", 126419751, "123456.7880859375"}, {strings.Repeat("9", 40), Limit, "4503599627370495.9990234375"}, {"-" + strings.Repeat("9", 40), -Limit, "-4503599627370495.9990234375"},
	} {
		v, err := f.Parse(row.text)
		if err != nil || v != row.want || f.Format(v) != row.back {
			t.Errorf("%s: %d, %v, back as %s; want %d and %s", row.text, v, err, f.Format(v), row.want, row.back)
		}
	}
	for _, text := range []string{"", "-", ".", "1e5", "NaN", "Inf", "0x10", "1.2.3", "--1", "1_000", " 1", "١", strings.Repeat("1", 65)} {
		if _, err := f.Parse(text); !errors.Is(err, ErrParams) || text != "" && len(text) > 3 && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, v := range []int64{1 << 52, math.MaxInt64, math.MinInt64, -1 << 52, 7, -7} {
		want := Clamp(int64(min(max(float64(v)*1024, -Limit), Limit)))
		if got := f.FromInt(v); got != want {
			t.Errorf("FromInt(%d) = %d, want %d", v, got, want)
		}
	}
	if _, err := NewFixed(MaxFraction + 1); !errors.Is(err, ErrParams) {
		t.Error("41 fraction bits")
	}
}

func FuzzFixedParse(f *testing.F) {
	for _, s := range []string{"1", "-12.5", "1e9", "..", "99999999999999999999"} {
		f.Add(s, uint8(10))
	}
	f.Fuzz(func(t *testing.T, text string, fraction uint8) {
		format, err := NewFixed(uint(fraction))
		if err != nil {
			return
		}
		v, err := format.Parse(text)
		if err != nil {
			return
		}
		exact, ok := new(big.Rat).SetString(strings.TrimSuffix(text, "."))
		if !ok {
			t.Fatalf("%q was read as %d", text, v)
		}
		exact.Mul(exact, new(big.Rat).SetInt(new(big.Int).Lsh(one, uint(fraction))))
		d := exact.Sub(exact, new(big.Rat).SetInt64(v))
		if v > -Limit && v < Limit && (d.Sign() < 0 || d.Cmp(big.NewRat(1, 1)) >= 0) {
			t.Fatalf("%q with %d bits was read as %d", text, fraction, v)
		}
		if again, err := format.Parse(format.Format(v)); err != nil && len(format.Format(v)) <= 64 || err == nil && again != v {
			t.Fatalf("%d is written as %s and read back as %d, %v", v, format.Format(v), again, err)
		}
	})
}
