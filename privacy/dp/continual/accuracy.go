package continual

import "math"

// Accuracy is how far the released sums are from the true ones, as root mean squares in the unit of the values. Noise alone is counted, and not
// that a release is rounded to a whole number, which adds a variance of 1/12.
type Accuracy struct {
	Max  float64 // of the step with the greatest error
	Mean float64 // over all steps: the root of the mean variance

	// PlainMax and PlainMean are those of the tree without Honaker's combination; 0 for other methods.
	PlainMax, PlainMean float64

	// Sigma is the standard deviation of one draw. Sensitivity is how far in L2 one unit moves what is noised; Exact, that this is so and
	// not only an upper bound.
	Sigma, Sensitivity float64
	Exact              bool
}

// Accuracy is that of the n-th epoch, from 0, of what is summed within it. It is known before anything is spent. It takes time
// in proportion to horizon × band.
func (p Params) Accuracy(n int) (Accuracy, error) {
	p, err := p.check()
	if err != nil {
		return Accuracy{}, err
	}
	if n < 0 || n >= p.Epochs {
		return Accuracy{}, &ParamError{"epochs", "says how many there are"}
	}
	e, err := p.epoch(n)
	if err != nil {
		return Accuracy{}, err
	}
	return e.accuracy(), nil
}

func (e *epoch) accuracy() Accuracy {
	unit := math.Ldexp(1, -int(e.scale))
	sigma := float64(e.sigma) * unit
	squared, _ := e.squared.Float64()
	a := Accuracy{Sigma: sigma, Sensitivity: math.Sqrt(squared) * unit, Exact: e.exact}
	var most, sum, plainMost, plainSum float64
	if e.c == nil {
		for t := 1; t <= e.steps; t++ {
			v, plain := treeVariance(t)
			most, plainMost = max(most, v), max(plainMost, plain)
			sum, plainSum = sum+v, plainSum+plain
		}
	} else {
		for _, v := range rows(floats(e.c, e.scale), e.steps) {
			most, sum = max(most, v), sum+v
		}
	}
	root := func(v float64) float64 { return sigma * math.Sqrt(v) }
	n := float64(e.steps)
	a.Max, a.Mean, a.PlainMax, a.PlainMean = root(most), root(sum/n), root(plainMost), root(plainSum/n)
	return a
}
