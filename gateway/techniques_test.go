package gateway_test

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

const techniquePolicy = `
@exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
permit (principal in Domain::"other", action in Action::"upto_raw", resource in DataClass::"public");
@exception("t") @token("format") permit (principal in Domain::"other", action in Action::"upto_tokenized", resource in DataClass::"finance/card");
@exception("t") @token("format") permit (principal in Domain::"other", action in Action::"upto_tokenized", resource in DataClass::"government-id/ssn");
@exception("t") @token("format") permit (principal in Domain::"other", action in Action::"upto_tokenized", resource in DataClass::"health/claim-number");
@exception("t") @token("realistic") permit (principal in Domain::"other", action in Action::"upto_tokenized", resource in DataClass::"person/name");
@exception("t") @generalize("shift:30") permit (principal in Domain::"other", action in Action::"upto_generalized", resource in DataClass::"health/visit-date");
@exception("t") @generalize("top:100") permit (principal in Domain::"other", action in Action::"upto_generalized", resource in DataClass::"finance/amount");
permit (principal in Domain::"own", action in Action::"upto_raw", resource);
@exception("t") permit (principal in Domain::"own", action in Action::"upto_raw", resource in DataClass::"finance/card");
@exception("t") permit (principal in Domain::"own", action in Action::"upto_raw", resource in DataClass::"government-id/ssn");
@exception("t") permit (principal in Domain::"own", action in Action::"upto_raw", resource in DataClass::"health/claim-number");
@exception("t") permit (principal in Domain::"own", action in Action::"upto_raw", resource in DataClass::"person/name");
permit (principal in Domain::"own", action == Action::"open", resource);
`

const techniqueSchema = `{"type":"object","properties":{
	"id":{"type":"string","x-scrim-label":"public"},
	"card":{"type":"string","x-scrim-label":"finance/card"}, "ssn":{"type":"string","x-scrim-label":"government-id/ssn"},
	"claim":{"type":"string","x-scrim-label":"health/claim-number"}, "name":{"type":"string","x-scrim-label":"person/name"},
	"amount":{"type":"number","x-scrim-label":"finance/amount"},
	"in":{"type":"string","x-scrim-label":"health/visit-date","x-scrim-subject":"/id"}, "out":{"type":"string","x-scrim-label":"health/visit-date","x-scrim-subject":"/id"}, "alone":{"type":"string","x-scrim-label":"health/visit-date"}}}`

// pass sends structured content one way or the other, in a task, and returns what arrives.
func pass(t *testing.T, rig *gatewaytest.Rig, task flow.TaskID, home bool, parts string) (map[string]any, string) {
	t.Helper()
	from, to := flow.Party{Agent: "intake", Domain: gatewaytest.Own}, flow.Party{Agent: "partner", Domain: gatewaytest.Other}
	if home {
		from, to = to, from
	}
	table, ok := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	if !ok {
		t.Fatal("no such table")
	}
	s := rig.Snapshot()
	q := policy.Query{Flow: flow.Flow{ID: gateway.NewFlowID(), From: from, To: to, Protocol: "a2a/1.0", Method: "SendMessage", Direction: flow.Request, Task: flow.Task{ID: task, Criticality: flow.Critical}}}
	p, err := rig.Pass(context.Background(), &gateway.Message{Snapshot: s, Table: table, Body: []byte(messageOf(parts)), Owner: "partner", Query: q, Schemas: s.Catalog.Schemas(catalog.Data, "partner", "", flow.Request)})
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Params struct {
			Message struct {
				Parts []struct{ Data map[string]any }
			}
		}
	}
	if err := json.Unmarshal(p.Body, &m); err != nil {
		t.Fatal(err)
	}
	return m.Params.Message.Parts[0].Data, string(p.Body)
}

// told is the parameter that the last record with the label tells of.
func told(rig *gatewaytest.Rig, l flow.Label) flow.Param {
	var p flow.Param
	for _, e := range rig.Events() {
		for _, level := range e.Levels {
			if level.Label == l {
				p = level.Param
			}
		}
	}
	return p
}

func techniqueRig(t *testing.T) *gatewaytest.Rig {
	return attackRig(t, func(s *gatewaytest.Setup) {
		s.Policy = techniquePolicy
		s.Schemas = []gatewaytest.Schema{{Kind: catalog.Data, Owner: "partner", Direction: flow.Request, JSON: techniqueSchema}}
	})
}

