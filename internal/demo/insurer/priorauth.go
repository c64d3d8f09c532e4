// Package insurer is the demo's insurer, Harbor Mutual: an A2A agent that decides prior authorisations, and an MCP
// server that knows its plans. The agent reads the patient under whatever name or placeholder it was given.
package insurer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/demo/priorauth"
)

// Peers are whom the prior-auth agent asks.
type Peers struct {
	Coverage node.Endpoint // the insurer's own MCP server
	Lab      node.Endpoint // a research lab's A2A agent; zero: it is not asked
}

// chunk is how many bytes of the letter go into one event: few, so that names are cut in two.
const chunk = 12

// StartPriorAuth starts the agent prior-auth.
func StartPriorAuth(ctx context.Context, opt node.Options, peers Peers) (*node.Running, error) {
	card := a2a.AgentCard{
		Name:        "Harbor Mutual prior authorisation",
		Description: "Decides whether a treatment is covered before it is given.",
		Version:     node.Version,
		Provider:    &a2a.AgentProvider{Org: "Harbor Mutual", URL: "https://harbor-mutual.example"},
		Skills: []a2a.AgentSkill{{
			ID: "prior-authorization", Name: "Prior authorisation", Tags: []string{"coverage", "utilisation review"},
			Description: "Takes a referral as text with structured data; answers with a decision and a letter.",
		}},
	}
	return node.StartAgent(ctx, opt, card, node.Handler(peers.decide))
}

func (p Peers) decide(ctx context.Context, msg *a2a.Message, work *node.Work) error {
	ref, err := priorauth.Read(msg)
	if err != nil {
		return err
	}
	if err := work.Say("Reading the referral for " + ref.Patient.Who() + "."); err != nil {
		return err
	}
	cover, err := node.CallTool[Coverage](ctx, p.Coverage, "check_coverage", CoverageQuery{Member: ref.Patient.MemberNumber, Plan: ref.Patient.Plan})
	if err != nil {
		return fmt.Errorf("looking the plan up: %w", err)
	}
	if !p.Lab.IsZero() {
		if err := work.Say(p.askLab(ctx, ref)); err != nil {
			return err
		}
	}
	d := Decide(ref, cover)
	d.Authorization = authorization(work.ID())
	if err := work.Give("decision", d); err != nil {
		return err
	}
	return work.Write("letter", letter(d, ref), chunk)
}

// askLab asks whether a trial's sponsor would pay, and says how that went.
func (p Peers) askLab(ctx context.Context, ref priorauth.Referral) string {
	if _, err := AskLab(ctx, p.Lab, ref); err != nil {
		return "The research lab could not be asked about trial enrolment; going on without."
	}
	return "The research lab was asked about trial enrolment."
}

// AskLab asks a research lab whether a member takes part in a trial whose sponsor would pay for the treatment.
//
// Insurers would like to know. It sends the lab a member number and a diagnosis, though, which an insurer's policy
// has every reason to forbid.
func AskLab(ctx context.Context, lab node.Endpoint, ref priorauth.Referral) (*a2a.Task, error) {
	question := priorauth.Enrolment{MemberNumber: ref.Patient.MemberNumber, Diagnosis: ref.Request.Diagnosis, Procedure: ref.Request.Procedure}
	data := a2a.NewDataPart(question)
	data.MediaType = "application/json"
	text := a2a.NewTextPart("Is this member in one of your trials, so that its sponsor would pay for the treatment?")
	return lab.Send(ctx, a2a.NewMessage(a2a.MessageRoleUser, text, data))
}

