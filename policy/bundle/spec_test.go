package bundle_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/policy/bundle"
)

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
	return strings.ReplaceAll(text, "\n", "")
}

// TestWorkedExampleOfThePage reads the bundle of docs/spec/bundles.md as the page says, without this package, and then with it.
func TestWorkedExampleOfThePage(t *testing.T) {
	text := signed(t, example())
	if os.Getenv("PRINT_EXAMPLE") != "" {
		parts := strings.Split(string(text), ".")
		for _, p := range parts[:2] {
			b, _ := base64.RawURLEncoding.DecodeString(p)
			t.Logf("%s", b)
		}
		t.Logf("%s\n%s", text, example().Digest())
		return
	}
	raw, err := os.ReadFile("../../docs/spec/bundles.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	published := fenced(t, page, "bundle")
	parts := strings.Split(published, ".")
	if len(parts) != 3 {
		t.Fatalf("the example has %d parts", len(parts))
	}
	for i, name := range []string{"header", "payload"} {
		got, err := base64.RawURLEncoding.DecodeString(parts[i])
		if want := fenced(t, page, name); err != nil || string(got) != want {
			t.Errorf("%s is\n%s\nthe page has\n%s", name, got, want)
		}
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !ed25519.Verify(keyOf(1).Public().(ed25519.PublicKey), []byte(parts[0]+"."+parts[1]), sig) {
		t.Errorf("the signature does not verify: %v", err)
	}
	timeless := regexp.MustCompile(`"(exp|iat)":\d+`).ReplaceAllString(fenced(t, page, "payload"), `"$1":0`)
	sum := sha256.Sum256([]byte("scrim bundle 1\n" + timeless))
	if got, want := hex.EncodeToString(sum[:]), fenced(t, page, "digest"); got != want {
		t.Errorf("by the page's rule the digest is %s, the page has %s", got, want)
	}
	b, err := bundle.Parse([]byte(published), known())
	if err != nil || b.Digest().String() != hex.EncodeToString(sum[:]) || published != string(text) {
		t.Errorf("read by the package it is another: %v", err)
	}
}
