package capability

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

// typed fails unless the error is one of the closed list.
func typed(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %T is not of the package", err)
	}
	for _, r := range Rules() {
		if e.Rule == r {
			return
		}
	}
	t.Fatalf("rule %q is on no list", e.Rule)
}

// No header makes ParseChain panic, and what it takes it gives back byte for byte.
func FuzzParseChain(f *testing.F) {
	c := fourLinks(f)
	f.Add(c.String())
	f.Add(c[:1].String())
	f.Add("~")
	f.Add("a.b.c~a.b.c")
	f.Add(strings.Repeat("a.b.c~", 40))
	f.Fuzz(func(t *testing.T, header string) {
		c, err := ParseChain(header)
		if err != nil {
			typed(t, err)
			return
		}
		if c.String() != header {
			t.Fatalf("%q comes back as %q", header, c)
		}
		if links, err := c.Unverified(); err == nil && len(links) != len(c) {
			t.Fatal("links are missing")
		}
	})
}

// Whatever header and payload a holder signs for a child: the verifier neither panics nor believes more than the root,
// and remembers no wrong thing. The target signs what it is given, or no mutation would come past the signature.
func FuzzVerifySignedByHolder(f *testing.F) {
	c := fourLinks(f)
	for i := 1; i < 3; i++ {
		header, payload := parts(f, c[i])
		f.Add(header, payload)
	}
	header, payload := parts(f, c[1])
	for _, edit := range [][2]string{{`"uses":9`, `"uses":1e1`}, {`"levels"`, `"levels":{},"levels"`}, {`"ver":1`, `"ver":1,"nbf":1`}, {`insurer/*`, `*/*`}, {`"max":30`, `"max":1e400`}} {
		f.Add(header, strings.Replace(payload, edit[0], edit[1], 1))
	}
	f.Add(`{"alg":"none","typ":"scrim-cap+jwt"}`, payload)
	v := verifierAt(start.Add(time.Minute), Options{Cache: 256})
	root, err := v.Verify(c[:1])
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header, payload string) {
		chain := Chain{c[0], forge(header, payload, keyOf("h0"))}
		vd, err := v.Verify(chain)
		again, err2 := v.Verify(chain)
		if (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
			t.Fatalf("first %v, then %v", err, err2)
		}
		if err != nil {
			typed(t, err)
			return
		}
		if again.Leaf().ID != vd.Leaf().ID {
			t.Fatal("the second answer is another")
		}
		if err := Narrower(&root.Root().Grant, &vd.Leaf().Grant); err != nil {
			t.Fatalf("verified, but %v", err)
		}
		if vd.Leaf().Grant.Expires.After(root.Root().Grant.Expires) || vd.Leaf().Depth != 1 {
			t.Fatal("verified beyond the root")
		}
		_ = vd.String()
	})
}

// Strangers can send any chain and any proof.
func FuzzVerifyFromStrangers(f *testing.F) {
	c, b := fourLinks(f), Bound{Audience: "insurer", Method: "POST"}
	proof, err := prove(c[3], keyOf("h3"), b, start, "proof") // the same in every process of a fuzz run
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.String(), proof)
	f.Add(c[:2].String(), proof[:len(proof)-1])
	f.Add(c[:1].String(), string(c[0]))
	v := verifierAt(start, Options{Cache: 256})
	vd, err := v.Verify(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header, pop string) {
		if chain, err := ParseChain(header); err == nil {
			got, err := v.Verify(chain)
			if err != nil {
				typed(t, err)
			} else if !strings.HasPrefix(c.String(), header) {
				t.Fatalf("a stranger's chain is believed: %d links", len(got.Links))
			}
		}
		if _, err := v.Proof(vd, pop, b); err != nil {
			typed(t, err)
		} else if pop != proof {
			t.Fatal("a stranger's proof is believed")
		}
	})
}

// Any text reads as a grant that is written as it was read, or not at all; arguments of any form are looked at in peace.
func FuzzGrant(f *testing.F) {
	b, err := json.Marshal(rootGrant())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b), `{"code":"A1"}`)
	f.Add(`{"tools":{"a/b":{"x":{"constraint_type":"range","min":1,"min_inclusive":false}}}}`, `{"x":1.5}`)
	f.Add(`{"tools":{"a/*":{"x":{"constraint_type":"sub_path","root":"/a"},"*":{"constraint_type":"wildcard"}}}}`, `{"x":"/a/../b","y":[[{}]]}`)
	f.Fuzz(func(t *testing.T, grant, args string) {
		var g, back Grant
		if json.Unmarshal([]byte(grant), &g) != nil {
			return
		}
		out, err := json.Marshal(g)
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%s is not read again: %v", out, err)
		}
		if again, err := json.Marshal(back); err != nil || string(again) != string(out) {
			t.Fatalf("%s becomes %s", out, again)
		}
		_ = Sentence(g)
		if m := widens(&g, &back); m != "" && m != "names" {
			t.Fatalf("a grant is not within itself: %s of %s", m, out)
		}
		for tool := range g.Tools {
			vd := &Verified{Issuer: "d", Links: []Link{{Grant: Grant{Agent: "a", Expires: start.Add(time.Hour), Tools: g.Tools}}}}
			if err := vd.Admits(Request{At: start, Tool: tool, Arguments: []byte(args)}); err != nil {
				typed(t, err)
			}
		}
	})
}
