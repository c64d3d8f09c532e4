package audit_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/audit"
)

func TestGoldenBounds(t *testing.T) {
	dir := os.Getenv("SCRIM_DATA")
	b, err := os.ReadFile(filepath.Join(dir, "accounting", "audit_golden.json"))
	if err != nil {
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatalf("the golden values are needed: %v", err)
		}
		t.Skip("no golden values: SCRIM_DATA names no folder that has accounting/audit_golden.json")
	}
	var rows []struct {
		Kind    string  `json:"kind"`
		M       int     `json:"m"`
		R       int     `json:"r"`
		V       int     `json:"v"`
		Delta   float64 `json:"delta"`
		P       float64 `json:"p"`
		Epsilon float64 `json:"eps_lower_bound"`
		K       int     `json:"k"`
		N       int     `json:"n"`
		Alpha   float64 `json:"alpha_each_side"`
		Lower   float64 `json:"lower"`
		Upper   float64 `json:"upper"`
	}
	if err := json.Unmarshal(b, &rows); err != nil || len(rows) == 0 {
		t.Fatalf("%d golden rows, %v", len(rows), err)
	}
	for i, row := range rows {
		switch row.Kind {
		case "one_run_steinke_nasr_jagielski_2023":
			got, err := audit.OneRun(audit.Guesses{Canaries: row.M, Guessed: row.R, Right: row.V}, row.Delta, row.P)
			if err != nil || math.Abs(got-row.Epsilon) > 1e-8 {
				t.Errorf("row %d: OneRun = %.12f, %v; want %.12f", i, got, err, row.Epsilon)
			}
		case "clopper_pearson":
			lower, upper, err := audit.ClopperPearson(row.K, row.N, row.Alpha)
			if err != nil || math.Abs(lower-row.Lower) > 1e-9 || math.Abs(upper-row.Upper) > 1e-9 {
				t.Errorf("row %d: ClopperPearson = %.12f, %.12f, %v; want %.12f, %.12f", i, lower, upper, err, row.Lower, row.Upper)
			}
		default:
			t.Errorf("row %d is of kind %q, which this test does not know", i, row.Kind)
		}
	}
}

// The figures that Steinke, Nasr and Jagielski print (arXiv 2305.08846v1: appendix D, and section 7 with figure 11).
func TestPublishedBoundsOfOneRun(t *testing.T) {
	for _, row := range []struct {
		m, r, v      int
		delta, alpha float64
		want         float64
	}{
		{1000, 100, 75, 1e-4, 0.05, 0.673},
		{100000, 1510, 1439, 1e-5, 0.05, 2.675},
	} {
		got, err := audit.OneRun(audit.Guesses{Canaries: row.m, Guessed: row.r, Right: row.v}, row.delta, row.alpha)
		if err != nil || math.Abs(got-row.want) > 1e-3 {
			t.Errorf("OneRun(%d, %d, %d) = %.4f, %v; want %.3f", row.m, row.r, row.v, got, err, row.want)
		}
	}
}

// exactTail is P[Binomial(n, p) ≥ k] for p = num/den, in integers.
func exactTail(k, n int, num, den int64) *big.Rat {
	hit, miss := big.NewInt(num), big.NewInt(den-num)
	sum := new(big.Int)
	for i := k; i <= n; i++ {
		term := new(big.Int).Binomial(int64(n), int64(i))
		term.Mul(term, new(big.Int).Exp(hit, big.NewInt(int64(i)), nil))
		term.Mul(term, new(big.Int).Exp(miss, big.NewInt(int64(n-i)), nil))
		sum.Add(sum, term)
	}
	return new(big.Rat).SetFrac(sum, new(big.Int).Exp(big.NewInt(den), big.NewInt(int64(n)), nil))
}

