package run_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/receipt"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/proofs"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/capability"
)

const logOfClinic = "scrim.dev/log/clinic"

// evidence is a gateway with a client, an auditor and somebody who is neither.
type evidence struct {
	t                       *testing.T
	g                       *run.Gateway
	addr                    string
	client, auditor, nobody flow.Secret
}

func newEvidence(t *testing.T, log string) *evidence {
	t.Helper()
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(proofs.Header) != "" {
			t.Error("the agent was told that the caller wants a receipt")
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"a","role":"ROLE_AGENT","parts":[{"text":"answer"}]}}}`)
	}))
	t.Cleanup(agent.Close)
	e := &evidence{t: t}
	var digests [3]string
	for i, k := range []*flow.Secret{&e.client, &e.auditor, &e.nobody} {
		*k, digests[i] = identity.NewKey()
	}
	c := load(t, lay(t, fmt.Sprintf(`version: 1
domain: clinic
purposes: {care: {}}
log: {%s}
agents:
  - {id: client, keys: [{sha256: %s}], purposes: [care], default_purpose: care}
  - {id: auditor, keys: [{sha256: %s}]}
  - {id: nobody, keys: [{sha256: %s}]}
  - {id: scribe, a2a: {url: %q}}
`, log, digests[0], digests[1], digests[2], agent.URL), nil))
	e.g, e.addr, _ = serve(t, c, run.Options{})
	return e
}

// do sends a request by somebody; the zero Secret is nobody known.
func (e *evidence) do(method, path string, who flow.Secret, body string, more ...string) (*http.Response, string) {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), method, "http://"+e.addr+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	if key := who.Expose(); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(more); i += 2 {
		req.Header.Set(more[i], more[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return res, string(b)
}

func (e *evidence) ask(id string, more ...string) *http.Response {
	e.t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":%q,"role":"ROLE_USER","parts":[{"text":"hello"}]}}}`, id)
	res, text := e.do(http.MethodPost, "/a2a/scribe", e.client, body, append([]string{"Content-Type", "application/json", "A2A-Version", "1.0"}, more...)...)
	if res.StatusCode != http.StatusOK || !strings.Contains(text, `"messageId":"a"`) {
		e.t.Fatalf("the message: %s %s", res.Status, text)
	}
	return res
}

// redeem waits for the proof of the newest record.
func (e *evidence) redeem(ref string) proofs.Answer {
	e.t.Helper()
	var a proofs.Answer
	eventually(e.t, "the entry is under a published checkpoint", func() bool {
		res, text := e.do(http.MethodGet, "/receipts/"+ref, e.client, "")
		if res.StatusCode != http.StatusOK {
			e.t.Fatalf("receipts: %s %s", res.Status, text)
		}
		a = proofs.Answer{}
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			e.t.Fatal(err)
		}
		pending := a.Records[len(a.Records)-1].Proof == ""
		if pending != (res.Header.Get("Retry-After") != "") {
			e.t.Fatalf("Retry-After %q, pending %v", res.Header.Get("Retry-After"), pending)
		}
		return !pending
	})
	return a
}

