package run_test

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
)

const withCapabilities = `version: 1
domain: clinic
listen: 127.0.0.1:0
agents:
  - id: intake
    purposes: [care]
    default_purpose: care
    capability: required
    keys: [{sha256: "%s"}]
  - id: desk
    a2a: {url: "%s"}
purposes: {care: {}}
%s`

// A capability that the domain's own key signed is taken as configuration says, until it is revoked or configuration says otherwise.
func TestCapabilitiesAreTakenAsConfigured(t *testing.T) {
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"Done."}]}}}`)
	}))
	defer agent.Close()
	key, digest := identity.NewKey()
	text := policies + `@id("words") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free") when { context.capabilities.contains("desk") };`
	file := lay(t, fmt.Sprintf(withCapabilities, digest, agent.URL, ""), map[string]string{"policies/10.cedar": text})
	g, addr, _ := serve(t, load(t, file), run.Options{})
	public, holder, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, kid := g.Peers.Own()
	now := time.Now()
	root, err := capability.Mint(signer, kid, "clinic", public, capability.Grant{Agent: "intake", Names: []string{"desk"}, Expires: now.Add(time.Hour).Truncate(time.Second), MaxDepth: 1}, now)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	call := func(by string) (int, string) {
		n++
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-%d","role":"ROLE_USER","parts":[{"text":"How are the beds?"}]}}}`, n)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/a2a/desk", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("A2A-Version", "1.0")
		req.Header.Set("Scrim-Criticality", "routine")
		if by == "key" {
			req.Header.Set("Authorization", "Bearer "+key.Expose())
		} else {
			proof, err := capability.Prove(root, holder, capability.Bound{Audience: "clinic", Method: http.MethodPost, Target: "/a2a/desk", Body: capability.BodyHash([]byte(body))}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(gateway.HeaderCapability, string(root))
			req.Header.Set(gateway.HeaderProof, proof)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	if status, body := call("key"); status != http.StatusUnauthorized {
		t.Errorf("a key alone = %d %s, want 401", status, body)
	}
	if status, body := call("capability"); status != http.StatusOK || !strings.Contains(body, "Done.") {
		t.Fatalf("a capability = %d %s, want the answer", status, body)
	}
	reload := func(more string) {
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "scrim.yaml"), []byte(fmt.Sprintf(withCapabilities, digest, agent.URL, more)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := g.Reload(t.Context(), "test"); err != nil {
			t.Fatal(err)
		}
	}
	reload("capabilities: {max_lifetime: 10m}\n")
	if status, body := call("capability"); status != http.StatusUnauthorized || !strings.Contains(body, "lifetime") {
		t.Errorf("a root that lasts longer than configured = %d %s, want 401", status, body)
	}
	reload("")
	if status, _ := call("capability"); status != http.StatusOK {
		t.Errorf("as before = %d, want 200", status)
	}
	vd, err := g.Gateway.Snapshot().Capability.Verifier.Verify(capability.Chain{root})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Capabilities.Revoke(t.Context(), []ledger.Denial{{Kind: ledger.OfToken, Name: vd.Root().ID, Until: now.Add(time.Hour)}}, nil); err != nil {
		t.Fatal(err)
	}
	if status, body := call("capability"); status != http.StatusUnauthorized || !strings.Contains(body, "revoked") {
		t.Errorf("a revoked root = %d %s, want 401", status, body)
	}
}
