package continual_test

import (
	"errors"
	"math"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/continual"
)

func TestParametersThatAreRefused(t *testing.T) {
	for member, change := range map[string]func(*continual.Params){
		"method":             func(p *continual.Params) { p.Method = "" },
		"keys":               func(p *continual.Params) { p.Keys = 0 },
		"horizon":            func(p *continual.Params) { p.Horizon = -1 },
		"epochs":             func(p *continual.Params) { p.Horizon, p.Epochs = 1<<23, 3 },
		"rho":                func(p *continual.Params) { p.Rho = 0 },
		"contribution.steps": func(p *continual.Params) { p.Contribution.Steps = 0 },
		"contribution.apart": func(p *continual.Params) { p.Contribution.Apart = 0 },
		"contribution.keys":  func(p *continual.Params) { p.Contribution.Keys = 2 },
		"contribution.most":  func(p *continual.Params) { p.Contribution.Most = math.MinInt64 },
		"band":               func(p *continual.Params) { p.Band = 7 },
		"window":             func(p *continual.Params) { p.Window = -1 },
	} {
		p := event(continual.Tree, 8)
		change(&p)
		_, err := p.Cost(0)
		if e, ok := errors.AsType[*continual.ParamError](err); !ok || e.Member != member || !errors.Is(err, continual.ErrParams) {
			t.Errorf("Cost() error = %v, want a ParamError of %s", err, member)
		}
	}
	p := event(continual.SquareRoot, 1<<20)
	p.Rho, p.Contribution.Most = 1, 1<<40
	if _, err := p.Cost(0); !errors.Is(err, continual.ErrParams) {
		t.Errorf("noise beyond 64 bits: Cost() error = %v, want ErrParams", err)
	}
}

func TestCostIsWithinRhoAndHardlyBelow(t *testing.T) {
	for _, method := range []continual.Method{continual.Tree, continual.SquareRoot} {
		for _, rho := range []int64{1, 1000, 12_345_678, 500_000_000, 1_000_000_000_000} {
			p := event(method, 1000)
			p.Keys, p.Epochs, p.Rho = 10, 3, rho
			p.Contribution = continual.Contribution{Steps: 5, Apart: 7, Keys: 3, Most: 1000}
			for n := range p.Epochs {
				v, err := p.Cost(n)
				if err != nil {
					t.Fatal(err)
				}
				if v.Rho > rho || float64(v.Rho) < float64(rho)*(1-1e-6) {
					t.Errorf("%s, ρ = %d nano: Cost().Rho = %d", method, rho, v.Rho)
				}
				if v.Mu2 > 2*v.Rho || v.Mu2 < 2*v.Rho-2 || v.RDP[5] > 64*v.Rho || v.RDP[5] < 64*(v.Rho-1) || v.Epsilon != account.Infinite || v.Slack != 0 {
					t.Errorf("%s, ρ = %d nano: Cost() = %+v", method, rho, v)
				}
			}
			if _, err := p.Cost(3); !errors.Is(err, continual.ErrParams) {
				t.Errorf("Cost(3) error = %v, want ErrParams", err)
			}
		}
	}
}

// A unit in more steps costs more noise, and exactly as much as columns that do not overlap say where the band is no wider than the distance.
func TestMoreStepsOfOneUnitTakeMoreNoise(t *testing.T) {
	one := accuracy(t, bandOf(16, 1, 1))
	four := accuracy(t, bandOf(16, 4, 16))
	if !near(four.Sigma, 2*one.Sigma) {
		t.Errorf("four steps at a distance of the band: σ = %v, want twice %v", four.Sigma, one.Sigma)
	}
	close4 := accuracy(t, bandOf(16, 4, 1))
	if close4.Sigma <= four.Sigma || close4.Sigma > 4*one.Sigma {
		t.Errorf("four steps in a row: σ = %v, want between %v and %v", close4.Sigma, four.Sigma, 4*one.Sigma)
	}
}

func bandOf(band, steps, apart int) continual.Params {
	p := event(continual.SquareRoot, 1024)
	p.Band, p.Contribution.Steps, p.Contribution.Apart = band, steps, apart
	return p
}
