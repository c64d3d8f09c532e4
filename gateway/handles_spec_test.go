package gateway

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// The references on the handles' page are what a gateway writes, byte for byte.
func TestReferencesOfTheSpec(t *testing.T) {
	raw, err := os.ReadFile("../docs/spec/handles.md")
	if err != nil {
		t.Fatal(err)
	}
	const id = "0k9d3p1l7fq2r8s4t6v5u0aebichgjmn"
	if !isHandleID(id) || HandleID(flow.HandleScheme+id) != id || HandleID("https://gateway.example/handles/"+id) != id {
		t.Fatal("the page's id has not the form of one")
	}
	h := flow.Handle{
		Ref: flow.HandleScheme + id, URL: "https://gateway.example/handles/" + id, Media: "text/plain", Size: "4KiB", Uses: 1,
		Expires: time.Date(2026, 3, 1, 9, 10, 0, 0, time.UTC),
	}
	for marker, protocol := range map[string]string{"a2a": "a2a/1.0", "a2a03": "a2a/0.3", "mcp": "mcp/2025-11-25"} {
		c := &collector{m: &Message{Query: policy.Query{Flow: flow.Flow{Protocol: protocol}}}}
		_, rest, _ := strings.Cut(string(raw), "<!-- example: "+marker+" -->\n```json\n")
		want, _, _ := strings.Cut(rest, "\n```")
		if got := string(c.appendReference(nil, h)); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", protocol, got, want)
		}
	}
}

// Sizes are told in classes of which each is four times the one before.
func TestSizeClasses(t *testing.T) {
	for n, want := range map[int]string{0: "1KiB", 1024: "1KiB", 1025: "4KiB", 4096: "4KiB", 4097: "16KiB", 256 << 10: "256KiB", 256<<10 + 1: "1MiB", 1 << 20: "1MiB", 1<<20 + 1: "4MiB"} {
		if got := sizeClass(n); got != want {
			t.Errorf("%d bytes are %s, want %s", n, got, want)
		}
	}
}

// FuzzHandleID: an id has one spelling, and what is none is none.
func FuzzHandleID(f *testing.F) {
	for _, s := range []string{"scrim:ref:0k9d3p1l7fq2r8s4t6v5u0aebichgjmn", "https://x/handles/0k9d3p1l7fq2r8s4t6v5u0aebichgjmn", "/handles/../", "scrim:ref:", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id := HandleID(s)
		if id == "" {
			return
		}
		b, err := handleIDs.DecodeString(id)
		if err != nil || len(b) != handleBytes || handleIDs.EncodeToString(b) != id || !strings.HasSuffix(s, id) {
			t.Errorf("%q was taken for an id", id)
		}
	})
}

// FuzzKeptPart: what is kept reads back as it was, and nothing else makes it fall over.
func FuzzKeptPart(f *testing.F) {
	good, _ := encodePart([]byte(`{"text":"x"}`), nil)
	f.Add(good)
	f.Add([]byte{0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		part, known, err := decodePart(b)
		if err != nil {
			return
		}
		again, err := encodePart(part, known)
		if err != nil {
			t.Fatal(err)
		}
		if p, _, err := decodePart(again); err != nil || string(p) != string(part) {
			t.Errorf("%q reads back as %q, %v", part, p, err)
		}
	})
}
