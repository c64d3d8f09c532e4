package handles_test

import (
	"context"
	"database/sql"
	stdjson "encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/handles"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/store"
)

// An agent that speaks MCP alone redeems with a tool, on the same terms.
func TestAToolRedeems(t *testing.T) {
	r := newRig(t, nil)
	own := &mcp.Own{Gateway: r.Gateway, Face: gateway.Inbound, Tools: offer.New((&handles.Handler{Gateway: r.Gateway, Quantum: time.Millisecond}).Tool())}
	h := r.reference(r.ask("billing", `{"text":"`+secret+`","metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":{"uses":1}}}}`))
	call := func(key, ref string) string {
		t.Helper()
		raw, _ := stdjson.Marshal(map[string]any{"ref": ref, "flow_id": "f-1"})
		w := httptest.NewRecorder()
		req, err := http.NewRequest(http.MethodPost, "http://localhost/mcp/scrim", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"scrim_redeem","arguments":`+string(raw)+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("MCP-Protocol-Version", "2025-11-25")
		req.Header.Set("Authorization", "Bearer scrim_"+key)
		own.ServeHTTP(w, req)
		return w.Body.String()
	}
	var got struct {
		Result struct {
			StructuredContent handles.Told `json:"structuredContent"`
		}
	}
	for range 2 { // the second is a retry
		out := call("insurer", h.Ref)
		if err := stdjson.Unmarshal([]byte(out), &got); err != nil || !strings.Contains(string(got.Result.StructuredContent.Part), `"text":"Write to [email`) || strings.Contains(gatewaytest.Said(out), "jane") {
			t.Fatalf("%s %v", out, err)
		}
	}
	if out := call("insurer", h.URL); !strings.Contains(out, `"result"`) {
		t.Errorf("by its address: %s", out)
	}
	count := func() (n int) {
		for _, ev := range r.Events() {
			if ev.Outcome == flow.Refused {
				n++
			}
		}
		return n
	}
	before := count()
	forbidden, unknown := call("rival", h.Ref), call("rival", flow.HandleScheme+strings.Repeat("0a", 16))
	if n := count() - before; n != 2 {
		t.Errorf("%d refusals are on record, want each once", n)
	}
	for _, out := range []string{forbidden, unknown} {
		if !strings.Contains(out, "no such handle") {
			t.Error(out)
		}
	}
	if len(forbidden) != len(unknown) {
		t.Errorf("%s\n%s", forbidden, unknown)
	}
}

// counted is a database that counts what it is asked.
type counted struct {
	store.DB
	views, updates, statements int
}

func (c *counted) View(ctx context.Context, fn func(store.Tx) error) error {
	c.views++
	return c.DB.View(ctx, func(tx store.Tx) error { return fn(&countedTx{tx, c}) })
}

func (c *counted) Update(ctx context.Context, fn func(store.Tx) error) error {
	c.updates++
	return c.DB.Update(ctx, func(tx store.Tx) error { return fn(&countedTx{tx, c}) })
}

type countedTx struct {
	store.Tx
	c *counted
}

func (t *countedTx) Exec(query string, args ...any) (int64, error) {
	t.c.statements++
	return t.Tx.Exec(query, args...)
}

func (t *countedTx) QueryRow(query string, args ...any) *sql.Row {
	t.c.statements++
	return t.Tx.QueryRow(query, args...)
}

// Whoever gets nothing costs the same work, so that the time taken tells nothing either.
func TestWhoeverGetsNothingCostsTheSame(t *testing.T) {
	r := newRig(t, nil)
	good := r.reference(r.ask("billing", `{"text":"`+secret+`"`+mark+`}`))
	once := r.reference(r.ask("billing", `{"text":"`+secret+`","metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":{"uses":1}}}}`))
	r.redeem(once, "insurer", nil)
	db := &counted{DB: r.DB}
	g, err := gateway.New(gateway.Options{Store: db, Journal: r.Log, Vault: r.Vault, Keys: r.Keys, Clock: r.now.now}, r.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	cost := func(agent flow.AgentID, h flow.Handle, purpose string) [3]int {
		*db = counted{DB: r.DB}
		who, ok := r.Snapshot().Identity.Known(flow.Party{Agent: agent, Domain: gatewaytest.Other})
		if !ok {
			t.Fatal("nobody")
		}
		if _, err := g.Redeem(context.Background(), &gateway.Redemption{Snapshot: r.Snapshot(), Flow: flow.Flow{ID: gateway.NewFlowID(), From: who.Party}, Caller: who, ID: gateway.HandleID(h.Ref), Purpose: purpose}); err == nil {
			t.Fatal("redeemed")
		}
		return [3]int{db.views, db.updates, db.statements}
	}
	want := cost("insurer", flow.Handle{Ref: flow.HandleScheme + strings.Repeat("0a", 16)}, "")
	if want[0] != 1 || want[1] != 1 {
		t.Errorf("an unknown handle costs %v", want)
	}
	for name, got := range map[string][3]int{
		"another agent": cost("rival", good, ""), "another purpose": cost("insurer", good, "care"), "used up": cost("insurer", once, ""), "no id": cost("insurer", flow.Handle{}, ""),
	} {
		if got != want {
			t.Errorf("%s costs %v, want %v", name, got, want)
		}
	}
}
