package a2a_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/policy/capability"
)

// A capability is public, so that whoever holds a copy of it can have calls refused that name its holder: they are not the holder's doing, until
// it proves that it called.
func TestARefusalBeforeProofIsNobodysDoing(t *testing.T) {
	var mu sync.Mutex
	var acts []gateway.Act
	g := newGuarded(t, func(s *gatewaytest.Setup) {
		s.Hooks.Act = func(a gateway.Act) {
			mu.Lock()
			defer mu.Unlock()
			acts = append(acts, a)
		}
	})
	srv := httptest.NewServer(g.Door(&a2a.Handler{Gateway: g.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: &a2a.Cards{Signer: g.Keys.Signer("card"), KeyID: g.Keys.ID()}}))
	defer srv.Close()
	g.url = srv.URL + "/out/a2a/partner"
	h := g.root(t, capability.Grant{})
	for name, c := range map[string]struct {
		body   string
		change func(body string) func(*http.Request)
		proven bool
	}{
		"a copy without proof, an agent that is not there": {plainMessage, func(string) func(*http.Request) {
			return func(r *http.Request) {
				r.URL.Path = "/out/a2a/nobody"
				r.Header.Set(gateway.HeaderCapability, h.Chain.String())
			}
		}, false},
		"a copy without proof, no message": {"{", func(string) func(*http.Request) {
			return func(r *http.Request) { r.Header.Set(gateway.HeaderCapability, h.Chain.String()) }
		}, false},
		"the holder, a message that is refused": {strings.Replace(plainMessage, `"role"`, `"unknown":{"x":1},"role"`, 1), func(body string) func(*http.Request) {
			return func(r *http.Request) { h.Show(t, r, []byte(body)) }
		}, true},
	} {
		mu.Lock()
		acts = nil
		mu.Unlock()
		g.try(t, c.body, c.change(c.body))
		mu.Lock()
		refused := 0
		for _, a := range acts {
			if a.Event.Outcome == flow.Refused {
				refused++
				if a.Proven != c.proven {
					t.Errorf("%s: %q of %q is proven: %t, want %t", name, a.Event.Reason, a.Event.Flow.From.Agent, a.Proven, c.proven)
				}
			}
		}
		mu.Unlock()
		if refused != 1 {
			t.Errorf("%s: %d refusals", name, refused)
		}
	}
}