// A stand-in of the value's own format goes out, and comes home as the value, in another task, too; a claim number with too few others is a token.
func TestFormatPreservingStandInsComeHome(t *testing.T) {
	rig := techniqueRig(t)
	const values = `{"data":{"card":"4111-1111-1111-1111","ssn":"123-45-6789","claim":"AB-12"}}`
	out, _ := pass(t, rig, "t", false, values)
	card, ssn, claim := out["card"].(string), out["ssn"].(string), out["claim"].(string)
	if !regexp.MustCompile(`^\d{4}-\d{4}-\d{4}-\d{4}$`).MatchString(card) || !regexp.MustCompile(`^\d{3}-\d\d-\d{4}$`).MatchString(ssn) || card == "4111-1111-1111-1111" || ssn == "123-45-6789" {
		t.Fatalf("card %s, ssn %s", card, ssn)
	}
	if regexp.MustCompile(`^[0-9A-Z]{2}-[0-9A-Z]{2}$`).MatchString(claim) != (36*36*36*36 >= 1_000_000) {
		t.Errorf("a claim number became %s", claim)
	}
	if again, _ := pass(t, rig, "u", false, values); again["card"] != card || again["ssn"] != ssn || again["claim"] != claim {
		t.Errorf("another task has other stand-ins: %v, %v", again, out)
	}
	if got := told(rig, "finance/card"); got != flow.TokenFormat {
		t.Errorf("the record tells of %s, want format", got)
	}
	if short, _ := pass(t, rig, "t", false, `{"data":{"claim":"AB-1"}}`); !strings.HasPrefix(short["claim"].(string), "stk1_") || told(rig, "health/claim-number") != flow.TokenReversible {
		t.Errorf("a value with too few of its format became %v, told as %s", short["claim"], told(rig, "health/claim-number"))
	}
	back, _ := json.Marshal(map[string]any{"data": map[string]any{"card": card, "ssn": ssn, "claim": claim}})
	if home, _ := pass(t, rig, "v", true, string(back)); home["card"] != "4111-1111-1111-1111" || home["ssn"] != "123-45-6789" || home["claim"] != "AB-12" {
		t.Errorf("home came %v", home)
	}
	// A stand-in in the place of another label opens nothing, and neither does a number that nobody was given.
	cross, _ := json.Marshal(map[string]any{"data": map[string]any{"claim": card, "card": "4999-9999-9999-9999"}})
	if home, _ := pass(t, rig, "v", true, string(cross)); home["claim"] != card || home["card"] != "4999-9999-9999-9999" {
		t.Errorf("what was no stand-in of the place came home as %v", home)
	}
}

// An invented name is one within its task, is found at home as a whole value of the task alone, and is not given in prose.
func TestRealisticStandInsComeHome(t *testing.T) {
	rig := techniqueRig(t)
	out, raw := pass(t, rig, "t", false, `{"data":{"name":"Zelda Kowalska"}},{"text":"Zelda Kowalska is well"}`)
	name := out["name"].(string)
	if strings.Contains(raw, "Kowalska") || !regexp.MustCompile(`^\p{Lu}\p{L}+ \p{Lu}\p{L}+$`).MatchString(name) || !strings.Contains(raw, "[person ") || strings.Contains(raw, name+" is well") {
		t.Fatalf("became %s: %s", name, raw)
	}
	if again, _ := pass(t, rig, "t", false, `{"data":{"name":"zelda  kowalska"}}`); again["name"] != name {
		t.Errorf("one person is %s and %s", name, again["name"])
	}
	back, _ := json.Marshal(map[string]any{"data": map[string]any{"name": name}})
	if home, _ := pass(t, rig, "t", true, string(back)); home["name"] != "Zelda Kowalska" {
		t.Errorf("home came %v", home)
	}
	if home, _ := pass(t, rig, "other task", true, string(back)); home["name"] != name {
		t.Errorf("in another task %s came home as %v", name, home)
	}
}

// Dates of one subject move together, and are masked without a subject; numbers end at the top.
func TestShiftAndTopInMessages(t *testing.T) {
	rig := techniqueRig(t)
	out, _ := pass(t, rig, "t", false, `{"data":{"id":"p1","in":"2024-02-27","out":"2024-03-03T10:00:00Z","alone":"2024-02-27","amount":250}}`)
	in, err1 := time.Parse(time.DateOnly, out["in"].(string))
	left, err2 := time.Parse(time.RFC3339, out["out"].(string))
	if err1 != nil || err2 != nil || left.Sub(in) != 5*24*time.Hour+10*time.Hour || out["in"] == "2024-02-27" {
		t.Fatalf("dates became %v and %v", out["in"], out["out"])
	}
	if out["alone"] != "[date]" || out["amount"] != 100.0 {
		t.Errorf("a date of nobody became %v, an amount %v", out["alone"], out["amount"])
	}
	if again, _ := pass(t, rig, "u", false, `{"data":{"id":"p1","in":"2024-02-27"}}`); again["in"] != out["in"] {
		t.Errorf("another task moves the dates otherwise: %v, %v", again["in"], out["in"])
	}
}

// The partner supplies a date of a patient, in a place or in words, and has it said back: shifted it would tell the patient's number of days.
func TestShiftIsNoOracle(t *testing.T) {
	for _, asked := range []string{`{"data":{"id":"p1","in":"2024-02-27"}}`, `{"data":{"id":"p1"}},{"text":"p1 came on 2024-02-27"}`} {
		rig := techniqueRig(t)
		pass(t, rig, "t", true, asked)
		if out, _ := pass(t, rig, "t", false, `{"data":{"id":"p1","in":"2024-02-27"}}`); out["in"] != "[date]" {
			t.Errorf("%s: said back as %v", asked, out["in"])
		}
	}
}
