package deidentify

import (
	"fmt"
	"math/big"

	"github.com/scrimhq/scrim/flow"
)

// NoiseOptions say what is added to a number.
type NoiseOptions struct {
	Gaussian bool   // discrete Gaussian; else discrete Laplace
	Scale    int64  // in units, 1 to 2³⁰: of Laplace b, so that k is e^(1/b) times as likely as k+1; of Gaussian σ
	Unit     string // a decimal above 0: numbers are rounded to it and stay multiples of it; "": 1
	Least    string // decimals: what comes out is not below and not above; "": no bound
	Most     string
}

// maxScale keeps the arithmetic of [sampler] exact in 64 bits.
const maxScale = 1 << 30

// Noise returns the technique that adds to each number whole units drawn exactly, from crypto/rand, by the algorithms of Canonne, Kamath and
// Steinke (2020). It does no accounting: no budget is charged and nothing formal is claimed of a table so made. It is for
// tables that are released once: somebody who may ask again gets the value by taking the mean, so messages have no noise.
func Noise(o NoiseOptions) (Technique, error) {
	if o.Unit == "" {
		o.Unit = "1"
	}
	unit, ok := parseSmall([]byte(o.Unit))
	if !ok || unit.units <= 0 || o.Scale < 1 || o.Scale > maxScale {
		return nil, fmt.Errorf("%w: noise has a scale of 1 to %d units, and a unit above 0", ErrOptions, maxScale)
	}
	least, okL := newLimit(o.Least, "", -1)
	most, okM := newLimit(o.Most, "", 1)
	if o.Least != "" && !okL || o.Most != "" && !okM || okL && okM && least.at.cmp(most.at) >= 0 {
		return nil, fmt.Errorf("%w: the bounds are numbers, one below the other", ErrOptions)
	}
	law := "discrete Laplace"
	draw := (*sampler).laplace
	if o.Gaussian {
		law, draw = "discrete Gaussian", (*sampler).gaussian
	}
	return &simple{says: Says{
		Name: "noise", Does: fmt.Sprintf("%s noise of scale %d in units of %s", law, o.Scale, o.Unit), Treatment: flow.Treatment{Level: flow.Raw}, Random: true, Out: OutSame,
		Preserves: []string{"sums and means over many rows, with a known error", "the column's type and unit"},
		Reveals:   []string{"the value within a few scales", "outliers far beyond the noise", "more with each further release of the same value: the mean of many is the value"},
		Threat:    "makes an exact look-up uncertain; no budget is accounted for and nothing formal is claimed. For a formal claim ask aggregate questions",
	}, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
		m, ok := readMeasure(v)
		if !ok {
			return nil, Null, ErrForm
		}
		d := m.decimal()
		s := newSampler()
		n := d.widths(unit, true)
		n.Add(n, big.NewInt(draw(s, o.Scale)))
		s.done()
		out := decimal{units: n.Mul(n, big.NewInt(unit.units)), scale: unit.scale}
		dst = append(dst, m.before...)
		switch {
		case okL && out.cmp(least.at) < 0:
			dst = append(dst, o.Least...)
		case okM && out.cmp(most.at) > 0:
			dst = append(dst, o.Most...)
		default:
			dst = appendDecimal(dst, out.units, out.scale)
		}
		return append(dst, m.after...), v.Kind, nil
	}}, nil
}
