package trust_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/trust"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/store"
)

func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("test key of " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// handedOn is a root of the insurer's that was handed on once, to somebody who chose its words.
func handedOn(t testing.TB) (capability.Chain, []capability.Link) {
	t.Helper()
	now := time.Now()
	most := capability.Grant{
		Agent: "intake", Recipients: []string{"lab.example/*"}, Purposes: []flow.Purpose{"billing"}, Expires: now.Add(time.Hour), MaxDepth: 3, Counted: own,
		Uses: new(int64(10)), Cost: &flow.Cost{EpsilonNano: 2_000_000_000},
		Tools: map[string]capability.Arguments{"crm/lookup": {"id": capability.Prefix("patient-")}},
	}
	root, err := capability.Mint(keyOf("insurer"), "k1", "insurer.example", keyOf("intake").Public().(ed25519.PublicKey), most, now)
	must(t, err)
	less := capability.Grant{
		Agent: "intake/helper", Recipients: []string{"lab.example/triage"}, Uses: new(int64(4)), Tasks: []flow.TaskID{"cl<script>alert(1)</script>aims"},
		Tools: map[string]capability.Arguments{"crm/lookup": {"id": capability.Equal(capability.Text("patient-zebrafinch-40414"))}},
	}
	chain, err := capability.Derive(capability.Chain{root}, keyOf("intake"), keyOf("helper").Public().(ed25519.PublicKey), less, now)
	must(t, err)
	links, err := chain.Unverified()
	must(t, err)
	return chain, links
}

func (h *house) came(t testing.TB, links []capability.Link, uses int64) {
	t.Helper()
	must(t, h.db.Update(t.Context(), func(tx store.Tx) error {
		return h.led.Charge(tx, &capability.Verified{Issuer: "insurer.example", Links: links}, capability.Proof{}, uses, flow.Cost{EpsilonNano: 500_000_000})
	}))
}

func TestDelegationsAreATree(t *testing.T) {
	h := open(t)
	chain, links := handedOn(t)
	h.came(t, links, 3)
	body := h.get(t, "/capabilities")
	leaf := hex.EncodeToString(links[1].Hash[:])
	if !strings.Contains(body, hex.EncodeToString(links[0].Hash[:])) || strings.Contains(body, leaf) {
		t.Error("the list has not the roots and nothing else")
	}
	page := h.get(t, "/capabilities/"+leaf)
	harmless(t, "tree", page)
	for _, want := range []string{"lab.example/*</bdi> → <bdi>lab.example/triage", "uses 3 of 4", "uses 3 of 10", "ε 0.5 of 2", "in force"} {
		if !strings.Contains(page, want) {
			t.Errorf("the tree does not tell %q", want)
		}
	}
	for name, text := range map[string]string{"an argument": "zebrafinch", "a token": string(chain[1]), "a signature": string(chain[1])[strings.LastIndexByte(string(chain[1]), '.')+1:]} {
		if strings.Contains(page+body+h.get(t, "/api/v1/capabilities/"+leaf), text) {
			t.Errorf("%s is shown", name)
		}
	}
	var m trust.TokenTree
	h.into(t, "/capabilities/"+leaf, &m)
	if m.Size != 2 || len(m.Root.Nested) != 1 || m.Root.Nested[0].Token != leaf || m.At.Depth != 1 {
		t.Errorf("%+v", m)
	}
	for _, at := range []string{"/capabilities/" + strings.Repeat("0", 64), "/capabilities/x"} {
		if status, _, _ := h.do(t, "GET", at, "viewer", nil); status != 404 {
			t.Errorf("%s: %d", at, status)
		}
	}
}

func TestRevokingFromTheTree(t *testing.T) {
	h := open(t)
	_, links := handedOn(t)
	h.came(t, links, 1)
	root, leaf := hex.EncodeToString(links[0].Hash[:]), hex.EncodeToString(links[1].Hash[:])
	for _, role := range []string{"viewer", "steward"} {
		if status, _ := h.post(t, "/capabilities/revoke", role, "kind", "token", "name", links[0].ID); status != 403 {
			t.Errorf("a %s revoked: %d", role, status)
		}
	}
	h.lost = errors.New("the disk is full")
	if status, _ := h.post(t, "/capabilities/revoke", "approver", "kind", "token", "name", links[0].ID); status != 500 || h.led.Version() != 1 {
		t.Errorf("without a record: %d", status)
	}
	h.lost = nil
	for _, bad := range [][]string{{"kind", "everything", "name", "x"}, {"kind", "holder", "name", "zebrafinch-40414"}} {
		if status, body := h.post(t, "/capabilities/revoke", "approver", bad...); status != 422 || strings.Contains(body, "zebrafinch") {
			t.Errorf("%v: %d", bad, status)
		}
	}
	h.acts = nil
	if status, body := h.post(t, "/capabilities/revoke", "approver", "kind", "token", "name", links[0].ID, "back", root); status != 303 {
		t.Fatalf("%d %s", status, body)
	}
	if len(h.acts) != 1 || h.acts[0].Name != "console/revoke" || h.acts[0].About != "token" || h.acts[0].Who.Name != "ann" {
		t.Errorf("on record: %+v", h.acts)
	}
	if h.led.Revoked(&capability.Verified{Issuer: own, Links: links}, "") == nil {
		t.Error("it is not in force")
	}
	var m trust.TokenTree
	h.into(t, "/capabilities/"+leaf, &m)
	if m.Root.Revoked != "token" || m.At.Revoked != "ancestor" {
		t.Errorf("the root is %q and its child %q", m.Root.Revoked, m.At.Revoked)
	}
	if body := h.get(t, "/revocations"); !strings.Contains(body, links[0].ID) {
		t.Error("the list of revocations lacks it")
	}
	h.post(t, "/capabilities/revoke", "approver", "kind", "task", "name", "cl<script>alert(1)</script>aims")
	harmless(t, "revocations", h.get(t, "/revocations"))
}

// desk issues and checks capabilities for a test.
type desk struct{ minted []api.MintRequest }

func (d *desk) Mint(_ context.Context, q api.MintRequest) (api.Minted, error) {
	d.minted = append(d.minted, q)
	return api.Minted{Capability: "header.payload.signature-of-a-test", Sentence: "intake may", Reference: "ref-1"}, nil
}
func (*desk) Check(context.Context, api.CheckRequest) api.Checked {
	return api.Checked{Refused: "link 0: no key is trusted"}
}

func TestAPastedCapabilityIsExplainedAndNotShown(t *testing.T) {
	h := open(t, func(o *api.Options) { o.Capabilities = &desk{} })
	chain, _ := handedOn(t)
	status, body := h.post(t, "/capabilities/explain", "viewer", "capability", chain.String())
	if status != 200 || !strings.Contains(body, "would not take it: link 0") || !strings.Contains(body, "lab.example/triage") {
		t.Errorf("%d %s", status, body)
	}
	harmless(t, "explained", body)
	for _, c := range chain {
		for part := range strings.SplitSeq(string(c), ".") {
			if strings.Contains(body, part) {
				t.Error("a part of a token is shown")
			}
		}
	}
	if strings.Contains(body, "zebrafinch") {
		t.Error("an argument's value is shown")
	}
	if status, body := h.post(t, "/capabilities/explain", "viewer", "capability", "zebrafinch-40414"); status != 200 || strings.Contains(body, "zebrafinch") || !strings.Contains(body, "it is no capability") {
		t.Errorf("something else: %d %s", status, body)
	}
	if len(h.acts) != 0 {
		t.Errorf("on record: %v", h.acts)
	}
}

func TestIssuingIsForAdmins(t *testing.T) {
	d := &desk{}
	h := open(t, func(o *api.Options) { o.Capabilities = d })
	key := string(capability.HolderJWK(keyOf("intake").Public().(ed25519.PublicKey)))
	if status, _ := h.post(t, "/capabilities/mint", "approver", "agent", "intake", "key", key); status != 403 || len(d.minted) != 0 {
		t.Errorf("an approver issued one: %d", status)
	}
	status, body := h.post(t, "/capabilities/mint", "admin", "agent", "intake", "grant", "care", "key", key)
	if status != 200 || !strings.Contains(body, "signature-of-a-test") || len(d.minted) != 1 || string(d.minted[0].Key) != key {
		t.Errorf("%d %s", status, body)
	}
	if len(h.acts) != 1 || h.acts[0].Name != "console/mint" || h.acts[0].About != "intake" {
		t.Errorf("on record: %+v", h.acts)
	}
}
