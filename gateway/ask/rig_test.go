package ask_test

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// words is a language of its own, so that these tests are about the road of a question and not about SQL: a question is a list of the columns
// that it uses, and its answer says which draw it is.
type words struct {
	draws  atomic.Int64
	priced atomic.Int64

	mu   sync.Mutex
	fail error
	hold chan struct{} // nil: it is answered at once
}

type word struct {
	w    *words
	q    query.Question
	d    *query.Dataset
	cost account.Vector

	second bool // after a pilot
}

func (w *words) Price(d *query.Dataset, q query.Question, c gateway.Costs) (ask.Priced, error) {
	w.priced.Add(1)
	if strings.Contains(q.SQL, "'") {
		return nil, &ask.Mistake{Line: 1, Column: 8, Rule: "constant", Text: "a constant is not taken"}
	}
	epsilon := q.Epsilon
	if q.Accuracy != nil {
		epsilon = 300_000_000
	}
	cost, err := account.VectorOf(account.Mechanism{Kind: account.Pure, Epsilon: float64(epsilon) / 1e9})
	return &word{w: w, q: q, d: d, cost: cost}, err
}

func (p *word) Cost() account.Vector { return p.cost }
func (p *word) Canonical() []byte    { return fmt.Append(nil, p.q.SQL, p.second) }
func (p *word) Restricted() bool     { return !p.q.From.IsZero() }
func (p *word) Explain() *query.Explanation {
	return &query.Explanation{Dataset: p.d.Name, Cost: query.CostOf(p.cost), Errors: []query.Expected{{Of: "count(*)", HalfWidth: "3"}}}
}
func (p *word) Epsilon() int64 { return p.cost.Epsilon }

// Pilot implements [ask.Priced].
func (p *word) Pilot() bool { return p.q.Accuracy != nil && p.q.Accuracy.Relative != "" && !p.second }

// After implements [ask.Priced]: what is twice as exact costs twice as much.
func (p *word) After(pilot []byte) (ask.Priced, error) {
	if strings.Contains(p.q.SQL, "enough") {
		return nil, &ask.Mistake{Rule: "accuracy", Text: "it is as exact as was asked for"}
	}
	next := *p
	next.second, next.cost = true, p.cost.Add(p.cost)
	return &next, nil
}

// Offers implements [ask.Priced].
func (p *word) Offers(room query.Room) []query.Offer {
	for epsilon := p.cost.Epsilon - 10_000_000; epsilon > 0; epsilon -= 10_000_000 {
		if v, err := account.VectorOf(account.Mechanism{Kind: account.Pure, Epsilon: float64(epsilon) / 1e9}); err == nil && room(v) > 0 {
			return []query.Offer{{Epsilon: strconv.FormatFloat(float64(epsilon)/1e9, 'f', -1, 64), More: room(v)}}
		}
	}
	return nil
}
func (p *word) Scans() []relation.Scan {
	s := relation.Scan{Table: p.d.Tables[0].Source}
	for _, name := range strings.Fields(p.q.SQL) {
		s.Fields = append(s.Fields, relation.Field{Source: "src_" + name})
	}
	return []relation.Scan{s}
}

func (p *word) Answer(ctx context.Context, e relation.Engine, _ relation.Seed) ([]byte, error) {
	p.w.mu.Lock()
	fail, hold := p.w.fail, p.w.hold
	p.w.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if fail != nil {
		return nil, fail
	}
	draw := p.w.draws.Add(1)
	if p.q.Accuracy != nil {
		return stdjson.Marshal(query.Answer{Dataset: p.d.Name, Notes: []string{fmt.Sprint("draw ", draw)}})
	}
	return stdjson.Marshal(map[string]int64{"draw": draw})
}

type noEngine struct{}

func (noEngine) Run(context.Context, *relation.Bounded, relation.Seed, func(relation.Group) error) error {
	return errors.New("not here")
}
func (noEngine) Check(context.Context, []relation.Scan) error { return nil }
func (noEngine) Close() error                                 { return nil }

var (
	lab   = flow.Party{Agent: "lab", Domain: gatewaytest.Own}
	other = flow.Party{Agent: "other", Domain: gatewaytest.Other}
	mute  = flow.Party{Agent: "mute", Domain: gatewaytest.Own}
)

const permits = `
@id("lab") permit (principal == Agent::"lab", action == Action::"aggregate", resource == Dataset::"stays") when { context.purpose == Purpose::"study" };
@id("other") permit (principal == Agent::"other", action == Action::"aggregate", resource == Dataset::"stays");
`

type rig struct {
	*gatewaytest.Rig
	t     testing.TB
	words *words
	url   string
}

