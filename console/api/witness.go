package api

import (
	"context"

	"github.com/scrimhq/scrim/evidence/witness"
	"github.com/scrimhq/scrim/store"
)

// Witnessing is what a gateway has to do with witnesses: the logs that it cosigns, and those who cosign its own.
type Witnessing struct {
	DB       store.DB
	Witness  *witness.Witness
	Cosigner func() *witness.Cosigner // nil, or returns nil: nobody cosigns the own log
	LogKey   string                   // verifier key of the own log
}

// WitnessView is what "scrim witness show" tells.
type WitnessView struct {
	Key           string // by which this gateway cosigns
	LogKey        string // of its own log
	Logs          []witness.Status
	Equivocations []witness.Equivocation

	Witnesses  []witness.PeerStatus // of the own log
	Have, Want int                  // cosignatures of its latest checkpoint
	Lacking    string               // why that is an alarm, or ""
}

// ShowWitness says how it stands with witnesses.
func ShowWitness(ctx context.Context, w *Witnessing, _ ShowRequest) (v WitnessView, err error) {
	v.Key, v.LogKey = w.Witness.Key(), w.LogKey
	if v.Logs, err = w.Witness.Logs(ctx); err != nil {
		return WitnessView{}, err
	}
	if v.Equivocations, err = witness.Equivocations(ctx, w.DB); err != nil {
		return WitnessView{}, err
	}
	if w.Cosigner == nil {
		return v, nil
	}
	c := w.Cosigner()
	v.Witnesses, v.Have, v.Want = c.Statuses()
	if since, lacking := c.Lacking(); lacking {
		v.Lacking = since.String()
	}
	return v, nil
}

// witnesses adds the call about witnesses.
func (a *API) witnesses() {
	partCall(a, "/api/v1/witness/show", a.opt.Witnessing, "this gateway has nothing to do with witnesses", ShowWitness)
}
