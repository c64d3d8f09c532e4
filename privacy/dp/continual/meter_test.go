package continual_test

import (
	"math"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/continual"
)

func TestAMeterSaysWhatParametersSay(t *testing.T) {
	for name, p := range kinds() {
		p.Window = 1 << 10
		m, err := p.Meter()
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []struct {
			step  int64
			width int
		}{{1, 0}, {1, 1}, {7, 3}, {9, 8}, {12, 0}, {12, 11}} {
			want, err := p.Deviation(at.step, at.width)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			from := int64(0)
			if at.width > 0 {
				from = max(0, at.step-int64(at.width))
			}
			got, err := m.Deviation(from, at.step)
			if err != nil || math.Abs(got-want) > 1e-9*want {
				t.Errorf("%s: Deviation(%d, %d) = %v, %v, want %v", name, from, at.step, got, err, want)
			}
		}
		if _, err := m.Deviation(0, 1<<40); err != continual.ErrEnded {
			t.Errorf("%s: a step beyond the last is %v, want ErrEnded", name, err)
		}
	}
}
