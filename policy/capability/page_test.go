package capability

import (
	"os"
	"strings"
	"testing"
)

// The page says every rule, every member and every constraint, and its worked example is what is signed.
func TestPageIsComplete(t *testing.T) {
	raw, err := os.ReadFile("../../docs/spec/capabilities.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	var words []string
	for _, r := range Rules() {
		words = append(words, "| `"+string(r)+"` |")
	}
	for _, k := range kindNames {
		words = append(words, "| `"+k+"` |")
	}
	g := rootGrant()
	for _, m := range g.entry() {
		words = append(words, "`"+m.name+"`")
	}
	c := fourLinks(t)
	header, payload := parts(t, c[1])
	for _, w := range append(words, "\n"+header+"\n", "\n"+payload+"\n", "`"+hashOf(t, c[1])+"`", typeToken, typeProof, entryScrim, entryTools) {
		if !strings.Contains(page, w) {
			t.Errorf("the page does not say %s", w)
		}
	}
}
