package telemetry

import (
	"crypto/rand"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	res "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// Scope is the name of the instrumentation scope of all spans.
const Scope = "github.com/scrimhq/scrim/gateway"

// The flags of a span: sampled, and whether its parent is another process's.
const (
	sampledFlag  = 0x001
	knownRemote  = 0x100
	parentRemote = 0x200
)

// spansOf makes the spans of calls: one of the whole call, and one below it for each step.
func spansOf(of []Attribute, calls []gateway.Called) []*trace.ResourceSpans {
	var spans []*trace.Span
	for i := range calls {
		spans = append(spans, callSpan(&calls[i]))
		for j := range calls[i].Steps {
			spans = append(spans, stepSpan(&calls[i], &calls[i].Steps[j]))
		}
	}
	about := &res.Resource{}
	for _, a := range of {
		about.Attributes = append(about.Attributes, text(a.Key, a.Value))
	}
	return []*trace.ResourceSpans{{Resource: about, ScopeSpans: []*trace.ScopeSpans{{Scope: &common.InstrumentationScope{Name: Scope}, Spans: spans}}}}
}

func callSpan(c *gateway.Called) *trace.Span {
	s := &trace.Span{
		TraceId: c.Trace.Trace[:], SpanId: c.Trace.Span[:], Name: c.Protocol + " " + string(c.Way), Kind: trace.Span_SPAN_KIND_SERVER,
		StartTimeUnixNano: nano(c.Began), EndTimeUnixNano: nano(c.Began.Add(c.Took)), Flags: sampledFlag | knownRemote, Status: &trace.Status{},
	}
	if c.Trace.Parent != [8]byte{} {
		s.ParentSpanId, s.Flags = c.Trace.Parent[:], s.Flags|parentRemote
	}
	s.Attributes = []*common.KeyValue{
		text("scrim.protocol", c.Protocol), text("scrim.way", string(c.Way)), text("scrim.ending", string(c.Ending)), number("scrim.messages", int64(c.Messages)),
		number("scrim.values", int64(c.Leaves)), number("scrim.values.labelled", int64(c.Labelled)), number("scrim.bytes", c.Bytes), flag("scrim.stream", c.Stream),
	}
	for l, n := range c.Levels {
		if n > 0 {
			s.Attributes = append(s.Attributes, number("scrim.level."+flow.Level(l).String(), int64(n)))
		}
	}
	if c.Rule != "" {
		s.Attributes = append(s.Attributes, text("scrim.rule", string(c.Rule)))
	}
	if c.Peer != "" {
		s.Attributes = append(s.Attributes, text("scrim.peer", string(c.Peer)))
	}
	if c.StepsLeft > 0 {
		s.Attributes = append(s.Attributes, number("scrim.steps.left", int64(c.StepsLeft)))
	}
	if c.Ending == gateway.Failed {
		s.Status.Code = trace.Status_STATUS_CODE_ERROR
	}
	return s
}

func stepSpan(c *gateway.Called, st *gateway.Step) *trace.Span {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	s := &trace.Span{
		TraceId: c.Trace.Trace[:], SpanId: id[:], ParentSpanId: c.Trace.Span[:], Name: string(st.Kind), Kind: trace.Span_SPAN_KIND_INTERNAL,
		StartTimeUnixNano: nano(st.Began), EndTimeUnixNano: nano(st.Began.Add(st.Took)), Flags: sampledFlag | knownRemote, Status: &trace.Status{},
		Attributes: []*common.KeyValue{text("scrim.step", string(st.Kind)), text("scrim.direction", st.Direction.String())},
	}
	if st.Kind == gateway.StepUpstream {
		s.Kind = trace.Span_SPAN_KIND_CLIENT
		if st.Peer != "" {
			s.Attributes = append(s.Attributes, text("scrim.peer", string(st.Peer)))
		}
	}
	if st.Failed {
		s.Status.Code = trace.Status_STATUS_CODE_ERROR
	}
	return s
}

func nano(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) }

func text(key, v string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: v}}}
}

func number(key string, v int64) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: v}}}
}

func flag(key string, v bool) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: v}}}
}
