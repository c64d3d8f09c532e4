package a2a

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// PushPath is where agents post their notifications; the address of each config is below it.
const PushPath = "/push/"

// receiver is one config's notifications as they come in: in order, with what their texts hold back.
type receiver struct {
	mu     sync.Mutex // held while one is taken in
	texts  gateway.TextStreams
	rest   *gateway.Rest
	begun  map[string]bool // artifacts of which every chunk was seen
	used   time.Time
	reader *dialect
}

// ServeHTTP takes in a notification from an agent. It is answered when its release is on record and it waits, durably,
// to be delivered. What does not exist, has expired or is shown the wrong token is answered alike.
func (p *Pushes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	ctx, s := gateway.WithHops(r.Context(), r.Header), p.Gateway.Snapshot()
	push, err := p.Gateway.FindPush(ctx, strings.TrimPrefix(r.URL.Path, PushPath))
	if err != nil {
		p.Gateway.Fault(err)
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	}
	if push == nil || !shown(r.Header, push) {
		http.NotFound(w, r)
		return
	}
	f, agent, authority, ok := p.flow(s, push)
	if !ok {
		p.forget(ctx, push.ID())
		http.NotFound(w, r)
		return
	}
	refuse := func(err error) {
		ref := p.Gateway.Refused(ctx, s, f, err)
		status := http.StatusBadRequest
		switch ref.Rule {
		case gateway.RuleRecord, gateway.RuleInternal, gateway.RuleExhausted, gateway.RuleBusy, gateway.RuleRate:
			status = http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "10")
		case gateway.RuleTooBig:
			status = http.StatusRequestEntityTooLarge
		case gateway.RulePolicy, gateway.RuleSchema, gateway.RuleFace:
			status = http.StatusAccepted // it was understood, and sending it again would change nothing
		}
		http.Error(w, ref.Text(), status)
	}
	hops, err := gateway.NextHop(ctx, r.Header)
	if err != nil {
		refuse(err)
		return
	}
	body, err := gateway.ReadRequest(w, r, s.Limits.Bytes, "application/json", "application/a2a+json")
	if err != nil {
		refuse(err)
		return
	}
	in := &intake{Pushes: p, snap: s, push: push, flow: f, agent: agent, authority: authority, hops: hops}
	if err := in.take(ctx, body); err != nil {
		if ref, ok := errors.AsType[*gateway.Refusal](err); ok && ref.Ref != "" { // on record already
			p.answered(w, ref)
			return
		}
		refuse(err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// answered tells the agent of a refusal that is on record.
func (p *Pushes) answered(w http.ResponseWriter, ref *gateway.Refusal) {
	switch ref.Rule {
	case gateway.RuleRecord, gateway.RuleInternal:
		w.Header().Set("Retry-After", "10")
		http.Error(w, ref.Text(), http.StatusServiceUnavailable)
	case gateway.RulePolicy, gateway.RuleSchema, gateway.RuleFace:
		w.WriteHeader(http.StatusAccepted)
	default:
		http.Error(w, ref.Text(), http.StatusBadRequest)
	}
}

// shown reports whether a request has the token that the agent was given: in the header of the specification, or in one
// that SDKs use.
func shown(h http.Header, push *gateway.Push) bool {
	ok := false
	for _, name := range []string{"X-A2A-Notification-Token", "A2A-Notification-Token"} {
		if push.Shown(h.Get(name)) {
			ok = true
		}
	}
	return ok
}

// flow is a notification's way to its caller, as configuration has both now. It is false if the caller may no longer
// reach the agent.
func (p *Pushes) flow(s *gateway.Snapshot, push *gateway.Push) (f flow.Flow, agent *gateway.Agent, authority *gateway.Authority, ok bool) {
	authority, err := p.Gateway.Stored(s, push.Capability) // by no wider right than it was asked for
	if err != nil {
		p.Gateway.Fault(err)
		return f, nil, nil, false
	}
	caller, ok := s.Known(push.Caller, authority)
	if !ok {
		return f, nil, nil, false
	}
	agent, err = s.Reach(push.Face, caller.Party, push.Agent)
	if err != nil || agent.A2A == nil {
		return f, nil, nil, false
	}
	f = flow.Flow{
		ID: gateway.NewFlowID(), From: agent.Party, To: caller.Party, Protocol: "a2a/" + push.Version, Method: "PushNotification", Direction: flow.Response,
		Subject: agent.Skill,
	}
	f.Purpose, f.Task.Criticality = caller.Choose(string(push.Purpose), push.Criticality.String())
	f.Task.ID, f.Trace = push.Task, push.Trace
	authority.On(&f)
	return f, agent, authority, true
}

// take takes a notification down the road and queues what comes of it.
func (in *intake) take(ctx context.Context, body []byte) error {
	l := dialects[in.push.Version]
	if l == nil {
		return gateway.Refuse(gateway.RuleVersion, nil, "This version of A2A is not carried any more.")
	}
	var d json.Doc
	if err := d.Parse(body, nil, in.snap.Limits); err != nil { // one value alone, before anything is put around it
		return err
	}
	envelope := wire.AppendSuccess(nil, foreignCallID, body)
	rpc, err := parsed(&d, envelope)
	if err != nil {
		return err
	}
	a, err := l.read(&d, rpc)
	if err != nil || a.Kind == wire.OtherPayload {
		return gateway.Refuse(gateway.RuleMalformed, errPush, "The notification is not a task, a message or an update of one.")
	}
	in.receiver = in.Pushes.receiver(in.push.ID(), l)
	in.receiver.mu.Lock()
	defer in.receiver.mu.Unlock()
	ids, ends := l.describeDoc(&d)
	if err = in.follows(&d, a); err == nil && ends {
		err = in.rests(ctx, ids)
	}
	if err == nil {
		err = in.pass(ctx, envelope)
	}
	if err != nil || ends { // what texts held is sent, or cannot be trusted to go on
		in.receiver.reset()
	}
	return err
}

// rests queues what texts still hold back, each as a last chunk of its artifact.
func (in *intake) rests(ctx context.Context, ids gateway.IDs) error {
	for _, r := range in.texts.Rests() {
		task, artifact, _ := strings.Cut(r.Artifact, "\x00")
		in.rest = &r
		err := in.pass(ctx, wire.AppendSuccess(nil, foreignCallID, in.reader.chunk(nil, task, ids.Context, artifact)))
		in.rest = nil
		if err != nil {
			return err
		}
	}
	return nil
}

func (rc *receiver) reset() {
	rc.begun, rc.texts = map[string]bool{}, gateway.TextStreams{At: rc.textID}
}

// follows refuses a chunk of an artifact whose beginning was not seen here: what it goes on with is not known, so a value
// that was cut in two would not be found in it. That is so after a restart.
func (rc *receiver) follows(d *json.Doc, a wire.A2A) error {
	if a.Kind != wire.ArtifactPayload || a.Artifact == nil {
		return nil
	}
	name := artifactName(d, a)
	if a.Append && !rc.begun[name] {
		return gateway.Refuse(gateway.RulePlace, nil, "The beginning of this artifact is not known here; send it anew.")
	}
	if a.LastChunk {
		delete(rc.begun, name)
	} else if len(rc.begun) < maxBegun {
		rc.begun[name] = true
	}
	return nil
}

const maxBegun = 256

func artifactName(d *json.Doc, a wire.A2A) string {
	name := ""
	if a.TaskID >= 0 {
		name = d.Text(a.TaskID)
	}
	if a.Artifact.ID >= 0 {
		name += "\x00" + d.Text(a.Artifact.ID)
	}
	return name
}

// textID tells which text a string of an artifact update belongs to, as for a stream of events.
func (rc *receiver) textID(d *json.Doc, n int) (gateway.TextID, bool) {
	rpc, err := wire.ReadRPC(d)
	if err != nil || rpc.Kind != wire.Success {
		return gateway.TextID{}, false
	}
	a, err := rc.reader.read(d, rpc)
	if err != nil || a.Kind != wire.ArtifactPayload || a.Artifact == nil {
		return gateway.TextID{}, false
	}
	var texts []int
	for _, part := range a.Artifact.Parts {
		if part.Kind == wire.TextPart {
			texts = append(texts, part.Content)
		}
	}
	switch i := slices.Index(texts, n); {
	case i < 0:
		return gateway.TextID{}, false
	case rc.rest != nil:
		return gateway.TextID{Artifact: rc.rest.Artifact, Last: true}, true
	default:
		return gateway.TextID{Artifact: artifactName(d, a), Anew: !a.Append && i == 0, Last: a.LastChunk && i == len(texts)-1}, true
	}
}

// intake is one notification on its way in.
type intake struct {
	*Pushes
	*receiver
	snap      *gateway.Snapshot
	push      *gateway.Push
	flow      flow.Flow
	agent     *gateway.Agent
	authority *gateway.Authority // by which the caller asked to be told; nil: its own
	hops      string
}

// message is an envelope as the road takes it.
func (p *Pushes) message(s *gateway.Snapshot, push *gateway.Push, f flow.Flow, agent *gateway.Agent, a *gateway.Authority, envelope []byte) *gateway.Message {
	l := dialects[push.Version]
	table, _ := wire.For("a2a", push.Version, l.stream, flow.Response, true)
	return &gateway.Message{
		Snapshot: s, Query: policy.Query{Flow: f}, Table: table, Body: envelope, Owner: push.Agent, Authority: a,
		Schemas: schemas(s, agent, flow.Response), Meta: metaSchemas(s, push.Agent, flow.Response),
		NoteIn: gateway.NotePlace{Under: l.noteIn, Names: []string{"metadata", extensionURI}},
	}
}

// pass takes one envelope down the road; what may leave is queued in the transaction that records it.
func (in *intake) pass(ctx context.Context, envelope []byte) error {
	if !in.room(in.push.ID()) {
		return gateway.Refuse(gateway.RuleBusy, nil, "Too many notifications wait to be delivered; try again later.")
	}
	f := in.flow
	f.ID = gateway.NewFlowID()
	m := in.message(in.snap, in.push, f, in.agent, in.authority, envelope)
	m.Texts = &in.texts
	between := gateway.Between{Caller: f.To, Agent: in.push.Agent}
	named := func() {}
	var n gateway.Notification
	m.Commit = func(tx store.Tx, out []byte) (err error) {
		ids, _ := in.reader.describe(out)
		if err := in.Gateway.Serves(in.authority, &f, ids); err != nil {
			return err
		}
		if named, err = in.Gateway.NameTask(tx, between, ids, f.Task.ID); err != nil {
			return err
		}
		body, err := resultOf(out)
		if err != nil {
			return err
		}
		now := in.now()
		n = gateway.Notification{Seq: in.next(), Push: in.push.ID(), Due: now, Until: now.Add(in.keep()), Hops: in.hops, Body: body, Pins: in.Gateway.Pins(in.snap, in.authority, f), Task: f.Task.ID}
		return in.Gateway.QueueNotification(tx, &n)
	}
	if _, err := in.Gateway.Pass(ctx, m); err != nil {
		return err
	}
	named()
	in.queued(n)
	return nil
}

// resultOf is what stands in an envelope.
func resultOf(envelope []byte) ([]byte, error) {
	var d json.Doc
	rpc, err := parsed(&d, envelope)
	if err != nil {
		return nil, err
	}
	if rpc.Kind != wire.Success {
		return nil, errPush
	}
	return bytes.Clone(d.Raw(rpc.Result)), nil
}
