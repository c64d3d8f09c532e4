package gatewaytest

import (
	"context"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

// openBudgets opens the rig's own ledger of privacy budgets and declares what the setup has.
func (r *Rig) openBudgets(t testing.TB, setup Setup) *gateway.Budgets {
	t.Helper()
	if setup.Budgets == nil {
		return nil
	}
	var err error
	r.Budgets, err = budget.Open(context.Background(), r.DB, budget.Options{Signer: r.Keys.Signer("budget"), Seal: r.Keys.AEAD("budget"), Clock: setup.Clock})
	must(t, err)
	for _, b := range setup.Budgets {
		must(t, r.Budgets.Declare(context.Background(), b))
	}
	wait := setup.Wait
	if wait == nil {
		wait = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	}
	r.Book, err = answers.New(r.DB, r.Budgets, answers.Options{Seal: r.Keys.AEAD("question"), Clock: setup.Clock, Wait: wait, Fault: r.fault(t)})
	must(t, err)
	return &gateway.Budgets{Book: r.Book, Quotas: r.Budgets}
}

// Pad is the padded time of questions in tests: three quarters of it are for the answer, however busy the machine is. Nobody waits for it, but for who
// says so with [Setup.Wait].
const Pad = 40 * time.Second

// Laplace is a question to a dataset that is answered with Laplace noise of the scale, by data that does not change.
func Laplace(t testing.TB, dataset string, scale float64) *gateway.Question {
	t.Helper()
	cost, err := account.VectorOf(account.Mechanism{Kind: account.Laplace, Scale: scale})
	must(t, err)
	return &gateway.Question{
		Dataset: dataset, Technique: "aggregate", Cost: cost, Pad: Pad, Label: "test",
		Schedule: answers.Schedule{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		Blocks:   func(time.Time) (budget.Range, error) { return budget.Range{}, nil },
	}
}

// Spent is how much ε of a scope was spent, in nano.
func (r *Rig) Spent(t testing.TB, s budget.Scope) int64 {
	t.Helper()
	all, err := r.Budgets.Remaining(context.Background(), s, budget.Range{})
	must(t, err)
	return all[len(all)-1].Spent.Epsilon
}
