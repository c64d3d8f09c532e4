package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

// onlyGlobal is what every command says of quotas.
const onlyGlobal = "Only the budget of a dataset carries the claim: that all answers together, to everybody and for all time, are\n" +
	"(ε, δ)-differentially private for its unit. What a domain, workflow, agent or contract has is a quota, which keeps one from\n" +
	"using up what is there for all, and is no guarantee: whom they keep apart may talk to each other."

// askBudgets does something with the ledger of privacy budgets: in the running gateway, or here.
func askBudgets[Q, A any](ctx context.Context, e *env, file, path string, q Q, do func(context.Context, *api.Spending, Q) (A, error)) (A, error) {
	return askPart(ctx, e, file, path, q, func(st *run.State, _ *config.Config) (*api.Spending, error) { return st.Budgets.Spending(), nil }, do)
}

func (e *env) budgetCommand() *cobra.Command {
	return e.group("budget", "What answers about datasets may still cost in privacy, and what they did",
		e.budgetShow(), e.budgetPlan(), e.budgetForecast(), e.budgetSet())
}

// scopeFlags adds the flags that name a scope below a dataset.
func scopeFlags(c *cobra.Command, s *api.BudgetScope) {
	f := c.Flags()
	f.StringVar((*string)(&s.Domain), "domain", "", "the domain whose quota is meant")
	f.StringVar(&s.Workflow, "workflow", "", "the workflow, under the domain; - for agents in none")
	f.StringVar(&s.Agent, "agent", "", "the agent, under domain and workflow")
	f.StringVar(&s.Contract, "contract", "", "the id of a contract, under the domain")
}

// settle completes a scope that leaves the workflow of an agent out.
func settle(s *api.BudgetScope) error {
	if s.Agent != "" && s.Workflow == "" {
		s.Workflow = "-"
	}
	if s.Domain == "" && (s.Workflow != "" || s.Agent != "" || s.Contract != "") {
		return misuse("say the --domain, too: a quota lies under that of its domain")
	}
	return nil
}

