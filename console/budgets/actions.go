package budgets

import (
	"bytes"
	"context"
	"encoding/json"
	"math/big"
	"net/url"
	"regexp"
	"strconv"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/ask"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// Plan is another plan for a dataset, or a quota for a scope below it.
type Plan struct {
	Domain   string `json:"domain,omitempty"`
	Workflow string `json:"workflow,omitempty"`
	Agent    string `json:"agent,omitempty"`
	Contract string `json:"contract,omitempty"`
	Epsilon  string `json:"epsilon"`        // as a decimal number
	Delta    string `json:"delta"`          // likewise, or such as 1e-7
	None     bool   `json:"none,omitempty"` // there is to be no quota
}

// Planned is what became of it.
type Planned struct {
	Dataset string `json:"dataset"`
	Link    string `json:"link"`
}

// Question asks what a question would cost.
type Question struct {
	As      string `json:"as"`
	SQL     string `json:"sql"`
	Epsilon string `json:"epsilon,omitempty"`
}

// Explained is what a question would cost. Nothing was spent, and no data read.
type Explained struct {
	Dataset     string          `json:"dataset"`
	As          string          `json:"as"`
	Explanation json.RawMessage `json:"explanation"`
	Text        string          `json:"-"`
}

func (p *pages) actions(g *page.Group) {
	to := func(_ Plan, out Planned) string { return out.Link }
	page.Do(g, page.Action[Plan, Planned]{
		Path: "/budgets/{dataset}/plan", Name: "console/replan", Title: "Re-plan a budget", Role: page.Admin,
		Summary: "Gives the budget of a dataset another plan. What was spent stays spent, and no plan gives more than was declared.",
		Then:    to, Do: func(ctx context.Context, r *page.Request, in Plan) (Planned, error) {
			if in.Domain != "" || in.None {
				return Planned{}, page.Wrong("the budget of a dataset has no domain, and cannot be taken away")
			}
			return p.set(ctx, r, in)
		},
	})
	page.Do(g, page.Action[Plan, Planned]{
		Path: "/budgets/{dataset}/quota", Name: "console/quota", Title: "Set a quota", Role: page.Admin,
		Summary: "Sets the quota of a consumer below a dataset, or takes it away. Quotas carry no claim.",
		Then:    to, Do: func(ctx context.Context, r *page.Request, in Plan) (Planned, error) {
			if in.Domain == "" {
				return Planned{}, page.Wrong("domain: a quota is for a domain, or for something in it")
			}
			return p.set(ctx, r, in)
		},
	})
	page.Do(g, page.Action[struct{}, api.ReplayView]{
		Path: "/budgets/verify", Name: "console/budgets/verify", Title: "Verify the ledger", Role: page.Steward, ReadOnly: true, Template: "verified.html",
		Summary: "Reads every entry of the ledger and computes every hash, sum and cap again.",
		Do: func(ctx context.Context, _ *page.Request, _ struct{}) (api.ReplayView, error) {
			if p.Spending == nil {
				return api.ReplayView{}, page.ErrNotFound
			}
			if !p.check.TryLock() {
				return api.ReplayView{}, page.Wrong("the ledger is being verified already; try again in a moment")
			}
			defer p.check.Unlock()
			return api.ReplayBudgets(ctx, p.Spending, api.Replay{})
		},
	})
	page.Do(g, page.Action[Question, Explained]{
		Path: "/budgets/{dataset}/explain", Name: "console/explain", Title: "What a question would cost", Role: page.Steward, ReadOnly: true, Template: "explained.html",
		Summary: "Prices a question as one of the agents would ask it. It spends nothing and reads no data; the question is not kept.",
		Do:      p.explain,
	})
}

func (p *pages) set(ctx context.Context, r *page.Request, in Plan) (out Planned, err error) {
	if p.Spending == nil {
		return out, page.ErrNotFound
	}
	if p.Governed != nil && p.Governed() {
		return out, page.Wrong("here rules change by proposals that others approve: write the plan into the configuration and propose it under Policies")
	}
	q := api.SetBudget{None: in.None, BudgetScope: api.BudgetScope{
		Dataset: r.PathValue("dataset"), Domain: flow.DomainID(in.Domain), Workflow: in.Workflow, Agent: in.Agent, Contract: in.Contract,
	}}
	if _, err := p.declared(ctx, q.Dataset); err != nil {
		return out, err
	}
	if !in.None {
		if q.Epsilon, err = exactly("epsilon", in.Epsilon, 9); err != nil {
			return out, err
		}
		if q.Delta, err = exactly("delta", in.Delta, 15); err != nil {
			return out, err
		}
		if q.Epsilon == 0 {
			return out, page.Wrong("epsilon: it is missing, or 0")
		}
	}
	if _, err := api.SetBudgets(ctx, p.Spending, q); err != nil {
		return out, known(err)
	}
	at := url.Values{}
	for name, text := range map[string]string{"domain": in.Domain, "workflow": in.Workflow, "agent": in.Agent, "contract": in.Contract} {
		if text != "" {
			at.Set(name, text)
		}
	}
	return Planned{q.Dataset, address(q.Dataset, at)}, nil
}

var decimal = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,18})?([eE]-[0-9]{1,2})?$`)

// exactly reads a decimal number in units of 10 to the power of -places; "" is 0.
func exactly(name, text string, places int) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if !decimal.MatchString(text) {
		return 0, page.Wrong("%s: it is not a number such as 0.5 or 1e-7", name)
	}
	x, _ := new(big.Rat).SetString(text) // the pattern allows what this reads
	x.Mul(x, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)))
	if !x.IsInt() || !x.Num().IsInt64() {
		return 0, page.Wrong("%s: it has more than %d places, or is too large", name, places)
	}
	return x.Num().Int64(), nil
}

func (p *pages) explain(ctx context.Context, r *page.Request, in Question) (out Explained, err error) {
	if p.Questions == nil || p.Snapshot == nil {
		return out, page.ErrNotFound
	}
	out = Explained{Dataset: r.PathValue("dataset"), As: in.As}
	args := map[string]any{"dataset": out.Dataset, "sql": in.SQL}
	if in.Epsilon != "" {
		if !decimal.MatchString(in.Epsilon) {
			return out, page.Wrong("epsilon: it is not a number such as 0.5")
		}
		args["epsilon"] = in.Epsilon
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return out, err
	}
	out.Explanation, err = api.AskData(ctx, p.Questions, p.Snapshot(), api.QuestionRequest{As: flow.AgentID(in.As), Act: ask.ExplainTool, Arguments: raw})
	if err != nil {
		return out, page.Wrong("%v", err) // a public text
	}
	var b bytes.Buffer
	if err := json.Indent(&b, out.Explanation, "", "  "); err != nil {
		return out, err
	}
	out.Text = b.String()
	return out, nil
}
