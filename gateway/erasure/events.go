package erasure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// Event is one event about a subject, told for the subject's own eyes: what others the same message was about is not in it.
type Event struct {
	Seq       int64             `json:"seq"`
	Flow      flow.ID           `json:"flow"`
	Time      time.Time         `json:"time"`
	From      flow.Party        `json:"from"`
	To        flow.Party        `json:"to"`
	Direction flow.Direction    `json:"direction"`
	Purpose   flow.Purpose      `json:"purpose,omitempty"`
	Outcome   flow.Outcome      `json:"outcome"`
	Policies  []flow.PolicyID   `json:"policies,omitempty"`
	Levels    []flow.LevelCount `json:"levels,omitempty"` // of what was about the subject; none if the sealed inputs are gone
	Proven    bool              `json:"proven"`           // the entry commits to this subject; false: its inputs are gone
}

const eventsPage = 256

var errUncommitted = errors.New("the entry does not commit to the subject that its row names")

// Events tells of each event about a subject, in order, and puts on record that somebody asked. What was erased is not found.
func (o *Office) Events(ctx context.Context, s Subject, tell func(Event) error) error {
	ref, err := o.ref(s)
	if err != nil {
		return err
	}
	err = o.opt.DB.Update(ctx, func(tx store.Tx) error {
		_, err := o.append(tx, flow.Released, "the events about a subject are listed for the operator")
		return err
	})
	if err != nil {
		return fmt.Errorf("putting it on record: %w", err)
	}
	own, err := o.opt.Vault.Own(ctx, ref)
	if errors.Is(err, vault.ErrNoKey) {
		return nil
	}
	if err != nil {
		return err
	}
	for from := int64(0); ; {
		var page []audit.Of
		err := o.opt.DB.View(ctx, func(tx store.Tx) (err error) {
			page, err = audit.EventsOf(tx, ref, from, eventsPage)
			return err
		})
		if err != nil {
			return err
		}
		for _, of := range page {
			ev, err := o.event(ctx, ref, own, of)
			if err != nil {
				return fmt.Errorf("entry %d: %w", of.Seq, err)
			}
			if err := tell(ev); err != nil {
				return err
			}
			from = of.Seq + 1
		}
		if len(page) < eventsPage {
			return nil
		}
	}
}

func (o *Office) event(ctx context.Context, ref flow.SubjectRef, own vault.Own, of audit.Of) (Event, error) {
	for e, err := range o.opt.Journal.Entries(ctx, audit.Query{From: of.Seq, To: of.Seq}) {
		if err != nil {
			return Event{}, err
		}
		f := e.Event.Flow
		ev := Event{
			Seq: e.Seq, Flow: f.ID, Time: e.Event.Time, From: f.From, To: f.To, Direction: f.Direction, Purpose: f.Purpose,
			Outcome: e.Event.Outcome, Policies: e.Event.Policies,
		}
		plain, err := own.Open(of.Sealed, e.Subjects)
		if err != nil {
			return ev, errUncommitted
		}
		share, err := audit.ParseShare(plain)
		if err != nil {
			return ev, err
		}
		return ev, o.detail(&ev, e, ref, share)
	}
	return Event{Seq: of.Seq}, nil // the entry is not kept any more
}

// detail adds what the sealed inputs say, if they can still be opened.
func (o *Office) detail(ev *Event, e audit.Entry, ref flow.SubjectRef, share audit.Share) error {
	plain, err := o.seal.Open(e.Sealed, []byte(e.Event.Flow.ID))
	if err != nil {
		return nil // they are not kept any more, or their epoch is retired
	}
	in, err := gateway.DecodeInputs(plain)
	if err != nil {
		return err
	}
	if ev.Proven = audit.OpensSubject(e.Subjects, in.List, share.At, ref, share.Salt); !ev.Proven {
		return errUncommitted
	}
	var leaves []flow.Leaf
	var terms []flow.LeafTerms
	for i := range in.Leaves {
		if n, ok := gateway.OrdinalOf(in.Leaves[i].Subject); ok && n == share.At {
			leaves, terms = append(leaves, in.Leaves[i]), append(terms, in.Terms[i])
		}
	}
	ev.Levels = flow.CountLevels(leaves, terms)
	return nil
}
