package receipt_test

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/evidence/receipt"
)

// TestFormsAreAsThePageSays makes the page's example anew. Ed25519 signatures are deterministic.
func TestFormsAreAsThePageSays(t *testing.T) {
	r := newRig(t, 5)
	proof := r.prove(t, 3)
	whole, err := proof.COSE(r.key)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.StdEncoding.EncodeToString(whole)
	var cose strings.Builder
	for len(text) > 100 {
		cose.WriteString(text[:100] + "\n")
		text = text[100:]
	}
	cose.WriteString(text + "\n")
	page, err := os.ReadFile("../../docs/spec/receipts.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]string{"promise": string(r.promise(t, 3).Note), "proof": string(proof.Text()), "COSE receipt": cose.String()} {
		var block strings.Builder
		for line := range strings.Lines(form) {
			if line != "\n" {
				block.WriteString("    ")
			}
			block.WriteString(line)
		}
		if !strings.Contains(string(page), "\n\n"+block.String()+"\n") {
			t.Errorf("the page has not this %s:\n%s", name, block.String())
		}
	}
	if _, err := receipt.VerifyCOSE(whole, hash(3), logName, r.public()); err != nil {
		t.Error(err)
	}
}
