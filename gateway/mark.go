package gateway

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Mark writes a row about a flow beside those of its messages, such as the opened or closed row of a stream, with what else belongs into its transaction. Commit may be nil.
func (g *Gateway) Mark(ctx context.Context, s *Snapshot, f flow.Flow, outcome flow.Outcome, segments int, reason string, commit func(store.Tx) error) error {
	ev := flow.Event{
		Time: g.now(), Flow: f, Outcome: outcome, Segment: segments, Reason: reason,
		PolicyHash: s.Policy.Hash(), ConfigHash: s.ConfigHash,
	}
	if outcome == flow.Opened {
		if err := entryOf(ctx).stream(s); err != nil {
			return g.Refused(ctx, s, f, err)
		}
		lasts(ctx)
	}
	err := g.update(ctx, func(tx store.Tx) error {
		if commit != nil {
			if err := commit(tx); err != nil {
				return err
			}
		}
		_, err := g.journal.Append(tx, ev, audit.Private{})
		return err
	})
	if err != nil {
		return unrecorded(err)
	}
	g.told(ev)
	return nil
}

// Asked puts on record that terms were asked for, and what was told of which labels. The error is a [*Refusal].
func (g *Gateway) Asked(ctx context.Context, s *Snapshot, f flow.Flow, reason string, levels []flow.LevelCount) error {
	ev := flow.Event{
		Time: g.now(), Flow: f, Outcome: flow.Asked, Reason: reason, Levels: levels, PolicyHash: s.Policy.Hash(), ConfigHash: s.ConfigHash,
	}
	err := g.update(ctx, func(tx store.Tx) error {
		_, err := g.journal.Append(tx, ev, audit.Private{})
		return err
	})
	if r, refused := errors.AsType[*Refusal](err); refused {
		return r
	}
	if err != nil {
		return refuse(RuleRecord, "", err, "The question could not be put on record, so it is not answered.")
	}
	g.told(ev)
	entryOf(ctx).passed(s, &ev)
	return nil
}

// EventBytes is the limit of one event.
func (l EventLimits) EventBytes() int { return orDefault(l.Event, 1<<20) }

// MostEvents is the limit of events in one stream.
func (l EventLimits) MostEvents() int { return orDefault(l.Events, 100_000) }

// AnswerBytes is how much of a stream is kept to be given again.
func (l EventLimits) AnswerBytes() int { return orDefault(l.Answer, 1<<20) }

// Loopback reports whether a host, with or without a port, is this machine's own name or address for itself.
func Loopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
