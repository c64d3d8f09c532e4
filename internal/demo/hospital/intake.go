// Package hospital is the demo's hospital, St. Brigid: an MCP server over its patient table, an A2A agent that starts
// prior authorisations, and one that coordinates care and works with the patient's own data.
package hospital

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/demo/patients"
	"github.com/scrimhq/scrim/internal/demo/priorauth"
)

// Facility is the hospital's name.
const Facility = "St. Brigid Hospital"

// Peers are whom the intake agent asks. Those that are zero are not asked.
type Peers struct {
	Records     node.Endpoint // the hospital's own MCP server
	Coordinator node.Endpoint // the hospital's own A2A agent
	Insurer     node.Endpoint
	Lab         node.Endpoint
}

// StartIntake starts the agent intake. It starts a prior authorisation when it is told a record number and a
// procedure, as in "Start a prior authorisation: MRN-48201937, J1745."
func StartIntake(ctx context.Context, opt node.Options, peers Peers) (*node.Running, error) {
	card := a2a.AgentCard{
		Name:        "St. Brigid intake",
		Description: "Starts prior authorisations and tells everybody who must know.",
		Version:     node.Version,
		Provider:    &a2a.AgentProvider{Org: Facility, URL: "https://st-brigid.example"},
		Skills: []a2a.AgentSkill{{
			ID: "start-prior-authorization", Name: "Start a prior authorisation", Tags: []string{"intake"},
			Description: "Takes a record number and a procedure code; answers with what insurer, lab and coordinator said.",
			Examples:    []string{"Start a prior authorisation: " + patients.FeaturedMRN + ", J1745."},
		}},
	}
	return node.StartAgent(ctx, opt, card, node.Handler(peers.start))
}

var (
	mrnPattern       = regexp.MustCompile(`\bMRN-\d{8}\b`)
	procedurePattern = regexp.MustCompile(`\b[A-Z]\d{4}\b`)
)

func (p Peers) start(ctx context.Context, msg *a2a.Message, work *node.Work) error {
	text := node.Text(msg.Parts)
	mrn, procedure := mrnPattern.FindString(text), procedurePattern.FindString(text)
	if mrn == "" || procedure == "" {
		return errors.New("a record number and a procedure code are needed")
	}
	record, err := node.CallTool[Record](ctx, p.Records, "get_record", RecordQuery{MRN: mrn})
	if err != nil {
		return fmt.Errorf("reading the record: %w", err)
	}
	visits, err := node.CallTool[Encounters](ctx, p.Records, "list_encounters", RecordQuery{MRN: mrn})
	if err != nil {
		return fmt.Errorf("reading the visits: %w", err)
	}
	ref := Refer(record, visits.Encounters, procedure)
	for _, to := range []struct {
		name, artifact string
		node.Endpoint
	}{
		{"care coordinator", "plan", p.Coordinator}, {"insurer", "letter", p.Insurer}, {"research lab", "summary", p.Lab},
	} {
		if to.IsZero() {
			continue
		}
		answer, err := to.Listen(ctx, ref.Message(), to.artifact)
		if err != nil {
			answer = "The " + to.name + " could not be asked."
		}
		if err := work.Write(to.name, answer, 64); err != nil {
			return err
		}
	}
	return nil
}

// Refer writes the referral for a procedure from a patient's record: for the condition that the procedure treats, else
// for the first, on behalf of the clinician last seen for it.
func Refer(r Record, visits []Encounter, procedure string) priorauth.Referral {
	t := priorauth.TreatmentOf(procedure)
	cost := t.Ceiling * 0.8
	ref := priorauth.Referral{
		Patient: priorauth.Patient{
			Name: r.Name, BirthDate: r.BirthDate, Sex: r.Sex, MRN: r.MRN, MemberNumber: r.MemberNumber, Plan: r.Plan, Phone: r.Phone, Email: r.Email,
			Address: priorauth.Address{Street: r.Street, City: r.City, PostalCode: r.PostalCode},
		},
		Request:  priorauth.Request{Procedure: procedure, Urgency: "expedited", EstimatedCost: &cost, RequestedOn: string(patients.Today)},
		Provider: priorauth.Provider{Facility: Facility},
	}
	for _, c := range r.Conditions {
		if ref.Request.Diagnosis == "" || t.Treats(c.Code) {
			ref.Request.Diagnosis = c.Code
		}
	}
	for _, v := range visits {
		if v.Reason == ref.Request.Diagnosis {
			ref.Provider.Clinician = v.Clinician
			break
		}
	}
	return ref
}
