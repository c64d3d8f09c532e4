package capability

import (
	"crypto/ed25519"
	"fmt"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// fourLinks is a root that bounds everything and three hops, each narrower. Its bytes are the same in every process.
func fourLinks(t testing.TB) Chain {
	t.Helper()
	tok, err := mint(keyOf("hospital"), "k1", "hospital", publicOf("h0"), rootGrant(), start, "root")
	c := Chain{tok}
	for i, g := range []Grant{
		{Agent: "intake/plan", Recipients: []string{"insurer/*"}},
		{Agent: "intake/plan/read", Uses: ptr(int64(2)), Purposes: []flow.Purpose{"billing"}},
		{Agent: "intake/plan/read/ask", Tools: map[string]Arguments{"prior-auth/submit": {"code": Equal(Text("A1"))}}},
	} {
		if err == nil {
			c, err = derive(c, keyOf(fmt.Sprintf("h%d", i)), publicOf(fmt.Sprintf("h%d", i+1)), g, start, fmt.Sprintf("child-%d", i+1))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// BenchmarkSignature is one verification by Ed25519, which the others are counted in where a machine is busy.
func BenchmarkSignature(b *testing.B) {
	input, signature, _ := fourLinks(b)[0].split()
	sig, _ := decode(signature)
	key := publicOf("hospital")
	for b.Loop() {
		if !ed25519.Verify(key, []byte(input), sig) {
			b.Fatal("does not verify")
		}
	}
}

// BenchmarkVerify is a root and three hops with a proof of possession, on one core.
func BenchmarkVerify(b *testing.B) {
	c, now := fourLinks(b), start.Add(time.Minute)
	bound := Bound{Audience: "insurer", Method: "POST", Body: BodyHash([]byte("{}"))}
	pop, err := Prove(c[3], keyOf("h3"), bound, now)
	if err != nil {
		b.Fatal(err)
	}
	header := c.String()
	for _, cache := range []int{-1, 0} {
		name := map[int]string{-1: "cold", 0: "warm"}[cache]
		b.Run(name, func(b *testing.B) {
			v := verifierAt(now, Options{Cache: cache})
			b.ReportAllocs()
			for b.Loop() {
				chain, err := ParseChain(header)
				if err != nil {
					b.Fatal(err)
				}
				vd, err := v.Verify(chain)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := v.Proof(vd, pop, bound); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(header)), "header-bytes")
		})
	}
}

func BenchmarkAdmits(b *testing.B) {
	vd, err := verifierAt(start, Options{}).Verify(fourLinks(b))
	if err != nil {
		b.Fatal(err)
	}
	r := Request{At: start, Audience: "insurer", From: flow.Party{Agent: "intake", Domain: "hospital"}, To: flow.Party{Agent: "prior-auth", Domain: "insurer"},
		Purpose: "billing", Task: "t1", Tool: "prior-auth/submit", Arguments: []byte(`{"code":"A1"}`)}
	b.ReportAllocs()
	for b.Loop() {
		if err := vd.Admits(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDerive(b *testing.B) {
	c := mustMint(b, rootGrant())
	for b.Loop() {
		if _, err := Derive(c, keyOf("h0"), publicOf("h1"), Grant{}, start); err != nil {
			b.Fatal(err)
		}
	}
}
