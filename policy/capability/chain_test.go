package capability

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// keyOf returns a key that is the same in every run.
func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("key of " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicOf(name string) ed25519.PublicKey { return keyOf(name).Public().(ed25519.PublicKey) }

// anchors believe the domains' keys under the id "k1".
type anchors map[flow.DomainID]ed25519.PublicKey

func (a anchors) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	key, ok := a[d]
	return key, ok && kid == "k1"
}

var hospital = anchors{"hospital": publicOf("hospital"), "lab": publicOf("lab")}

func verifierAt(now time.Time, o Options) *Verifier {
	o.Clock = func() time.Time { return now }
	return NewVerifier(hospital, o)
}

// rootGrant bounds everything.
func rootGrant() Grant {
	crit, uses := flow.Routine, int64(9)
	return Grant{
		Agent: "intake", Names: []string{"care-desk"}, Audience: []flow.DomainID{"hospital", "insurer"},
		Recipients: []string{"insurer/*", "lab/tests"}, Purposes: []flow.Purpose{"treatment-authorisation", "billing"}, Tasks: []flow.TaskID{"t1", "t2"},
		Criticality: &crit, Levels: map[flow.Label]flow.Level{"person": flow.Tokenized, "health": flow.Raw},
		Datasets: map[string][]string{"visits": {"age", "code"}, "labs": nil}, Techniques: []string{"dp-sum", "psi"},
		Cost: &flow.Cost{EpsilonNano: 1e9, DeltaPico: 10}, Uses: &uses, Counted: "insurer", Via: []flow.DomainID{"hospital"},
		Tools:   map[string]Arguments{"prior-auth/submit": {"code": OneOf(Text("A1"), Text("B2")), "days": Between(1, 30).Optionally()}, "prior-auth/*": {}},
		Expires: start.Add(time.Hour), MaxDepth: 3,
	}
}

// idFor makes ids that are the same in every run, and differ where the tokens do.
func idFor(g *Grant, holder string, parent Chain) string {
	sum := sha256.Sum256([]byte(parent.String() + "|" + holder + "|" + string(g.details()) + g.Expires.String() + g.NotBefore.String()))
	return "id-" + hex.EncodeToString(sum[:6])
}

func mustMint(t testing.TB, g Grant) Chain {
	t.Helper()
	tok, err := mint(keyOf("hospital"), "k1", "hospital", publicOf("h0"), g, start, idFor(&g, "h0", nil))
	if err != nil {
		t.Fatal(err)
	}
	return Chain{tok}
}

func mustDerive(t testing.TB, c Chain, signer, holder string, g Grant) Chain {
	t.Helper()
	c, err := derive(c, keyOf(signer), publicOf(holder), g, start, idFor(&g, holder, c))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAChainIsMintedDerivedProvedAndVerified(t *testing.T) {
	c := mustDerive(t, mustMint(t, rootGrant()), "h0", "h1", Grant{Agent: "intake/summary", Purposes: []flow.Purpose{"treatment-authorisation"}, Levels: map[flow.Label]flow.Level{"person/name": flow.Masked}})
	read, err := ParseChain(c.String())
	if err != nil {
		t.Fatal(err)
	}
	v := verifierAt(start.Add(time.Minute), Options{})
	vd, err := v.Verify(read)
	if err != nil {
		t.Fatal(err)
	}
	if vd.Issuer != "hospital" || len(vd.Links) != 2 || vd.Leaf().Holder != ThumbprintOf(publicOf("h1")) || vd.Root().Signer != ThumbprintOf(publicOf("hospital")) {
		t.Errorf("verified as %+v", vd)
	}
	if got := vd.Level("person/name/given"); got != flow.Masked {
		t.Errorf("level of a given name = %s", got)
	}
	if got := vd.Level("health"); got != flow.Dropped {
		t.Errorf("level of health = %s, want dropped, since the child does not name it", got)
	}
	b := Bound{Audience: "insurer", Method: "POST", Body: BodyHash([]byte("{}"))}
	pop, err := Prove(c[1], keyOf("h1"), b, start.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Proof(vd, pop, b); err != nil {
		t.Error(err)
	}
	r := Request{At: start.Add(time.Minute), Audience: "insurer", From: flow.Party{Agent: "intake", Domain: "hospital"}, To: flow.Party{Agent: "prior-auth", Domain: "insurer"}, Purpose: "treatment-authorisation", Task: "t1", Tool: "prior-auth/submit", Arguments: []byte(`{"code":"A1"}`)}
	if err := vd.Admits(r); err != nil {
		t.Error(err)
	}
	r.Purpose = "billing"
	if err := vd.Admits(r); !errors.Is(err, RuleNotGranted) {
		t.Errorf("billing: %v, want not granted", err)
	}
}
