package workload

import (
	"bufio"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// adultColumns are columns of UCI Adult with few values: workclass, education, marital status, occupation, relationship, race, sex, income.
var adultColumns = []int{1, 3, 5, 6, 7, 8, 9, 14}

// adult reads the training part as cells.
func adult(t testing.TB) ([][]int, []int) {
	t.Helper()
	dir := os.Getenv("SCRIM_DATA")
	f, err := os.Open(filepath.Join(dir, "tables", "adult", "adult.data"))
	if err != nil {
		if os.Getenv("SCRIM_REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip("SCRIM_DATA has no Adult")
	}
	defer func() { _ = f.Close() }()
	values := make([]map[string]int, len(adultColumns))
	domain := make([]int, len(adultColumns))
	var rows [][]int
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), ", ")
		if len(fields) != 15 {
			continue
		}
		row := make([]int, len(adultColumns))
		for i, c := range adultColumns {
			if values[i] == nil {
				values[i] = map[string]int{}
			}
			at, ok := values[i][fields[c]]
			if !ok {
				at = len(values[i])
				values[i][fields[c]], domain[i] = at, at+1
			}
			row[i] = at
		}
		rows = append(rows, row)
	}
	if len(rows) != 32561 {
		t.Fatalf("%d rows of Adult, want 32561", len(rows))
	}
	return rows, domain
}

// ways are all marginals by so many of the attributes.
func ways(domain []int, of ...int) Workload {
	w := Workload{Domain: domain}
	for s := range 1 << len(domain) {
		if !slices.Contains(of, bits.OnesCount(uint(s))) {
			continue
		}
		q := Query{Weight: 1}
		for i := range domain {
			if s>>i&1 == 1 {
				q.By = append(q.By, i)
			}
		}
		w.Queries = append(w.Queries, q)
	}
	return w
}

// separately is the sum of variances if each query gets a share of the budget on its own, the same for all. All cells of a unit may fall into one of a marginal.
func separately(w Workload, u Unit, mu2 float64) float64 {
	n, most := float64(len(w.Queries)), float64(u.Most*u.Groups)
	return n * n * most * most / mu2
}

// Marginals of real rows: errors are as declared, and what is gained over asking for each alone.
func TestAdult(t *testing.T) {
	rows, domain := adult(t)
	w := ways(domain, 1, 2)
	s := mustPlan(t, w, Unit{1, 1}, big.NewRat(1, 10))
	a, err := s.Measure(func(yield func([]int, int64) bool) {
		for _, r := range rows {
			if !yield(r, 1) {
				return
			}
		}
	}, noise.NewSource())
	if err != nil {
		t.Fatal(err)
	}
	sum, cells := 0.0, 0
	for q := range w.Queries {
		num, den := a.Marginal(q)
		truth := make([]int64, len(num))
		for _, r := range rows {
			at := 0
			for _, i := range w.Queries[q].By {
				at = at*domain[i] + r[i]
			}
			truth[at]++
		}
		v := float(s.Variance(q))
		for c := range num {
			e := float(new(big.Rat).Sub(new(big.Rat).SetFrac(num[c], den), big.NewRat(truth[c], 1)))
			sum += e * e / v
			cells++
		}
	}
	// Errors of numbers hang together; with 1,700 of them and hundreds of independent measurements the mean is within a quarter of 1 but once in many lives.
	if mean := sum / float64(cells); math.Abs(mean-1) > 0.25 {
		t.Errorf("the mean square of errors is %v of the variance over %d numbers", mean, cells)
	}
	if gain := separately(w, Unit{1, 1}, 0.1) / float(s.Objective()); gain < 1.9 {
		t.Errorf("variances are smaller by a factor of %v than one by one, want 1.9", gain)
	}
}

// BenchmarkAdult plans, measures and answers. The metric gain is by which factor the mean variance is smaller than with one share of the budget for each marginal.
func BenchmarkAdult(b *testing.B) {
	rows, domain := adult(b)
	for _, of := range [][]int{{1}, {2}, {1, 2}, {0, 1, 2}, {3}, {1, 2, 3}} {
		for _, groups := range []int64{1, 4} {
			w := ways(domain, of...)
			b.Run(fmt.Sprintf("ways=%v/marginals=%d/groups=%d", of, len(w.Queries), groups), func(b *testing.B) {
				var s *Strategy
				for b.Loop() {
					s = mustPlan(b, w, Unit{groups, 1}, big.NewRat(1, 10))
					a, err := s.Measure(func(yield func([]int, int64) bool) {
						for _, r := range rows {
							if !yield(r, 1) {
								return
							}
						}
					}, noise.NewSource())
					if err != nil {
						b.Fatal(err)
					}
					for q := range w.Queries {
						a.Marginal(q)
					}
				}
				n := float64(len(w.Queries))
				b.ReportMetric(separately(w, Unit{groups, 1}, 0.1)/float(s.Objective()), "gain")
				b.ReportMetric(math.Sqrt(float(s.Objective())/n), "deviation")
			})
		}
	}
}
