package hospital

import (
	"context"
	"fmt"

	"github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/demo/priorauth"
)

// StartCoordinator starts the agent care-coordinator, which plans what the care team does about a referral. It calls
// people, so it needs to know who they are.
func StartCoordinator(ctx context.Context, opt node.Options) (*node.Running, error) {
	card := a2a.AgentCard{
		Name:        "St. Brigid care coordination",
		Description: "Plans what the care team does about a referral.",
		Version:     node.Version,
		Provider:    &a2a.AgentProvider{Org: Facility, URL: "https://st-brigid.example"},
		Skills: []a2a.AgentSkill{{
			ID: "coordinate-care", Name: "Coordinate care", Tags: []string{"care team"},
			Description: "Takes a referral; answers with a plan for the care team.",
		}},
	}
	return node.StartAgent(ctx, opt, card, node.Handler(coordinate))
}

func coordinate(_ context.Context, msg *a2a.Message, work *node.Work) error {
	ref, err := priorauth.Read(msg)
	if err != nil {
		return err
	}
	p := ref.Patient
	by := "in the next two weeks"
	if ref.Request.Urgency == "expedited" {
		by = "within two days"
	}
	plan := fmt.Sprintf("Call %s on %s %s about %s; send the consent form to %s. Chart %s, seen by %s.",
		p.Who(), p.Phone, by, priorauth.TreatmentOf(ref.Request.Procedure).Title, p.Email, p.MRN, ref.Provider.Clinician)
	return work.Write("plan", plan, 32)
}
