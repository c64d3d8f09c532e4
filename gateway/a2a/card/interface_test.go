package card

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/scrimhq/scrim/data/json"
)

func TestInterfaces(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      []Interface
	}{
		{"both versions in one card", upstream, []Interface{
			{"grpc://internal:9000", "", GRPC, "1.0"}, {"https://internal.example/old", "", JSONRPC, "0.3"},
			{"https://internal.example/a2a", "north", JSONRPC, "1.0"}, {"https://internal.example/rest", "", HTTPJSON, "1.0"},
			{"https://internal.example/v03", "", JSONRPC, "0.3"},
		}},
		{"a card of 0.3", `{"name":"a","capabilities":{},"url":"https://x/rpc","protocolVersion":"0.3.0","preferredTransport":"HTTP+JSON",
			"additionalInterfaces":[{"url":"https://x/rpc","transport":"HTTP+JSON"},{"url":"https://x/json","transport":"JSONRPC"},{"url":"x:1","transport":"GRPC"},7]}`,
			[]Interface{{"https://x/rpc", "", HTTPJSON, "0.3"}, {"https://x/json", "", JSONRPC, "0.3"}, {"x:1", "", GRPC, "0.3"}}},
		{"a card that says next to nothing", `{"name":"a","capabilities":{},"url":"https://x"}`, []Interface{{"https://x", "", JSONRPC, "0.3"}}},
		{"an older card", `{"name":"a","capabilities":{},"url":"https://x","protocolVersion":"0.2.5"}`, []Interface{{"https://x", "", JSONRPC, "0.2"}}},
		{"patches", `{"name":"a","capabilities":{},"supportedInterfaces":[{"url":"u","protocolBinding":"GRPC","protocolVersion":"1.0.1"}]}`, []Interface{{"u", "", GRPC, "1.0"}}},
		{"entries without a form", `{"name":"a","capabilities":{},"supportedInterfaces":["x",{"url":7,"protocolBinding":"GRPC"},{"url":"u"}]}`, nil},
	} {
		card, err := Parse([]byte(c.src), json.Limits{})
		if err != nil {
			t.Errorf("%s: Parse() error = %v", c.name, err)
			continue
		}
		if got := card.Interfaces(); !slices.Equal(got, c.want) {
			t.Errorf("%s: Interfaces() = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestACardForBothVersions(t *testing.T) {
	c, err := Parse([]byte(upstream), json.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	shown := []Interface{{"https://gw/a", "", HTTPJSON, "1.0"}, {"gw:443", "a2a/a", GRPC, "1.0"}, {"https://gw/a", "", JSONRPC, "0.3"}, {"https://gw/b", "", HTTPJSON, "0.3"}}
	both, err := c.Rewrite(Options{Interfaces: shown, Push: true})
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(both, json.Limits{})
	if err != nil || !slices.Equal(again.Interfaces(), shown) || !again.Offers("pushNotifications") || again.Signed() {
		t.Errorf("the card shows %v, %v, want %v", again.Interfaces(), err, shown)
	}
	old, err := c.RewriteOld(Options{Interfaces: shown})
	if err != nil {
		t.Fatal(err)
	}
	again, err = Parse(old, json.Limits{})
	if err != nil || !slices.Equal(again.Interfaces(), shown[2:]) || again.Offers("pushNotifications") {
		t.Errorf("the old card shows %v, %v, want %v", again.Interfaces(), err, shown[2:])
	}
	if _, ok := again.Doc.Member(0, "supportedInterfaces"); ok {
		t.Error("the old card has members of A2A 1.0 for its addresses")
	}
	if _, err := c.RewriteOld(Options{Interfaces: shown[:2]}); !errors.Is(err, ErrNoInterface) {
		t.Errorf("RewriteOld() error = %v, want ErrNoInterface", err)
	}
}

func TestKeysThatCardsAreBelievedBy(t *testing.T) {
	_, priv := newKey(t)
	signer := Options{Signer: priv, KeyID: "k1"}
	set, err := JWKS(signer)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := ParseKeys(set)
	if err != nil {
		t.Fatal(err)
	}
	signed := rewritten(t, Options{Interfaces: at("https://gw.example/a"), Signer: priv, KeyID: "k1", JKU: "https://gw.example/keys.json"})
	if kid, err := keys.VerifiedBy(signed); kid != "k1" || err != nil {
		t.Errorf("VerifiedBy() = %q, %v, want k1", kid, err)
	}
	if _, err := keys.Only([]string{"k2"}).VerifiedBy(signed); !errors.Is(err, ErrUnsigned) {
		t.Errorf("VerifiedBy() without the key: error = %v, want ErrUnsigned", err)
	}
	if _, err := keys.VerifiedBy(bytes.Replace(signed, []byte("gw.example"), []byte("gw.exampel"), 1)); !errors.Is(err, ErrSignature) {
		t.Errorf("VerifiedBy() of a changed card: error = %v, want ErrSignature", err)
	}
	c, err := Parse(signed, json.Limits{})
	if err != nil || !slices.Equal(c.KeyURLs(), []string{"https://gw.example/keys.json"}) {
		t.Errorf("KeyURLs() = %v, %v", c.KeyURLs(), err)
	}
	private, err := jose.JSONWebKey{Key: priv, KeyID: "k1"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{"not JSON": "x", "no keys": `{"keys":[]}`, "a private key": string(private), "a secret": `{"kty":"oct","k":"c2VjcmV0"}`, "an array": `[]`} {
		if _, err := ParseKeys([]byte(raw)); !errors.Is(err, ErrKeys) {
			t.Errorf("%s: ParseKeys() error = %v, want ErrKeys", name, err)
		}
	}
}

// A signature of A2A 0.3 covers defaults that are spelled out.
func TestSignatureOverAWholeCard(t *testing.T) {
	pub, priv := newKey(t)
	src := []byte(`{"name":"a","capabilities":{"extensions":[]},"url":"https://x","skills":[{"id":"s","examples":[]}]}`)
	payload, err := canonicalOf(src, false)
	if err != nil {
		t.Fatal(err)
	}
	enc := base64.RawURLEncoding
	head := enc.EncodeToString([]byte(`{"alg":"EdDSA","kid":"k"}`))
	sig := enc.EncodeToString(ed25519.Sign(priv, []byte(head+"."+enc.EncodeToString(payload))))
	signed := append(src[:len(src)-1:len(src)-1], `,"signatures":[{"protected":"`+head+`","signature":"`+sig+`"}]}`...)
	if err := Verify(signed, "k", pub); err != nil {
		t.Errorf("Verify() = %v, want nil", err)
	}
	if err := Verify(bytes.Replace(signed, []byte(`"examples":[]`), []byte(`"examples":["x"]`), 1), "k", pub); !errors.Is(err, ErrSignature) {
		t.Errorf("Verify() of a changed card = %v, want ErrSignature", err)
	}
}

// Whatever a stranger says who signed a card, nothing in it is believed without its key.
func FuzzVerifiedBy(f *testing.F) {
	_, priv := newKey(f)
	_, other := newKey(f)
	set, err := JWKS(Options{Signer: other, KeyID: "k1"})
	if err != nil {
		f.Fatal(err)
	}
	keys, err := ParseKeys(set)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(rewritten(f, Options{Interfaces: at("u"), Signer: priv, KeyID: "k1"}))
	f.Add([]byte(upstream))
	f.Add([]byte(`{"name":"a","capabilities":{},"url":"u","signatures":[{"protected":"eyJhbGciOiJub25lIn0","signature":""}]}`))
	f.Fuzz(func(t *testing.T, src []byte) {
		if _, err := keys.VerifiedBy(src); err == nil {
			t.Fatal("a card is believed that nobody signed")
		}
		if c, err := Parse(src, json.Limits{}); err == nil {
			c.KeyURLs()
			c.Interfaces()
		}
	})
}
