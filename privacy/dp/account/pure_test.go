package account_test

import (
	"errors"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// No Gaussian noise, however much, is ε-differentially private for δ = 0, and none is offered as if it were.
func TestNoGaussianIsPure(t *testing.T) {
	for _, kind := range []account.Kind{account.Gaussian, account.RoundedGaussian, account.DiscreteGaussian} {
		sigma, by, err := account.Calibrate([]account.Mechanism{{Kind: kind}}, "sigma", 1, 0)
		if !errors.Is(err, account.ErrUnsupported) || sigma != 0 {
			t.Errorf("%s with δ = 0: σ = %g by %q, %v; want ErrUnsupported", kind, sigma, by, err)
		}
	}
	if scale, _, err := account.Calibrate([]account.Mechanism{{Kind: account.Laplace}}, "scale", 1, 0); err != nil || scale < 1 || scale > 1+1e-9 {
		t.Errorf("Laplace with δ = 0: scale %g, %v; want 1", scale, err)
	}
}
