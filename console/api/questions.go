package api

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/ask"
)

// QuestionRequest asks about a dataset, as an agent of the configuration.
type QuestionRequest struct {
	As          flow.AgentID
	Act         string             // one of [ask.Service.Acts], such as "query"
	Arguments   stdjson.RawMessage // a JSON object
	Purpose     string             `json:",omitempty"` // it counts if it was granted
	Criticality string             `json:",omitempty"`
	ID          string             `json:",omitempty"` // the same again is a retry
}

// Errors of [AskData].
var (
	ErrAct       = errors.New("there is nothing of this name to be done")
	ErrByRight   = errors.New("this agent calls by a capability alone, which nobody shows here")
	errQuestions = errors.New("this gateway answers no questions")
)

// ProtocolAdmin names questions of the admin API in the journal.
const ProtocolAdmin = "admin/1"

// AskData asks with what the agent was granted. It is charged, recorded and refused as if the agent had asked at any other door.
func AskData(ctx context.Context, svc *ask.Service, s *gateway.Snapshot, q QuestionRequest) (stdjson.RawMessage, error) {
	if svc == nil {
		return nil, errQuestions
	}
	as := s.Agents[q.As]
	if as == nil {
		return nil, fmt.Errorf("%q: %w", q.As, ErrAgent)
	}
	if s.Requires(as.Party) {
		return nil, fmt.Errorf("%q: %w", q.As, ErrByRight)
	}
	acts := svc.Acts()
	i := slices.IndexFunc(acts, func(a ask.Act) bool { return a.Name == q.Act })
	if i < 0 {
		return nil, ErrAct
	}
	caller, _ := s.Identity.Known(as.Party) // one without a credential was granted nothing
	caller.Party = as.Party
	if caller.TokenRoot == "" {
		caller.TokenRoot = "known"
	}
	f := flow.Flow{ID: gateway.NewFlowID(), From: as.Party, To: flow.Party{Domain: s.Domain}, Protocol: ProtocolAdmin, Method: q.Act, Direction: flow.Request}
	f.Purpose, f.Task.Criticality = caller.Choose(q.Purpose, q.Criticality)
	arguments := q.Arguments
	if len(arguments) == 0 {
		arguments = []byte("{}")
	}
	body, err := acts[i].Do(ctx, ask.Asker{Snapshot: s, Caller: caller, Flow: f, ID: q.ID, Arguments: arguments})
	if err != nil {
		f.Subject = q.Act
		return nil, errors.New(svc.Gateway.Refused(ctx, s, f, err).Text())
	}
	return body, nil
}

// questions adds the call about datasets.
func (a *API) questions() {
	a.guarded("POST /api/v1/questions", func(w http.ResponseWriter, r *http.Request) {
		var q QuestionRequest
		if !read(w, r, &q) {
			return
		}
		body, err := AskData(r.Context(), a.opt.Questions, a.opt.Snapshot(), q)
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		answer(w, body)
	})
}