// Decide applies the insurer's rules to what it was told. What is missing or too coarse for a rule leaves the request pended.
func Decide(ref priorauth.Referral, cover Coverage) priorauth.Decision {
	t := priorauth.TreatmentOf(ref.Request.Procedure)
	d := priorauth.Decision{
		Verdict: priorauth.Approved, Patient: ref.Patient.Name, Procedure: ref.Request.Procedure,
		Reviewer: &priorauth.Reviewer{Name: "Daniel Osei", Phone: "503-555-0117", Email: "d.osei@harbor-mutual.example"},
	}
	worsen := func(v priorauth.Verdict, reason string) {
		d.Reasons = append(d.Reasons, reason)
		if d.Verdict != priorauth.Denied {
			d.Verdict = v
		}
	}
	if !cover.Active {
		worsen(priorauth.Denied, "No plan in force covers the request.")
	}
	switch granted, sure := matches(t.Diagnoses, ref.Request.Diagnosis); {
	case !sure:
		worsen(priorauth.Pended, "The diagnosis is needed in more detail.")
	case !granted:
		worsen(priorauth.Denied, "The treatment is not covered for this diagnosis.")
	}
	on := requested(ref)
	switch born, ok := ref.Patient.BirthYear(); {
	case t.FromAge > 0 && !ok:
		worsen(priorauth.Pended, "The year of birth is needed.")
	case ok && on.Year()-born < t.FromAge:
		worsen(priorauth.Denied, fmt.Sprintf("The treatment is covered from the age of %d.", t.FromAge))
	}
	cost := ref.Request.EstimatedCost
	switch {
	case cost == nil:
		worsen(priorauth.Pended, "The estimated cost is needed.")
	case *cost > t.Ceiling:
		worsen(priorauth.Pended, "A second reader must agree to the cost.")
	}
	if d.Verdict != priorauth.Approved {
		return d
	}
	d.Reasons = append(d.Reasons, "The criteria of the plan are met.")
	share := cents(*cost * cover.Coinsurance)
	covered := cents(*cost - share)
	d.CoveredAmount, d.PatientShare = &covered, &share
	d.ValidUntil = on.AddDate(0, 0, 90).Format(time.DateOnly)
	return d
}

// matches reports whether the diagnosis is one of those listed, and whether that can be told: a code cut short, or a
// placeholder, may or may not be.
func matches(prefixes []string, diagnosis string) (granted, sure bool) {
	if diagnosis == "" || strings.ContainsAny(diagnosis, "[]*") {
		return false, false
	}
	sure = true
	for _, p := range prefixes {
		if strings.HasPrefix(diagnosis, p) {
			return true, true
		}
		if strings.HasPrefix(p, diagnosis) {
			sure = false
		}
	}
	return false, sure
}

func requested(ref priorauth.Referral) time.Time {
	if t, ok := priorauth.ParseDate(ref.Request.RequestedOn); ok {
		return t
	}
	return time.Now().UTC()
}

func cents(x float64) float64 { return float64(int64(x*100+0.5)) / 100 }

// authorization is a number that says nothing, and is the same whenever the same task is looked at.
func authorization(id a2a.TaskID) string {
	sum := sha256.Sum256([]byte("authorization " + id))
	return "PA-" + base32.StdEncoding.EncodeToString(sum[:])[:8]
}

func letter(d priorauth.Decision, ref priorauth.Referral) string {
	who, what := ref.Patient.Who(), priorauth.TreatmentOf(d.Procedure).Title
	var b strings.Builder
	fmt.Fprintf(&b, "Authorisation %s. ", d.Authorization)
	switch d.Verdict {
	case priorauth.Approved:
		fmt.Fprintf(&b, "We approve %s for %s until %s. ", what, who, d.ValidUntil)
		fmt.Fprintf(&b, "The plan pays $%.2f; %s pays $%.2f. ", *d.CoveredAmount, who, *d.PatientShare)
	case priorauth.Pended:
		fmt.Fprintf(&b, "We cannot decide yet about %s for %s. ", what, who)
	default:
		fmt.Fprintf(&b, "We cannot approve %s for %s. ", what, who)
	}
	b.WriteString(strings.Join(d.Reasons, " "))
	fmt.Fprintf(&b, " Questions about %s go to %s, %s.", who, d.Reviewer.Name, cmp.Or(d.Reviewer.Phone, d.Reviewer.Email))
	return b.String()
}
