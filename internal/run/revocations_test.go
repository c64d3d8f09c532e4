package run_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/loopback"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/privacy/vault"
)

// peered runs a gateway that others reach over TLS 1.3 with certificates on both sides.
func peered(t *testing.T, name string) (g *run.Gateway, addr string) {
	t.Helper()
	g, addr, _ = serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: %s
egress: {allow: [127.0.0.0/8], plain_http: true}
peering: {listen: %q}
`, name, loopback.Address(t)), nil)), run.Options{})
	if _, err := g.Peers.InitAuthority(t.Context(), 0, false, vault.Rotation{}); err != nil {
		t.Fatal(err)
	}
	return g, addr
}

func metrics(t *testing.T, g *run.Gateway) string {
	t.Helper()
	return asked(t, g, http.MethodGet, "/metrics", "")
}

// asked calls a gateway's admin API.
func asked(t *testing.T, g *run.Gateway, method, path, body string) string {
	t.Helper()
	admin, err := g.Admin()
	if err != nil {
		t.Fatal(err)
	}
	token, err := api.ReadToken(g.Config().Path(g.Config().Data))
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token.Expose())
	rec := httptest.NewRecorder()
	admin.ServeHTTP(rec, req)
	if rec.Code != http.StatusOK {
		t.Fatalf("%s got %d %s", path, rec.Code, rec.Body)
	}
	return rec.Body.String()
}

// Two gateways that pinned each other: what one revokes over its admin API, the other refuses; the log of the test says after how long. Removing the peer ends its word.
func TestARevocationGoesToThePeersGateway(t *testing.T) {
	hospital, hospitalAddr := peered(t, "hospital")
	insurer, insurerAddr := peered(t, "insurer")
	root := &capability.Verified{Issuer: "hospital", Links: []capability.Link{{ID: "t-1"}, {ID: "t-2"}}}
	if err := insurer.Capabilities.Revoked(root, ""); !errors.Is(err, ledger.ErrStale) {
		t.Errorf("of a stranger: error = %v, want ErrStale", err)
	}
	pin := func(a, b *run.Gateway, addr string) {
		f, _, ok := b.Peers.Identity()
		if !ok {
			t.Fatal("a domain has no identity")
		}
		if _, err := a.Peers.Add(t.Context(), "http://"+addr, f); err != nil {
			t.Fatal(err)
		}
	}
	pin(hospital, insurer, insurerAddr)
	pin(insurer, hospital, hospitalAddr)
	until := func(what string, want error) time.Duration {
		began := time.Now()
		for {
			err := insurer.Capabilities.Revoked(root, "")
			if errors.Is(err, want) && (err == nil) == (want == nil) {
				return time.Since(began)
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("%s: after a minute the error is %v, want %v", what, err, want)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	until("the hospital's first list", nil)

	if text := metrics(t, insurer); !strings.Contains(text, "scrim_peers_without_revocations 0") {
		t.Error("the metrics say that a list is missing")
	}
	asked(t, hospital, http.MethodPost, "/api/v1/cap/revoke", `{"denials":[{"kind":"token","name":"t-1"}]}`)
	if err := hospital.Capabilities.Revoked(root, ""); !errors.Is(err, ledger.ErrRevoked) {
		t.Errorf("at the hospital: error = %v, want ErrRevoked", err)
	}
	t.Logf("the insurer knew after %s", until("the revocation", ledger.ErrRevoked))
	var told bool
	for e, err := range audit.Entries(t.Context(), insurer.DB, audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		told = told || e.Event.Outcome == flow.Changed && strings.HasPrefix(e.Event.Reason, "list of revocations of hospital: version 2")
	}
	if !told {
		t.Error("the hospital's list is not on record at the insurer")
	}
	if err := insurer.Peers.Remove(t.Context(), "hospital"); err != nil {
		t.Fatal(err)
	}
	until("the removal", ledger.ErrStale)
}
