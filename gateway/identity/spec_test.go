package identity

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// The worked example of docs/spec/identity.md.
func TestChallengeOfTheSpec(t *testing.T) {
	b := Binding{Kind: ByKey, Value: [32]byte(bytes.Repeat([]byte{1}, 32))}
	sum := Challenge(b, strings.Repeat("A", nonceLen))
	page, err := os.ReadFile("../../docs/spec/identity.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := "the challenge is `" + hex.EncodeToString(sum[:]) + "`"; !strings.Contains(string(page), want) {
		t.Errorf("docs/spec/identity.md does not say that %s", want)
	}
}
