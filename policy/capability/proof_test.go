package capability

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

type proofCase struct {
	name, proof string
	rule        Rule
	link        int
	member      string
}

const proofBody = `{"a":1}`

// proofBound is what the gateway of the tests asks a proof for.
var proofBound = Bound{Audience: "insurer", Method: "POST", Target: "/a2a/prior-auth", Body: BodyHash([]byte(proofBody)), Nonce: "n1"}

// forgedProofs are things to try with everything else right, and the proof that is right.
func forgedProofs(t testing.TB) (c Chain, good string, cases []proofCase) {
	c = twoLinks(t)
	sibling := mustDerive(t, c[:1], "h0", "h1", Grant{Agent: "intake/other"})
	now, b := start.Add(time.Minute), proofBound
	proof := func(leaf Token, key string, at time.Time, change func(*Bound)) string {
		b := b
		change(&b)
		p, err := prove(leaf, keyOf(key), b, at, "p1")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	same := func(*Bound) {}
	good = proof(c[1], "h1", now, same)
	header, payload := parts(t, Token(good))
	edit := func(old, now string) string {
		if !strings.Contains(header+payload, old) {
			t.Fatalf("nothing to alter: %s", old)
		}
		return string(forge(strings.Replace(header, old, now, 1), strings.Replace(payload, old, now, 1), keyOf("h1")))
	}
	return c, good, []proofCase{
		{"nothing", "", RuleForm, OfProof, ""},
		{"the leaf itself", string(c[1]), RuleType, OfProof, "typ"},
		{"very long", good + strings.Repeat("A", maxProof), RuleSize, OfProof, ""},
		{"signed by the parent's holder", proof(c[1], "h0", now, same), RuleProof, OfProof, "key"},
		{"for the parent", proof(c[0], "h1", now, same), RuleProof, OfProof, "leaf"},
		{"for another leaf of the same holder", proof(sibling[1], "h1", now, same), RuleProof, OfProof, "leaf"},
		{"for another body", proof(c[1], "h1", now, func(b *Bound) { b.Body = BodyHash([]byte(`{"a":2}`)) }), RuleProof, OfProof, "body"},
		{"for another method", proof(c[1], "h1", now, func(b *Bound) { b.Method = "GET" }), RuleProof, OfProof, "method"},
		{"for another target", proof(c[1], "h1", now, func(b *Bound) { b.Target = "/a2a/claims" }), RuleProof, OfProof, "target"},
		{"for no target", proof(c[1], "h1", now, func(b *Bound) { b.Target = "" }), RuleProof, OfProof, "target"},
		{"for another audience", proof(c[1], "h1", now, func(b *Bound) { b.Audience = "hospital" }), RuleAudience, OfProof, "aud"},
		{"with another nonce", proof(c[1], "h1", now, func(b *Bound) { b.Nonce = "n2" }), RuleNonce, OfProof, ""},
		{"without the nonce", proof(c[1], "h1", now, func(b *Bound) { b.Nonce = "" }), RuleNonce, OfProof, ""},
		{"too old", proof(c[1], "h1", now.Add(-61*time.Second), same), RuleProofTime, OfProof, "iat"},
		{"from the future", proof(c[1], "h1", now.Add(31*time.Second), same), RuleProofTime, OfProof, "iat"},
		{"alg none", edit(`EdDSA`, `none`), RuleAlgorithm, OfProof, "alg"},
		{"alg of a MAC", edit(`EdDSA`, `HS256`), RuleAlgorithm, OfProof, "alg"},
		{"crit", edit(`"alg"`, `"crit":["b64"],"b64":false,"alg"`), RuleCritical, OfProof, "crit"},
		{"a claim twice", edit(`"ver":1`, `"ver":1,"ver":1`), RuleForm, OfProof, "payload"},
		{"no id", edit(`"jti"`, `"jtl"`), RuleForm, OfProof, "jti"},
		{"time with a fraction", edit(`"iat":1772442060`, `"iat":1772442060.5`), RuleForm, OfProof, "iat"},
		{"no body", edit(`"body"`, `"bodi"`), RuleForm, OfProof, "body"},
		{"nonce that is no string", edit(`"nonce":"n1"`, `"nonce":1`), RuleForm, OfProof, "nonce"},
		{"version of tomorrow", edit(`"ver":1`, `"ver":2`), RuleForm, OfProof, "ver"},
	}
}

func TestForgedProofs(t *testing.T) {
	c, good, cases := forgedProofs(t)
	now, b := start.Add(time.Minute), proofBound
	v := verifierAt(now, Options{})
	vd, err := v.Verify(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			p, err := v.Proof(vd, tt.proof, b)
			breaks(t, err, tt.rule, tt.link, tt.member)
			if p != (Proof{}) {
				t.Error("a proof comes back with the error")
			}
		})
	}
	p, err := v.Proof(vd, good, b)
	if err != nil {
		t.Fatal(err)
	}
	if p.Holder != vd.Leaf().Holder || p.ID == "" || !p.IssuedAt.Equal(now) {
		t.Errorf("proof = %+v", p)
	}
	// Whoever remembers the id until then sees every time at which the proof would be taken again.
	if _, err := verifierAt(p.Until, Options{}).Proof(vd, good, b); !errors.Is(err, RuleProofTime) {
		t.Errorf("at the end of its time: %v, want it too old", err)
	}
}