func stays(tell bool) *gateway.Dataset {
	text := func(name string) query.Column {
		return query.Column{Name: name, Source: "src_" + name, Type: relation.Type{Kind: relation.Text}, Label: "public"}
	}
	return &gateway.Dataset{
		Query: &query.Dataset{Name: "stays", Unit: "patient", Formal: true, Limits: query.Limits{Rows: 1, MostRows: 8, Groups: 1, MostGroups: 8, MostCells: 100}, Tables: []query.Table{
			{Name: "stays", Source: "clinic", Unit: []string{"patient"}, Columns: []query.Column{text("patient"), text("ward"), text("age"),
				{Name: "cost", Source: "src_cost", Bounded: true, Type: relation.Type{Kind: relation.Number, Places: 2, Min: -50, Max: 10000}}}},
		}},
		Plan: budget.Plan{Epsilon: 1_000_000_000}, Costs: gateway.Costs{Epsilon: 200_000_000, Most: 900_000_000}, Pad: gatewaytest.Pad, Tell: tell,
		Schedule: answers.Schedule{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
		Engine:   func(context.Context) (relation.Engine, error) { return noEngine{}, nil },
	}
}

func newRig(t testing.TB, change func(*gatewaytest.Setup)) *rig {
	t.Helper()
	grant := func(p flow.Party) identity.Grant {
		return identity.Grant{Party: p, Purposes: []flow.Purpose{"study", "care"}, Default: "study", Criticality: flow.Critical}
	}
	d := stays(false)
	setup := gatewaytest.Setup{
		NoSync: true, Agents: []*gateway.Agent{{Party: lab}, {Party: other}, {Party: mute}},
		Callers: map[string]identity.Grant{"key-lab": grant(lab), "key-other": grant(other), "key-mute": grant(mute)},
		Budgets: []budget.Budget{{Dataset: "stays", Unit: budget.Unit{Name: "patient"}, Plan: budget.Plan{Epsilon: 1_000_000_000}}},
	}
	parties := policy.Entities{Agents: []flow.Party{lab, other, mute}, Purposes: map[flow.Purpose][]flow.Purpose{"study": nil, "care": nil}, Datasets: []policy.Dataset{{Name: "stays", Formal: true}}}
	set, err := policy.Load(fstest.MapFS{"test.cedar": {Data: []byte(permits)}}, policy.Options{Taxonomy: flow.DefaultTaxonomy(), Entities: parties})
	must(t, err)
	setup.Change = func(s *gateway.Snapshot) { s.Policy, s.Datasets = set, map[string]*gateway.Dataset{"stays": d} }
	if change != nil {
		change(&setup)
	}
	r := &rig{Rig: gatewaytest.New(t, setup), t: t, words: &words{}}
	s := &ask.Service{Gateway: r.Gateway, Language: r.words, Ledger: r.Budgets}
	mux := http.NewServeMux()
	own := offer.New(s.Tools()...)
	cards := &a2a.Cards{Signer: r.Keys.Signer("card"), KeyID: r.Keys.ID()}
	in := &a2a.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: cards, Own: own}
	mux.Handle("/mcp/scrim", &mcp.Own{Gateway: r.Gateway, Face: gateway.Inbound, Tools: own})
	mux.Handle("/a2a/", in)
	mux.Handle("/out/a2a/", &a2a.Handler{Gateway: r.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: cards, Own: own})
	mux.Handle(a2a.GRPCPath, a2a.NewGRPC(in))
	mux.Handle(ask.Path, &ask.API{Service: s})
	mux.Handle(ask.Path+"/", &ask.API{Service: s})
	srv := httptest.NewUnstartedServer(r.Door(mux))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true) // for gRPC
	srv.Start()
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

// call calls a tool and returns its answer, or the error's text.
func (r *rig) call(key, tool, arguments string, more ...string) (answer, refusal string) {
	r.t.Helper()
	return r.as(func(req *http.Request, _ []byte) { req.Header.Set("Authorization", "Bearer "+key) }, tool, arguments, more...)
}

func (r *rig) by(h *gatewaytest.Holder, tool, arguments string, more ...string) (answer, refusal string) {
	r.t.Helper()
	return r.as(func(req *http.Request, body []byte) { h.Show(r.t, req, body) }, tool, arguments, more...)
}

func (r *rig) as(show func(*http.Request, []byte), tool, arguments string, more ...string) (answer, refusal string) {
	r.t.Helper()
	meta := ""
	for i := 0; i+1 < len(more); i += 2 {
		if more[i] == "id" {
			meta = fmt.Sprintf(`,"_meta":{"dev.scrim/flow-id":%q}`, more[i+1])
		}
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s%s}}`, tool, arguments, meta)
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url+"/mcp/scrim", strings.NewReader(body))
	must(r.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Mcp-Protocol-Version", "2025-11-25")
	req.Header.Set("Scrim-Purpose", "study")
	for i := 0; i+1 < len(more); i += 2 {
		if more[i] != "id" {
			req.Header.Set(more[i], more[i+1])
		}
	}
	show(req, []byte(body))
	res, err := http.DefaultClient.Do(req)
	must(r.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	must(r.t, err)
	var out struct {
		Result struct {
			Structured stdjson.RawMessage `json:"structuredContent"`
		} `json:"result"`
	}
	if err := stdjson.Unmarshal(raw, &out); err != nil {
		r.t.Fatalf("%v: %s", err, raw)
	}
	if out.Result.Structured == nil {
		return "", string(raw)
	}
	return string(out.Result.Structured), ""
}

// http calls the HTTP API.
func (r *rig) http(method, path, body string, show func(*http.Request, []byte), header ...string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	must(r.t, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Scrim-Purpose", "study")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	show(req, []byte(body))
	res, err := http.DefaultClient.Do(req)
	must(r.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	must(r.t, err)
	return res.StatusCode, string(raw)
}

func key(name string) func(*http.Request, []byte) {
	return func(req *http.Request, _ []byte) { req.Header.Set("Authorization", "Bearer "+name) }
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var scope = budget.Scope{Dataset: "stays"}
