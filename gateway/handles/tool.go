package handles

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/offer"
)

// Names under which handles are redeemed by agents that do not fetch addresses.
const (
	RedeemTool   = "scrim_redeem"
	RedeemMethod = "scrim/redeem"
)

const redeemForm = `{"type":"object","properties":{` +
	`"ref":{"type":"string","description":"The reference, scrim:ref: and 32 characters, or the address that it came with."},` +
	`"flow_id":{"type":"string","description":"A name of your own for this call: the same again takes no use of the reference."}},` +
	`"required":["ref"]}`

// Told is the answer of the tool.
type Told struct {
	Part    stdjson.RawMessage `json:"part"` // as the message would have held it
	Media   string             `json:"media"`
	Note    flow.Note          `json:"note"`
	Expires time.Time          `json:"expires"`
}

// Tool returns the tool by which agents redeem that speak MCP, or A2A, alone.
func (h *Handler) Tool() offer.Tool {
	return offer.Tool{
		Name: RedeemTool, Method: RedeemMethod, Title: "Redeem a reference",
		Description: "Gives the part of a message that was sent as a reference (scrim:ref:…), as far as you may see it.",
		Input:       redeemForm, Output: `{"type":"object"}`,
		Call: func(ctx context.Context, c *offer.Call) (offer.Answer, error) {
			var asked struct {
				Ref  string `json:"ref"`
				Flow string `json:"flow_id"`
			}
			if stdjson.Unmarshal(c.Arguments, &asked) != nil || asked.Ref == "" {
				return offer.Answer{}, gateway.Refuse(gateway.RulePlace, errors.New("no reference"), "The call names no reference.")
			}
			out, err := h.Gateway.Redeem(ctx, &gateway.Redemption{
				Snapshot: c.Snapshot, Flow: c.Flow, Caller: c.Caller, Authority: c.Authority, ID: gateway.HandleID(asked.Ref), Request: asked.Flow, Quantum: h.Quantum,
			})
			if err != nil {
				return offer.Answer{}, err
			}
			body, err := stdjson.Marshal(Told{Part: out.Part, Media: out.Media, Note: out.Note, Expires: out.Expires.UTC()})
			return offer.Answer{Body: body}, err
		},
	}
}
