package offer_test

import (
	"os"
	"strings"
	"testing"
)

// example returns the block of docs/spec/terms.md behind a marker.
func example(t *testing.T, page, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "<!-- example: "+name+" -->\n```")
	if !ok {
		t.Fatalf("the page has no example %s", name)
	}
	_, rest, _ = strings.Cut(rest, "\n")
	text, _, _ := strings.Cut(rest, "\n```")
	return text
}

func TestTermsOfTheSpec(t *testing.T) {
	raw, err := os.ReadFile("../../docs/spec/terms.md")
	must(t, err)
	page := string(raw)
	r := newRig(t, example(t, page, "policy"), nil)
	_, _, body := r.post(t, "/out/a2a/partner", "scrim_intake", example(t, page, "asked"))
	if got := strings.TrimSpace(body); got != example(t, page, "answered") {
		t.Errorf("the answer is\n%s", got)
	}
	vectors, err := os.ReadFile("../../policy/contract/testdata/vectors.txt")
	must(t, err)
	lines := strings.Split(string(vectors), "\n")
	for i, name := range []string{"payload", "id", "offer", "contract", "end"} {
		if got := example(t, page, name); got != lines[i] {
			t.Errorf("the %s is\n%s", name, lines[i])
		}
	}
}
