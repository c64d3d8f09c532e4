package run

import (
	"net/url"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/json"
)

// FuzzEndpoint holds that no word of a server's leads away from its own origin.
func FuzzEndpoint(f *testing.F) {
	base, err := url.Parse("https://tools.example:8443/base/sse?x=1")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"/messages?session=1", "?session=1", "message", "https://tools.example:8443/m", "http://tools.example:8443/m", "//evil.example/m", "https://tools.example:8443@evil.example/m", "javascript:x", "\\\\evil.example\\m", "https:m", "https:///m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, where string) {
		to, err := endpoint(base, []byte(where))
		if err != nil {
			if to != "" {
				t.Fatalf("endpoint(%q) = %q with an error", where, to)
			}
			return
		}
		if !strings.HasPrefix(to, "https://tools.example:8443/") && to != "https://tools.example:8443" && !strings.HasPrefix(to, "https://tools.example:8443?") {
			t.Fatalf("endpoint(%q) = %q", where, to)
		}
	})
}

// A message that was spread over lines says the same on one.
func TestMessagesOfAStreamBecomeLines(t *testing.T) {
	for _, message := range []string{"{\"a\":\n1}", "{\r\n\t\"a\" : \"b\\n c\"\r}", `{"a":"é"}`, "[1,\n\n2]"} {
		var before, after json.Doc
		line := oneLine([]byte(message))
		if strings.Count(string(line), "\n") != 1 || line[len(line)-1] != '\n' {
			t.Errorf("%q became %q", message, line)
		}
		if err := before.Parse([]byte(message), nil, json.Limits{}); err != nil {
			t.Fatal(err)
		}
		if err := after.Parse(line[:len(line)-1], nil, json.Limits{}); err != nil || len(before.Nodes) != len(after.Nodes) {
			t.Errorf("%q became %q: %v", message, line, err)
		}
	}
}
