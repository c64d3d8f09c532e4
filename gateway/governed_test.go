package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

const governedContract = `
apiVersion: v3.1.0
kind: DataContract
id: visits
version: 1.0.0
status: active
customProperties:
  - {property: scrim.purposes, value: [care, billing]}
schema:
  - name: visits
    properties:
      - {name: id, logicalType: string, classification: public}
      - name: born
        logicalType: string
        customProperties: [{property: scrim.label, value: person/birth-date}, {property: scrim.purposes, value: [care]}]
      - name: sex
        logicalType: string
        customProperties: [{property: scrim.label, value: person/gender}, {property: scrim.techniques, value: [aggregate]}]
      - name: postal
        logicalType: string
        customProperties: [{property: scrim.label, value: location/postal}, {property: scrim.retention, value: 24h}]
      - name: names
        customProperties: [{property: scrim.label, value: person/name}, {property: scrim.purposes, value: [care]}]
      - name: story
        customProperties: [{property: scrim.label, value: text/free}, {property: scrim.purposes, value: [care]}]
`

const governedSchema = `{"type":"object","properties":{
	"id":{"type":"string","x-scrim-field":"visits/id"},
	"born":{"type":"string","x-scrim-field":"visits/born","x-scrim-droppable":true},
	"sex":{"type":"string","x-scrim-field":"visits/sex","x-scrim-droppable":true},
	"postal":{"type":"string","x-scrim-field":"visits/postal","x-scrim-droppable":true},
	"names":{"type":"array","x-scrim-field":"visits/names","x-scrim-droppable":true,"items":{"type":"string"}},
	"whom":{"type":"object","x-scrim-field":"visits/names","x-scrim-droppable":true,"properties":{"given":{"type":"string"},"born":{"type":"string","x-scrim-label":"person/birth-date"}}},
	"by":{"type":"object","x-scrim-field":"visits/names","x-scrim-droppable":true,"additionalProperties":{"type":"array","items":{"type":"string"}}},
	"story":{"type":"string","x-scrim-field":"visits/story","x-scrim-droppable":true},
	"note":{"type":"string","x-scrim-label":"person/name","x-scrim-droppable":true}}}`

// governedRig has a policy that lets everybody see everything, and a contract that does not.
func governedRig(t testing.TB) *gatewaytest.Rig {
	t.Helper()
	contract, err := catalog.ParseContract("visits.yaml", []byte(governedContract), nil)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := catalog.ParseSchema("visit.json", []byte(governedSchema), catalog.SchemaOptions{Contracts: []*catalog.Contract{contract}})
	if err != nil {
		t.Fatal(err)
	}
	setup := gatewaytest.Setup{}
	var parties []flow.Party
	for agent, domain := range map[flow.AgentID]flow.DomainID{"intake": gatewaytest.Own, "partner": gatewaytest.Other} {
		parties = append(parties, flow.Party{Agent: agent, Domain: domain})
		setup.Agents = append(setup.Agents, &gateway.Agent{Party: parties[len(parties)-1]})
	}
	const everything = `@retain("P30D") permit (principal, action in Action::"upto_raw", resource); permit (principal, action == Action::"aggregate", resource);`
	set, err := policy.Load(fstest.MapFS{"p.cedar": {Data: []byte(everything)}}, policy.Options{Entities: policy.Entities{
		Agents: parties, Purposes: map[flow.Purpose][]flow.Purpose{"care": nil, "nursing": {"care"}, "billing": nil, "research": nil},
	}})
	if err != nil {
		t.Fatal(err)
	}
	setup.Change = func(s *gateway.Snapshot) {
		s.Policy = set
		s.Catalog = catalog.New([]catalog.Binding{{Schema: schema, Kind: catalog.Data, Owner: "partner", Direction: flow.Request}}, []*catalog.Contract{contract})
	}
	return gatewaytest.New(t, setup)
}

func visit(rig *gatewaytest.Rig, purpose flow.Purpose, data string) (*gateway.Passed, error) {
	table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	s := rig.Snapshot()
	return rig.Pass(context.Background(), &gateway.Message{
		Snapshot: s, Table: table, Body: []byte(messageOf(`{"data":` + data + `}`)), Owner: "partner", Schemas: s.Catalog.Schemas(catalog.Data, "partner", "", flow.Request),
		NoteIn: gateway.NotePlace{Under: "params/message", Names: []string{"metadata", "note"}},
		Query: policy.Query{Flow: flow.Flow{
			ID: gateway.NewFlowID(), From: flow.Party{Agent: "intake", Domain: gatewaytest.Own}, To: flow.Party{Agent: "partner", Domain: gatewaytest.Other},
			Protocol: "a2a/1.0", Method: "SendMessage", Direction: flow.Request, Purpose: purpose, Task: flow.Task{ID: "t", Criticality: flow.Critical},
		}},
	})
}

// TestAContractBoundsWhatLiesWithinAColumn: elements and members of what is one column are that column, and so is what is found in its text.
func TestAContractBoundsWhatLiesWithinAColumn(t *testing.T) {
	rig := governedRig(t)
	for _, data := range []string{`{"names":["Ada Marlow","Ben"]}`, `{"whom":{"given":"Ada Marlow","born":"1957-03-14"}}`, `{"by":{"Ada":[],"Ben":["x"]}}`, `{"story":"Write to ada.marlow@example.org, or call."}`} {
		p, err := visit(rig, "care", data)
		if err != nil || string(bytes.TrimSpace(p.Body)) == "" || len(dataOf(t, p.Body)) != 1 {
			t.Fatalf("for care %s is not shown: %v", data, err)
		}
		p, err = visit(rig, "billing", data)
		if err != nil {
			continue // refused
		}
		for _, secret := range []string{"Ada", "Ben", "1957", "ada.marlow", "call"} {
			if strings.Contains(gatewaytest.Said(string(p.Body)), secret) {
				t.Errorf("for billing %q of %s is shown, which is for care alone", secret, data)
			}
		}
	}
}