// A gateway that asks for no nonce and no target takes proofs that name some, and an empty audience is nobody's.
func TestProofsBoundToMoreThanIsAsked(t *testing.T) {
	c, v := twoLinks(t), verifierAt(start, Options{})
	vd, err := v.Verify(c)
	if err != nil {
		t.Fatal(err)
	}
	b := Bound{Audience: "insurer", Method: "POST", Target: "/x", Nonce: "n"}
	p, err := Prove(c[1], keyOf("h1"), b, start)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Proof(vd, p, Bound{Audience: "insurer", Method: "POST"}); err != nil {
		t.Error(err)
	}
	p, err = Prove(c[1], keyOf("h1"), Bound{Method: "POST"}, start)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Proof(vd, p, Bound{Method: "POST"})
	breaks(t, err, RuleAudience, OfProof, "aud")
}

// A token may be presented where every link says so, whatever the proof says.
func TestAudienceOfTokens(t *testing.T) {
	c := mustDerive(t, mustMint(t, rootGrant()), "h0", "h1", Grant{Audience: []flow.DomainID{"hospital"}})
	v := verifierAt(start, Options{})
	vd, err := v.Verify(c)
	if err != nil {
		t.Fatal(err)
	}
	b := Bound{Audience: "insurer", Method: "POST"}
	p, err := Prove(c[1], keyOf("h1"), b, start)
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.Proof(vd, p, b)
	breaks(t, err, RuleAudience, 1, "audience")
	breaks(t, vd.Presentable("elsewhere"), RuleAudience, 0, "audience")
	breaks(t, vd.Presentable(""), RuleAudience, 0, "audience")
	if err := vd.Presentable("hospital"); err != nil {
		t.Error(err)
	}
}

func TestWhoMayVouch(t *testing.T) {
	v := verifierAt(start, Options{})
	root := mustMint(t, rootGrant())
	for _, tt := range []struct {
		name string
		c    Chain
		by   flow.DomainID
		want bool
	}{
		{"named by the root", root, "hospital", true},
		{"named by nobody", root, "lab", false},
		{"no domain", root, "", false},
		{"taken over by the child", mustDerive(t, root, "h0", "h1", Grant{}), "hospital", true},
		{"dropped by the child", mustDerive(t, root, "h0", "h1", Grant{Via: []flow.DomainID{}}), "hospital", false},
	} {
		vd, err := v.Verify(tt.c)
		if err != nil {
			t.Fatal(err)
		}
		if got := vd.Vouched(tt.by); got != tt.want {
			t.Errorf("%s: Vouched(%q) = %v", tt.name, tt.by, got)
		}
	}
}

// Keys that do not fit are refused before anything is signed.
func TestSigningWithTheWrongKey(t *testing.T) {
	root := mustMint(t, rootGrant())
	if _, err := Derive(root, keyOf("h1"), publicOf("h2"), Grant{}, start); !errors.Is(err, ErrKey) {
		t.Errorf("Derive with another's key: %v", err)
	}
	if _, err := Derive(root, keyOf("h0"), nil, Grant{}, start); !errors.Is(err, ErrKey) {
		t.Errorf("Derive for no key: %v", err)
	}
	if _, err := Mint(keyOf("hospital"), "k1", "hospital", make(ed25519.PublicKey, 31), rootGrant(), start); !errors.Is(err, ErrKey) {
		t.Errorf("Mint for a short key: %v", err)
	}
	if _, err := Mint(keyOf("hospital"), "k1", "no domain", publicOf("h0"), rootGrant(), start); !errors.Is(err, RuleForm) {
		t.Errorf("Mint for a domain that is none: %v", err)
	}
}
