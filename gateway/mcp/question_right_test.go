package mcp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/contract"
	"github.com/scrimhq/scrim/privacy/budget"
)

// by asks as the holder of a capability.
func (r *rig) by(t *testing.T, h *gatewaytest.Holder, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "plain", "Scrim-Purpose": "care", "Scrim-Criticality": "critical"} {
		req.Header.Set(k, v)
	}
	h.Show(t, req, []byte(body))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// What a capability has left is charged in the record of the request. Where it has nothing left, the dataset's budget is as it was,
// and what is known already costs neither.
func TestACapabilityPaysWithTheBudgetOrNeitherDoes(t *testing.T) {
	t.Parallel()
	u, d := newCounting(t), domains(t)
	r := newBudgetRig(t, u, withDomains(d))
	root := d.Root(t, gatewaytest.Own, capability.Grant{
		Agent: "caller", Cost: &flow.Cost{EpsilonNano: 250_000_000}, Counted: gatewaytest.Own, Techniques: []string{"aggregate"}, Datasets: map[string][]string{"stays": nil},
	})
	left, right := root.Child(t, capability.Grant{}), root.Child(t, capability.Grant{})
	for i, h := range []*gatewaytest.Holder{left, right} {
		if body := r.by(t, h, text(fmt.Sprint("question ", i))); !strings.Contains(body, "draw") {
			t.Fatalf("question %d: %s", i, body)
		}
	}
	body := r.by(t, left, text("one too many"))
	if !strings.Contains(body, "capability does not allow this") || u.draws.Load() != 2 {
		t.Errorf("beyond what the root has: %s, %d draws", body, u.draws.Load())
	}
	if spent := r.Spent(t, stays); spent != 200_000_000 {
		t.Errorf("ε = %d·10⁻⁹ of the dataset is charged, want that of two questions", spent)
	}
	if body := r.by(t, right, text("question 0")); !strings.Contains(body, "draw 1") {
		t.Errorf("what is known is not given by a spent capability: %s", body)
	}
	narrow := root.Child(t, capability.Grant{Techniques: []string{}})
	if body := r.by(t, narrow, text("question 0")); strings.Contains(body, "draw") {
		t.Errorf("a capability without the technique: %s", body)
	}
	elsewhere := root.Child(t, capability.Grant{Datasets: map[string][]string{"stays": {"born"}}})
	if body := r.by(t, elsewhere, text("question 0")); strings.Contains(body, "draw") {
		t.Errorf("a capability for one column: %s", body)
	}
	if spent := r.Spent(t, stays); spent != 200_000_000 || u.draws.Load() != 2 {
		t.Errorf("in the end ε = %d·10⁻⁹ and %d draws", spent, u.draws.Load())
	}
}

type agreed struct {
	mu  sync.Mutex
	all []*contract.Contract
}

func (a *agreed) InForce(f *flow.Flow, at time.Time) (out []*contract.Contract) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.all {
		if c.InForce(at) && c.Binds(f) {
			out = append(out, c)
		}
	}
	return out
}

func agreement(gives contract.Gives) *contract.Contract {
	gives.Levels = map[flow.Label]flow.Level{"*": flow.Raw}
	return &contract.Contract{
		Negotiation: contract.NewNegotiation(), Version: 1, Name: "study", Purposes: []flow.Purpose{"care"}, NotBefore: time.Now().Add(-time.Hour), Expires: time.Now().Add(time.Hour),
		Parties: [2]contract.Party{
			{Domain: gatewaytest.Other, Gives: contract.Gives{Levels: map[flow.Label]flow.Level{"*": flow.Raw}}},
			{Domain: gatewaytest.Own, Gives: gives},
		},
	}
}

func TestAContractsCostIsAQuota(t *testing.T) {
	t.Parallel()
	u, a := newCounting(t), &agreed{}
	r := newBudgetRig(t, u, func(s *gatewaytest.Setup) {
		s.Contracts = a
		if s.Budgets != nil {
			s.Budgets = append(s.Budgets, budget.Budget{Dataset: "visits", Unit: budget.Unit{Name: "patient"}, Plan: budget.Plan{Epsilon: 1_000_000_000}})
		}
		one := s.Change
		visits := gatewaytest.Laplace(t, "visits", 10)
		s.Change = func(snap *gateway.Snapshot) {
			one(snap)
			snap.Questions["records"].Tools["extra"] = visits
		}
	})
	other := []string{"Authorization", "Bearer scrim_other"}
	ask := func(of string) string {
		_, body := r.send(t, text(of), other...)
		return body
	}
	// 0.5 in all, over two datasets that it covers: a quarter for each.
	cost := flow.Cost{EpsilonNano: 500_000_000}
	a.all = []*contract.Contract{agreement(contract.Gives{Cost: &cost, Techniques: []string{"aggregate"}})}
	for i := range 2 {
		if body := ask(fmt.Sprint("a ", i)); !strings.Contains(body, "draw") {
			t.Fatalf("question %d within the contract: %s", i, body)
		}
	}
	if body := ask("a 2"); !strings.Contains(body, "What the contract between the two domains lets questions cost") {
		t.Errorf("beyond the contract: %s", body)
	}
	if body := ask("a 0"); !strings.Contains(body, "draw 1") {
		t.Errorf("what was answered under a contract that is used up: %s", body)
	}
	if got := r.draw(t, text("a 2")); got == "" {
		t.Error("the domain's own agent is held to another domain's contract")
	}
	for name, gives := range map[string]contract.Gives{
		"another technique": {Techniques: []string{"train"}},
		"another dataset":   {Datasets: map[string][]string{"visits": nil}},
		"some columns":      {Datasets: map[string][]string{"stays": {"born"}}},
	} {
		a.mu.Lock()
		a.all = []*contract.Contract{agreement(gives)}
		a.mu.Unlock()
		if body := ask("a 0"); !strings.Contains(body, "does not cover questions of this kind") {
			t.Errorf("%s: %s", name, body)
		}
	}
	a.mu.Lock()
	a.all = []*contract.Contract{agreement(contract.Gives{Cost: &cost}), agreement(contract.Gives{Cost: &cost})}
	a.mu.Unlock()
	if body := ask("b"); !strings.Contains(body, "end one of them") {
		t.Errorf("two contracts with a cost: %s", body)
	}
	if spent := r.Spent(t, stays); spent != 300_000_000 || u.draws.Load() != 3 {
		t.Errorf("in the end ε = %d·10⁻⁹ and %d draws, want those of three questions", spent, u.draws.Load())
	}
}

// Of a call that another gateway carries, nobody here could keep the answer, so it is refused before anything is charged.
func TestQuestionsThatAnotherGatewayCarriesAreRefused(t *testing.T) {
	t.Parallel()
	u := newCounting(t)
	r := newBudgetRig(t, u, nil)
	check := &mcp.Checker{Gateway: r.Gateway, Tools: &mcp.Tools{}}
	_, err := check.Request(t.Context(), mcp.Carried{
		Who: func(s *gateway.Snapshot) (identity.Caller, *gateway.Agent, error) {
			return identity.Caller{Party: ownCaller, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical}, s.Agents["records"], nil
		},
		Version: "2025-11-25", Method: "tools/call", Purpose: "care", Criticality: "critical", Payload: []byte(`{"name":"plain","arguments":{"text":"beds"}}`),
	})
	if refusal, ok := errors.AsType[*gateway.Refusal](err); !ok || refusal.Rule != gateway.RuleBudget || r.Spent(t, stays) != 0 {
		t.Errorf("error = %v, ε = %d·10⁻⁹", err, r.Spent(t, stays))
	}
}
