package gateway_test

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/privacy/detect"
)

// guesses lets the partner see whatever is less sure than 70 percent, of any class.
const guesses = `
@exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@below_score("70") @exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/name");
@below_score("70") @exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"time");
@below_score("70") @exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"secret/password");
@below_score("70") @exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact/email");
@below_score("70") @exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"finance/amount");
permit (principal, action in Action::"upto_masked", resource);
`

func guessRig(t *testing.T, rules *detect.Rules) *gatewaytest.Rig {
	return attackRig(t, func(s *gatewaytest.Setup) {
		s.Policy = guesses
		s.Schemas = []gatewaytest.Schema{{Kind: catalog.Data, Owner: "partner", Direction: flow.Request, JSON: `{"type":"object","properties":{
			"note":{"type":"string","x-scrim-label":"business/category"},
			"name":{"type":"string","x-scrim-label":"person/name"},
			"when":{"type":"string","x-scrim-label":"time"}}}`}}
		s.Change = func(sn *gateway.Snapshot) {
			d, err := detect.New(detect.Options{Rules: rules, FormsOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			sn.Detector = d
		}
	})
}

func TestWhatTheDetectorGuessesIsShown(t *testing.T) {
	rig := guessRig(t, nil)
	out, err := passTo(t, rig, "a2a", wire.A2A10, "SendMessage", flow.Request, messageOf(`{"text":"Came for 3 days on 2024-03-17, jane@example.com."}`))
	if err != nil || !strings.Contains(out, "3 days") || strings.Contains(gatewaytest.Said(out), "2024") || strings.Contains(gatewaytest.Said(out), "jane") {
		t.Errorf("%v: %s", err, out)
	}
}

// Nothing that is sure passes for something less sure beside it, around it or before it.
func TestNoGuessCarriesWhatIsSure(t *testing.T) {
	vague := &detect.Rules{
		Types: []detect.Custom{
			{Name: "vague", Label: "person/name", Patterns: []string{`about [a-z@. ]+`, `[a-z]+@[a-z]+`}, Score: .1},
			{Name: "vaguer", Label: "secret/password", Patterns: []string{`about [a-z]+`}, Score: .1},
		},
		Lists: []detect.WordList{{Name: "project", Label: "person/name", Words: []string{"blue heron"}}},
	}
	for name, c := range map[string]struct{ parts, secret string }{
		"an address in a type of one's own":       {`{"text":"it was jane@example.com"}`, "jane"},
		"an address later in a type of one's own": {`{"text":"it is about jane@example.com"}`, "jane"},
		"a listed word in a type of one's own":    {`{"text":"it is about blue heron"}`, "heron"},
		"a known value in a type of one's own":    {`{"data":{"name":"zelda kowalska"}},{"text":"it is about zelda kowalska"}`, "kowalska"},
		"a known value in an amount":              {`{"data":{"name":"4711902"}},{"text":"it was USD 4711902 in all"}`, "4711902"},
		"a value that a schema declares":          {`{"data":{"name":"3 days"}}`, "3 days"},
		"a span of time that a schema declares":   {`{"data":{"when":"3 days"}}`, "3 days"},
		"a declared value with a guess in it":     {`{"data":{"note":"about nobody"}}`, "nobody"},
		"a name that was told before, as a guess": {`{"data":{"name":"3 days"}},{"text":"for 3 days"}`, "3 days"},
	} {
		out, err := passTo(t, guessRig(t, vague), "a2a", wire.A2A10, "SendMessage", flow.Request, messageOf(c.parts))
		if strings.Contains(gatewaytest.Said(out), c.secret) {
			t.Errorf("%s: %s left (%v): %s", name, c.secret, err, out)
		}
	}
}

// What lies across two parts is as sure as the surest of what lies there.
func TestPartsDoNotMakeAFindingLessSure(t *testing.T) {
	rules := &detect.Rules{Types: []detect.Custom{{Name: "vague", Label: "secret/password", Patterns: []string{`[a-z]+@[a-z.]+ now and then`}, Score: .1}}}
	out, err := passTo(t, guessRig(t, rules), "a2a", wire.A2A10, "SendMessage", flow.Request, messageOf(`{"text":"write to jane@example.com"},{"text":" now and then"}`))
	if strings.Contains(gatewaytest.Said(out), "jane") {
		t.Errorf("the address left (%v): %s", err, out)
	}
}
