package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/loopback"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy"
)

// TestPolicyReplay: what a gateway decided is decided again under other rules, whether it runs or not, and after its rules changed too.
func TestPolicyReplay(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const configured = `version: 1
domain: hospital
listen: %s
admin: %s
purposes: {payment: {}}
agents:
  - {id: records, purposes: [payment], a2a: {url: "http://127.0.0.1:9001"}}
  - {id: payer, domain: insurer, purposes: [payment], a2a: {url: "http://127.0.0.1:9002"}}
schemas: [{file: visit.json, agent: payer, data: "*", direction: request}]
`
	const rules = `@id("days") @generalize("year") permit (principal, action in Action::"upto_generalized", resource in DataClass::"health/visit-date");`
	for _, under := range []string{"", "wider/", "narrower/"} {
		write(under+"scrim.yaml", fmt.Sprintf(configured, loopback.Address(t), loopback.Address(t)))
		write(under+"visit.json", `{"type":"object","properties":{"day":{"type":"string","x-scrim-label":"health/visit-date","x-scrim-droppable":true}}}`)
		write(under+"policies/p.cedar", rules)
	}
	for _, under := range []string{"wider/", "narrower/"} { // the ports are those of the gateway that runs
		main, err := os.ReadFile(filepath.Join(dir, "scrim.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		write(under+"scrim.yaml", string(main))
	}
	write("wider/policies/p.cedar", strings.Replace(rules, "year", "month", 1))
	write("narrower/policies/q.cedar", `@id("none") forbid (principal == Agent::"payer", action in Action::"atleast_masked", resource);`)
	file := filepath.Join(dir, "scrim.yaml")
	scrim := func(args ...string) (int, string) {
		t.Helper()
		var out, complaints bytes.Buffer
		code := Main(args, strings.NewReader(""), &out, &complaints)
		return code, out.String() + complaints.String()
	}
	replayed := func(under string) *impact.Impact {
		t.Helper()
		code, said := scrim("policy", "replay", filepath.Join(dir, under), "-c", file, "--json", "--since", "1h")
		out := new(impact.Impact)
		if err := json.Unmarshal([]byte(said), out); code != 0 || err != nil {
			t.Fatalf("scrim policy replay %s = %d, %v: %s", under, code, err, said)
		}
		return out
	}

	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	g, err := run.Open(t.Context(), c, run.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := g.Admin()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	up, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Serve(ctx, handler, func(net.Addr, net.Addr) { close(up) }) }()
	end := sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	defer end()
	<-up
	send(t, g)
	if out := replayed(""); out.Decided != 1 || out.Flows.Same != 1 {
		t.Errorf("under the same rules: %+v", out)
	}
	if out := replayed("wider"); out.Values.Open != 1 || len(out.Moves) != 1 || out.Moves[0].To != "generalized(month)" {
		t.Errorf("under wider rules: %+v", out)
	}
	code, said := scrim("policy", "replay", filepath.Join(dir, "narrower"), "-c", file)
	for _, want := range []string{"1 decision on record, 1 decided again", "generalized(year)  dropped", "closes", "payer", "none"} {
		if code != 0 || !strings.Contains(said, want) {
			t.Errorf("scrim policy replay = %d, and does not say %q:\n%s", code, want, said)
		}
	}
	write("policies/p.cedar", strings.Replace(rules, "year", "decade", 1))
	if err := g.Reload(t.Context(), "a test"); err != nil {
		t.Fatal(err)
	}
	send(t, g)
	if out := replayed(""); out.Decided != 2 || out.Flows.Same != 2 || len(out.Not) > 0 {
		t.Errorf("after the rules changed: %+v, not decided %v", out, out.Not)
	}
	if code, said := scrim("policy", "replay", filepath.Join(dir, "visit.json"), "-c", file); code == 0 {
		t.Errorf("of what are no rules: %s", said)
	}
	end()

	if out := replayed("wider"); out.Decided != 2 || out.Values.Open != 2 {
		t.Errorf("with the gateway stopped: %+v", out)
	}
	code, said = scrim("policy", "diff", file, filepath.Join(dir, "narrower"))
	if code != 0 || !strings.Contains(said, "can reveal more") || !strings.Contains(said, "policy none: added") { // years instead of decades
		t.Errorf("scrim policy diff = %d: %s", code, said)
	}
	write("policies/p.cedar", rules)
	code, said = scrim("policy", "diff", file, filepath.Join(dir, "narrower"))
	if code != 0 || !strings.Contains(said, "reveals no more than the first") || !strings.Contains(said, "closes") {
		t.Errorf("scrim policy diff = %d: %s", code, said)
	}
}

// send sends one message to the payer, and has it put on record.
func send(t *testing.T, g *run.Gateway) {
	t.Helper()
	table, ok := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	if !ok {
		t.Fatal("no such table")
	}
	s := g.Gateway.Snapshot()
	_, err := g.Gateway.Pass(t.Context(), &gateway.Message{
		Snapshot: s, Table: table, Owner: "payer", Schemas: s.Catalog.Schemas(catalog.Data, "payer", "", flow.Request),
		Query: policy.Query{Flow: flow.Flow{
			ID: gateway.NewFlowID(), From: flow.Party{Agent: "records", Domain: "hospital"}, To: flow.Party{Agent: "payer", Domain: "insurer"},
			Purpose: "payment", Protocol: "a2a/1.0", Method: "SendMessage", Task: flow.Task{Criticality: flow.Critical},
		}},
		Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-1","role":"ROLE_USER","parts":[{"data":{"day":"2026-02-11"}}]}}}`),
	})
	if err != nil {
		t.Fatal(err)
	}
}
