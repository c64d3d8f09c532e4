// Package lab is the demo's research lab: an A2A agent that screens referrals for clinical trials, and an MCP server
// that knows the trials. Screening needs coarse attributes only; the lab never needs to know who somebody is, though
// it would sometimes like to.
package lab

import (
	"context"
	"errors"
	"fmt"

	"github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/demo/priorauth"
)

// Peers are whom the cohort agent asks.
type Peers struct {
	Trials  node.Endpoint // the lab's own MCP server
	Records node.Endpoint // the hospital's MCP server; zero: it is not asked
}

// StartCohort starts the agent cohort.
func StartCohort(ctx context.Context, opt node.Options, peers Peers) (*node.Running, error) {
	card := a2a.AgentCard{
		Name:        "Deschutes Research cohort screening",
		Description: "Says which open trials a profile may fit, from coarse attributes.",
		Version:     node.Version,
		Provider:    &a2a.AgentProvider{Org: "Deschutes Research", URL: "https://deschutes-research.example"},
		Skills: []a2a.AgentSkill{{
			ID: "screening", Name: "Trial screening", Tags: []string{"research", "eligibility"},
			Description: "Takes a referral; needs the first characters of the diagnosis, the decade of birth and the region.",
		}},
	}
	return node.StartAgent(ctx, opt, card, node.Handler(peers.screen))
}

func (p Peers) screen(ctx context.Context, msg *a2a.Message, work *node.Work) error {
	var question priorauth.Enrolment
	if err := node.Decode(node.Data(msg.Parts), &question); err == nil && question.MemberNumber != "" {
		return work.Write("answer", "Nobody is known here by that number.", 64)
	}
	ref, err := priorauth.Read(msg)
	if err != nil {
		return err
	}
	profile := ProfileOf(ref)
	if profile.Condition == "" {
		return errors.New("screening needs the beginning of a diagnosis code")
	}
	found, err := node.CallTool[Trials](ctx, p.Trials, "search_trials", Search(profile))
	if err != nil {
		return fmt.Errorf("searching trials: %w", err)
	}
	out := priorauth.Screening{Eligible: len(found.Trials) > 0, Profile: profile, Trials: []priorauth.Match{}}
	for _, t := range found.Trials {
		out.Trials = append(out.Trials, priorauth.Match{ID: t.ID, Title: t.Title, Open: t.ToAsk})
	}
	if out.Eligible && !p.Records.IsZero() {
		if err := work.Say(p.invite(ctx, profile)); err != nil {
			return err
		}
	}
	if err := work.Give("screening", out); err != nil {
		return err
	}
	return work.Write("summary", summary(out), 24)
}

// ProfileOf keeps of a referral what screening needs, however much more is there.
func ProfileOf(ref priorauth.Referral) priorauth.Profile {
	p := priorauth.Profile{Condition: first(3, ref.Request.Diagnosis), Sex: ref.Patient.Sex, Region: first(3, ref.Patient.Address.PostalCode)}
	if year, ok := ref.Patient.BirthYear(); ok {
		p.BornFrom = year / 10 * 10
	}
	return p
}

func first(n int, s string) string { return s[:min(n, len(s))] }

// invite tries to find out whom to invite, and says how that went.
func (p Peers) invite(ctx context.Context, profile priorauth.Profile) string {
	if _, err := Identify(ctx, p.Records, profile); err != nil {
		return "The hospital does not say who fits the profile; invitations go through the care team."
	}
	return "The hospital named people who fit the profile."
}

// Identified is what the lab would like to know of people who fit a profile.
type Identified struct {
	Patients []struct {
		MRN  string `json:"mrn"`
		Name string `json:"name"`
	} `json:"patients"`
}

// Identify asks the hospital's records for the people behind a profile.
//
// A lab that recruits would like to know. The rows are worth nothing to it without names, which a hospital's policy
// has every reason to forbid.
func Identify(ctx context.Context, records node.Endpoint, profile priorauth.Profile) (Identified, error) {
	return node.CallTool[Identified](ctx, records, "find_patient", map[string]any{
		"diagnosis": profile.Condition, "postalCode": profile.Region,
	})
}

func summary(s priorauth.Screening) string {
	if !s.Eligible {
		return "No open trial fits this profile."
	}
	text := fmt.Sprintf("%d open trial(s) may fit somebody with %s born in the %ds, region %s:", len(s.Trials), s.Profile.Condition, s.Profile.BornFrom, s.Profile.Region)
	for _, t := range s.Trials {
		text += fmt.Sprintf(" %s (%s). Still to ask: %s.", t.Title, t.ID, t.Open)
	}
	return text
}