func (e *env) budgetShow() *cobra.Command {
	var file string
	var asJSON bool
	c := fileFlag(e.command("show [DATASET]", "Show what was spent, and how many questions there is room for",
		"For each dataset and each quota below it: the plan, what every rule of composition (filter) adds up to and how far it may go,\n"+
			"which of them still fits, and how many more of each configured question there is room for. A question is admitted while any\n"+
			"filter of the dataset fits, and any of each quota above whoever asks.\n\n"+onlyGlobal, cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			q := api.BudgetScope{Dataset: first(args)}
			all, err := askBudgets(ctx, e, file, "/api/v1/budgets/show", q, api.ShowBudgets)
			if err != nil {
				return err
			}
			if asJSON {
				return e.printJSON(all)
			}
			if len(all) == 0 {
				fmt.Fprintln(e.err, "no dataset has a budget; list some under datasets, and start the gateway")
			}
			for _, b := range all {
				e.showBudget(b)
			}
			return nil
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func (e *env) showBudget(b api.BudgetView) {
	unit := b.Unit
	if b.Window > 0 {
		unit += " within " + b.Window.String()
	}
	fmt.Fprintf(e.out, "%s: all answers together are (%s, %s)-differentially private for one %s\n", b.Dataset, b.Epsilon, b.Delta, unit)
	for _, s := range b.Standings {
		what := "quota of " + s.Scope
		if s.Claims {
			what = "budget, which carries the claim"
		}
		if s.Block != 0 {
			what += fmt.Sprintf(", block %d", s.Block)
		}
		if s.Epsilon == "" {
			fmt.Fprintf(e.out, "  %s: none; %d entries\n", what, s.Entries)
			continue
		}
		fmt.Fprintf(e.out, "  %s: ε %s, δ %s; %.1f%% left; %d entries\n", what, s.Epsilon, s.Delta, 100*s.Left, s.Entries)
		t := table{head: true}
		t.add("FILTER", "SPENT", "CAP", "")
		for _, f := range s.Filters {
			fits := "fits"
			if !f.Fits {
				fits = "does not fit any more"
			}
			t.add(f.Filter, string(f.Spent), string(f.Cap), fits)
		}
		t.write(e.out, e.style(e.out), "    ")
		for _, m := range s.More {
			fmt.Fprintf(e.out, "    room for %s of %s\n", times(m.Count), m.Question)
		}
	}
}

func times(n int64) string {
	switch n {
	case -1:
		return "any number"
	case 0:
		return "none"
	}
	return strconv.FormatInt(n, 10) + " more"
}

func (e *env) budgetSet() *cobra.Command {
	var file, epsilon, delta string
	var asJSON bool
	var q api.SetBudget
	c := fileFlag(e.command("set DATASET --epsilon E [--delta D] [--domain D [--workflow W] [--agent A] [--contract C]] | --none", "Lower a budget, or set a quota",
		"With --domain it sets the quota of a scope below the dataset, or takes it away with --none; quotas may rise and fall. Without,\n"+
			"it gives the dataset another plan: sums stay, and the plan only falls. Nothing gives back what was spent. Write the same into\n"+
			"the configuration: a plan there that is larger than the ledger's is not taken, and said so in the log at each start.\n\n"+onlyGlobal, cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			q.Dataset = args[0]
			if err := settle(&q.BudgetScope); err != nil {
				return err
			}
			if (epsilon == "") == !q.None || q.None && delta != "" {
				return misuse("write --epsilon, and --delta if there is to be one, or --none")
			}
			var err error
			if q.Epsilon, err = exactly("--epsilon", epsilon, config.NanoPlaces); err != nil {
				return err
			}
			if q.Delta, err = exactly("--delta", delta, config.FemtoPlaces); err != nil {
				return err
			}
			v, err := askBudgets(ctx, e, file, "/api/v1/budgets/set", q, api.SetBudgets)
			if err != nil {
				return err
			}
			if asJSON {
				return e.printJSON(v)
			}
			e.showBudget(v)
			return nil
		}), &file)
	c.Flags().StringVar(&epsilon, "epsilon", "", "ε, as a decimal number")
	c.Flags().StringVar(&delta, "delta", "", "δ, such as 1e-7; absent: 0, by which Gaussian noise cannot be paid for")
	c.Flags().BoolVar(&q.None, "none", false, "take the quota away")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	scopeFlags(c, &q.BudgetScope)
	return c
}

// exactly reads a decimal number in units of 10 to the power of -places; "" is 0.
func exactly(flag, text string, places int) (int64, error) {
	if text == "" {
		return 0, nil
	}
	var x config.Exact
	if err := x.UnmarshalText([]byte(text)); err != nil {
		return 0, misuse("%s: %v", flag, err)
	}
	n, ok := x.In(places)
	if !ok {
		return 0, misuse("%s: it has more than %d places, or is too large", flag, places)
	}
	return n, nil
}

func (e *env) budgetPlan() *cobra.Command {
	var file, delta string
	var mechanisms []string
	var asJSON bool
	var q api.PlanQuestions
	c := fileFlag(e.command("plan DATASET [FILE] [--mechanism JSON]...", "Say what mechanisms would cost, before anything is spent",
		"Takes mechanisms as docs/spec/dp-accounting.md has them, from flags, or from a file (- for standard input) that holds a list of\n"+
			"them, and prints what they cost together in every measure, and for the dataset and each quota on the way to the scope which\n"+
			"filters would still fit and how often there is room for all of it. With --batch they are priced as one batch that is declared\n"+
			"before the first of them runs, which costs less. Nothing is spent and no data is read. The exit status is 1 where there is no\n"+
			"room.\n\n"+onlyGlobal, cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			q.Dataset = args[0]
			if err := settle(&q.BudgetScope); err != nil {
				return err
			}
			if err := e.specOf(&q, args[1:], mechanisms); err != nil {
				return err
			}
			var err error
			if q.Delta, err = exactly("--batch", delta, config.FemtoPlaces); err != nil {
				return err
			}
			v, err := askBudgets(ctx, e, file, "/api/v1/budgets/plan", q, api.PlanBudget)
			if err != nil {
				return err
			}
			if asJSON {
				err = e.printJSON(v)
			} else {
				e.showPlan(v)
			}
			if err == nil && !v.Fits {
				return errSaid
			}
			return err
		}), &file)
	c.Flags().StringArrayVar(&mechanisms, "mechanism", nil, `a mechanism, such as {"mech":"laplace","scale":10}`)
	c.Flags().StringVar(&delta, "batch", "", "price them as one batch at this δ, such as 1e-8")
	c.Flags().Int64Var(&q.Times, "times", 1, "how often all of it is asked")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	scopeFlags(c, &q.BudgetScope)
	return c
}

const maxSpec = 1 << 20 // bytes of a file of mechanisms

// specOf collects the mechanisms.
func (e *env) specOf(q *api.PlanQuestions, files, mechanisms []string) error {
	for _, m := range mechanisms {
		q.Spec = append(q.Spec, json.RawMessage(m))
		if !json.Valid([]byte(m)) {
			return misuse("--mechanism takes a JSON object")
		}
	}
	if len(files) == 1 {
		in := e.in
		if files[0] != "-" {
			f, err := os.Open(files[0])
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
		}
		raw, err := io.ReadAll(io.LimitReader(in, maxSpec))
		if err != nil {
			return err
		}
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return errors.New("the file does not hold a JSON list of mechanisms")
		}
		q.Spec = append(q.Spec, list...)
	}
	if len(q.Spec) == 0 {
		return misuse("name a file of mechanisms, or write --mechanism")
	}
	return nil
}

