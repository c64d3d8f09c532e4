package run

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/observe/report"
)

// Admin returns the handler of the admin port. The token that it wants is in the data directory, made at the first start.
func (r *Gateway) Admin() (http.Handler, error) {
	c := r.Config()
	token, err := api.Token(c.Path(c.Data))
	if err != nil {
		return nil, err
	}
	opt := api.Options{
		Ledger: r.Ledger(), Token: token, Listen: c.Admin, Metrics: r.metrics, Peers: r.Peers, Bundles: r.Bundles, Inherited: func() []api.Inherited { return Inherited(r.Config()) }, Contracts: r.Contracts, Terms: r.terms, Witnessing: r.Witnessing(c),
		Reload:   r.Reload,
		Verify:   func(ctx context.Context) (audit.Report, error) { return r.Log.Verify(ctx) },
		Ready:    r.Ready,
		Snapshot: r.Gateway.Snapshot, Capabilities: r, Spending: r.Budgets.Spending(), Streams: r.published, Questions: r.asks, Lineage: &r.trace.Lineage, Erasures: r.erasing(), Rules: r.APIRules(),
		Replay:  r.replay,
		Reports: func() report.Settings { return ReportSettings(r.Config()) },
	}
	if r.Learner != nil {
		opt.Proposals = func() ([]byte, error) { return json.Marshal(r.Learner.Seen()) }
	}
	if r.opt.Release != nil {
		opt.Release = func(ctx context.Context, request json.RawMessage, tell func(any)) error {
			return r.opt.Release(ctx, r, request, tell)
		}
	}
	return api.New(opt), nil
}

// Ledger is the open state as the admin API and its commands use it.
func (st *State) Ledger() api.Ledger {
	return api.Ledger{DB: st.DB, Journal: st.Log, Vault: st.Vault, Keys: st.Keys, Freezes: st.Freezes, Capabilities: st.Capabilities}
}
