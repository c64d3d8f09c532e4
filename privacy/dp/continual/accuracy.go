package continual

import (
	"math"
	"sync"
)

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
// in proportion to horizon × band, and is refused beyond some tens of seconds.
func (p Params) Accuracy(n int) (Accuracy, error) {
	e, err := p.nth(n)
	if err != nil {
		return Accuracy{}, err
	}
	if err := e.known(); err != nil {
		return Accuracy{}, err
	}
	return e.accuracy(), nil
}

// mostFactored bounds the multiplications that errors are computed with: some tens of seconds.
const mostFactored = 1 << 34

// known refuses what would take too long to say.
func (e *epoch) known() error {
	if len(e.c) < e.steps && len(e.c)*e.steps > mostFactored {
		return &ParamError{"band", "times horizon is at most 2^34 where errors are asked for, unless it is the horizon"}
	}
	return nil
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
		for _, x := range factor(floats(e.c, e.scale), e.steps, e.steps) {
			most += x * x
			sum += most
		}
	}
	root := func(v float64) float64 { return sigma * math.Sqrt(v) }
	n := float64(e.steps)
	a.Max, a.Mean, a.PlainMax, a.PlainMean = root(most), root(sum/n), root(plainMost), root(plainSum/n)
	return a
}

// Deviation is the standard deviation of what is released after a step, about the true sum: of the running sums, or of those over the last width steps.
// It counts rounding too. A width of 0 means the running sums. It takes time in proportion to the steps of the epoch × band.
func (p Params) Deviation(step int64, width int) (float64, error) {
	p, err := p.check()
	if err != nil {
		return 0, err
	}
	if step < 1 || width < 0 || width > p.Window {
		return 0, ErrWindow
	}
	from := int64(0)
	if width > 0 {
		from = max(0, step-int64(width))
	}
	variance := 1.0 / 12 // of rounding the last release
	if from > 0 {
		variance += 1.0 / 12
	}
	for n := range p.Epochs {
		e, err := p.epoch(n)
		if err != nil {
			return 0, err
		}
		if err := e.known(); err != nil {
			return 0, err
		}
		first, last := e.first-1, e.first-1+int64(e.steps)
		if last > from {
			sigma := math.Ldexp(float64(e.sigma), -int(e.scale))
			variance += sigma * sigma * e.variance(int(max(0, from-first)), int(min(step, last)-first))
		}
		if last >= step {
			return math.Sqrt(variance), nil
		}
	}
	return 0, ErrEnded
}

// variance is that of the noise in the sum of the epoch's steps s+1 to t, in units of the variance of one draw.
func (e *epoch) variance(s, t int) (sum float64) {
	if e.c == nil {
		v, _ := treeVariance(t)
		w, _ := treeVariance(s)
		return v + w - 2*treeCovariance(s, t)
	}
	b := factor(floats(e.c, e.scale), t, e.steps)
	for i, x := range b {
		if i >= t-s {
			x -= b[i-(t-s)]
		}
		sum += x * x
	}
	return sum
}

// Meter says how far off differences of two releases are, as [Params.Deviation] does, for whoever asks often: what an epoch takes is worked
// out once. It is safe for concurrent use.
type Meter struct {
	params Params

	mu     sync.Mutex
	epochs map[int]*measured // guarded by mu
}

type measured struct {
	e       *epoch
	b       []float64 // of the square root
	squares []float64 // of b: sums of the first ones
}

// Meter returns one for the parameters.
func (p Params) Meter() (*Meter, error) {
	p, err := p.check()
	if err != nil {
		return nil, err
	}
	return &Meter{params: p, epochs: map[int]*measured{}}, nil
}

// Deviation is the standard deviation of what the release after a step less that after an earlier one is, about the true sum of the
// steps between them; from 0: of the release itself. Rounding counts. It returns [ErrEnded] for a step that the parameters do not have.
func (m *Meter) Deviation(from, step int64) (float64, error) {
	if from < 0 || step <= from {
		return 0, ErrWindow
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	variance := 1.0 / 12
	if from > 0 {
		variance += 1.0 / 12
	}
	for n := range m.params.Epochs {
		e, err := m.epoch(n)
		if err != nil {
			return 0, err
		}
		first, last := e.e.first-1, e.e.first-1+int64(e.e.steps)
		if last > from {
			sigma := math.Ldexp(float64(e.e.sigma), -int(e.e.scale))
			variance += sigma * sigma * e.variance(int(max(0, from-first)), int(min(step, last)-first))
		}
		if last >= step {
			return math.Sqrt(variance), nil
		}
	}
	return 0, ErrEnded
}

func (m *Meter) epoch(n int) (*measured, error) {
	if e := m.epochs[n]; e != nil {
		return e, nil
	}
	e, err := m.params.epoch(n)
	if err != nil {
		return nil, err
	}
	if err := e.known(); err != nil {
		return nil, err
	}
	out := &measured{e: e}
	if e.c != nil {
		out.b = factor(floats(e.c, e.scale), e.steps, e.steps)
		out.squares = make([]float64, e.steps+1)
		for i, x := range out.b {
			out.squares[i+1] = out.squares[i] + x*x
		}
	}
	m.epochs[n] = out
	return out, nil
}

// variance is that of the epoch's steps s+1 to t, in units of the variance of one draw.
func (m *measured) variance(s, t int) (sum float64) {
	if m.b == nil {
		return m.e.variance(s, t)
	}
	sum = m.squares[min(t-s, t)]
	for i := t - s; i < t; i++ {
		x := m.b[i] - m.b[i-(t-s)]
		sum += x * x
	}
	return sum
}
