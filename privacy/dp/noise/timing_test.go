package noise

import (
	"io"
	"math"
	"testing"
)

// metered counts the words that a source has given.
type metered struct {
	*Source
	blocks int
	from   io.Reader
}

func newMetered() *metered {
	m := &metered{from: NewSource().from}
	m.Source = SourceFrom(m)
	return m
}

func (m *metered) Read(p []byte) (int, error) {
	m.blocks++
	return m.from.Read(p)
}

func (m *metered) given() int { return m.blocks*sourceWords - m.left }

// correlation of the number of words that samples take with their magnitude, in standard errors under independence.
func wordsAgainstMagnitude(sample func(*Source) int64, n int) float64 {
	m := newMetered()
	var sw, sx, sww, sxx, swx float64
	for range n {
		before := m.given()
		x := math.Abs(float64(sample(m.Source)))
		w := float64(m.given() - before)
		sw, sx, sww, sxx, swx = sw+w, sx+x, sww+w*w, sxx+x*x, swx+w*x
	}
	k := float64(n)
	return (swx/k - sw/k*sx/k) / math.Sqrt((sww/k-sw*sw/k/k)*(sxx/k-sx*sx/k/k)) * math.Sqrt(k)
}

// How many words a sample takes says nothing about its magnitude. The control is Bernoulli trials in a loop, as the papers write
// them: there the clock tells how large the noise is.
func TestWordsTakenDoNotTellTheNoise(t *testing.T) {
	const n = 40_000
	scale := Ratio{7, 2}
	for _, law := range []Law{must(NewDiscreteLaplace(scale)), must(NewDiscreteGaussian(scale)), must(NewRoundedGaussian(scale)), must(NewStaircase(Ratio{1, 1}, 5))} {
		if z := wordsAgainstMagnitude(law.Sample, n); math.Abs(z) > 6 { // wrong once in 10^8 runs
			t.Errorf("%T: words and magnitude correlate by %.1f standard errors", law, z)
		}
	}
	loop := func(s *Source) int64 {
		v := int64(0)
		for bernoulliGap(s, 1, scale) {
			v++
		}
		return v
	}
	if z := wordsAgainstMagnitude(loop, n); z < 50 {
		t.Errorf("a loop of trials correlates by only %.1f standard errors: the measure measures nothing", z)
	}
}
