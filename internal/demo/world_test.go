package demo

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/demo/hospital"
	"github.com/scrimhq/scrim/internal/demo/insurer"
	"github.com/scrimhq/scrim/internal/demo/lab"
	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/demo/patients"
	"github.com/scrimhq/scrim/internal/demo/priorauth"
)

// start runs the world without gateways: everybody reaches everybody.
func start(t *testing.T) *World {
	t.Helper()
	w, err := New(t.Context(), t.TempDir(), Options{Patients: 400})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("Close() error = %v", err)
		}
	})
	if err := w.Start(t.Context(), func(_, to flow.AgentID) node.Endpoint { return w.Direct(to) }); err != nil {
		t.Fatal(err)
	}
	return w
}

func referral(t *testing.T, w *World) priorauth.Referral {
	t.Helper()
	record, err := node.CallTool[hospital.Record](t.Context(), w.Direct(Records), "get_record", hospital.RecordQuery{MRN: patients.FeaturedMRN})
	if err != nil {
		t.Fatal(err)
	}
	visits, err := node.CallTool[hospital.Encounters](t.Context(), w.Direct(Records), "list_encounters", hospital.RecordQuery{MRN: patients.FeaturedMRN})
	if err != nil {
		t.Fatal(err)
	}
	return hospital.Refer(record, visits.Encounters, "J1745")
}

func TestIntakeAsksEverybody(t *testing.T) {
	w := start(t)
	task, err := w.Direct(Intake).Send(t.Context(), a2a.NewMessage(a2a.MessageRoleUser, a2a.NewTextPart("Start a prior authorisation: "+patients.FeaturedMRN+", J1745.")))
	if err != nil {
		t.Fatal(err)
	}
	if task.Status.State != a2a.TaskStateCompleted {
		t.Fatalf("task is %s", task.Status.State)
	}
	for name, want := range map[string]string{
		"care coordinator": "Call Eleanor Whitfield on 541-555-0142 within two days",
		"insurer":          "We approve infliximab infusions for Eleanor Whitfield until 2027-02-18.",
		"research lab":     "DR-2026-014",
	} {
		if got := node.Text(node.Artifact(task, name).Parts); !strings.Contains(got, want) {
			t.Errorf("%s said %q, want it to contain %q", name, got, want)
		}
	}
	same := map[string]bool{}
	for _, id := range []flow.AgentID{Coordinator, PriorAuth, Cohort} {
		for _, r := range w.Received(id) {
			if parts := sentParts(t, r.Body); strings.Contains(parts, "Please authorise") {
				same[parts] = true
			}
		}
	}
	if len(same) != 1 {
		t.Errorf("recipients got %d different contents without gateways, want one", len(same))
	}
}

// sentParts is the content of an A2A request, as text.
func sentParts(t *testing.T, body []byte) string {
	t.Helper()
	var req struct {
		Params struct {
			Message struct{ Parts json.RawMessage }
		}
	}
	if err := json.Unmarshal(body, &req); err != nil {
		t.Fatal(err)
	}
	return string(req.Params.Message.Parts)
}

func TestLetterIsStreamedInChunksThatCutNames(t *testing.T) {
	w := start(t)
	var decision priorauth.Decision
	var letter, said strings.Builder
	chunks, whole, last := 0, 0, false
	var state a2a.TaskState
	for ev, err := range w.Direct(PriorAuth).Stream(t.Context(), referral(t, w).Message()) {
		if err != nil {
			t.Fatal(err)
		}
		switch ev := ev.(type) {
		case *a2a.TaskStatusUpdateEvent:
			state = ev.Status.State
			if ev.Status.Message != nil {
				said.WriteString(node.Text(ev.Status.Message.Parts))
			}
		case *a2a.TaskArtifactUpdateEvent:
			if ev.Artifact.Name == "decision" {
				if err := node.Decode(node.Data(ev.Artifact.Parts), &decision); err != nil {
					t.Fatal(err)
				}
				continue
			}
			text := node.Text(ev.Artifact.Parts)
			if ev.Append != (chunks > 0) {
				t.Errorf("chunk %d has append = %v", chunks, ev.Append)
			}
			if strings.Contains(text, "Eleanor Whitfield") {
				whole++
			}
			letter.WriteString(text)
			chunks++
			last = ev.LastChunk
		}
	}
	if state != a2a.TaskStateCompleted || !last || chunks < 10 || whole != 0 {
		t.Errorf("stream ended %s, last chunk marked %v, %d chunks, %d of them with the whole name", state, last, chunks, whole)
	}
	if decision.Verdict != priorauth.Approved || *decision.CoveredAmount != 4320 || *decision.PatientShare != 480 {
		t.Errorf("decision = %+v", decision)
	}
	if !strings.HasPrefix(letter.String(), "Authorisation "+decision.Authorization+". We approve") || !strings.Contains(said.String(), "Eleanor Whitfield") {
		t.Errorf("letter = %q, said %q", letter.String(), said.String())
	}
}

