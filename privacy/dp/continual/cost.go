package continual

import (
	"fmt"
	"math"
	"math/big"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// Cost is what the n-th epoch costs, from 0, whatever is in the stream and however its values were chosen after earlier releases: to be
// charged before the epoch's first step. It is at most Rho, in every measure that Gaussian noise has: ρ, α·ρ at each Rényi order α, and
// μ² = 2ρ, each rounded up. Its noise has no (ε, δ) of its own.
func (p Params) Cost(n int) (account.Vector, error) {
	e, err := p.nth(n)
	if err != nil {
		return account.Vector{}, err
	}
	return e.cost(), nil
}

// CostAt is Cost with the least ε that the epoch as a whole has at a δ from 0 to 1, both exclusive: that of a Gaussian mechanism with its μ (Balle and Wang 2018),
// and basic composition then has room for it. That other charges come between its steps does not matter (Haney and others 2023).
func (p Params) CostAt(n int, delta float64) (account.Vector, error) {
	e, err := p.nth(n)
	if err != nil {
		return account.Vector{}, err
	}
	squared, _ := e.squared.Float64()
	mu := math.Sqrt(squared) / float64(e.sigma) * (1 + 1e-12) // three roundings of 2⁻⁵³ each, and more
	at, err := account.Batch([]account.Mechanism{{Kind: account.GDP, Mu: mu}}, delta)
	if err != nil {
		return account.Vector{}, fmt.Errorf("asking for the ε of an epoch: %w", err)
	}
	v := e.cost()
	v.Epsilon, v.Delta = at.Epsilon, at.Delta
	return v, nil
}

// nth checks the parameters and derives an epoch.
func (p Params) nth(n int) (*epoch, error) {
	p, err := p.check()
	if err != nil {
		return nil, err
	}
	if n < 0 || n >= p.Epochs {
		return nil, &ParamError{"epochs", "says how many there are"}
	}
	return p.epoch(n)
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
