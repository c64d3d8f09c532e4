package domain_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/policy/domain"
)

var anew = flag.Bool("print", false, "print the worked example of docs/spec/domains.md anew")

// fenced returns the fenced text that follows a marker of the page.
func fenced(t *testing.T, page, marker string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "<!-- example: "+marker+" -->\n")
	if ok {
		_, rest, ok = strings.Cut(rest, "\n") // the fence's own line
	}
	text, _, closed := strings.Cut(rest, "\n```\n")
	if !ok || !closed {
		t.Fatalf("the page has no example %q", marker)
	}
	return text
}

// TestWorkedExample reads the document of docs/spec/domains.md step by step as the page says, and makes it again.
func TestWorkedExample(t *testing.T) {
	if *anew {
		text := signed(t, example(t))
		d, err := domain.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(text, ".")
		for _, p := range parts[:2] {
			b, _ := base64.RawURLEncoding.DecodeString(p)
			t.Logf("%s", b)
		}
		t.Logf("%s\n%s", domain.JSON(text), d.Fingerprint())
		return
	}
	raw, err := os.ReadFile("../../docs/spec/domains.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	published := fenced(t, page, "document")
	var parts struct{ Payload, Protected, Signature string }
	if err := json.Unmarshal([]byte(published), &parts); err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding
	for name, part := range map[string]string{"header": parts.Protected, "payload": parts.Payload} {
		got, err := b64.DecodeString(part)
		if want := strings.ReplaceAll(fenced(t, page, name), "\n", ""); err != nil || string(got) != want {
			t.Errorf("%s is\n%s\nthe page has\n%s", name, got, want)
		}
	}
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = 1
	}
	identity := ed25519.NewKeyFromSeed(seed)
	sig, err := b64.DecodeString(parts.Signature)
	if err != nil || !ed25519.Verify(identity.Public().(ed25519.PublicKey), []byte(parts.Protected+"."+parts.Payload), sig) {
		t.Errorf("the signature does not verify: %v", err)
	}
	thumb := sha256.Sum256([]byte(`{"crv":"Ed25519","kty":"OKP","x":"` + b64.EncodeToString(identity.Public().(ed25519.PublicKey)) + `"}`))
	sum := sha256.Sum256([]byte("scrim domain fingerprint 1\nhospital.example\n" + b64.EncodeToString(thumb[:]) + "\n"))
	digits := base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding).EncodeToString(sum[:20])
	printed := fenced(t, page, "fingerprint")
	if strings.ReplaceAll(printed, "-", "") != digits {
		t.Errorf("by the page's rule the fingerprint is %s, the page has %s", digits, printed)
	}

	text, err := domain.FromJSON([]byte(published))
	if err != nil {
		t.Fatal(err)
	}
	d, err := domain.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if d.Fingerprint().String() != printed || d.InForce(time.Date(2026, 5, 5, 0, 0, 0, 0, time.UTC)) != nil {
		t.Errorf("the document is not as the page says: %s", d.Fingerprint())
	}
	if again, err := d.Sign(identity); err != nil || again != text {
		t.Errorf("signed again it is %s, %v", again, err)
	}
}
