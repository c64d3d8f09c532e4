package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/privacy/dp/stream"
	"github.com/scrimhq/scrim/store"
)

// streamPlans understands the streams of a configuration. The language of questions is loaded only if there are any.
func streamPlans(c *config.Config) ([]*stream.Plan, error) {
	var all []*stream.Plan
	for _, name := range slices.Sorted(maps.Keys(c.Datasets)) {
		d := c.Datasets[name]
		for _, id := range slices.Sorted(maps.Keys(d.Streams)) {
			p, err := stream.Compile(Declaration(name, d), c.Queried(name), definition(name, id, d))
			if err != nil {
				return nil, fmt.Errorf("datasets.%s.streams.%s: %w", name, id, err)
			}
			all = append(all, p)
		}
	}
	return all, nil
}

func definition(dataset, id string, d config.Dataset) stream.Definition {
	s := d.Streams[id]
	out := stream.Definition{
		Dataset: dataset, Name: id, SQL: s.SQL, Rows: int64(s.Rows), Groups: int64(s.Groups), From: s.From, Every: time.Duration(s.Every),
		Horizon: s.Horizon, Epochs: s.Epochs, Method: continual.Method(s.Method), Band: s.Band, Epsilon: nano(s.Epsilon), Rho: nano(s.Rho),
		Delta: femto(s.Delta), Grace: time.Duration(s.Grace), Pad: time.Duration(d.Pad), Keep: s.Keep,
	}
	if !s.Delta.Given() {
		out.Delta = femto(d.Delta) / 1000
	}
	return out
}

// Streams are the streams of a configuration. Source asks a dataset's own source; nil: nothing is published, and what was can be read.
func (st *State) Streams(c *config.Config, source func(context.Context, string) (stream.Source, error), fault func(error)) (*stream.Publisher, error) {
	plans, err := streamPlans(c)
	if err != nil {
		return nil, err
	}
	if source == nil {
		source = func(context.Context, string) (stream.Source, error) { return stream.Source{}, errNoSource }
	}
	opt := stream.Options{
		DB: st.DB, Seal: st.Keys.AEAD("stream"), Ledger: st.Budgets.Ledger, Source: source, Fault: fault, Frozen: st.Freezes.Dataset,
		Record: func(tx store.Tx, s stream.Step) error { return st.recordStep(tx, c.Domain, s) },
	}
	if own := st.Budgets.database(); own != nil { // streams go with the ledger that pays for them, so that gateways which share it publish them once
		opt.DB = own
		opt.Record = func(_ store.Tx, s stream.Step) error { // as with entries of the ledger: it may overstate, and never understates
			return st.DB.Update(context.Background(), func(tx store.Tx) error { return st.recordStep(tx, c.Domain, s) })
		}
	}
	p, err := stream.NewPublisher(opt)
	if err != nil {
		return nil, err
	}
	p.Set(plans)
	return p, nil
}

// recordStep puts a step on record, unless its dataset was frozen while it was computed.
func (st *State) recordStep(tx store.Tx, own flow.DomainID, s stream.Step) error {
	if st.Freezes.Dataset(s.Dataset) {
		return stream.ErrFrozen
	}
	_, err := st.Log.Append(tx, stepEvent(own, s), audit.Private{})
	return err
}

var errNoSource = errors.New("nothing is published here")

// stepEvent puts a step on record before it can be read: which one, and nothing of what was counted.
func stepEvent(own flow.DomainID, s stream.Step) flow.Event {
	return flow.Event{
		Time: time.Now().UTC(), Outcome: flow.Segment, Reason: fmt.Sprintf("step %d until %s", s.Number, s.Until.UTC().Format(time.RFC3339)),
		Flow:     flow.Flow{ID: gateway.NewFlowID(), From: flow.Party{Domain: own}, To: flow.Party{Domain: own}, Protocol: "stream", Method: "publish", Subject: s.Dataset + "/" + s.Stream},
		Question: &flow.Question{Dataset: s.Dataset, Stream: s.Stream},
	}
}

// publishing returns the source of a dataset in the snapshot that is in force.
func (r *Gateway) publishing(ctx context.Context, dataset string) (stream.Source, error) {
	d := r.Gateway.Snapshot().Datasets[dataset]
	if d == nil {
		return stream.Source{}, errNoSource
	}
	e, err := d.Engine(ctx)
	return stream.Source{Engine: e, Seed: d.Seed}, err
}

// Published is the last step of a stream that can be read; 0 where there is none.
func (r *Gateway) Published(ctx context.Context, dataset, name string) int64 {
	in, err := r.published.Stream(ctx, dataset, name)
	if err != nil {
		return 0
	}
	return in.Step
}
