package gateway

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Called is one call that came in by the door and ended: what rates and traces are made of. But for the ids of its trace, which are
// random bytes by their standard, all of it is counted, measured, out of a closed list or a name in the configuration.
type Called struct {
	Trace  TraceIDs // zero: the call is in no trace
	Began  time.Time
	Took   time.Duration // until the handler returned; of a stream, until its end
	Stream bool

	Protocol  string // and version, as the event has it
	Way       Way
	Peer      flow.DomainID // the domain on the other side; "" within the domain
	Ending    Ending
	Rule      Rule // of a refusal, the last one; "" where nothing was refused
	Messages  int  // that passed, both ways
	Leaves    int  // values in them
	Labelled  int  // of these, values that have a label
	Levels    [flow.Raw + 1]int
	Bytes     int64 // of messages that left
	Steps     []Step
	StepsLeft int // steps beyond those that are listed
}

// TraceIDs are a span's place in a trace, as the domain's own side knows it.
type TraceIDs struct {
	Trace  [16]byte
	Span   [8]byte
	Parent [8]byte // zero: the trace begins here
	Own    bool    // the parent is a span of the domain's own
}

// Way is how a call goes with regard to the edge of the domain.
type Way string

// The ways.
const (
	Within  Way = "within"  // between the domain's own agents
	In      Way = "in"      // another domain's agent calls
	Out     Way = "out"     // an agent of the domain calls another domain's
	Through Way = "through" // both are of other domains
)

// Ways are all ways.
var Ways = []Way{Within, In, Out, Through}

// Ending is how a call ended for its caller.
type Ending string

// The endings. What is refused is refused by right: a caller, a policy or a budget does not allow it. What fails is the matter of
// whoever runs the gateway or the agent behind it.
const (
	Answered Ending = "answered"
	Denied   Ending = "refused"
	Failed   Ending = "failed"
)

// Endings are all endings.
var Endings = []Ending{Answered, Denied, Failed}

// failing are the rules of calls that failed.
var failing = []Rule{RuleUpstream, RuleRecord, RuleInternal, RuleDrained, RuleBusy}

// EndingOf is the ending of a call that was refused by a rule; "": of one that was not.
func EndingOf(r Rule) Ending {
	switch {
	case r == "":
		return Answered
	case slices.Contains(failing, r):
		return Failed
	}
	return Denied
}

// Step is one stretch of a message's way, and how long it took.
type Step struct {
	Kind      StepKind
	Protocol  string
	Direction flow.Direction
	Peer      flow.DomainID // of an upstream step, whose agent was called; "": the domain's own
	Began     time.Time
	Took      time.Duration
	Failed    bool // the message went no further
}

// StepKind is what is done in a step.
type StepKind string

// The kinds of steps, in their order.
const (
	StepDetect   StepKind = "detect"   // the message is read and what it holds found out
	StepPolicy   StepKind = "policy"   // its terms are decided
	StepChange   StepKind = "change"   // each value is brought to its level
	StepRecord   StepKind = "record"   // the decision becomes durable
	StepUpstream StepKind = "upstream" // the agent behind is called, until its answer begins
)

// StepKinds are all kinds of steps.
var StepKinds = []StepKind{StepDetect, StepPolicy, StepChange, StepRecord, StepUpstream}

// mostSteps bounds what is kept of one call: a whole answer takes nine, a stream any number.
const mostSteps = 32

// tally is what an entry gathers about its call.
type tally struct {
	mu      sync.Mutex // guards call
	call    Called
	noted   bool // something is known of the flow
	settled bool // whether it is followed
	follow  bool // it is; steps are kept
}

// note takes down who calls whom.
func (t *tally) note(s *Snapshot, f *flow.Flow) {
	if t.noted && f.Direction == flow.Response && t.call.Way != "" {
		return
	}
	from, to := f.From, f.To
	if f.Direction == flow.Response {
		from, to = to, from
	}
	t.noted = true
	t.call.Protocol = f.Protocol
	own, toOwn := from.Domain == s.Domain || from.Domain == "", to.Domain == s.Domain || to.Domain == ""
	switch {
	case own && toOwn:
		t.call.Way, t.call.Peer = Within, ""
	case own:
		t.call.Way, t.call.Peer = Out, to.Domain
	case toOwn:
		t.call.Way, t.call.Peer = In, from.Domain
	default:
		t.call.Way, t.call.Peer = Through, to.Domain
	}
}

// passed takes down a message that passed.
func (e *entry) passed(s *Snapshot, ev *flow.Event) {
	if e == nil || e.g.hooks.Call == nil {
		return
	}
	e.tally.mu.Lock()
	defer e.tally.mu.Unlock()
	e.tally.note(s, &ev.Flow)
	c := &e.tally.call
	c.Messages++
	c.Bytes += int64(ev.Bytes)
	for _, l := range ev.Levels {
		c.Leaves += l.Count
		if l.Label != flow.Unlabelled && l.Label != "" {
			c.Labelled += l.Count
		}
		if int(l.Level) < len(c.Levels) {
			c.Levels[l.Level] += l.Count
		}
	}
}

