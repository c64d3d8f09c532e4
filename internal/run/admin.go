package run

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/observe/report"
)

// Admin returns the handler of the admin port, as [Gateway.Console] does.
func (r *Gateway) Admin() (http.Handler, error) { return r.Console() }

func (r *Gateway) apiOptions(c *config.Config, token flow.Secret) api.Options {
	opt := api.Options{
		Ledger: r.Ledger(), Token: token, Listen: c.Admin, Metrics: r.metrics, Peers: r.Peers, Bundles: r.Bundles, Inherited: func() []api.Inherited { return Inherited(r.Config()) }, Contracts: r.Contracts, Terms: r.terms, Witnessing: r.Witnessing(c),
		Reload: r.Reload, Backups: r.backups,
		Verify:   func(ctx context.Context) (audit.Report, error) { return r.Log.Verify(ctx) },
		Ready:    r.Ready,
		Snapshot: r.Gateway.Snapshot, Capabilities: r, Spending: r.Budgets.Spending(), Streams: r.published, Questions: r.asks, Lineage: &r.trace.Lineage, Erasures: r.erasing(), Rules: r.APIRules(),
		Replay:  r.replay,
		Stories: r.stories(),
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
	return opt
}

// Ledger is the open state as the admin API and its commands use it.
func (st *State) Ledger() api.Ledger {
	return api.Ledger{DB: st.DB, Journal: st.Log, Vault: st.Vault, Keys: st.Keys, Freezes: st.Freezes, Capabilities: st.Capabilities}
}
