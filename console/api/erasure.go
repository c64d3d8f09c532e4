package api

import (
	"context"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/erasure"
)

// ErasureOf names a subject as a unit column or pointer of the catalog does, for whoever has the credential; "": the operator.
type ErasureOf struct {
	Unit       string `json:"unit"`
	Value      string `json:"value"`
	Credential string `json:"credential,omitempty"`
	Request    string `json:"request,omitempty"` // to confirm
}

func (q ErasureOf) subject() erasure.Subject {
	return erasure.Subject{Unit: q.Unit, Value: flow.NewSecret(q.Value)}
}

// AskErasure asks for an erasure and tells how much would go.
func AskErasure(ctx context.Context, o *erasure.Office, q ErasureOf) (erasure.Request, error) {
	return o.Ask(ctx, q.subject(), flow.NewSecret(q.Credential))
}

// ConfirmErasure carries out an erasure that was asked for.
func ConfirmErasure(ctx context.Context, o *erasure.Office, q ErasureOf) (erasure.Done, error) {
	return o.Confirm(ctx, q.Request, q.subject(), flow.NewSecret(q.Credential))
}

// WithdrawErasure takes a request back.
func WithdrawErasure(ctx context.Context, o *erasure.Office, q ErasureOf) (struct{}, error) {
	return struct{}{}, o.Withdraw(ctx, q.Request)
}

// WaitingErasures lists the requests that wait for their confirmation. They do not say whom they name.
func WaitingErasures(ctx context.Context, o *erasure.Office, _ struct{}) ([]erasure.Request, error) {
	all, err := o.Waiting(ctx)
	if all == nil {
		all = []erasure.Request{}
	}
	return all, err
}

// SubjectEvents lists the events about a subject.
func SubjectEvents(ctx context.Context, o *erasure.Office, q ErasureOf) ([]erasure.Event, error) {
	all := []erasure.Event{}
	err := o.Events(ctx, q.subject(), func(e erasure.Event) error { all = append(all, e); return nil })
	return all, err
}

func (a *API) erasures() {
	const none = "this gateway erases nobody"
	partCall(a, "/api/v1/erase/ask", a.opt.Erasures, none, AskErasure)
	partCall(a, "/api/v1/erase/confirm", a.opt.Erasures, none, ConfirmErasure)
	partCall(a, "/api/v1/erase/withdraw", a.opt.Erasures, none, WithdrawErasure)
	partCall(a, "/api/v1/erase/waiting", a.opt.Erasures, none, WaitingErasures)
	partCall(a, "/api/v1/subject/events", a.opt.Erasures, none, SubjectEvents)
}