func (e *env) showPlan(v api.Planned) {
	c := v.Cost
	fmt.Fprintf(e.out, "cost: ε %s, δ %s; ρ %s; μ² %s; slack %s; Rényi at 2, 4, 8, 16, 32, 64: %s\n", c.Epsilon, c.Delta, c.Rho, c.Mu2, c.Slack, join(c.RDP[:]))
	t := table{head: true}
	t.add("SCOPE", "BLOCK", "ROOM FOR", "FILTERS THAT WOULD FIT")
	for _, s := range v.Scopes {
		fits := strings.Join(s.Fits, " ")
		if s.Count == -1 && fits == "" {
			fits = "no quota"
		}
		t.add(s.Scope, strconv.FormatInt(s.Block, 10), times(s.Count), fits)
	}
	t.write(e.out, e.style(e.out), "")
	if !v.Fits {
		fmt.Fprintln(e.out, "it would be refused")
	}
}

func join(all []api.Amount) string {
	var b strings.Builder
	for i, a := range all {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(a))
	}
	return b.String()
}

func (e *env) budgetForecast() *cobra.Command {
	var file, over string
	var asJSON bool
	c := fileFlag(e.command("forecast [DATASET] [--over TIME]", "Say when a budget is used up, at the rate of late",
		"Looks at what was charged in the time until now, and how many more questions like the average of it there is room for in the\n"+
			"budget of the dataset. Quotas are not looked at.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			var d config.Duration
			if err := d.UnmarshalText([]byte(over)); err != nil || d == 0 {
				return misuse("--over is not a length of time, such as 7d or 36h")
			}
			q := api.Forecast{Dataset: first(args), Over: time.Duration(d)}
			all, err := askBudgets(ctx, e, file, "/api/v1/budgets/forecast", q, api.ForecastBudgets)
			if err != nil {
				return err
			}
			if asJSON {
				return e.printJSON(all)
			}
			t := table{head: true}
			t.add("DATASET", "BLOCK", "CHARGES", "LEFT", "ROOM FOR", "USED UP")
			for _, f := range all {
				until := "not in sight"
				switch {
				case f.Empty:
					until = "now"
				case f.Until != nil:
					until = "about " + f.Until.Format(time.RFC3339)
				}
				t.add(f.Dataset, strconv.FormatInt(f.Block, 10), strconv.FormatInt(f.Charges, 10), fmt.Sprintf("%.1f%%", 100*f.Left), times(f.More), until)
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		}), &file)
	c.Flags().StringVar(&over, "over", "7d", "the time to look back over")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