// refused takes down a refusal.
func (e *entry) refused(s *Snapshot, f *flow.Flow, r Rule) {
	if e == nil || e.g.hooks.Call == nil {
		return
	}
	e.tally.mu.Lock()
	defer e.tally.mu.Unlock()
	e.tally.note(s, f)
	e.tally.call.Rule = r
}

// step reports a step, and keeps it for the trace of its call.
func (g *Gateway) step(e *entry, st Step) {
	if g.hooks.Step != nil {
		g.hooks.Step(st)
	}
	if e == nil {
		return
	}
	t := &e.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.follow:
	case len(t.call.Steps) < mostSteps:
		t.call.Steps = append(t.call.Steps, st)
	default:
		t.call.StepsLeft++
	}
}

// called reports that an agent was called for the call.
func (e *entry) called(whose flow.DomainID, began time.Time, err error) {
	if e.g.hooks.Step == nil && e.g.hooks.Sample == nil {
		return
	}
	e.tally.mu.Lock()
	protocol := e.tally.call.Protocol
	e.tally.mu.Unlock()
	if whose == e.g.Snapshot().Domain {
		whose = ""
	}
	e.g.step(e, Step{
		Kind: StepUpstream, Protocol: protocol, Peer: whose, Direction: flow.Request, Began: began, Took: time.Since(began), Failed: err != nil,
	})
}

// Follow settles, once for each call that came by the door, whether it is followed in a trace: in the one that it came with, else in
// one that begins here. The traceparent is as the caller sent it, or "".
func (g *Gateway) Follow(ctx context.Context, s *Snapshot, from flow.DomainID, traceparent string) {
	e := entryOf(ctx)
	if e == nil || g.hooks.Sample == nil || g.hooks.Call == nil {
		return
	}
	e.tally.mu.Lock()
	defer e.tally.mu.Unlock()
	if e.tally.settled {
		return
	}
	e.tally.followIn(g.onOurSide(s, from, traceparent), from == s.Domain, g.hooks.Sample)
}

// followIn begins the span of a call. A caller of another domain does not choose what is sampled here.
func (t *tally) followIn(traceparent string, own bool, sample func(asked bool) bool) {
	var ids TraceIDs
	asked := false
	t.settled = true
	if isTrace(traceparent) {
		ids.Trace, ids.Parent, ids.Own = traceID(traceparent), parentID(traceparent), own
		asked = own && flagsOf(traceparent)&sampled != 0
	}
	if !sample(asked) {
		return
	}
	if ids.Trace == noTrace {
		_, _ = rand.Read(ids.Trace[:]) // never fails
	}
	_, _ = rand.Read(ids.Span[:])
	t.call.Trace, t.follow = ids, true
}

// spanOf returns where a call is in a trace; false: it is in none that is followed.
func spanOf(ctx context.Context) (TraceIDs, bool) {
	e := entryOf(ctx)
	if e == nil || e.g.hooks.Sample == nil {
		return TraceIDs{}, false
	}
	e.tally.mu.Lock()
	defer e.tally.mu.Unlock()
	return e.tally.call.Trace, e.tally.follow
}

// reported tells of a call that ended, if a flow came of it: what asks for a card or a key is none.
func (e *entry) reported(stream bool) {
	if e.g.hooks.Call == nil {
		return
	}
	t := &e.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.noted {
		return
	}
	if e.g.hooks.Sample != nil && !t.settled {
		t.followIn("", false, e.g.hooks.Sample) // refused before its trace was read
	}
	c := t.call
	c.Began, c.Took, c.Stream, c.Ending = e.began, time.Since(e.began), stream, EndingOf(t.call.Rule)
	e.g.hooks.Call(c)
}

// stopwatch times the steps of one message. The zero value times nothing.
type stopwatch struct {
	g    *Gateway
	e    *entry // nil: the message came by no door
	f    *flow.Flow
	kind StepKind
	at   time.Time
}

// stopwatch begins with a step; where nobody wants to know it reads no clock.
func (g *Gateway) stopwatch(ctx context.Context, f *flow.Flow, first StepKind) (w stopwatch) {
	if g.hooks.Step == nil && g.hooks.Sample == nil {
		return w
	}
	return stopwatch{g, entryOf(ctx), f, first, time.Now()}
}

// next ends a step and begins another.
func (w *stopwatch) next(kind StepKind) {
	if w.g == nil {
		return
	}
	now := time.Now()
	w.g.step(w.e, Step{Kind: w.kind, Protocol: w.f.Protocol, Direction: w.f.Direction, Began: w.at, Took: now.Sub(w.at)})
	w.kind, w.at = kind, now
}

// end ends the last step.
func (w *stopwatch) end(err error) {
	if w.g != nil {
		w.g.step(w.e, Step{Kind: w.kind, Protocol: w.f.Protocol, Direction: w.f.Direction, Began: w.at, Took: time.Since(w.at), Failed: err != nil})
	}
}
