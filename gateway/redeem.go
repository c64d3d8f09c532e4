package gateway

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// Redemption is a wish for the part behind a handle.
type Redemption struct {
	Snapshot    *Snapshot
	Flow        flow.Flow // ID, From and Protocol of the request
	Caller      identity.Caller
	Authority   *Authority // that [Gateway.Holds] let through; nil: none
	ID          string     // of the handle, as it was given
	Purpose     string     // that the request names; "": that for which the part was sent
	Criticality string     // the same
	Request     string     // the redeemer's own id of this redemption: the same again takes no use; "": none
	Have        []string   // tags of what it got, which it wants more of; that takes no use either

	Quantum time.Duration // who gets nothing is told at a multiple of it after the call; 0: 25 ms
}

// Redeemed is what a redeemer gets.
type Redeemed struct {
	Tag     string // random, stays while the same is given; "": there will be no more of it
	Media   string
	Body    []byte
	Part    []byte // the whole part as its message would have held it, in JSON
	Note    flow.Note
	Expires time.Time
}

// handleForm is what a redeemer gets, as it is kept.
type handleForm struct {
	Tag  string    `json:"-"`
	Part []byte    `json:"part"`
	Note flow.Note `json:"note"`
}

func (f *handleForm) encode() ([]byte, error) { return stdjson.Marshal(f) }
func (f *handleForm) same(g *handleForm) bool { return bytes.Equal(f.Part, g.Part) }
func decodeForm(b []byte) (f *handleForm, err error) {
	f = new(handleForm)
	return f, stdjson.Unmarshal(b, f)
}
func noSuchHandle(cause error) *Refusal         { return refuse(RuleHandle, "", cause, "%s", noHandleText) }
func (r *redeeming) refused(cause string) error { return noSuchHandle(errors.New(cause)) }

// noHandleText is what everybody is told who does not get a part, whatever the reason.
const noHandleText = "There is no such handle for this caller."

// redeeming is one redemption on its way.
type redeeming struct {
	*Redemption
	g        *Gateway
	id       string
	snap     *Snapshot
	head     *handleHead
	row      handleRow
	redeemer flow.SubjectRef
	pins     []byte
	request  []byte
	old      *handleForm // what the same redeemer got before
	flow     flow.Flow   // of the part to its redeemer
	kept     *Authority  // by which the part was sent; nil: by none
}

