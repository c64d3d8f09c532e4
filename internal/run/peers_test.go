package run_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/loopback"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/domain"
	"github.com/scrimhq/scrim/privacy/vault"
)

// neighbours is two gateways of two domains: an agent of the hospital calls a server of the insurer through both.
type neighbours struct {
	hospital, insurer *run.Gateway
	key               string // of the hospital's agent
	at                string // where the hospital's agents call
	gateways          string // where the insurer's peers call
	reached           atomic.Int64
	log               syncBuffer // of the insurer
	file              string     // the hospital's configuration
}

func newNeighbours(t *testing.T) *neighbours {
	t.Helper()
	p := &neighbours{gateways: loopback.Address(t)}
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.reached.Add(1)
		var in struct {
			ID json.RawMessage `json:"id"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{}}`, in.ID) // another one than the caller's: it crossed domains
	}))
	t.Cleanup(up.Close)
	client, clientDigest := identity.NewKey()
	gate, gateDigest := identity.NewKey()
	t.Setenv("INSURER_KEY", gate.Expose())
	const within = "egress: {allow: [127.0.0.0/8], plain_http: true}\ntransparent: [{agent: \"*\", reason: a test}]\n"
	open := map[string]string{"policies/10.cedar": "@id(\"open\")\npermit (principal, action in Action::\"upto_raw\", resource);\n"}
	p.insurer, _, _ = serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: insurer
agents:
  - {id: client, domain: hospital, keys: [{sha256: %s}]}
  - {id: tools, mcp: {url: %q}}
peering: {listen: %q}
%s`, gateDigest, up.URL, p.gateways, within), open)), run.Options{Logger: slog.New(slog.NewTextHandler(&p.log, nil))})
	p.file = lay(t, fmt.Sprintf(`version: 1
domain: hospital
agents:
  - {id: client, keys: [{sha256: %s}]}
  - {id: tools, domain: insurer, mcp: {url: "https://%s/mcp/tools", credential: {env: INSURER_KEY}}}
%s`, clientDigest, p.gateways, within), open)
	p.hospital, p.at, _ = serve(t, load(t, p.file), run.Options{})
	p.key = client.Expose()
	for _, g := range []*run.Gateway{p.hospital, p.insurer} {
		if _, err := g.Peers.InitAuthority(t.Context(), 0, false, vault.Rotation{}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// call is one of the hospital's agent; it reports whether the insurer's server answered.
func (p *neighbours) call(t *testing.T) bool {
	t.Helper()
	tw := &town{addr: p.at}
	req := tw.request(t, "http", "/out/mcp/tools", ping)
	req.Header.Set("Authorization", "Bearer "+p.key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return err == nil && strings.Contains(string(body), `"result":{}`)
}

func (p *neighbours) pin(t *testing.T, g, other *run.Gateway) {
	t.Helper()
	f, _, _ := other.Peers.Identity()
	if g == p.hospital {
		if _, err := g.Peers.Add(t.Context(), "https://"+p.gateways, f); err != nil {
			t.Fatal(err)
		}
		return
	}
	if _, err := g.Peers.Pin(t.Context(), "http://"+p.at, f, domain.JSON(other.Peers.Document())); err != nil {
		t.Fatal(err)
	}
}

func TestTwoGatewaysMeetAsPeersAndNotOtherwise(t *testing.T) {
	p := newNeighbours(t)
	refused := func(when string) {
		t.Helper()
		before := p.reached.Load()
		if p.call(t) || p.reached.Load() != before {
			t.Errorf("%s the call goes through", when)
		}
	}
	refused("while neither knows the other")
	p.pin(t, p.hospital, p.insurer)
	refused("while the insurer does not know the hospital")
	eventually(t, "the insurer tells of it", func() bool { return strings.Contains(p.log.String(), "a gateway was refused") })
	p.pin(t, p.insurer, p.hospital)
	if !p.call(t) || p.reached.Load() != 1 {
		t.Fatal("between peers the call does not go through")
	}

	// Whoever shows no certificate gets the document and nothing else.
	stranger := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer stranger.CloseIdleConnections()
	for path, want := range map[string]int{domain.Path: 200, "/mcp/tools": 403, "/out/mcp/tools": 403, "/a2a/tools": 403, "/.well-known/scrim/../../mcp/tools": 403} {
		res, err := stranger.Get("https://" + p.gateways + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("a stranger gets %d at %s, want %d", res.StatusCode, path, want)
		}
	}

	// Trust that ends, ends for connections that stand.
	if err := p.insurer.Peers.Remove(t.Context(), "hospital"); err != nil {
		t.Fatal(err)
	}
	refused("after the insurer removed the hospital")
	p.pin(t, p.insurer, p.hospital)
	if !p.call(t) {
		t.Error("after it was added again the call does not go through")
	}
	if err := p.hospital.Peers.Remove(t.Context(), "insurer"); err != nil {
		t.Fatal(err)
	}
	refused("after the hospital removed the insurer")
}

func TestPeersOfTheConfigurationAreTakenUpByAReload(t *testing.T) {
	p := newNeighbours(t)
	p.pin(t, p.insurer, p.hospital)
	f, _, _ := p.insurer.Peers.Identity()
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	with := func(more string) {
		t.Helper()
		if err := os.WriteFile(p.file, append(append([]byte{}, text...), more...), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := p.hospital.Reload(t.Context(), "a test"); err != nil {
			t.Fatal(err)
		}
	}
	with(fmt.Sprintf("peers: [{domain: insurer, url: \"https://%s\", fingerprint: %s}]\n", p.gateways, f))
	if err := p.hospital.Peers.Refresh(t.Context(), "insurer"); err != nil {
		t.Fatal(err)
	}
	if !p.call(t) || p.hospital.Gateway.Snapshot().Peers != p.hospital.Peers {
		t.Error("a peer of the configuration is not one after a reload")
	}
	with("")
	if p.call(t) || p.hospital.Peers.Pinned("insurer") {
		t.Error("a peer that was taken out of the configuration is still one")
	}
}

func TestTheAddressOfGatewaysNeedsARestart(t *testing.T) {
	p := newNeighbours(t)
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.file, append(text, "peering: {listen: \"127.0.0.1:0\"}\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.hospital.Reload(t.Context(), "a test"); err == nil || !strings.Contains(err.Error(), "peering.listen") {
		t.Errorf("Reload() error = %v, want one about peering.listen", err)
	}
}
