package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

// MintRequest asks for a root capability by the word of the operator.
type MintRequest struct {
	Agent flow.AgentID      `json:"agent"`
	Grant string            `json:"grant,omitempty"`
	Key   json.RawMessage   `json:"key"` // public, a JWK
	Less  *capability.Grant `json:"less,omitempty"`
}

// Minted is a capability that is on record and may be handed out.
type Minted struct {
	Capability string  `json:"capability"`
	Sentence   string  `json:"sentence"`
	Reference  flow.ID `json:"reference"`
}

// CheckRequest asks whether this domain's gateway would take a capability.
type CheckRequest struct {
	Capability string `json:"capability"`
}

// Checked says what a gateway thinks of a capability.
type Checked struct {
	Refused  string        `json:"refused,omitempty"` // rule and link; "": it would be taken
	Issuer   flow.DomainID `json:"issuer,omitempty"`
	Sentence string        `json:"sentence,omitempty"`
}

// Capabilities are what the admin API does about them.
type Capabilities interface {
	Mint(ctx context.Context, req MintRequest) (Minted, error)
	Check(ctx context.Context, req CheckRequest) Checked
}

// ErrMint is wrapped by the errors of [Capabilities.Mint] that the operator is to be told.
var ErrMint = errors.New("the capability is not issued")

func (a *API) mint(w http.ResponseWriter, r *http.Request) {
	var req MintRequest
	if !read(w, r, &req) {
		return
	}
	out, err := a.opt.Capabilities.Mint(r.Context(), req)
	switch {
	case errors.Is(err, ErrMint):
		fail(w, http.StatusUnprocessableEntity, err.Error())
	case err != nil:
		fail(w, http.StatusInternalServerError, err.Error())
	default:
		answer(w, out)
	}
}

func (a *API) checkCapability(w http.ResponseWriter, r *http.Request) {
	var req CheckRequest
	if read(w, r, &req) {
		answer(w, a.opt.Capabilities.Check(r.Context(), req))
	}
}
