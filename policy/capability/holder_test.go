package capability_test

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

// A holder's key goes to others as a public JWK and comes back; a private one is refused before anybody keeps it.
func TestHolderKeysArePublicOnes(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	jwk := capability.HolderJWK(public)
	back, err := capability.ParseHolderJWK(jwk)
	if err != nil || !back.Equal(public) {
		t.Fatalf("ParseHolderJWK(%s) = %v, want the key", jwk, err)
	}
	x := strings.TrimSuffix(string(jwk), "}")
	for name, bad := range map[string]string{
		"private": x + `,"d":"` + strings.Repeat("A", 43) + `"}`, "other curve": strings.Replace(string(jwk), "Ed25519", "Ed448", 1),
		"twice": x + `,"kty":"OKP"}`, "short": `{"crv":"Ed25519","kty":"OKP","x":"AAAA"}`, "empty": "", "array": "[]", "huge": strings.Repeat(" ", 2000) + string(jwk),
		"seed": `{"crv":"Ed25519","kty":"OKP","x":"` + string(private[:8]) + `"}`,
	} {
		if _, err := capability.ParseHolderJWK([]byte(bad)); !errors.Is(err, capability.ErrKey) {
			t.Errorf("%s: ParseHolderJWK = %v, want ErrKey", name, err)
		}
	}
	if got, ok := capability.ParseThumbprint(capability.ThumbprintOf(public).String()); !ok || got != capability.ThumbprintOf(public) {
		t.Error("a thumbprint does not come back as it was")
	}
	if _, ok := capability.ParseThumbprint("AAAA"); ok {
		t.Error("a short thumbprint was read")
	}
}

// Who issues roots gives what is asked for within the ceiling, and nothing above it.
func TestUnderACeiling(t *testing.T) {
	ceiling := capability.Grant{Agent: "intake", Names: []string{"pa"}, Purposes: []flow.Purpose{"treatment", "billing"}, MaxDepth: 2}
	g, err := capability.Under(&ceiling, capability.Grant{Purposes: []flow.Purpose{"billing"}})
	if err != nil || len(g.Purposes) != 1 || g.Agent != "intake" || len(g.Names) != 1 || g.MaxDepth != 2 {
		t.Errorf("Under = %+v, %v, want billing within the ceiling", g, err)
	}
	for name, asked := range map[string]capability.Grant{
		"purpose": {Purposes: []flow.Purpose{"marketing"}}, "names": {Names: []string{"other"}}, "depth": {MaxDepth: 3}, "agent": {Agent: "records"},
	} {
		if _, err := capability.Under(&ceiling, asked); !errors.Is(err, capability.RuleWidened) {
			t.Errorf("%s: Under = %v, want RuleWidened", name, err)
		}
	}
}
