package account_test

import (
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// TestABatchCostsLessThanItsSum: ε of a batch is the least known, the other measures stay sums, and what has no ε of its own gets one.
func TestABatchCostsLessThanItsSum(t *testing.T) {
	spec := []account.Mechanism{{Kind: account.Pure, Epsilon: 0.02, Count: 400}}
	sum, err := account.VectorOf(spec...)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := account.Batch(spec, 1e-6)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Epsilon != 8_000_000_000 || batch.Epsilon < 1_500_000_000 || batch.Epsilon > 2_500_000_000 || batch.Delta != 1_000_000_000 {
		t.Errorf("ε = %d by sums and %d at δ = %d as a batch, want 8 and about 2 at 10⁻⁶", sum.Epsilon, batch.Epsilon, batch.Delta)
	}
	batch.Epsilon, batch.Delta = sum.Epsilon, sum.Delta
	if batch != sum {
		t.Errorf("a batch costs %+v beside its ε, want %+v", batch, sum)
	}
	// One pure mechanism keeps its δ of 0: nothing is gained that is worth a δ.
	one := account.Mechanism{Kind: account.Pure, Epsilon: 0.5}
	if v, err := account.Batch([]account.Mechanism{one}, 1e-300); err != nil || v.Epsilon != 500_000_000 || v.Delta != 0 {
		t.Errorf("Batch() of one = %+v, %v, want ε = 0.5 and δ = 0", v, err)
	}
	if v, err := account.Batch([]account.Mechanism{{Kind: account.Gaussian, Sigma: 10, Count: 100}}, 1e-6); err != nil || v.Epsilon != 4_886_554_118 {
		t.Errorf("Batch() of Gaussian noise = %+v, %v, want ε = 4.886554118", v, err)
	}
	for _, delta := range []float64{0, 1, -1} {
		if _, err := account.Batch(spec, delta); err == nil {
			t.Errorf("Batch() at δ = %v: no error", delta)
		}
	}
}
