package run

import (
	"errors"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/gateway/usefulness"
	"github.com/scrimhq/scrim/observe/alarm"
	"github.com/scrimhq/scrim/store"
)

// ErrFrozen is the error of a table of a frozen dataset, or for whom is frozen.
var ErrFrozen = errors.New("the dataset, or whom the table is for, is frozen (scrim frozen lists why): thaw it first")

// releasing is the journal for tables. One that was opened before a freeze does not come to its end after it.
type releasing struct {
	log     *audit.Log
	freezes *freeze.List
}

// Append implements [gateway.Journal].
func (j releasing) Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error) {
	if ev.Outcome != flow.Refused && (j.freezes.Flow(&ev.Flow) || ev.Flow.Subject != "" && j.freezes.Dataset(ev.Flow.Subject)) {
		return flow.Receipt{}, ErrFrozen
	}
	return j.log.Append(tx, ev, p)
}

// incidentSchemas are the tables of freezes, alarms and verdicts.
func incidentSchemas() []store.Schema {
	return []store.Schema{freeze.Schema(), alarm.Schema(), usefulness.Schema()}
}

// toldFrozen bounds how many are told of at the start.
const toldFrozen = 20

// tellFrozen reminds the operator of what was frozen before the start.
func (r *Gateway) tellFrozen() {
	for i, f := range r.Freezes.All() {
		if i == toldFrozen {
			r.log.Warn("more is frozen; scrim frozen lists it")
			return
		}
		r.log.Warn("frozen since before the start", "target", f.Target.String())
	}
}
