package continual

import (
	"math/big"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// Cost is what the n-th epoch costs, from 0, whatever is in the stream and however its values were chosen after earlier releases: to be
// charged before the epoch's first step. It is at most Rho, in every measure that Gaussian noise has: ρ, α·ρ at each Rényi order α, and
// μ² = 2ρ, each rounded up. Its noise has no (ε, δ) of its own.
func (p Params) Cost(n int) (account.Vector, error) {
	p, err := p.check()
	if err != nil {
		return account.Vector{}, err
	}
	if n < 0 || n >= p.Epochs {
		return account.Vector{}, &ParamError{"epochs", "says how many there are"}
	}
	e, err := p.epoch(n)
	if err != nil {
		return account.Vector{}, err
	}
	return e.cost(), nil
}

func (e *epoch) cost() account.Vector {
	twice := new(big.Int).Mul(new(big.Int).SetUint64(e.sigma), new(big.Int).SetUint64(2*e.sigma))
	nano := func(times int64) int64 { // times·ρ, rounded up
		n := new(big.Int).Mul(e.squared, big.NewInt(1_000_000_000*times))
		n.Add(n, twice).Sub(n, big.NewInt(1))
		return n.Quo(n, twice).Int64() // at most times·mostRho
	}
	v := account.Vector{Epsilon: account.Infinite, Rho: nano(1), Mu2: nano(2)}
	for i, order := range account.Orders {
		v.RDP[i] = nano(int64(order))
	}
	return v
}
