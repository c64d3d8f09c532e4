package gateway

import (
	"context"
	"encoding/hex"
	"net/http"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
)

// HeaderTrace is the header of a W3C trace context. Its companions tracestate and baggage are content that nobody
// reads, and go no further.
const HeaderTrace = "Traceparent"

const sampled = 1 // of a traceparent's flags

// noTrace is the trace id that the specification calls invalid.
var noTrace [16]byte

// TraceIn returns the traceparent of a request, or "" where there is none, more than one, or one without its form: who
// is called then begins a trace of its own, as the specification has it.
func TraceIn(h http.Header) string {
	v := h.Values(HeaderTrace)
	if len(v) != 1 || !isTrace(v[0]) {
		return ""
	}
	return v[0]
}

// Traceparent returns a traceparent as the recipient of the flow may see it: within a domain as it is; across, with a trace id
// that only this gateway can bring back, a parent id of its own, and of the flags only whether the trace is sampled. Of a call that
// is followed the parent is the gateway's span, and within the domain there is one even if the call brought none. Else "" stays "".
func (g *Gateway) Traceparent(ctx context.Context, s *Snapshot, f flow.Flow, traceparent string) string {
	x := g.passage(s, &f)
	ids, followed := spanOf(ctx)
	if followed && traceparent != "" {
		followed = traceID(g.onOurSide(s, f.From.Domain, traceparent)) == ids.Trace // else it is of another trace than the call
	}
	switch {
	case followed && !x.crosses():
		return "00-" + hex.EncodeToString(ids.Trace[:]) + "-" + hex.EncodeToString(ids.Span[:]) + "-01"
	case traceparent == "" || !x.crosses():
		return traceparent
	case followed:
		return x.trace(traceparent, &ids.Span)
	}
	return x.trace(traceparent, nil)
}

// onOurSide returns a traceparent as the domain's own agents know it.
func (g *Gateway) onOurSide(s *Snapshot, from flow.DomainID, traceparent string) string {
	if !isTrace(traceparent) || from == s.Domain || from == "" {
		return traceparent
	}
	return passage{from: g.border(s.Domain, from)}.trace(traceparent, nil)
}

// TraceOf returns what the journal calls the trace of a message from a domain: the same for all hops through this
// gateway that are of one trace as the domain's own agents see it, and without the keyring nothing else.
func (g *Gateway) TraceOf(s *Snapshot, from flow.DomainID, traceparent string) flow.TraceID {
	if !wire.IsTraceparent(traceparent) {
		return ""
	}
	id := traceID(traceparent)
	if from != s.Domain {
		permuteTrace(&id, g.border(s.Domain, from).trace.Backward)
	}
	g.traceName(s.Domain).Forward(&id)
	return flow.TraceID(hex.EncodeToString(id[:]))
}

// traceName is the permutation that gives traces their names in the journal.
func (g *Gateway) traceName(own flow.DomainID) permuter {
	if p, ok := g.traceNames.Load(own); ok {
		return p.(permuter)
	}
	p, _ := g.traceNames.LoadOrStore(own, g.keys.Permutation("trace", string(own)))
	return p.(permuter)
}

// isTrace reports whether a traceparent names a trace in the form that it must have.
func isTrace(traceparent string) bool {
	return wire.IsTraceparent(traceparent) && traceID(traceparent) != noTrace
}

// parentID and flagsOf are of a traceparent whose form is known.
func parentID(traceparent string) (id [8]byte) {
	_, _ = hex.Decode(id[:], []byte(traceparent[36:52]))
	return id
}

func flagsOf(traceparent string) byte {
	var flags [1]byte
	_, _ = hex.Decode(flags[:], []byte(traceparent[53:]))
	return flags[0]
}

func traceID(traceparent string) (id [16]byte) {
	_, _ = hex.Decode(id[:], []byte(traceparent[3:35])) // its form is known
	return id
}

// permuteTrace permutes trace ids among themselves: zeros are none.
func permuteTrace(id *[16]byte, step func(*[16]byte)) {
	for step(id); *id == noTrace; step(id) {
	}
}

// trace maps a traceparent of the sender's side for the recipient. Span is the gateway's own, in place of the caller's; nil: it has none.
func (x passage) trace(traceparent string, span *[8]byte) string {
	id, parent := traceID(traceparent), parentID(traceparent)
	if x.from != nil {
		permuteTrace(&id, x.from.trace.Backward)
		parent = x.from.parent(id, parent)
	}
	if span != nil {
		parent = *span
	}
	if x.to != nil {
		parent = x.to.parent(id, parent)
		permuteTrace(&id, x.to.trace.Forward)
	}
	flags := [1]byte{flagsOf(traceparent) & sampled}
	return "00-" + hex.EncodeToString(id[:]) + "-" + hex.EncodeToString(parent[:]) + "-" + hex.EncodeToString(flags[:])
}

// parent returns a span id that stands for the sender's: the same for the same one, and nothing can be told from it.
func (k *borderKeys) parent(trace [16]byte, parent [8]byte) (out [8]byte) {
	b := trace
	for {
		for i := range parent {
			b[i] ^= parent[i]
		}
		k.span.Forward(&b)
		if out = [8]byte(b[:]); out != [8]byte{} {
			return out
		}
	}
}
