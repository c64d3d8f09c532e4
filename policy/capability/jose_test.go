package capability

import (
	"crypto/ed25519"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/gowebpki/jcs"
)

// What this package signs another implementation of JWS verifies, header and payload are canonical, and its view of key
// and thumbprint is ours.
func TestOtherImplementationVerifiesOurs(t *testing.T) {
	c := fourLinks(t)
	proof, err := Prove(c[3], keyOf("h3"), Bound{Audience: "insurer", Method: "POST", Target: "/é", Nonce: "n"}, start)
	if err != nil {
		t.Fatal(err)
	}
	keys := []ed25519.PublicKey{publicOf("hospital"), publicOf("h0"), publicOf("h1"), publicOf("h2"), publicOf("h3")}
	for i, tok := range append(append(Chain{}, c...), Token(proof)) {
		sig, err := jose.ParseSignedCompact(string(tok), []jose.SignatureAlgorithm{jose.EdDSA})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := sig.Verify(keys[i])
		if err != nil {
			t.Fatalf("token %d: %v", i, err)
		}
		header, own := parts(t, tok)
		if own != string(payload) {
			t.Errorf("token %d: the payloads differ", i)
		}
		for _, raw := range []string{header, own} {
			if canonical, err := jcs.Transform([]byte(raw)); err != nil || string(canonical) != raw {
				t.Errorf("token %d is not canonical: %v\n%s\n%s", i, err, raw, canonical)
			}
		}
		var claims struct {
			Cnf struct {
				JWK jose.JSONWebKey `json:"jwk"`
			} `json:"cnf"`
		}
		if i == len(c) {
			continue
		}
		if err := json.Unmarshal(payload, &claims); err != nil {
			t.Fatal(err)
		}
		if !keys[i+1].Equal(claims.Cnf.JWK.Key) {
			t.Errorf("token %d: the holder's key is read differently", i)
		}
		sum, err := claims.Cnf.JWK.Thumbprint(5) // crypto.SHA256
		if err != nil || Thumbprint(sum) != ThumbprintOf(keys[i+1]) {
			t.Errorf("token %d: thumbprints differ: %v", i, err)
		}
	}
}

// A root that another implementation signed is verified here, and its members may come in any order.
func TestOursVerifiesOtherImplementation(t *testing.T) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: keyOf("hospital"), KeyID: "k1"}},
		(&jose.SignerOptions{}).WithType(typeToken).WithHeader("iss", "spiffe://hospital"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(map[string]any{
		"iss": "spiffe://hospital", "jti": "r1", "iat": start.Unix(), "exp": start.Add(time.Hour).Unix(), "ver": 1, "del_depth": 0, "del_max_depth": 1,
		"cnf":                   map[string]any{"jwk": jose.JSONWebKey{Key: publicOf("h0")}},
		"authorization_details": []any{map[string]any{"type": "https://scrim.dev/cap/v1", "agent": "intake", "purposes": []string{"care"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := sig.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	vd, err := verifierAt(start, Options{}).Verify(mustDerive(t, Chain{Token(compact)}, "h0", "h1", Grant{}))
	if err != nil {
		t.Fatal(err)
	}
	if vd.Leaf().Grant.Purposes[0] != "care" || vd.Leaf().Holder != ThumbprintOf(publicOf("h1")) {
		t.Errorf("read as %+v", vd.Leaf())
	}
}
