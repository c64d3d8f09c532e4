package gateway_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/exposure"
)

const exposedPolicy = `permit (principal, action in Action::"upto_raw", resource);`

const exposedSchema = `{"type":"object","required":["id"],"properties":{
	"id":{"type":"string","x-scrim-label":"public"},
	"born":{"type":"string","x-scrim-label":"person/birth-date","x-scrim-subject":"/id","x-scrim-unit":"patient","x-scrim-droppable":true},
	"sex":{"type":"string","x-scrim-label":"person/gender","x-scrim-subject":"/id","x-scrim-unit":"patient","enum":["female","male"]},
	"postal":{"type":"string","x-scrim-label":"location/postal","x-scrim-subject":"/id","x-scrim-unit":"patient"}}}`

// strictSchema has a place that can neither be coarser nor be left out of a request.
const strictSchema = `{"type":"object","required":["id","born"],"properties":{
	"id":{"type":"string","x-scrim-label":"public"},
	"born":{"type":"string","x-scrim-label":"person/birth-date","x-scrim-subject":"/id","x-scrim-unit":"patient","minLength":10,"maxLength":10},
	"sex":{"type":"string","x-scrim-label":"person/gender","x-scrim-subject":"/id","x-scrim-unit":"patient","enum":["female","male"]}}}`

// exposedRig is a gateway whose policy lets everything pass raw, with or without a memory.
func exposedRig(t testing.TB, memory bool, schema string) *gatewaytest.Rig {
	t.Helper()
	setup := gatewaytest.Setup{Policy: exposedPolicy, Schemas: []gatewaytest.Schema{{Kind: catalog.Data, Owner: "partner", Direction: flow.Request, JSON: schema}}}
	for agent, domain := range map[flow.AgentID]flow.DomainID{"intake": gatewaytest.Own, "partner": gatewaytest.Other, "claims": gatewaytest.Other} {
		setup.Agents = append(setup.Agents, &gateway.Agent{Party: flow.Party{Agent: agent, Domain: domain}})
	}
	setup.Change = func(s *gateway.Snapshot) {
		if memory {
			s.Exposure = &exposure.Settings{Rules: exposure.Presets()["combinations"], Taxonomy: s.Taxonomy}
		}
	}
	return gatewaytest.New(t, setup)
}

// show sends an agent of the other domain a message and returns what arrives.
func show(rig *gatewaytest.Rig, agent flow.AgentID, task flow.TaskID, parts string) (*gateway.Passed, error) {
	table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	s := rig.Snapshot()
	return rig.Pass(context.Background(), &gateway.Message{
		Snapshot: s, Table: table, Body: []byte(messageOf(parts)), Owner: "partner", Schemas: s.Catalog.Schemas(catalog.Data, "partner", "", flow.Request),
		NoteIn: gateway.NotePlace{Under: "params/message", Names: []string{"metadata", "note"}},
		Query: policy.Query{Flow: flow.Flow{
			ID: gateway.NewFlowID(), From: flow.Party{Agent: "intake", Domain: gatewaytest.Own}, To: flow.Party{Agent: agent, Domain: gatewaytest.Other},
			Protocol: "a2a/1.0", Method: "SendMessage", Direction: flow.Request, Task: flow.Task{ID: task, Criticality: flow.Critical},
		}},
	})
}

