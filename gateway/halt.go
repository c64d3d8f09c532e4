package gateway

import (
	"errors"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Freezes are what was brought to a halt. It must be safe for concurrent use and quick: every message asks. What was frozen is so
// from the moment on at which that is on record; within a transaction its answers hold for as long as the transaction lasts.
type Freezes interface {
	Flow(f *flow.Flow) bool
	Party(p flow.Party) bool
	Dataset(name string) bool
	Listen(fn func()) // fn is called after each change
}

// errFrozen is for the operator alone. To the outside a freeze looks like a configuration that has not what is frozen.
var errFrozen = errors.New("it is frozen")

// noAgentText is what everybody is told who may not reach an agent, whatever the reason.
const noAgentText = "There is no such agent at this address for this caller."

func frozen() *Refusal { return refuse(RuleFace, "", errFrozen, noAgentText) }

// Halted returns the [*Refusal] of a flow that a freeze forbids, nil where none does.
func (g *Gateway) Halted(f *flow.Flow) error {
	if g.freezes != nil && g.freezes.Flow(f) {
		return frozen()
	}
	return nil
}

// haltedParty is Halted for whoever calls, before it is known whom.
func (g *Gateway) haltedParty(p flow.Party) error {
	if g.freezes != nil && g.freezes.Party(p) {
		return frozen()
	}
	return nil
}

// haltedDataset refuses a question about a frozen dataset as one that policy does not permit.
func (g *Gateway) haltedDataset(q *Question) error {
	if g.freezes != nil && q != nil && g.freezes.Dataset(q.Dataset) {
		return refuse(RulePolicy, "", errFrozen, notPermittedText)
	}
	return nil
}

// heldJournal keeps off the record, and so from happening, what a freeze forbids: it is asked in the transaction of every flow,
// whichever way the flow came.
type heldJournal struct {
	Journal
	freezes Freezes
}

// Append implements [Journal].
func (j *heldJournal) Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error) {
	switch ev.Outcome {
	case flow.Refused, flow.Conflict, flow.Closed, flow.Changed, flow.Budgeted: // nothing is shown by these
	case flow.Asked: // about whom something was asked is told nothing by it
		asker := ev.Flow.From
		if ev.Flow.Direction == flow.Response {
			asker = ev.Flow.To
		}
		if j.freezes.Party(asker) || j.freezes.Flow(&flow.Flow{Chain: ev.Flow.Chain, Capability: ev.Flow.Capability}) {
			return flow.Receipt{}, frozen()
		}
	default:
		if j.freezes.Flow(&ev.Flow) {
			return flow.Receipt{}, frozen()
		}
	}
	return j.Journal.Append(tx, ev, p)
}

// opened keeps a stream that is open, to be ended by a freeze: in a map alone, so that one more costs little.
func (g *Gateway) opened(l *lasting) {
	if g.freezes == nil {
		return
	}
	g.open.Store(l, nil)
	if err := g.Halted(l.flow); err != nil { // it came between the last look and this one
		l.cancel(err)
	}
}

// endFrozen ends the open streams that a freeze forbids.
func (g *Gateway) endFrozen() {
	g.open.Range(func(key, _ any) bool {
		l := key.(*lasting)
		if err := g.Halted(l.flow); err != nil {
			l.cancel(err)
		}
		return true
	})
}

// unheld asks the transaction of a message for its dataset. Its parties the journal asks for.
func (g *Gateway) unheld(m *Message) error {
	if m.Asking == nil {
		return nil
	}
	return g.haltedDataset(m.Asking.q)
}
