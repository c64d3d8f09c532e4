package query

import (
	"math"
	"math/rand/v2"
	"testing"
)

func mustShape(t *testing.T, leaves, fanout, levels int) *shape {
	t.Helper()
	s, err := shapeOf(leaves, fanout, levels)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ancestors says which cells each node sums.
func (s *shape) cellsOf() [][]int {
	all := make([][]int, s.nodes)
	for level := range s.sizes {
		for n := range s.sizes[level] {
			i := s.starts[level] + n
			if level == 0 {
				all[i] = []int{n}
				continue
			}
			from, to := s.children(level, n)
			for c := from; c < to; c++ {
				all[i] = append(all[i], all[c]...)
			}
		}
	}
	return all
}

// solve returns x with a·x = b by Gauss-Jordan with pivots.
func solve(a [][]float64, b []float64) []float64 {
	n := len(b)
	for c := range n {
		p := c
		for r := c; r < n; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[p][c]) {
				p = r
			}
		}
		a[c], a[p], b[c], b[p] = a[p], a[c], b[p], b[c]
		for r := range n {
			if r == c {
				continue
			}
			f := a[r][c] / a[c][c]
			for k := c; k < n; k++ {
				a[r][k] -= f * a[c][k]
			}
			b[r] -= f * b[c]
		}
	}
	for c := range n {
		b[c] /= a[c][c]
	}
	return b
}

// The two passes give what the normal equations of least squares give, for trees that are full and for ragged ones, and nodes that agree.
func TestFitIsLeastSquares(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range [][3]int{{1, 2, 1}, {8, 2, 4}, {9, 3, 3}, {10, 3, 2}, {13, 4, 3}, {17, 2, 3}, {30, 16, 2}, {7, 2, 6}} {
		s := mustShape(t, c[0], c[1], c[2])
		noisy := make([]int64, s.nodes)
		for i := range noisy {
			noisy[i] = r.Int64N(2000) - 500
		}
		a, b := make([][]float64, s.leaves), make([]float64, s.leaves)
		for i := range a {
			a[i] = make([]float64, s.leaves)
		}
		cells := s.cellsOf()
		for node, of := range cells {
			for _, x := range of {
				b[x] += float64(noisy[node])
				for _, y := range of {
					a[x][y]++
				}
			}
		}
		want := solve(a, b)
		z := s.fit(noisy)
		for i, w := range want {
			if got := float64(z[i]) / (1 << fine); math.Abs(got-w) > 1.0/64 {
				t.Errorf("%v: cell %d is %v, least squares say %v", c, i, got, w)
			}
		}
		for node, of := range cells {
			sum := int64(0)
			for _, x := range of {
				sum += z[x]
			}
			if d := sum - z[node]; d != 0 {
				t.Errorf("%v: node %d and its cells differ by %d", c, node, d)
			}
		}
	}
}

// Nodes beyond what the arithmetic has room for are clamped, and no sum wraps.
func TestFitSaturates(t *testing.T) {
	t.Parallel()
	s := mustShape(t, MostBins, 64, 3)
	for _, v := range []int64{1<<62 - 1, -(1<<62 - 1)} {
		noisy := make([]int64, s.nodes)
		for i := range noisy {
			noisy[i] = v
		}
		for i, z := range s.fit(noisy) {
			if (z < 0) != (v < 0) {
				t.Fatalf("node %d of %d came out as %d", i, v, z)
			}
		}
	}
}

// A range of cells is covered by nodes that are whole; the fewest, of which there are at most 2(F−1) on a level.
func TestCover(t *testing.T) {
	t.Parallel()
	s := mustShape(t, 27, 3, 4)
	for k, want := range map[int]int{0: 0, 1: 1, 3: 1, 4: 2, 9: 1, 13: 3, 26: 6, 27: 1} {
		if s.prefix[k] != want {
			t.Errorf("the first %d cells take %d nodes, want %d", k, s.prefix[k], want)
		}
	}
	if ragged := mustShape(t, 10, 4, 3); ragged.prefix[10] != 1 || ragged.suffix[8] != 1 || ragged.suffix[9] != 1 {
		t.Errorf("ragged tree: %v, %v", ragged.prefix, ragged.suffix)
	}
}

// Without noise quantiles are those of the cells.
func TestQuantilesOfATree(t *testing.T) {
	t.Parallel()
	s := mustShape(t, 100, 5, 3)
	rows := map[int]int64{10: 100, 20: 100, 30: 200}
	z := s.fit(s.count(rows))
	for _, c := range []struct {
		num, den uint64
		cell     int
	}{{0, 1, 10}, {1, 10, 10}, {3, 10, 20}, {49, 100, 20}, {51, 100, 30}, {1, 1, 30}} {
		if p, ok := s.quantile(z, c.num, c.den); !ok || p.cell != c.cell {
			t.Errorf("quantile %d/%d lies in cell %d, want %d", c.num, c.den, p.cell, c.cell)
		}
	}
	if p, _ := s.quantile(z, 3, 4); p.part < unit/2-unit/100 || p.part > unit/2+unit/100 {
		t.Errorf("three quarters lie %d into the last cell, want half", p.part)
	}
	if _, ok := s.quantile(s.fit(make([]int64, s.nodes)), 1, 2); ok {
		t.Error("no rows have a median")
	}
}

// Whatever the nodes hold, a quantile is a cell of the tree.
func FuzzQuantile(f *testing.F) {
	f.Add(int64(1), uint16(10), uint8(3), uint8(2), uint16(1), uint16(2))
	f.Fuzz(func(t *testing.T, seed int64, leaves uint16, fanout, levels uint8, num, den uint16) {
		s, err := shapeOf(int(leaves), int(fanout), int(levels))
		if err != nil || den == 0 || num > den {
			return
		}
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		noisy := make([]int64, s.nodes)
		for i := range noisy {
			noisy[i] = int64(r.Uint64()) >> (1 + r.IntN(62))
		}
		p, ok := s.quantile(s.fit(noisy), uint64(num), uint64(den))
		if ok && (p.cell < 0 || p.cell >= s.leaves || p.part > unit) {
			t.Errorf("place %+v in a tree of %d", p, s.leaves)
		}
	})
}