func TestInsurerSpeaksOfPatientsAsItWasTold(t *testing.T) {
	w := start(t)
	ref := referral(t, w)
	ref.Patient = priorauth.Patient{Name: "[person 1]", BirthDate: "1957", MemberNumber: "tok_1", Plan: ref.Patient.Plan}
	ref.Request.Diagnosis = "M05"
	task, err := w.Direct(PriorAuth).Send(t.Context(), ref.Message())
	if err != nil {
		t.Fatal(err)
	}
	letter := node.Text(node.Artifact(task, "letter").Parts)
	if !strings.Contains(letter, "We approve infliximab infusions for [person 1] until") || strings.Contains(letter, "Eleanor") {
		t.Errorf("letter = %q", letter)
	}
}

func TestDecide(t *testing.T) {
	cost := 4800.0
	base := priorauth.Referral{
		Patient: priorauth.Patient{BirthDate: "1957-03-14"},
		Request: priorauth.Request{Procedure: "J1745", Diagnosis: "M05.79", EstimatedCost: &cost, RequestedOn: "2026-11-20"},
	}
	active := insurer.Coverage{Active: true, Coinsurance: 0.1}
	for _, c := range []struct {
		name   string
		change func(*priorauth.Referral)
		cover  insurer.Coverage
		want   priorauth.Verdict
	}{
		{"as sent", func(*priorauth.Referral) {}, active, priorauth.Approved},
		{"no plan", func(*priorauth.Referral) {}, insurer.Coverage{}, priorauth.Denied},
		{"other diagnosis", func(r *priorauth.Referral) { r.Request.Diagnosis = "I10" }, active, priorauth.Denied},
		{"diagnosis cut to its category", func(r *priorauth.Referral) { r.Request.Diagnosis = "M05" }, active, priorauth.Approved},
		{"diagnosis cut to its chapter", func(r *priorauth.Referral) { r.Request.Diagnosis = "M" }, active, priorauth.Pended},
		{"diagnosis masked", func(r *priorauth.Referral) { r.Request.Diagnosis = "[diagnosis]" }, active, priorauth.Pended},
		{"diagnosis missing", func(r *priorauth.Referral) { r.Request.Diagnosis = "" }, active, priorauth.Pended},
		{"year of birth alone", func(r *priorauth.Referral) { r.Patient.BirthDate = "1957" }, active, priorauth.Approved},
		{"birth date masked", func(r *priorauth.Referral) { r.Patient.BirthDate = "[birth date]" }, active, priorauth.Pended},
		{"too young", func(r *priorauth.Referral) { r.Patient.BirthDate = "2024" }, active, priorauth.Denied},
		{"cost missing", func(r *priorauth.Referral) { r.Request.EstimatedCost = nil }, active, priorauth.Pended},
		{"too dear", func(r *priorauth.Referral) { dear := 6001.0; r.Request.EstimatedCost = &dear }, active, priorauth.Pended},
		{"unknown treatment", func(r *priorauth.Referral) { r.Request.Procedure = "J9999" }, active, priorauth.Denied},
	} {
		ref := base
		c.change(&ref)
		if got := insurer.Decide(ref, c.cover); got.Verdict != c.want || len(got.Reasons) == 0 {
			t.Errorf("%s: verdict %s for %q, want %s", c.name, got.Verdict, got.Reasons, c.want)
		}
	}
}

