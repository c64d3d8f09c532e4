package audit

import (
	"fmt"
	"math"
	"math/big"
)

// Neighbours are two datasets that differ by one privacy unit.
type Neighbours[D any] struct {
	Name string
	A, B D
}

// Reach is how far one privacy unit moves an answer that may have many cells. A unit that is in one dataset and not in the
// other may add cells and remove none: cells that only one answer has are moved by their whole value.
type Reach struct {
	Cells   int    // L0: how many cells differ
	Largest uint64 // L∞: the greatest difference
	Sum     uint64 // L1: the sum of differences; math.MaxUint64 if it is more
	Squared uint64 // L2 squared: the sum of their squares; math.MaxUint64 if it is more
}

// Exceeds names the norms in which r is more than what is declared.
func (r Reach) Exceeds(declared Reach) []string {
	var over []string
	for _, norm := range []struct {
		name           string
		seen, declared uint64
	}{
		{"cells", uint64(r.Cells), uint64(declared.Cells)}, {"largest", r.Largest, declared.Largest},
		{"sum", r.Sum, declared.Sum}, {"squared", r.Squared, declared.Squared},
	} {
		if norm.seen > norm.declared {
			over = append(over, norm.name)
		}
	}
	return over
}

// Exceeded is neighbours that move an answer further than is declared.
type Exceeded struct {
	Pair  string
	Norms []string // of [Reach.Exceeds]
	Reach Reach
}

// Sensitivity asks a question without its noise on declared neighbours. It returns how far they moved the answer, each norm by
// the pair that moved it furthest, and which pairs moved it further than is declared. The question answers its cells by name;
// answers of one dataset must always be the same, so that what differs is the unit and not the question: each is asked twice,
// and an [Error] says if they were not.
//
// Nothing here is random: what exceeds is a bug, and without one the declared neighbours, and no others, are within bounds.
func Sensitivity[D any](question func(D) (map[string]int64, error), declared Reach, pairs []Neighbours[D]) (Reach, []Exceeded, error) {
	var most Reach
	var over []Exceeded
	if len(pairs) == 0 {
		return most, nil, &Error{Member: "pairs", Rule: "must be at least one"}
	}
	for _, p := range pairs {
		a, err := twice(question, p.A)
		if err != nil {
			return Reach{}, nil, fmt.Errorf("pair %s, side a: %w", p.Name, err)
		}
		b, err := twice(question, p.B)
		if err != nil {
			return Reach{}, nil, fmt.Errorf("pair %s, side b: %w", p.Name, err)
		}
		r := reach(a, b)
		if norms := r.Exceeds(declared); norms != nil {
			over = append(over, Exceeded{p.Name, norms, r})
		}
		most = Reach{max(most.Cells, r.Cells), max(most.Largest, r.Largest), max(most.Sum, r.Sum), max(most.Squared, r.Squared)}
	}
	return most, over, nil
}

func twice[D any](question func(D) (map[string]int64, error), d D) (map[string]int64, error) {
	one, err := question(d)
	if err != nil {
		return nil, err
	}
	other, err := question(d)
	if err != nil {
		return nil, err
	}
	if reach(one, other) != (Reach{}) {
		return nil, &Error{Member: "question", Rule: "must give the same answer for the same dataset"}
	}
	return one, nil
}

func reach(a, b map[string]int64) Reach {
	var r Reach
	sum, squared := new(big.Int), new(big.Int)
	move := func(x, y int64) {
		d := uint64(max(x, y)) - uint64(min(x, y)) // exact: the difference of two int64 fits
		r.Cells++
		r.Largest = max(r.Largest, d)
		one := new(big.Int).SetUint64(d)
		sum.Add(sum, one)
		squared.Add(squared, new(big.Int).Mul(one, one))
	}
	for cell, x := range a {
		if y, ok := b[cell]; !ok || x != y {
			move(x, y)
		}
	}
	for cell, y := range b {
		if _, ok := a[cell]; !ok {
			move(0, y)
		}
	}
	r.Sum, r.Squared = saturated(sum), saturated(squared)
	return r
}

func saturated(x *big.Int) uint64 {
	if x.IsUint64() {
		return x.Uint64()
	}
	return math.MaxUint64
}
