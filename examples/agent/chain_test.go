package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/loopback"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/hop"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// place is one example, started from its own files: only addresses differ, so that ports are free.
type place struct {
	*run.Gateway
	dir, listen string
}

// agents collect what they are sent.
type agents struct {
	mu  sync.Mutex
	got map[string][]string
}

func (a *agents) serve(t *testing.T, name, next, key, purpose string) string {
	srv := httptest.NewServer(handler(next, key, purpose, func(_ string, args ...any) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.got[name] = append(a.got[name], fmt.Sprintf("%s", args[0]))
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func (a *agents) received(name string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.got[name]...)
}

// start runs an example; replace has the addresses of its files and those in place of them.
func start(t *testing.T, name string, replace map[string]string) *place {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", name))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "scrim.yaml")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for old, with := range replace {
		raw = bytes.ReplaceAll(raw, []byte(old), []byte(with))
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if w := c.Warnings(); len(w) > 0 {
		t.Errorf("%s: %v", name, w)
	}
	ctx, stop := context.WithCancel(context.Background())
	g, err := run.Open(ctx, c, run.Options{Logger: slog.New(slog.DiscardHandler), Store: store.Options{NoSync: true}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Peers.InitAuthority(ctx, 0, false, vault.Rotation{}); err != nil {
		t.Fatal(err)
	}
	ended, ready := make(chan error, 1), make(chan struct{})
	go func() { ended <- g.Serve(ctx, nil, func(net.Addr, net.Addr) { close(ready) }) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &place{g, dir, c.Listen}
}

// know pins two places for each other, as scrim peer add does once the fingerprint was compared.
func know(t *testing.T, a, b *place) {
	t.Helper()
	for _, way := range [][2]*place{{a, b}, {b, a}} {
		print, _, ok := way[1].Peers.Identity()
		if !ok {
			t.Fatal("a place has no identity")
		}
		if _, err := way[0].Peers.Add(context.Background(), "http://"+way[1].listen, print); err != nil {
			t.Fatal(err)
		}
	}
}

const question = `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-1","role":"ROLE_USER","parts":[
 {"text":"May Jane Doe be treated?"},{"data":{"name":"Jane Doe","born":"1961-04-12","email":"jane.doe@example.org","plan":"gold"}}]}}}`

// A message goes from the agent beside the sidecar through the gateway at the edge, whose agent passes it on, to the gateway
// in the middle. Each decides for its own recipient, none shows more than the one before, and the records belong together.
func TestTheThreeExamplesInARow(t *testing.T) {
	ports := map[string]string{}
	for _, p := range []string{"7070", "7071", "7074", "7170", "7171", "7174", "7270", "7271", "7274"} {
		ports["127.0.0.1:"+p] = loopback.Address(t)
	}
	all := &agents{got: map[string][]string{}}
	ports["http://127.0.0.1:9002"] = all.serve(t, "underwriting", "", "", "")
	ports["http://127.0.0.1:9003"] = all.serve(t, "statistics", "", "", "")
	ports["http://127.0.0.1:9001"] = all.serve(t, "prior-auth", "http://"+ports["127.0.0.1:7170"]+"/out/a2a/underwriting", "scrim_example-prior-auth", "marketing")
	sidecar, edge, central := start(t, "sidecar", ports), start(t, "edge", ports), start(t, "central", ports)
	know(t, sidecar, edge)
	know(t, edge, central)

	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+sidecar.listen+"/out/a2a/prior-auth", strings.NewReader(question))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0", "Authorization": "Bearer scrim_example-intake", "Scrim-Criticality": "critical"} {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(answer), "Done, by the next one, too.") {
		t.Fatalf("the answer is %s, %v", answer, err)
	}
	for _, name := range []string{"prior-auth", "underwriting"} {
		got := all.received(name)
		if len(got) != 1 {
			t.Fatalf("%s got %d messages, want one", name, len(got))
		}
		for _, secret := range []string{"Jane", "Doe", "04-12", "example.org"} {
			if strings.Contains(gatewaytest.Said(got[0]), secret) {
				t.Errorf("%s got %q: %s", name, secret, got[0])
			}
		}
		if !strings.Contains(got[0], `"1961"`) || !strings.Contains(got[0], `"gold"`) {
			t.Errorf("%s got %s, want the year and the plan", name, got[0])
		}
	}

	asked := func(p *place, agent flow.AgentID) flow.Event {
		t.Helper()
		for en, err := range p.Log.Entries(context.Background(), audit.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			if ev := en.Event; ev.Flow.To.Agent == agent && ev.Outcome == flow.Released && ev.Flow.Direction == flow.Request {
				return ev
			}
		}
		t.Fatalf("nobody asked %s", agent)
		return flow.Event{}
	}
	first, second, third, fourth := asked(sidecar, "prior-auth"), asked(edge, "prior-auth"), asked(edge, "underwriting"), asked(central, "underwriting")
	if hops := fmt.Sprint(first.Flow.Hop, second.Flow.Hop, third.Flow.Hop, fourth.Flow.Hop); hops != "0 1 1 2" {
		t.Errorf("hops are %s, want 0 1 1 2", hops)
	}
	for _, ev := range []flow.Event{third, fourth} {
		if ev.Flow.Purpose != "" {
			t.Errorf("the call goes on for %q, though it came for another purpose", ev.Flow.Purpose)
		}
	}
	for _, parent := range []flow.ID{second.Flow.Parent, fourth.Flow.Parent} {
		if _, ok := hop.ParseParent(parent); !ok {
			t.Errorf("the parent %q is no commitment", parent)
		}
	}
}