func TestScreeningNeedsCoarseAttributesOnly(t *testing.T) {
	w := start(t)
	full := referral(t, w)
	coarse := priorauth.Referral{
		Patient: priorauth.Patient{BirthDate: "1950s", Sex: "female", Address: priorauth.Address{PostalCode: "977"}},
		Request: priorauth.Request{Diagnosis: "M05"},
	}
	var answers [2]priorauth.Screening
	for i, ref := range []priorauth.Referral{full, coarse} {
		task, err := w.Direct(Cohort).Send(t.Context(), ref.Message())
		if err != nil {
			t.Fatal(err)
		}
		if err := node.Decode(node.Data(node.Artifact(task, "screening").Parts), &answers[i]); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := json.Marshal(answers[0])
	b, _ := json.Marshal(answers[1])
	if string(a) != string(b) || len(answers[0].Trials) != 2 {
		t.Errorf("full referral: %s\ncoarse one: %s", a, b)
	}
}

func TestRecordsAnswersQuestions(t *testing.T) {
	w := start(t)
	records := w.Direct(Records)
	byName, err := node.CallTool[hospital.Found](t.Context(), records, "find_patient", hospital.FindQuery{Name: "whitf", BirthDate: "1957"})
	if err != nil || byName.Total != 1 || byName.Patients[0].MRN != patients.FeaturedMRN {
		t.Errorf("by name: %+v, %v", byName, err)
	}
	byCode, err := node.CallTool[hospital.Found](t.Context(), records, "find_patient", hospital.FindQuery{Diagnosis: "I10", Limit: 3})
	if err != nil || len(byCode.Patients) != 3 || byCode.Total < 20 {
		t.Errorf("by diagnosis: %d of %d rows, %v", len(byCode.Patients), byCode.Total, err)
	}
	for name, q := range map[string]hospital.FindQuery{"nothing": {}, "a wildcard": {Name: "%"}, "SQL": {Name: "' OR 1=1 --"}} {
		got, err := node.CallTool[hospital.Found](t.Context(), records, "find_patient", q)
		if name == "nothing" && err == nil || name != "nothing" && (err != nil || got.Total != 0) {
			t.Errorf("asked for %s: %d rows, %v", name, got.Total, err)
		}
	}
	_, err = node.CallTool[hospital.Record](t.Context(), records, "get_record", hospital.RecordQuery{MRN: "MRN-00000000"})
	if tool, ok := errors.AsType[*node.ToolError](err); !ok || tool.Text != hospital.ErrNoPatient.Error() {
		t.Errorf("unknown number: error = %v, want the tool's own", err)
	}
}

func TestServersHaveToolsSchemasAndResources(t *testing.T) {
	w := start(t)
	for _, c := range []struct {
		id       flow.AgentID
		tools    []string
		resource string
	}{
		{Records, []string{"find_patient", "get_record", "list_encounters"}, "records://departments"},
		{Records, nil, "records://patients/" + patients.FeaturedMRN},
		{Coverage, []string{"check_coverage", "list_policies"}, "coverage://policies"},
		{Trials, []string{"search_trials"}, "trials://open"},
	} {
		s, err := w.Direct(c.id).Server(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		tools, err := s.ListTools(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range c.tools {
			if tool := tools.Tools[i]; tool.Name != name || tool.InputSchema == nil || tool.OutputSchema == nil {
				t.Errorf("%s: tool %d is %q, want %q with both schemas", c.id, i, tool.Name, name)
			}
		}
		res, err := s.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: c.resource})
		if err != nil || len(res.Contents) != 1 || !json.Valid([]byte(res.Contents[0].Text)) {
			t.Errorf("%s: %v", c.resource, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("closing the session with %s: %v", c.id, err)
		}
	}
}

func TestMemberIsKnownByItsToken(t *testing.T) {
	w := start(t)
	for i, want := range []int{0, 1, 0} {
		q := insurer.CoverageQuery{Member: []string{"tok_a", "tok_a", "tok_b"}[i], Plan: "HM-SILVER"}
		got, err := node.CallTool[insurer.Coverage](t.Context(), w.Direct(Coverage), "check_coverage", q)
		if err != nil || got.Requests != want || got.Coinsurance != 0.2 {
			t.Errorf("look-up %d: %+v, %v", i, got, err)
		}
	}
}

func TestTemptationsWorkWithoutAGateway(t *testing.T) {
	w := start(t)
	ref := referral(t, w)
	if task, err := insurer.AskLab(t.Context(), w.Direct(Cohort), ref); err != nil || task.Status.State != a2a.TaskStateCompleted {
		t.Errorf("asking the lab about a member: %v", err)
	}
	got, err := lab.Identify(t.Context(), w.Direct(Records), lab.ProfileOf(ref))
	if err != nil || len(got.Patients) == 0 || got.Patients[0].Name == "" {
		t.Errorf("asking the hospital who fits a profile: %+v, %v", got, err)
	}
}

func TestNobodyGoesRoundTheGateway(t *testing.T) {
	w := start(t)
	for _, m := range Members {
		for _, bearer := range []string{"", "guess"} {
			e := w.Direct(m.ID)
			before := len(w.Received(m.ID))
			e.Bearer = flow.NewSecret(bearer)
			res, err := e.Client().Post(e.URL, "application/json", strings.NewReader(`{}`))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusUnauthorized || len(w.Received(m.ID)) != before {
				t.Errorf("%s let %q in: %s", m.ID, bearer, res.Status)
			}
		}
	}
}