// A bound of Clopper and Pearson is where the exact tail crosses alpha; here the tail is computed in integers on either side.
func TestClopperPearsonIsWhereTheExactTailCrosses(t *testing.T) {
	const den = 1_000_000_000
	for _, row := range []struct {
		k, n  int
		alpha float64
	}{{1, 1, 0.5}, {1, 10, 1e-6}, {10, 10, 1e-6}, {9, 10, 1e-3}, {3, 200, 1e-9}, {150, 200, 1e-12}, {399, 400, 0.05}, {200, 400, 1e-6}} {
		lower, upper, err := audit.ClopperPearson(row.k, row.n, row.alpha)
		if err != nil {
			t.Fatal(err)
		}
		below, above := int64(math.Floor(lower*den)), int64(math.Ceil(lower*den))+1
		alpha := new(big.Rat).SetFloat64(row.alpha)
		if exactTail(row.k, row.n, below, den).Cmp(alpha) > 0 || exactTail(row.k, row.n, above, den).Cmp(alpha) < 0 {
			t.Errorf("k=%d n=%d: the exact tail does not cross %g at %.12f", row.k, row.n, row.alpha, lower)
		}
		mirrored, _, err := audit.ClopperPearson(row.n-row.k, row.n, row.alpha)
		if err != nil || math.Abs(1-mirrored-upper) > 1e-15 {
			t.Errorf("k=%d n=%d: the upper bound %g is not that of failures, %g", row.k, row.n, upper, 1-mirrored)
		}
	}
	if lower, upper, _ := audit.ClopperPearson(0, 100, 0.01); lower != 0 || math.Abs(upper-(1-math.Pow(0.01, 0.01))) > 1e-11 {
		t.Errorf("no success in 100: %g, %g", lower, upper)
	}
}

// The p-value against its definition, summed in integers.
func TestOneRunPValueIsItsDefinition(t *testing.T) {
	for _, row := range []struct {
		m, r, v int
		num     int64 // e^ε/(1+e^ε) in 1/1000
		delta   float64
	}{{50, 40, 33, 731, 1e-3}, {50, 40, 20, 731, 1e-3}, {200, 100, 99, 881, 1e-4}, {200, 100, 1, 600, 1e-4}, {60, 60, 60, 900, 1e-5}} {
		p := float64(row.num) / 1000
		worst := new(big.Rat)
		for i := 1; i <= row.v; i++ {
			mean := new(big.Rat).Sub(exactTail(row.v-i, row.r, row.num, 1000), exactTail(row.v, row.r, row.num, 1000))
			mean.Quo(mean, big.NewRat(int64(i), 1))
			if mean.Cmp(worst) > 0 {
				worst = mean
			}
		}
		tail, _ := exactTail(row.v, row.r, row.num, 1000).Float64()
		alpha, _ := worst.Float64()
		want := min(1, tail+2*float64(row.m)*row.delta*alpha)
		got, err := audit.OneRunPValue(audit.Guesses{Canaries: row.m, Guessed: row.r, Right: row.v}, audit.Claim{Epsilon: math.Log(p / (1 - p)), Delta: row.delta})
		if err != nil || math.Abs(got-want) > 1e-12*max(want, 1e-3) {
			t.Errorf("m=%d r=%d v=%d: p-value %.15g, %v; want %.15g", row.m, row.r, row.v, got, err, want)
		}
	}
}

func TestStatisticsRefuse(t *testing.T) {
	nan := math.NaN()
	for name, call := range map[string]func() error{
		"n":     func() error { _, _, err := audit.ClopperPearson(0, 0, 0.1); return err },
		"k":     func() error { _, _, err := audit.ClopperPearson(5, 4, 0.1); return err },
		"alpha": func() error { _, _, err := audit.ClopperPearson(1, 4, nan); return err },
		"m":     func() error { _, err := audit.OneRun(audit.Guesses{}, 0, 0.1); return err },
		"r":     func() error { _, err := audit.OneRun(audit.Guesses{Canaries: 1, Guessed: 2}, 0, 0.1); return err },
		"v": func() error {
			_, err := audit.OneRun(audit.Guesses{Canaries: 3, Guessed: 2, Right: -1}, 0, 0.1)
			return err
		},
		"delta": func() error { _, err := audit.OneRun(audit.Guesses{Canaries: 3}, 1, 0.1); return err },
		"epsilon": func() error {
			_, err := audit.OneRunPValue(audit.Guesses{Canaries: 3}, audit.Claim{Epsilon: nan})
			return err
		},
	} {
		var bad *audit.Error
		if err := call(); !errors.As(err, &bad) || bad.Member != name {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
	}
}
