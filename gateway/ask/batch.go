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
	t := query.Terms{Epsilon: q.Epsilon, Delta: c.Delta, Noise: q.Noise}
	p, err := b.Price(t)
	if err != nil {
		return nil, mistaken(err)
	}
	return &batchPriced{p, b, t}, nil
}

type batchPriced struct {
	p     *query.PricedBatch
	batch *query.Batch
	terms query.Terms
}

func (b *batchPriced) Cost() account.Vector        { return b.p.Cost() }
func (b *batchPriced) Canonical() []byte           { return b.p.Canonical() }
func (b *batchPriced) Scans() []relation.Scan      { return b.p.Scans() }
func (b *batchPriced) Restricted() bool            { return b.p.Restricted() }
func (b *batchPriced) Explain() *query.Explanation { return b.p.Explain() }
func (b *batchPriced) Epsilon() int64              { return b.p.Epsilon() }
func (b *batchPriced) Pilot() bool                 { return false }

// offerSteps is how finely the room for a batch is looked for.
const offerSteps = 20

// Offers implements [Priced]: the same questions with as much of their epsilon as there is room for, in twentieths.
func (b *batchPriced) Offers(room query.Room) []query.Offer {
	for step := int64(offerSteps - 1); step > 0; step-- {
		t := b.terms
		t.Epsilon = b.terms.Epsilon / offerSteps * step
		p, err := b.batch.Price(t)
		if err != nil {
			continue
		}
		if more := room(p.Cost()); more > 0 {
			return []query.Offer{{Epsilon: amount(t.Epsilon), More: more, Errors: p.Explain().Errors, Note: "the same questions, less exact"}}
		}
	}
	return nil
}

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
