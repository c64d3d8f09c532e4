package demo

import (
	stdjson "encoding/json"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// view says how each leaf of the referral's data would be shown, by place, and which leaves would be dropped though
// the schema does not allow it: then the whole flow is refused.
func view(t *testing.T, gateway flow.DomainID, h Hop, schema string, attested bool, raw []byte) (levels map[string]string, refused []string) {
	t.Helper()
	s, err := catalog.ParseSchema(schema, read(t, filesOf(t, gateway), "schemas/"+schema), catalog.SchemaOptions{Contracts: contracts(t)})
	if err != nil {
		t.Fatal(err)
	}
	var doc json.Doc
	if err := doc.Parse(raw, s, json.Limits{}); err != nil {
		t.Fatal(err)
	}
	set, who := policies(t, gateway)
	to := who[h.To]
	to.Attested = attested
	q := policy.Query{Flow: flow.Flow{From: who[h.From], To: to, Purpose: h.Purpose, Task: flow.Task{Criticality: h.Criticality}}}
	levels = map[string]string{}
	for n, node := range doc.Nodes {
		if node.Kind == json.Object || node.Kind == json.Array {
			continue
		}
		info, at := s.Info(node.State), string(doc.Pointer(n, nil))
		terms, err := set.Decide(q, []flow.Leaf{{Label: info.Label, Need: info.Need, Origin: info.Origin}})
		if err != nil {
			t.Fatal(err)
		}
		levels[at] = terms.Leaves[0].Treatment.String()
		if terms.Leaves[0].Level == flow.Dropped && !info.Droppable {
			refused = append(refused, at)
		}
	}
	return levels, refused
}

func hop(t *testing.T, from, to flow.AgentID) Hop {
	t.Helper()
	for _, h := range Hops {
		if h.From == from && h.To == to {
			return h
		}
	}
	t.Fatalf("no hop from %s to %s", from, to)
	return Hop{}
}

// One message, three recipients, three views.
func TestReferralHasThreeViews(t *testing.T) {
	raw, err := stdjson.Marshal(referral(t, start(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		to     flow.AgentID
		schema string
		want   map[string]string
	}{
		{Coordinator, "referral-care.json", map[string]string{
			"/patient/name": "raw", "/patient/mrn": "raw", "/patient/memberNumber": "raw", "/patient/address/street": "raw", "/request/diagnosis": "raw",
		}},
		{PriorAuth, "referral-insurer.json", map[string]string{
			"/patient/name": "tokenized(surrogate)", "/patient/birthDate": "generalized(year)", "/patient/sex": "dropped", "/patient/mrn": "dropped",
			"/patient/memberNumber": "tokenized(reversible)", "/patient/plan": "raw", "/patient/phone": "masked(keep:2)", "/patient/email": "dropped",
			"/patient/address/street": "dropped", "/patient/address/postalCode": "generalized(prefix:3)", "/request/procedure": "raw",
			"/request/diagnosis": "raw", "/request/estimatedCost": "raw", "/provider/clinician": "raw", "/provider/facility": "raw",
		}},
		{Cohort, "referral-lab.json", map[string]string{
			"/patient/name": "dropped", "/patient/birthDate": "generalized(decade)", "/patient/sex": "raw", "/patient/mrn": "dropped",
			"/patient/memberNumber": "dropped", "/patient/phone": "dropped", "/patient/email": "dropped", "/patient/address/street": "dropped",
			"/patient/address/postalCode": "generalized(prefix:3)", "/request/procedure": "dropped", "/request/diagnosis": "generalized(prefix:3)",
			"/request/estimatedCost": "dropped", "/provider/clinician": "dropped",
		}},
	} {
		attested := c.to != Cohort // the lab's view needs no attestation
		levels, refused := view(t, Hospital, hop(t, Intake, c.to), c.schema, attested, raw)
		for at, want := range c.want {
			if levels[at] != want {
				t.Errorf("%s: %s is %s, want %s", c.to, at, levels[at], want)
			}
		}
		if len(refused) > 0 {
			t.Errorf("%s: the message would be refused for %q", c.to, refused)
		}
	}
}

// The message passes both gateways on its way, whether the recipient is attested or not.
func TestReferralArrives(t *testing.T) {
	raw, err := stdjson.Marshal(referral(t, start(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, attested := range []bool{false, true} {
		for _, c := range []struct {
			gateway flow.DomainID
			to      flow.AgentID
			schema  string
		}{
			{Hospital, Coordinator, "referral-care.json"}, {Hospital, PriorAuth, "referral-insurer.json"}, {Insurer, PriorAuth, "referral.json"},
			{Hospital, Cohort, "referral-lab.json"}, {Lab, Cohort, "referral.json"},
		} {
			if _, refused := view(t, c.gateway, hop(t, Intake, c.to), c.schema, attested, raw); len(refused) > 0 {
				t.Errorf("%s refuses the referral to %s (attested %v) for %q", c.gateway, c.to, attested, refused)
			}
		}
	}
}

func TestTemptationsAreRefused(t *testing.T) {
	question := []byte(`{"memberNumber":"x","diagnosis":"M05","procedure":"J1745"}`)
	if _, refused := view(t, Insurer, hop(t, PriorAuth, Cohort), "enrolment.json", true, question); len(refused) == 0 {
		t.Error("the insurer's gateway lets the question about a member out")
	}
	search := []byte(`{"diagnosis":"M05","postalCode":"977"}`)
	if _, refused := view(t, Lab, hop(t, Cohort, Records), "find-patient.request.json", false, search); len(refused) > 0 {
		t.Errorf("the lab's own gateway refuses %q before the hospital does", refused)
	}
	if _, refused := view(t, Hospital, hop(t, Cohort, Records), "find-patient.request.json", true, search); len(refused) == 0 {
		t.Error("the hospital's gateway lets the lab ask its records")
	}
}
