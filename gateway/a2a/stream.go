package a2a

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/store"
)

// relay carries one event stream from the agent to the caller.
type relay struct {
	*call
	flow     flow.Flow // of the way back; one for the whole stream
	texts    gateway.TextStreams
	rest     *gateway.Rest // set while a text's rest is asked for
	segments int
	sent     []byte // what the caller got, to be given again; nil once over the cap
	keep     bool
	kept     gateway.Kept // what sent takes
	begun    bool
	ids      gateway.IDs // as the agent calls them
	told     gateway.IDs // as the caller knows them
	named    bool        // the task goes by the ids that the caller was given
	ended    bool        // a terminal status or the answer itself was sent
}

// stream relays a stream of events: an opened row before the first byte, a segment row before each event's bytes, a
// closed row at the end. After a crash the record overstates what was sent, it never understates it.
func (c *call) stream(ctx context.Context, events source) {
	s := c.relayed()
	defer s.kept.Free()
	if err := s.open(ctx); err != nil {
		c.deny(err)
		return
	}
	err := s.events(ctx, events)
	if err != nil {
		s.fail(ctx, err)
	}
	s.close(ctx, err)
}

// relayed makes the relay of the call's answer.
//
//go:noinline
func (c *call) relayed() *relay {
	s := &relay{call: c, flow: c.responseFlow(), keep: true, kept: c.h.Gateway.Keep()}
	s.texts.At = s.textID
	return s
}

// open writes the opened row.
//
//go:noinline
func (s *relay) open(ctx context.Context) error {
	return s.h.Gateway.Mark(ctx, s.snap, s.flow, flow.Opened, 0, "", nil)
}

func (s *relay) events(ctx context.Context, events source) error {
	for beats := 0; ; {
		ev, err := events.next()
		switch {
		case errors.Is(err, io.EOF):
			return s.rests(ctx)
		case err != nil:
			return err
		case ev.data == nil:
			if beats++; beats > s.snap.Events.MostEvents() {
				return gateway.Refuse(gateway.RuleTooBig, nil, "The stream has more than %d heartbeats.", s.snap.Events.MostEvents())
			}
			if err := s.write(ev, nil); err != nil {
				return err
			}
			continue
		}
		if err := s.event(ctx, ev); err != nil {
			return err
		}
	}
}

// event passes one event. Before an event that ends the task, whatever is still held back is released.
func (s *relay) event(ctx context.Context, ev *event) error {
	doc := json.Borrow()
	defer doc.Return()
	if err := s.sameID(doc, ev.data); err != nil {
		return err
	}
	if err := s.readable(doc); err != nil {
		return err
	}
	ids, ends := s.dialect().describeDoc(doc)
	if s.ids.Task == "" {
		s.ids = ids
	}
	if ends && !s.ended {
		if err := s.rests(ctx); err != nil {
			return err
		}
		s.ended = true
	}
	body, err := s.pass(ctx, ev.data)
	if err != nil {
		return err
	}
	return s.write(ev, body)
}

// readable refuses an event that has not its form: chunks that cannot be read could not be joined to those before, and
// what is cut in two by them would be found in neither. What was kept to be given again was held to it before.
func (s *relay) readable(doc *json.Doc) error {
	rpc, err := wire.ReadRPC(doc)
	if err == nil && !s.anew {
		_, err = s.dialect().read(doc, rpc)
	}
	if err != nil {
		return gateway.Refuse(gateway.RuleUpstream, err, "An event of the agent's stream has not its form.")
	}
	return nil
}

// pass takes one event's payload down the road; a configuration that was reloaded meanwhile decides it.
func (s *relay) pass(ctx context.Context, data []byte) ([]byte, error) {
	if err := s.renew(ctx); err != nil {
		return nil, err
	}
	if s.segments++; s.segments > s.snap.Events.MostEvents() {
		return nil, gateway.Refuse(gateway.RuleTooBig, nil, "The stream has more than %d events.", s.snap.Events.MostEvents())
	}
	m := s.responseMessage(s.snap, data, true)
	m.Query.Flow = s.flow
	m.Outcome, m.Segment, m.Texts = flow.Segment, s.segments, &s.texts
	named, ids := func() {}, s.told
	m.Commit = func(tx store.Tx, out []byte) (err error) {
		if !s.named {
			ids, _ = s.dialect().describe(out)
		}
		if err := s.h.Gateway.Serves(s.authority, &m.Query.Flow, ids); err != nil {
			return err
		}
		if !s.named {
			named, err = s.h.Gateway.NameTask(tx, s.between(), ids, s.call.flow.Task.ID)
		}
		return err
	}
	passed, err := s.h.Gateway.Pass(ctx, m)
	if err != nil {
		return nil, err
	}
	named()
	s.told, s.named = ids, s.named || ids.Task != ""
	return passed.Body, nil
}