// TestAPromiseIsRedeemed takes the promise from an answer's header and later gets the proof for it, in both forms.
func TestAPromiseIsRedeemed(t *testing.T) {
	e := newEvidence(t, "serve: public")
	if got := e.ask("m1").Header.Get(proofs.Header); got != "" {
		t.Fatalf("a promise that nobody asked for: %q", got)
	}
	key := e.g.LogKey()
	p, err := receipt.ParseHeader(e.ask("m2", proofs.Header, "please").Header.Get(proofs.Header), logOfClinic, key)
	if err != nil {
		t.Fatal(err)
	}
	if wait := p.Deadline.Sub(p.Time); wait != e.g.Log.MergeDelay() {
		t.Errorf("the deadline is after %s, want %s", wait, e.g.Log.MergeDelay())
	}
	a := e.redeem(strconv.FormatInt(p.Seq, 10))
	if a.Log != logOfClinic || len(a.Records) != 1 || a.Records[0].Promise != string(p.Note) {
		t.Fatalf("receipts of entry %d: %+v, want the promise that was given", p.Seq, a)
	}
	proof, err := receipt.ParseProof([]byte(a.Records[0].Proof), a.Log, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kept(proof); err != nil {
		t.Fatal(err)
	}
	if in, err := receipt.VerifyCOSE(a.Records[0].COSE, p.Leaf, a.Log, key); err != nil || in.Index != p.Index {
		t.Fatalf("VerifyCOSE() = %v, %v", in, err)
	}
	// By reference, as a privacy note or a refusal gives it.
	var refs []flow.ID
	for entry, err := range e.g.Log.Entries(t.Context(), audit.Query{From: p.Seq, To: p.Seq}) {
		if err != nil {
			t.Fatal(err)
		}
		refs = append(refs, entry.Event.Flow.ID)
	}
	if b := e.redeem(string(refs[0])); b.Records[len(b.Records)-1].Promise != string(p.Note) {
		t.Errorf("receipts by reference differ: %+v", b)
	}
	// Nobody else learns that there is such a flow.
	for who, key := range map[string]flow.Secret{"nobody": e.nobody, "auditor": e.auditor} {
		for _, ref := range []string{string(refs[0]), "1", "no-such-flow", "0", ""} {
			if res, text := e.do(http.MethodGet, "/receipts/"+ref, key, ""); res.StatusCode != http.StatusNotFound || text != "There is no such flow for this caller.\n" {
				t.Errorf("%s asks for %q: %s %s", who, ref, res.Status, text)
			}
		}
	}
	if res, _ := e.do(http.MethodGet, "/receipts/"+string(refs[0]), flow.Secret{}, ""); res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("a stranger asks: %s", res.Status)
	}
}

// TestTheLogIsReadByStrangersButForEntries checks inclusion over HTTP without a credential.
func TestTheLogIsReadByStrangersButForEntries(t *testing.T) {
	e := newEvidence(t, "serve: public, readers: [auditor]")
	e.ask("m1")
	e.ask("m2")
	e.redeem("4")
	r, key := tile.HTTP("http://"+e.addr+"/log", nil), e.g.LogKey()
	note, err := r.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := tile.ParseCheckpoint(note, logOfClinic, key)
	if err != nil || c.Size < 5 {
		t.Fatalf("%d leaves, %v; want a header and four rows", c.Size, err)
	}
	if _, err := tile.Inclusion(t.Context(), r, c, 3); err != nil {
		t.Fatal(err)
	}
	again, err := tile.HTTP("http://"+e.addr+"/log/all", nil).Checkpoint(t.Context())
	if err != nil || string(again) == "" {
		t.Fatalf("by the name of the period: %v", err)
	}
	if _, err := r.Bundle(t.Context(), 0, int(c.Size)); err == nil {
		t.Fatal("a stranger read entries")
	}
	bundle := "/log/" + tile.Path(tlog.Tile{H: tile.Height, L: -1, N: 0, W: int(c.Size)})
	for name, want := range map[string]struct {
		key    flow.Secret
		status int
	}{"auditor": {e.auditor, 200}, "client": {e.client, 401}, "stranger": {flow.Secret{}, 401}} {
		res, text := e.do(http.MethodGet, bundle, want.key, "")
		if res.StatusCode != want.status {
			t.Errorf("%s reads entries: %s, want %d", name, res.Status, want.status)
		}
		if want.status == 200 {
			if entries, err := tile.SplitBundle([]byte(text), int(c.Size)); err != nil || !strings.Contains(string(entries[1]), `"scrim":"entry/2"`) {
				t.Errorf("%s: %v", name, err)
			}
			if cache := res.Header.Get("Cache-Control"); !strings.HasPrefix(cache, "private") {
				t.Errorf("entries may be cached by others: %q", cache)
			}
		}
	}
	for _, path := range []string{"/log/", "/log/tile/0/001", "/log/tile/0/../0/000", "/log/checkpoints/..%2f..", "/log/checkpoints/all/..%2fkeyset.json", "/log/none/checkpoint", "/log/tile/0/%2e%2e", "/log/.state/tail", "/log/all/.state/tail"} {
		if res, _ := e.do(http.MethodGet, path, e.auditor, ""); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s, want 404", path, res.Status)
		}
	}
	if res, _ := e.do(http.MethodPost, "/log/checkpoint", e.auditor, ""); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", res.Status)
	}
}

