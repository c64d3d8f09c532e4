package ask_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/policy/capability"
)

// A capability bounds arguments by their names. What it bounds must be what is read: no other spelling of a name, and no second member.
func TestACapabilityBoundsTheArgumentsThatAreRead(t *testing.T) {
	t.Parallel()
	d := gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
	r := newRig(t, func(s *gatewaytest.Setup) { s.Domains = d })
	root := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "lab", Tools: map[string]capability.Arguments{"scrim/query": {
		"epsilon": capability.AtMost(0.1), "*": capability.Any(),
	}}})
	if got, refused := r.by(root, "query", `{"dataset":"stays","sql":"ward","epsilon":0.1}`); got == "" {
		t.Fatalf("what it admits: %s", refused)
	}
	if got, _ := r.by(root, "query", `{"dataset":"stays","sql":"ward","epsilon":0.5}`); got != "" {
		t.Fatalf("what it does not admit: %s", got)
	}
	for _, more := range []string{`"Epsilon":0.5`, `"EP\u0053ILON":0.5`, `"ep\u017filon":0.5`} {
		if got, _ := r.by(root, "query", `{"dataset":"stays","sql":"ward","epsilon":0.1,`+more+`}`); got != "" {
			t.Errorf("%s besides: %s", more, got)
		}
	}
	if spent := r.Spent(t, scope); spent != 100_000_000 {
		t.Errorf("spent %d·10⁻⁹, want 0.1", spent)
	}
}

func TestMembersHaveOneSpellingAndStandOnce(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{
		`{"dataset":"stays","SQL":"ward"}`, `{"dataset":"stays","sql":"a","sql":"b"}`, `{"dataset":"stays","sql":"a","dataſet":"b"}`,
		`{"dataset":"stays","queries":[{"sql":"a","Weight":3},{"sql":"b"}]}`, `{"dataset":"stays","queries":[{"sql":"a","sql":"c"},{"sql":"b"}]}`,
		`{"dataset":"stays","sql":"a","accuracy":{"half_width":3,"Half_Width":4}}`, `{"dataset":"stays","sql":"a"}{}`, `{"dataset":"stays","sql":"a"}]`, `["a"]`, `null`, ``,
	} {
		if a, err := ask.ParseArguments([]byte(wrong)); err == nil {
			t.Errorf("%s is read as %+v", wrong, a)
		}
	}
	for _, right := range []string{`{"dataset":"stays","sql":"a","accuracy":{"half_width":3}}`, ` {"dataset":"stays","queries":[{"sql":"a","weight":2},{"sql":"a"}]} `} {
		if _, err := ask.ParseArguments([]byte(right)); err != nil {
			t.Errorf("%s: %v", right, err)
		}
	}
}

// The dataset of the HTTP API is the one in the address.
func TestTheAddressAloneNamesTheDataset(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for _, name := range []string{"dataset", "Dataset", "DATASET", "data\u017fet"} {
		status, text := r.http(http.MethodPost, "/questions/nothing", `{"`+name+`":"stays","sql":"ward"}`, key("key-lab"))
		if status == http.StatusOK || strings.Contains(text, "draw") {
			t.Errorf("%s in the body: %d %s", name, status, text)
		}
	}
}
