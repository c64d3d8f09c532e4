package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/privacy/budget"
)

func (e *env) auditLedgerCommand() *cobra.Command {
	var file, since string
	var asJSON bool
	c := fileFlag(e.command("ledger [--since REPORT] [--json]", "Replay the ledger of privacy budgets",
		"Reads every entry and recomputes every hash, sum, cap and signature, in the running gateway or on the state of a stopped one. The\n"+
			"exit status is 1 if one does not hold. REPORT is what an earlier \"scrim dp audit ledger --json\" printed: the ledger must have come\n"+
			"by the ends of its chains, or it was set back or written anew. Keep reports where the ledger's owner cannot write.", nil,
		func(ctx context.Context, _ []string) error { return e.auditLedger(ctx, file, since, asJSON) }), &file)
	c.Flags().StringVar(&since, "since", "", "an earlier report, which the ledger must follow")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, which can be kept as a report")
	return c
}

// ledgerReport is what scrim dp audit ledger prints.
type ledgerReport struct {
	api.ReplayView
	auditVerdict
}

// unsound are the rules for which a ledger is not even opened.
var unsound = []error{budget.ErrChain, budget.ErrSignature, budget.ErrSums, budget.ErrCaps, budget.ErrRollback}

func (e *env) auditLedger(ctx context.Context, file, since string, asJSON bool) error {
	var q api.Replay
	if since != "" {
		b, err := os.ReadFile(since)
		if err != nil {
			return err
		}
		var earlier struct {
			Heads []api.HeadView `json:"heads"`
		}
		if err := json.Unmarshal(b, &earlier); err != nil || len(earlier.Heads) == 0 {
			return misuse(`%s is no report of "scrim dp audit ledger --json"`, since)
		}
		q.Seen = earlier.Heads
	}
	view, err := askBudgets(ctx, e, file, "/api/v1/budgets/replay", q, api.ReplayBudgets)
	if bad, ok := errors.AsType[*budget.Error](err); ok && slices.ContainsFunc(unsound, func(rule error) bool { return errors.Is(bad, rule) }) {
		view, err = api.ReplayView{Heads: []api.HeadView{}, Findings: []string{bad.Error()}}, nil
	}
	if err != nil {
		return err
	}
	r := ledgerReport{view, auditVerdict{
		Verdict: holds,
		Sees:    "the database, and may write to it; not the gateway's signing key",
		Proves: []string{
			"Every sum and cap is that of the entries, no entry was changed or taken out, and the ends are signed.",
			"Whether the whole was set back to an earlier day shows only against an earlier report, kept elsewhere (--since).",
			"Whether every answer was charged is not in the ledger: the gateway lets none out without a commit.",
		},
	}}
	if len(view.Findings) > 0 {
		r.Verdict = broken
		r.Proves = []string{"Budgets of a broken ledger count as spent: no gateway opens it. Restore it from a copy that holds, no older than what was answered."}
	}
	if asJSON {
		if err := e.printJSON(r); err != nil {
			return err
		}
		return r.ended()
	}
	e.auditLine("ledger", "%d entries, %d sums recomputed, %d charges open, %d in slices", view.Entries, view.Scopes, view.Open, view.Leased)
	for _, h := range view.Heads {
		e.auditLine("chain", "%d ends at entry %d, %s", h.Writer, h.Seq, printable(h.Hash))
	}
	for _, f := range view.Findings {
		e.auditLine("finding", "%s", printable(f))
	}
	e.printVerdict(r.auditVerdict)
	return r.ended()
}