// Redeem returns the part behind a handle as policy lets its redeemer see it now. That is a flow of its own: it is on record when
// Redeem returns, and takes one of the handle's uses unless the redeemer asks again for what it got.
//
// The error is a [*Refusal], on record. Whether a handle never was, has expired, is used up, is for somebody else or may not be shown to
// this redeemer is one and the same to the outside: [RuleHandle], after the same work of the store up to where policy is asked, which
// only the right redeemer gets to, and not before a time that tells nothing.
func (g *Gateway) Redeem(ctx context.Context, in *Redemption) (*Redeemed, error) {
	began := time.Now()
	out, err := g.redeem(ctx, in)
	if err != nil {
		q := orDefault(in.Quantum, 25*time.Millisecond)
		timer := time.NewTimer(q - time.Since(began)%q)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return out, err
}

func (g *Gateway) redeem(ctx context.Context, in *Redemption) (*Redeemed, error) {
	r := &redeeming{Redemption: in, g: g, snap: in.Snapshot, id: in.ID}
	if !isHandleID(r.id) {
		r.id = newHandleID() // nobody's; it is looked for all the same
	}
	r.redeemer = g.vault.Subject("scrim/handle-redeemer", string(in.Caller.Party.Domain)+"\x00"+string(in.Caller.Party.Agent)+"\x00"+in.Authority.holder())
	asked := in.Flow
	asked.Direction = flow.Request
	if err := r.admit(ctx, &asked); err != nil {
		return nil, alike(g.Refused(ctx, r.snap, asked, err))
	}
	out, err := r.form(ctx)
	if err != nil {
		return nil, alike(err)
	}
	return out.open(r)
}

// alike is what the outside is told of a refusal that is on record.
func alike(err error) error {
	r := *refusalOf(err)
	switch r.Rule {
	case RuleRecord, RuleInternal, RuleDrained, RuleRate, RuleBusy:
		return &r
	}
	r.Rule, r.Place, r.Public = RuleHandle, "", noHandleText
	return &r
}

// admit finds the handle and checks everything that does not depend on the part itself.
func (r *redeeming) admit(ctx context.Context, asked *flow.Flow) error {
	row, err := r.g.handleRow(ctx, r.id, r.redeemer)
	if err != nil {
		return refuse(RuleInternal, "", err, "The gateway could not look for the handle.")
	}
	r.row, r.head = row, r.g.openHead(r.id, row)
	if r.head == nil {
		return r.refused("unknown")
	}
	h, caller := r.head, r.Caller
	r.flow = h.Flow
	r.flow.ID, r.flow.Parent, r.flow.Method = asked.ID, h.Flow.ID, asked.Method
	r.flow.To = caller.Party // in the trace that it was sent in, which is what hops before bound
	asked.To, asked.Purpose, asked.Task = h.Flow.From, h.Flow.Purpose, h.Flow.Task
	again := r.again()
	switch {
	case !row.expires.After(r.g.now()):
		return r.refused("expired")
	case caller.Anonymous || caller.Party.Agent != h.Flow.To.Agent || caller.Party.Domain != h.Flow.To.Domain:
		return r.refused("for another recipient")
	case row.uses == 0 && !again:
		return r.refused("used up")
	case r.Purpose != "" && flow.Purpose(r.Purpose) != h.Flow.Purpose:
		return r.refused("for another purpose")
	case r.snap.Agents[h.Owner] == nil:
		return r.refused("its agent is gone")
	}
	if err := r.granted(); err != nil {
		return err
	}
	if err := r.rightful(ctx, asked); err != nil {
		return err
	}
	asked.Task.Criticality = r.flow.Task.Criticality
	return nil
}

// again reports whether the redeemer asks for what it got already.
func (r *redeeming) again() bool {
	f := &r.row.form
	switch {
	case f.tag == "":
		return false
	case r.Request != "":
		return bytes.Equal(f.request, r.requestKey())
	}
	return slices.Contains(r.Have, f.tag)
}

func (r *redeeming) requestKey() []byte {
	if r.Request == "" {
		return []byte{}
	}
	key := r.g.vault.Subject("scrim/handle-request", r.redeemer.String()+"\x00"+r.Request)
	return key[:]
}

// granted holds the redemption to the purpose and criticality of the flow that the part was taken from, as far as whoever chose them still
// has them: nothing that the redeemer names can make them more.
func (r *redeeming) granted() error {
	h := r.head
	chose := r.Caller
	if h.Asked.Agent != chose.Party.Agent || h.Asked.Domain != chose.Party.Domain {
		known, ok := r.snap.Identity.Known(h.Asked)
		if !ok {
			return r.refused("nobody stands for its purpose any more")
		}
		chose = known
	}
	purpose, criticality := chose.Choose(string(h.Flow.Purpose), h.Flow.Task.Criticality.String())
	if purpose != h.Flow.Purpose {
		return r.refused("its purpose is not granted any more")
	}
	if named, err := flow.ParseCriticality(r.Criticality); err == nil {
		criticality = min(criticality, named)
	} else if r.Criticality != "" {
		criticality = flow.Low
	}
	r.flow.Purpose, r.flow.Task.Criticality = purpose, criticality
	return nil
}

// form returns what the redeemer gets: what it got, if that was decided by the same and it asks for it again, otherwise the part on its
// way down the whole road.
func (r *redeeming) form(ctx context.Context) (*handleForm, error) {
	r.pins, r.request = r.decidedBy(), r.requestKey()
	if tag := r.row.form.tag; tag != "" {
		old, err := r.g.handleForm(ctx, r.id, r.redeemer, tag)
		if err != nil {
			return nil, r.g.Refused(ctx, r.snap, r.flow, refuse(RuleInternal, "", err, "The gateway could not look for what was redeemed before."))
		}
		if r.old = old; old != nil {
			r.old.Tag = tag
		}
	}
	if r.old != nil && r.again() && bytes.Equal(r.row.form.pins, r.pins) {
		m := &Message{Authority: r.Authority} // which takes no use
		err := r.g.Mark(ctx, r.snap, r.flow, flow.Replayed, 0, "", func(tx store.Tx) error { return r.g.charge(tx, m) })
		if r.Authority.charged(m, err == nil); err != nil {
			return nil, err
		}
		return r.old, nil
	}
	form, err := r.materialize(ctx)
	if err != nil && r.row.form.tag != "" && narrowed(err) {
		if derr := r.g.dropForm(ctx, r.id, r.redeemer); derr != nil {
			r.g.Fault(derr)
		}
	}
	return form, err
}

// decidedBy is what a form depends on. The pins of a message know of the evidence about its sender; here it is the recipient who comes.
func (r *redeeming) decidedBy() []byte {
	h := sha256.New()
	h.Write(r.g.Pins(r.snap, r.Authority, r.flow).digest())
	fmt.Fprintf(h, "%t %s %s", r.flow.To.Attested, r.Authority.holder(), r.kept.Limits())
	return h.Sum(nil)
}

// narrowed reports whether the terms of now are why there is nothing: then what was shown before is not kept either.
func narrowed(err error) bool {
	switch refusalOf(err).Rule {
	case RulePolicy, RuleSchema:
		return true
	}
	return false
}

// materialize takes the part down the road as if its message came now.
func (r *redeeming) materialize(ctx context.Context) (*handleForm, error) {
	plain, err := r.g.handlePartOf(ctx, r.id)
	if err != nil {
		return nil, r.g.Refused(ctx, r.snap, r.flow, noSuchHandle(err))
	}
	part, known, err := decodePart(plain)
	if err != nil {
		return nil, r.g.Refused(ctx, r.snap, r.flow, noSuchHandle(err))
	}
	if r.head.Foreign {
		if part, err = r.fetchForeign(ctx, string(part)); err != nil {
			return nil, r.g.Refused(ctx, r.snap, r.flow, err)
		}
	}
	m, ok := r.message(part)
	if !ok {
		return nil, r.g.Refused(ctx, r.snap, r.flow, r.refused("its protocol is not spoken any more"))
	}
	m.known = known
	again := r.again()
	form := new(handleForm)
	m.Commit = func(tx store.Tx, out []byte) error {
		if form.Part, err = partIn(out, r.flow.Direction, r.flow.Protocol); err != nil {
			return err
		}
		if !again {
			ok, err := useHandle(tx, r.id, r.g.now())
			if err != nil {
				return err
			}
			if !ok {
				return r.refused("used up")
			}
		} else if ok, err := hasHandle(tx, r.id, r.g.now()); err != nil || !ok {
			return errors.Join(err, r.refused("gone"))
		}
		form.Note = m.said
		return r.g.keepForm(tx, r, form)
	}
	if _, err := r.g.Pass(ctx, m); err != nil {
		return nil, err
	}
	return form, nil
}

// message puts the part into the shortest message that could have held it.
func (r *redeeming) message(part []byte) (*Message, bool) {
	h, f := r.head, r.flow
	s := r.snap
	m := &Message{
		Snapshot: s, Query: policy.Query{Flow: f}, Owner: h.Owner, Undeclared: h.Undeclared, Authority: r.Authority, sentBy: r.kept, redeeming: true, Use: !r.again(),
		Meta: s.Catalog.Schemas(catalog.Data, h.Owner, "metadata", f.Direction),
	}
	begin, end, ok := shortest(f.Protocol, f.Direction)
	if !ok {
		return nil, false
	}
	m.Body = append(append(append(make([]byte, 0, len(begin)+len(part)+len(end)), begin...), part...), end...)
	name, version, method := handleMethod(f.Protocol)
	if m.Table, ok = wire.For(name, version, method, f.Direction, false); !ok {
		return nil, false
	}
	if name == "a2a" {
		m.Schemas = append(s.Catalog.Schemas(catalog.Skill, h.Owner, s.Agents[h.Owner].Skill, f.Direction), s.Catalog.Schemas(catalog.Data, h.Owner, "", f.Direction)...)
	} else if r.g.describe != nil {
		m.Schemas = r.g.describe(s, h.Owner, f.Subject, f.Direction)
	}
	return m, true
}

func handleMethod(protocol string) (name, version, method string) {
	at := len("a2a/")
	if len(protocol) <= at {
		return "", "", ""
	}
	name, version = protocol[:at-1], protocol[at:]
	switch {
	case name == "mcp":
		method = "tools/call"
	case version == wire.A2A03:
		method = "message/send"
	default:
		method = "SendMessage"
	}
	return name, version, method
}

// shortest is what stands before and behind a part in the shortest message of a protocol.
func shortest(protocol string, dir flow.Direction) (begin, end string, ok bool) {
	name, version, method := handleMethod(protocol)
	switch {
	case name == "mcp" && dir == flow.Response:
		return `{"jsonrpc":"2.0","id":1,"result":{"content":[`, `]}}`, true
	case name != "a2a":
		return "", "", false
	}
	role, kind := "agent", ""
	if dir == flow.Request {
		role = "user"
	}
	if version == wire.A2A03 {
		kind = `"kind":"message",`
	} else {
		role = map[string]string{"agent": "ROLE_AGENT", "user": "ROLE_USER"}[role]
	}
	message := `{` + kind + `"messageId":"part","role":"` + role + `","parts":[`
	switch {
	case dir == flow.Request:
		return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{"message":` + message, `]}}}`, true
	case version == wire.A2A03:
		return `{"jsonrpc":"2.0","id":1,"result":` + message, `]}}`, true
	}
	return `{"jsonrpc":"2.0","id":1,"result":{"message":` + message, `]}}}`, true
}

var errNoPart = errors.New("the message has no part any more")

// partIn returns the part of such a message.
func partIn(body []byte, dir flow.Direction, protocol string) ([]byte, error) {
	d := json.Borrow()
	defer d.Return()
	if err := d.Parse(body, nil, json.Limits{Bytes: 2 * json.DefaultBytes}); err != nil {
		return nil, err
	}
	way := []string{"params", "message", "parts"}
	if dir == flow.Response {
		way[0] = "result"
	}
	switch name, version, _ := handleMethod(protocol); {
	case name == "mcp":
		way = []string{"result", "content"}
	case version == wire.A2A03 && dir == flow.Response:
		way = []string{"result", "parts"}
	}
	n := 0
	for _, member := range way {
		var ok bool
		if n, ok = d.Member(n, member); !ok {
			return nil, errNoPart
		}
	}
	for part := range d.Children(n) {
		if d.Nodes[part].Kind == json.Object {
			return slices.Clone(d.Raw(part)), nil
		}
	}
	return nil, errNoPart
}

// open takes out of the part what it carries.
func (f *handleForm) open(r *redeeming) (*Redeemed, error) {
	out := &Redeemed{Tag: f.Tag, Part: f.Part, Note: f.Note, Expires: r.row.expires}
	var part struct {
		Text      *string
		Data      stdjson.RawMessage
		Raw       *string
		MediaType string
		MimeType  string
		File      *struct{ Bytes, MimeType string }
		Resource  *struct{ Text, Blob, MimeType string }
	}
	if err := stdjson.Unmarshal(f.Part, &part); err != nil {
		return nil, r.g.Refused(context.Background(), r.snap, r.flow, refuse(RuleInternal, "", errNoPart, "The gateway could not read the part."))
	}
	media := cmp.Or(part.MediaType, part.MimeType)
	bytes64 := func(s string) {
		if form, content := fromBase64(s); form != nil {
			out.Body = content
		} else {
			out.Body = []byte(s)
		}
		out.Media = cmp.Or(media, "application/octet-stream")
	}
	switch {
	case part.Text != nil:
		out.Body, out.Media = []byte(*part.Text), "text/plain; charset=utf-8"
	case part.Raw != nil:
		bytes64(*part.Raw)
	case part.File != nil:
		media = part.File.MimeType
		bytes64(part.File.Bytes)
	case part.Resource != nil && part.Resource.Blob != "":
		media = part.Resource.MimeType
		bytes64(part.Resource.Blob)
	case part.Resource != nil:
		out.Body, out.Media = []byte(part.Resource.Text), cmp.Or(part.Resource.MimeType, "text/plain; charset=utf-8")
	case len(part.Data) > 0 && strings.HasPrefix(r.flow.Protocol, "mcp"): // a picture or a sound of MCP
		var s string
		_ = stdjson.Unmarshal(part.Data, &s)
		bytes64(s)
	case len(part.Data) > 0:
		out.Body, out.Media = part.Data, "application/json"
	}
	return out, nil
}
