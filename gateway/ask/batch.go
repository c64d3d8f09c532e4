package ask

import (
	"context"
	stdjson "encoding/json"
	"errors"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/noise"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// batch prices several questions together.
func batch(d *query.Dataset, q query.Question, c gateway.Costs) (Priced, error) {
	b, err := query.CompileBatch(d, q)
	if err != nil {
		return nil, mistaken(err)
	}
	p, err := b.Price(query.Terms{Epsilon: q.Epsilon, Delta: c.Delta, Noise: q.Noise})
	if err != nil {
		return nil, mistaken(err)
	}
	return &batchPriced{p}, nil
}

type batchPriced struct{ p *query.PricedBatch }

func (b *batchPriced) Cost() account.Vector            { return b.p.Cost() }
func (b *batchPriced) Canonical() []byte               { return b.p.Canonical() }
func (b *batchPriced) Scans() []relation.Scan          { return b.p.Scans() }
func (b *batchPriced) Restricted() bool                { return b.p.Restricted() }
func (b *batchPriced) Explain() *query.Explanation     { return b.p.Explain() }
func (b *batchPriced) Epsilon() int64                  { return b.p.Epsilon() }
func (b *batchPriced) Offers(query.Room) []query.Offer { return nil }
func (b *batchPriced) Pilot() bool                     { return false }

// After implements [Priced].
func (b *batchPriced) After([]byte) (Priced, error) {
	return nil, errors.New("several questions together have no pilot")
}

// Answer implements [Priced].
func (b *batchPriced) Answer(ctx context.Context, e relation.Engine, seed relation.Seed) ([]byte, error) {
	a, err := b.p.Answer(ctx, e, seed, noise.NewSource())
	if err != nil {
		return nil, err
	}
	return stdjson.Marshal(a)
}