func dataOf(t testing.TB, body []byte) map[string]any {
	t.Helper()
	var m struct {
		Params struct {
			Message struct {
				Parts []struct{ Data map[string]any }
			}
		}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	return m.Params.Message.Parts[0].Data
}

// TestPiecesThroughTwoAgents: with the memory the piece that completes a combination is coarser, whoever gets it, and nothing that the
// recipient is told depends on it.
func TestPiecesThroughTwoAgents(t *testing.T) {
	pieces := []string{
		`{"data":{"id":"1","sex":"female","postal":"97701"}}`,
		`{"data":{"id":"1","born":"1957-03-14"}}`,
	}
	notes := map[bool]string{}
	for _, memory := range []bool{false, true} {
		rig := exposedRig(t, memory, exposedSchema)
		if _, err := show(rig, "partner", "t1", pieces[0]); err != nil {
			t.Fatal(err)
		}
		p, err := show(rig, "claims", "t2", pieces[1])
		if err != nil {
			t.Fatal(err)
		}
		want := "1957-03-14"
		if memory {
			want = "1950"
		}
		if got := dataOf(t, p.Body)["born"]; got == nil || !strings.HasPrefix(got.(string), want) || memory && strings.Contains(got.(string), "57") {
			t.Errorf("memory %v: date of birth is shown as %v, want %s", memory, got, want)
		}
		p.Note.Reference = ""
		note, _ := json.Marshal(p.Note)
		notes[memory] = string(note)
		if memory {
			on := false
			for _, l := range p.Event.Levels {
				on = on || l.Label == "person/birth-date" && l.By == flow.ByExposure && l.Param == "decade"
			}
			if !on {
				t.Errorf("the record says %v, want the date of birth by exposure", p.Event.Levels)
			}
			inputs := inputsOf(t, rig, p.Event.Flow.ID)
			if !strings.Contains(inputs, `"by":"exposure"`) {
				t.Errorf("the sealed inputs do not say what the memory did: %s", inputs)
			}
		}
	}
	if notes[false] != notes[true] {
		t.Errorf("the note is %s with the memory and %s without", notes[true], notes[false])
	}
}

// inputsOf returns the sealed inputs of a flow, opened.
func inputsOf(t testing.TB, rig *gatewaytest.Rig, id flow.ID) string {
	t.Helper()
	for e, err := range rig.Log.Entries(context.Background(), audit.Query{Flow: id}) {
		if err != nil {
			t.Fatal(err)
		}
		plain, err := rig.Keys.AEAD("journal").Open(e.Sealed, []byte(id))
		if err != nil {
			t.Fatal(err)
		}
		in, err := gateway.DecodeInputs(plain)
		if err != nil {
			t.Fatal(err)
		}
		out, _ := json.Marshal(in.Terms)
		return string(out)
	}
	t.Fatalf("%s is not on record", id)
	return ""
}

// TestMemoryNeverRefuses: what can neither be coarser nor left out is left out all the same, since a refusal would tell what was shown.
func TestMemoryNeverRefuses(t *testing.T) {
	rig := exposedRig(t, true, strictSchema)
	for i, parts := range []string{`{"data":{"id":"1","born":"1957-03-14"}}`, `{"data":{"id":"1","born":"1957-03-14","sex":"female"}}`} {
		p, err := show(rig, "partner", "t1", parts)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		if data := dataOf(t, p.Body); data["born"] != "1957-03-14" || data["sex"] != nil {
			t.Errorf("message %d arrives as %v, want the date that is held and no sex", i, data)
		}
	}
	p, err := show(rig, "partner", "t2", `{"data":{"id":"2","born":"","sex":"female"}}`)
	if err == nil {
		p, err = show(rig, "partner", "t3", `{"data":{"id":"2","born":"1957-03-14"}}`)
	}
	if err != nil {
		t.Fatal(err)
	}
	if data := dataOf(t, p.Body); data["born"] != nil || data["id"] != "2" {
		t.Errorf("arrives as %v, want no date of birth", data)
	}
}

// TestProseCountsForItsTask: what stands in a text counts for the patient whom the task is about.
func TestProseCountsForItsTask(t *testing.T) {
	rig := exposedRig(t, true, exposedSchema)
	if _, err := show(rig, "partner", "t1", `{"data":{"id":"1","sex":"female","postal":"97701"}}`); err != nil {
		t.Fatal(err)
	}
	p, err := show(rig, "partner", "t1", `{"text":"The patient was born on 14 March 1957."}`)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(gatewaytest.Said(string(p.Body)), "1957") {
		t.Errorf("the text arrives as %s, want no year of birth", p.Body)
	}
}

// TestHalvesAtOnce: however many pieces are on their way at once, the domain ends with no more than the rules allow.
func TestHalvesAtOnce(t *testing.T) {
	rig := exposedRig(t, true, exposedSchema)
	for round := range 12 {
		id := fmt.Sprint("p", round)
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := map[string]string{}
		for i, piece := range []string{`"born":"1957-03-14"`, `"sex":"female"`, `"postal":"97701"`} {
			wg.Go(func() {
				agent := []flow.AgentID{"partner", "claims"}[i%2]
				p, err := show(rig, agent, flow.TaskID(fmt.Sprint(id, i)), fmt.Sprintf(`{"data":{"id":%q,%s}}`, id, piece))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for k, v := range dataOf(t, p.Body) {
					got[k] = fmt.Sprint(v)
				}
			})
		}
		wg.Wait()
		if day := got["born"] == "1957-03-14"; day && (got["sex"] == "female" || strings.HasPrefix(got["postal"], "977")) {
			t.Fatalf("the domain holds %v, want no whole date of birth with anything", got)
		}
	}
}

// TestRefusalsDoNotTellWhatWasShown: policy refuses what it would refuse, with the memory or without, in the same words.
func TestRefusalsDoNotTellWhatWasShown(t *testing.T) {
	var texts []string
	for _, memory := range []bool{false, true} {
		rig := exposedRig(t, memory, strictSchema)
		_, _ = show(rig, "partner", "t1", `{"data":{"id":"1","sex":"female"}}`)
		_, err := show(rig, "partner", "t1", `{"data":{"id":"1","born":"1957-03-14","other":1}}`)
		if err == nil {
			t.Fatal("an undeclared member of a request passes")
		}
		texts = append(texts, fmt.Sprintf("%T %s", err, strings.Split(err.Error(), "(")[0]))
	}
	if texts[0] != texts[1] {
		t.Errorf("refused with %q without the memory, and with %q with it", texts[0], texts[1])
	}
}

// signedSchema has a date of birth under a signature, in a place that may not be left out of a request.
const signedSchema = `{"type":"object","required":["id","consent"],"properties":{
	"id":{"type":"string","x-scrim-label":"public"},
	"consent":{"type":"object","x-scrim-signed":true,"x-scrim-label":"public","properties":{
		"born":{"type":"string","x-scrim-label":"person/birth-date","x-scrim-subject":"/id","x-scrim-unit":"patient"},
		"sum":{"type":"string","x-scrim-label":"public"}}},
	"sex":{"type":"string","x-scrim-label":"person/gender","x-scrim-subject":"/id","x-scrim-unit":"patient","enum":["female","male"]},
	"postal":{"type":"string","x-scrim-label":"location/postal","x-scrim-subject":"/id","x-scrim-unit":"patient"}}}`

// TestWhatIsSignedGoesUntold: what a signature covers is left out whole where a value of it may not be shown, without a refusal and without a note.
func TestWhatIsSignedGoesUntold(t *testing.T) {
	rig := exposedRig(t, true, signedSchema)
	if _, err := show(rig, "partner", "t1", `{"data":{"id":"1","consent":{},"sex":"female","postal":"97701"}}`); err != nil {
		t.Fatal(err)
	}
	const consent = `"consent":{"born":"1957-03-14","sum":"c3Vt"}`
	whole, err := show(rig, "claims", "t2", `{"data":{"id":"2",`+consent+`}}`)
	if err != nil {
		t.Fatal(err)
	}
	p, err := show(rig, "claims", "t2", `{"data":{"id":"1",`+consent+`}}`)
	if err != nil {
		t.Fatalf("refused for what was shown before: %v", err)
	}
	if got := dataOf(t, p.Body); got["consent"] != nil || got["id"] != "1" {
		t.Errorf("arrives as %v, want no consent", got)
	}
	p.Note.Reference, whole.Note.Reference = "", ""
	got, _ := json.Marshal(p.Note)
	if want, _ := json.Marshal(whole.Note); string(got) != string(want) {
		t.Errorf("the note is %s, want %s as for somebody of whom nothing is held", got, want)
	}
}