// TestArchivedCheckpointsAreServed reads one that the gateway kept, and that is under the present one.
func TestArchivedCheckpointsAreServed(t *testing.T) {
	e := newEvidence(t, "serve: public")
	e.ask("m1")
	if _, err := e.g.Log.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	res, text := e.do(http.MethodGet, "/log/checkpoints/all/", flow.Secret{}, "")
	var names []string
	if err := json.Unmarshal([]byte(text), &names); err != nil || len(names) == 0 {
		t.Fatalf("list: %s %s %v", res.Status, text, err)
	}
	newest := names[len(names)-1] // the first may have been kept between the two rows
	res, text = e.do(http.MethodGet, "/log/checkpoints/all/"+newest, flow.Secret{}, "")
	if c, err := tile.ParseCheckpoint([]byte(text), logOfClinic, e.g.LogKey()); err != nil || c.Size < 3 {
		t.Fatalf("%s: %s %d %v", newest, res.Status, c.Size, err)
	}
}

// TestTheLogIsShownToWhomConfigurationSays closes it to strangers, and to all.
func TestTheLogIsShownToWhomConfigurationSays(t *testing.T) {
	e := newEvidence(t, "serve: readers, readers: [auditor]")
	e.ask("m1")
	e.redeem("1")
	for name, want := range map[string]struct {
		key    flow.Secret
		status int
	}{"auditor": {e.auditor, 200}, "client": {e.client, 401}, "stranger": {flow.Secret{}, 401}} {
		if res, _ := e.do(http.MethodGet, "/log/checkpoint", want.key, ""); res.StatusCode != want.status {
			t.Errorf("%s reads the checkpoint: %s, want %d", name, res.Status, want.status)
		}
	}
	closed := newEvidence(t, "serve: none, readers: [auditor]")
	closed.ask("m1")
	closed.redeem("1")
	for _, path := range []string{"/log/checkpoint", "/log/tile/0/000.p/1", "/log/checkpoints/all/"} {
		if res, _ := closed.do(http.MethodGet, path, closed.auditor, ""); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s of a log that is not served: %s, want 404", path, res.Status)
		}
	}
}

// A capability passes through many hands. Who shows one without being its holder reads no receipts, and nobody reads the log by one.
func TestACapabilityOpensNoLog(t *testing.T) {
	e := newEvidence(t, "serve: readers, readers: [auditor]")
	e.ask("m1")
	e.redeem("1")
	public, holder, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer, kid := e.g.Peers.Own()
	now := time.Now()
	for _, c := range []struct {
		agent, path string
		proven      bool
		want        int
	}{
		{"auditor", "/log/tile/entries/000.p/1", false, http.StatusUnauthorized},
		{"auditor", "/log/checkpoint", false, http.StatusUnauthorized},
		{"auditor", "/log/checkpoint", true, http.StatusUnauthorized},
		{"client", "/receipts/1", false, http.StatusUnauthorized},
		{"client", "/receipts/1", true, http.StatusOK},
	} {
		root, err := capability.Mint(signer, kid, "clinic", public, capability.Grant{Agent: c.agent, Names: []string{"desk"}, Expires: now.Add(time.Hour).Truncate(time.Second), MaxDepth: 1}, now)
		if err != nil {
			t.Fatal(err)
		}
		headers := []string{gateway.HeaderCapability, string(root)}
		if c.proven {
			proof, err := capability.Prove(root, holder, capability.Bound{Audience: "clinic", Method: http.MethodGet, Target: c.path, Body: capability.BodyHash(nil)}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			headers = append(headers, gateway.HeaderProof, proof)
		}
		if res, text := e.do(http.MethodGet, c.path, flow.Secret{}, "", headers...); res.StatusCode != c.want {
			t.Errorf("%s by a capability of %s (proven: %t): %s %.200q, want %d", c.path, c.agent, c.proven, res.Status, text, c.want)
		}
	}
}
