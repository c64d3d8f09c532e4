package gateway_test

import (
	"encoding/base64"
	stdjson "encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

// A number that was given out as an id does not come back in the place of a task, which has none.
func TestANumberIsNoTask(t *testing.T) {
	rig := attackRig(t, nil)
	out, err := passTo(t, rig, "mcp", "2025-11-25", "tools/call", flow.Request, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{},"_meta":{"progressToken":7}}}`)
	token := regexp.MustCompile(`sid1_[\w-]+`).FindString(out)
	if err != nil || token == "" {
		t.Fatalf("%v: %s", err, out)
	}
	from, to := flow.Party{Agent: "partner", Domain: gatewaytest.Other}, flow.Party{Agent: "intake", Domain: gatewaytest.Own}
	table, _ := wire.For("a2a", wire.A2A10, "GetTask", flow.Request, false)
	p, err := rig.Pass(t.Context(), &gateway.Message{
		Snapshot: rig.Snapshot(), Table: table, Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"` + token + `"}}`), Owner: "intake",
		Query: policy.Query{Flow: flow.Flow{ID: gateway.NewFlowID(), From: from, To: to, Protocol: "a2a/1.0", Method: "GetTask", Task: flow.Task{ID: "t"}}},
	})
	if err == nil {
		t.Errorf("the agent is asked for %s", p.Body)
	}
}

// Half of what is signed leaves in no form.
func TestWhatIsSignedIsWholeInEveryForm(t *testing.T) {
	rig := attackRig(t, func(s *gatewaytest.Setup) {
		s.Schemas[0].Direction = flow.Response
		s.Schemas[0].JSON = `{"type":"object","properties":{"order":{"type":"object","properties":{
			"payload":{"type":"string","x-scrim-label":"business/category"},"signature":{"type":"string","x-scrim-label":"business/category"},
			"note":{"type":"string","x-scrim-label":"business/category"},
			"text":{"type":"string","x-scrim-label":"text/free"},
			"name":{"type":"string","x-scrim-label":"person/name"}}},"name":{"type":"string","x-scrim-label":"person/name"}}}`
	})
	for _, order := range []string{
		`{"payload":"cGF5","signature":"c2ln","name":"Zelda Kowalska"}`,
		`{"payload":"cGF5","signature":"c2ln","unknown":1}`,
		`{"payload":"cGF5","signature":"c2ln","text":"{\"name\":\"Zelda Kowalska\"}"}`,
		`{"payload":"cGF5","signature":"c2ln","text":"mail zelda@mail.example"}`,
		`{"payload":"cGF5","signature":"c2ln","note":"for Zelda Kowalska"}`,
		`{"payload":"cGF5","signature":"c2ln","text":"task-000000000017 is done"}`,
	} {
		doc := `{"order":` + order + `,"name":"Zelda Kowalska"}`
		twin, _ := stdjson.Marshal(doc)
		for _, part := range []string{`{"data":` + doc + `}`, `{"text":` + string(twin) + `}`, `{"raw":"` + base64.StdEncoding.EncodeToString([]byte(doc)) + `","mediaType":"application/json"}`} {
			out, err := passResponse(t, rig, part)
			if err != nil {
				t.Errorf("%v: %s", err, part)
			} else if all := gatewaytest.Said(unfolded(t, out)); strings.Contains(all, "cGF5") || strings.Contains(all, "Kowalska") {
				t.Errorf("%s left as %s", part, out)
			}
		}
	}
}

func passResponse(t *testing.T, rig *gatewaytest.Rig, part string) (string, error) {
	from, to := flow.Party{Agent: "intake", Domain: gatewaytest.Own}, flow.Party{Agent: "partner", Domain: gatewaytest.Other}
	table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Response, false)
	s := rig.Snapshot()
	p, err := rig.Pass(t.Context(), &gateway.Message{
		Snapshot: s, Table: table, Owner: "partner", Schemas: s.Catalog.Schemas(catalog.Data, "partner", "", flow.Response),
		Body:  []byte(`{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"m","taskId":"task-000000000017","role":"ROLE_AGENT","parts":[` + part + `]}}}`),
		Query: policy.Query{Flow: flow.Flow{ID: gateway.NewFlowID(), From: from, To: to, Protocol: "a2a/1.0", Method: "SendMessage", Direction: flow.Response, Task: flow.Task{ID: "t"}}},
	})
	if err != nil {
		return "", err
	}
	return string(p.Body), nil
}
