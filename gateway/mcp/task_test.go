package mcp_test

import (
	"regexp"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
)

var tokenOf = regexp.MustCompile(`stk1_[A-Za-z0-9_-]+`)

// A token that was minted for one domain stays closed when another presents it; its own domain may have it opened.
func TestTokensOpenOnlyForTheDomainTheyWereMintedFor(t *testing.T) {
	both(t, func(t *testing.T, version string, opt *sdk.StreamableHTTPOptions) {
		u := newUpstream(t, opt)
		r := newRig(t, u, nil)
		other := connect(t, r.url, "scrim_other", version, nil)
		token := tokenOf.FindString(texts(call(t, other, "rows", asked{}, nil)))
		if token == "" {
			t.Fatal("there is no token")
		}
		third := connect(t, r.url, "scrim_third", version, nil)
		call(t, third, "plain", asked{Who: token, Text: "about " + token}, nil)
		args := u.arguments()
		if got := args[len(args)-1]; got.Who != token || got.Text != "about "+token {
			t.Errorf("another domain's presentation was opened: %+v", got)
		}
		res := call(t, other, "plain", asked{Who: token, Text: "about " + token}, nil)
		args = u.arguments()
		if got := args[len(args)-1]; got.Who != jane.Email || got.Text != "about "+jane.Email {
			t.Errorf("the server got %+v, want the originals", got)
		}
		// The server echoed what was opened: it is replaced again on its way out.
		without(t, "the echo", encoded(t, res), secrets)
	})
}

// A foreign caller that supplies candidates learns nothing from what comes back in their place: a stand-in of
// supplied text is fresh, looks the same for a hit and a miss, and is never a token of the catalog.
func TestDictionaryOfCandidatesTeachesNothing(t *testing.T) {
	u := newUpstream(t, nil)
	r := newRig(t, u, nil)
	s := connect(t, r.url, "scrim_other", wire.MCP20251125, nil)
	catalogued := map[string]bool{}
	for _, tok := range tokenOf.FindAllString(texts(call(t, s, "rows", asked{}, nil)), -1) {
		catalogued[tok] = true
	}
	shape := func(text string) string {
		return regexp.MustCompile(`\[(\w+) \w+\]`).ReplaceAllString(text, "[$1 x]")
	}
	shapes := map[string]bool{}
	for _, candidate := range []string{"jane.doe@example.org", "john.poe@example.org", "mary.low@example.org"} {
		fresh := connect(t, r.url, "scrim_other", wire.MCP20251125, nil)
		got := texts(call(t, fresh, "plain", asked{Text: candidate}, nil))
		if strings.Contains(strings.TrimPrefix(got, "Nothing to see, write to "), "jane.doe") {
			t.Errorf("answer = %s", got)
		}
		for _, tok := range tokenOf.FindAllString(got, -1) {
			if catalogued[tok] {
				t.Errorf("a supplied candidate came back as the catalogued token %s", tok)
			}
		}
		// The server's own address stands first, the candidate last: only the last is compared.
		shapes[shape(got[strings.LastIndex(got, ". ")+1:])] = true
	}
	if len(shapes) != 1 {
		t.Errorf("a hit and a miss look different: %v", shapes)
	}
	outcomes := 0
	for _, ev := range r.Events() {
		if ev.Outcome == flow.Refused {
			outcomes++
		}
	}
	if outcomes != 0 {
		t.Errorf("%d refusals, want none", outcomes)
	}
}