// TestAContractBoundsWhatPolicyPermits: purposes, techniques and retention of data contracts hold whatever policy says.
func TestAContractBoundsWhatPolicyPermits(t *testing.T) {
	rig := governedRig(t)
	const all = `{"id":"7","born":"1957-03-14","sex":"female","postal":"97701"}`
	for purpose, want := range map[flow.Purpose][]string{
		"care": {"id", "born", "postal"}, "nursing": {"id", "born", "postal"}, "billing": {"id", "postal"},
	} {
		p, err := visit(rig, purpose, all)
		if err != nil {
			t.Fatalf("for %s: %v", purpose, err)
		}
		got := dataOf(t, p.Body)
		if len(got) != len(want) {
			t.Errorf("for %s are shown %d members, want %v", purpose, len(got), want)
		}
		for _, name := range want {
			if got[name] == nil {
				t.Errorf("for %s %s is not shown", purpose, name)
			}
		}
		if p.Note.Retain == nil || *p.Note.Retain != 24*3600 {
			t.Errorf("for %s the recipient is told %+v, want that it may be kept for a day", purpose, p.Note)
		}
		for _, l := range p.Event.Levels {
			if l.Label == "person/gender" && (l.Level != flow.Dropped || l.By != flow.ByCatalog) {
				t.Errorf("the record says %+v of what may leave in aggregates alone", l)
			}
		}
	}
	for _, purpose := range []flow.Purpose{"research", ""} { // what must be shown is not, so nothing goes
		if _, err := visit(rig, purpose, all); err == nil {
			t.Errorf("for purpose %q data left that may be used for care and billing alone", purpose)
		}
	}
	if p, err := visit(rig, "care", `{"note":"Ada"}`); err != nil || p.Note.Retain != nil {
		t.Errorf("of what no contract describes is told %+v, %v", p, err)
	}
}

// TestAContractBoundsQuestions: a question is held to the contract of its dataset and of each column.
func TestAContractBoundsQuestions(t *testing.T) {
	rig := governedRig(t)
	for name, c := range map[string]struct {
		purpose flow.Purpose
		columns []string
		ok      bool
	}{
		"of the dataset":                        {"billing", []string{}, true},
		"of a column in the only way it may be": {"billing", []string{"sex"}, true},
		"for another purpose":                   {"research", []string{}, false},
		"of a column for another purpose":       {"billing", []string{"born"}, false},
		"of a column behind its table's name":   {"billing", []string{"visits.born"}, false},
		"of all columns":                        {"billing", nil, false},
		"of all columns for what all may":       {"nursing", nil, true},
		"for no purpose":                        {"", []string{}, false},
	} {
		_, err := rig.Permits(&gateway.Posed{
			Snapshot: rig.Snapshot(), Question: &gateway.Question{Dataset: "visits", Technique: "aggregate", Columns: c.columns},
			Flow: flow.Flow{ID: gateway.NewFlowID(), From: flow.Party{Agent: "partner", Domain: gatewaytest.Other}, To: flow.Party{Agent: "intake", Domain: gatewaytest.Own}, Purpose: c.purpose},
		})
		if refused, is := errors.AsType[*gateway.Refusal](err); (err == nil) != c.ok || err != nil && (!is || refused.Rule != gateway.RulePolicy) {
			t.Errorf("a question %s: %v, permitted must be %v", name, err, c.ok)
		}
	}
}

// TestAContractBoundsQuestionsAboutTables: where a contract describes a table of a source, under other names of columns, it bounds what reads the table.
func TestAContractBoundsQuestionsAboutTables(t *testing.T) {
	rig := governedRig(t)
	s := *rig.Snapshot()
	s.Datasets = map[string]*gateway.Dataset{"clinic": {
		Described: map[string]string{"stays": "visits"},
		Query: &query.Dataset{Name: "clinic", Tables: []query.Table{
			{Name: "stays", Source: "t1", Columns: []query.Column{{Name: "birthday", Source: "born"}, {Name: "zip", Source: "postal"}}},
			{Name: "beds", Source: "t2", Columns: []query.Column{{Name: "ward", Source: "ward"}}},
		}},
	}}
	for name, c := range map[string]struct {
		purpose flow.Purpose
		tables  []string
		columns []string
		ok      bool
	}{
		"of another table":         {"research", []string{"beds"}, []string{"beds.ward"}, true},
		"that counts its rows":     {"research", []string{"stays"}, []string{}, false},
		"of a column":              {"research", []string{}, []string{"stays.zip"}, false},
		"of a column renamed":      {"billing", []string{"stays"}, []string{"stays.birthday"}, false},
		"of another column":        {"billing", []string{"stays"}, []string{"stays.zip"}, true},
		"of all there is":          {"billing", nil, nil, false},
		"of all there is for care": {"care", nil, nil, true},
	} {
		_, err := rig.Permits(&gateway.Posed{
			Snapshot: &s, Question: &gateway.Question{Dataset: "clinic", Technique: "aggregate", Tables: c.tables, Columns: c.columns},
			Flow: flow.Flow{ID: gateway.NewFlowID(), From: flow.Party{Agent: "partner", Domain: gatewaytest.Other}, To: flow.Party{Agent: "intake", Domain: gatewaytest.Own}, Purpose: c.purpose},
		})
		if (err == nil) != c.ok {
			t.Errorf("a question %s: %v, permitted must be %v", name, err, c.ok)
		}
	}
}