// renew decides an open stream again when the configuration was reloaded.
func (s *relay) renew(ctx context.Context) error {
	snap := s.h.Gateway.Snapshot()
	if snap == s.snap {
		return nil
	}
	if err := s.call.renew(ctx, snap); err != nil {
		return err
	}
	s.ticket.By(gateway.Pins{}) // decided by more than one configuration: never taken for an answer of one
	s.flow.From, s.flow.To = s.agent.Party, s.caller.Party
	s.authority.On(&s.flow)
	s.flow.Purpose, s.flow.Task.Criticality = s.call.flow.Purpose, s.call.flow.Task.Criticality
	return nil
}

// textID tells which text a string of an artifact update belongs to.
func (s *relay) textID(d *json.Doc, n int) (gateway.TextID, bool) {
	rpc, err := wire.ReadRPC(d)
	if err != nil || rpc.Kind != wire.Success {
		return gateway.TextID{}, false
	}
	a, err := s.dialect().read(d, rpc)
	if err != nil || a.Kind != wire.ArtifactPayload || a.Artifact == nil {
		return gateway.TextID{}, false
	}
	name := ""
	if a.TaskID >= 0 {
		name = d.Text(a.TaskID)
	}
	if a.Artifact.ID >= 0 {
		name += "\x00" + d.Text(a.Artifact.ID)
	}
	// A chunk's parts are added to those before, so a reader joins all of an artifact's texts: they are one text here.
	var texts []int
	for _, p := range a.Artifact.Parts {
		if p.Kind == wire.TextPart {
			texts = append(texts, p.Content)
		}
	}
	switch i := slices.Index(texts, n); {
	case i < 0:
		return gateway.TextID{}, false
	case s.rest != nil:
		return gateway.TextID{Artifact: s.rest.Artifact, Last: true}, true
	default:
		return gateway.TextID{Artifact: name, Anew: !a.Append && i == 0, Last: a.LastChunk && i == len(texts)-1}, true
	}
}

// rests releases what texts still hold back, each as a last chunk of its artifact.
func (s *relay) rests(ctx context.Context) error {
	for _, r := range s.texts.Rests() {
		task, artifact, _ := bytes.Cut([]byte(r.Artifact), []byte{0})
		s.rest = &r
		out, err := s.pass(ctx, s.chunk(string(task), string(artifact)))
		s.rest = nil
		if err != nil {
			return err
		}
		if err := s.write(&event{}, out); err != nil {
			return err
		}
	}
	return nil
}

// chunk is an artifact update with an empty text, which the rest of a text will fill.
func (s *relay) chunk(task, artifact string) []byte {
	return wire.AppendSuccess(nil, s.upstreamID(), s.dialect().chunk(nil, task, s.ids.Context, artifact))
}

// write sends an event that is on record.
func (s *relay) write(in *event, envelope []byte) error {
	s.begin()
	in.nameless = s.flow.CrossesDomain() && !s.snap.Passes(s.agentID)
	if s.keep {
		before := len(s.sent)
		s.sent = in.transcript(s.sent, envelope)
		if s.kept.Grow(len(s.sent) - before); len(s.sent) > s.snap.Events.AnswerBytes() || !s.kept.Fits() {
			s.keep, s.sent = false, nil
			s.kept.Free()
		}
	}
	return s.front.event(in, envelope)
}

func (s *relay) begin() {
	if !s.begun {
		s.begun = true
		s.front.begin(s.call)
	}
}

// fail tells the caller that the stream ends here. What texts still hold back stays here.
func (s *relay) fail(ctx context.Context, err error) {
	if r, ok := errors.AsType[*gateway.Refusal](err); !ok || r.Ref == "" { // not on record yet
		err = s.h.Gateway.Refused(ctx, s.snap, s.flow, err)
	}
	s.keep = false
	if !s.begun {
		s.deny(err)
		s.begun = true
		return
	}
	_ = s.write(&event{}, s.denial(err).A2A(s.rpc.ID)) // the caller may be what failed
}

// close writes the closed row, and with it the transcript of a stream that came to its end.
func (s *relay) close(ctx context.Context, failed error) {
	var commit func(tx store.Tx) error
	reason := ""
	if failed != nil {
		reason = "broken off"
	} else if s.keep {
		commit = func(tx store.Tx) error {
			return s.ticket.Store(tx, &gateway.Answer{Body: s.sent, Stream: true, Task: s.call.flow.Task.ID})
		}
	}
	if err := s.h.Gateway.Mark(context.WithoutCancel(ctx), s.snap, s.flow, flow.Closed, s.segments, reason, commit); err != nil {
		s.h.Gateway.Fault(err)
	}
	if failed == nil && !s.begun {
		s.begin() // an empty stream is a stream
	}
}
