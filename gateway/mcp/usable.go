package mcp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

// listing is what an answer lists, and how policy and schemas know its entries.
type listing struct {
	member  string // of the result
	naming  string // member of an entry that names it
	use     string // the method that uses an entry
	kind    catalog.Kind
	subject bool // policy sees the name
}

var listings = map[string]listing{
	"tools/list":               {"tools", "name", "tools/call", catalog.Tool, true},
	"prompts/list":             {"prompts", "name", "prompts/get", catalog.Prompt, true},
	"resources/list":           {"resources", "uri", "resources/read", catalog.Resource, false},
	"resources/templates/list": {"resourceTemplates", "uriTemplate", "resources/read", catalog.Resource, false},
}

// thing is what a call names: an entry of a list, by its name.
type thing struct {
	listing
	name string
}

// uses are the things that a call names.
func (m *message) uses() []thing {
	if m.rpc.Method == "completion/complete" { // what completes an argument tells of what it completes
		var all []thing
		for _, p := range [...]struct{ member, list string }{{"name", "prompts/list"}, {"uri", "resources/templates/list"}} {
			if n, ok := memberAt(m.doc, "params", "ref", p.member); ok && m.doc.Nodes[n].Kind == json.String {
				all = append(all, thing{listings[p.list], m.doc.Text(n)}) // whatever type the reference says that it has
			}
		}
		return all
	}
	if l, ok := used(m.rpc.Method); ok {
		return []thing{{l, m.nameUsed(l)}}
	}
	return nil
}

func used(method string) (listing, bool) {
	switch method {
	case "tools/call":
		return listings["tools/list"], true
	case "prompts/get":
		return listings["prompts/list"], true
	case "resources/read", "resources/subscribe":
		return listings["resources/list"], true
	}
	return listing{}, false
}

// usable reports whether policy leaves a caller anything of an entry: its use may be asked for, with all that every
// such request holds, and something may come back. It is asked for each purpose and criticality that the caller was
// granted, so that the answer belongs to the credential, whatever one request claims.
//
// Where nothing declares what an entry takes and gives, every class of data stands for it: an entry is kept from a
// caller only where policy forbids all of it. Policies come with a refusal, for the record.
func (t *Tools) usable(who parties, l listing, name string) (verdict, error) {
	key := t.verdictKey(who, l, name)
	t.mu.Lock()
	known, ok := t.generation(who.snap).verdicts[key]
	changes := t.changes
	t.mu.Unlock()
	if ok {
		return known, nil
	}
	v, err := t.judge(who, l, name)
	if err != nil {
		return v, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if gen := t.generation(who.snap); t.changes == changes && len(key) <= maxVerdictKey && len(gen.verdicts) < maxVerdicts {
		gen.verdicts[key] = v
	}
	return v, nil
}

// Bounds of the verdicts that are kept under one configuration.
const (
	maxVerdicts   = 16 << 10
	maxVerdictKey = 512
)

// verdictKey is all that a verdict depends on within one configuration, what servers said of their tools apart.
func (t *Tools) verdictKey(who parties, l listing, name string) string {
	p := &who.caller.Party
	b := make([]byte, 0, 192)
	for _, s := range [...]string{l.use, string(who.agent.Party.Agent), name, string(p.Agent), string(p.Domain)} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	for _, r := range p.Roles {
		b = append(binary.AppendUvarint(b, uint64(len(r))), r...)
	}
	b = append(b, 0, byte(who.caller.Criticality))
	if p.Attested {
		b = append(b, 1)
	}
	for _, n := range who.authority.Names() {
		b = append(binary.AppendUvarint(append(b, 'n'), uint64(len(n))), n...)
	}
	for _, purpose := range who.caller.Purposes {
		b = append(binary.AppendUvarint(b, uint64(len(purpose))), purpose...)
		f := flow.Flow{From: *p, To: who.agent.Party, Purpose: purpose}
		for _, id := range t.agreed(&f).IDs() {
			b = append(append(b, 'c'), id...)
		}
	}
	return string(b)
}

func (t *Tools) judge(who parties, l listing, name string) (verdict, error) {
	if who.snap.Learn && who.caller.Party.Domain == who.agent.Party.Domain {
		return verdict{may: true}, nil
	}
	purposes := who.caller.Purposes
	if len(purposes) == 0 {
		purposes = []flow.Purpose{""}
	}
	out := verdict{}
	for criticality := who.caller.Criticality; ; criticality-- {
		for _, purpose := range purposes {
			f := flow.Flow{Protocol: "mcp/" + wire.MCP20260728, Purpose: purpose, Method: l.use, Task: flow.Task{Criticality: criticality}}
			if l.subject {
				f.Subject = name
			}
			v, err := t.usableFor(who, l, name, f)
			if v.may || err != nil {
				return v, err
			}
			v.by = append(v.by, out.by...)
			out = v
		}
		if criticality == flow.Low {
			slices.Sort(out.by)
			out.by = slices.Compact(out.by)
			return out, nil
		}
	}
}

// verdict is whether something may be used, and if not, by which policies and why.
type verdict struct {
	may    bool
	by     []flow.PolicyID
	reason string
}

func (t *Tools) usableFor(who parties, l listing, name string, f flow.Flow) (verdict, error) {
	f.From, f.To, f.Direction = who.caller.Party, who.agent.Party, flow.Request
	v, err := admits(who.snap, t.query(who, f), t.declared(who, l, name, flow.Request), nil)
	if !v.may || err != nil {
		return v, err
	}
	f.From, f.To, f.Direction = who.agent.Party, who.caller.Party, flow.Response
	return admits(who.snap, t.query(who, f), t.declared(who, l, name, flow.Response), shows(who, l, name))
}

// query is what policies are asked with about a flow, as a message of it would ask.
func (t *Tools) query(who parties, f flow.Flow) policy.Query {
	return policy.Query{Flow: f, Capabilities: who.authority.Names(), Contracts: t.agreed(&f).Names(who.snap.Domain)}
}

// agreed returns the contracts that bind a flow now.
func (t *Tools) agreed(f *flow.Flow) gateway.Agreed {
	if t.Contracts == nil || !f.CrossesDomain() {
		return nil
	}
	return t.Contracts.InForce(f, time.Now())
}

func (t *Tools) declared(who parties, l listing, name string, dir flow.Direction) []*catalog.Schema {
	if l.kind == catalog.Tool {
		return t.schemas(who.snap, who.agent.Party.Agent, name, dir)
	}
	return who.snap.Catalog.Schemas(l.kind, who.agent.Party.Agent, name, dir)
}

// admits reports whether a flow may carry anything, and all that one of the schemas says every request of it holds.
// Shows, where it is not nil, says whether something is left of an answer.
func admits(s *gateway.Snapshot, q policy.Query, schemas []*catalog.Schema, shows func([]flow.Leaf, []flow.LeafTerms) bool) (verdict, error) {
	f := &q.Flow
	mandatory := len(schemas) == 0
	out := verdict{}
	for _, sc := range schemas {
		leaves, musts := leavesOf(sc)
		terms, err := s.Policy.Decide(q, leaves)
		if err != nil {
			return verdict{}, err
		}
		s.Governed(f, "", leaves, terms.Leaves)
		if shows != nil && !shows(leaves, terms.Leaves) {
			for _, l := range terms.Leaves {
				if l.Level == flow.Dropped {
					out.reason, out.by = l.Reason, append(out.by, l.Policies...)
				}
			}
			return out, nil
		}
		holds := true
		for i, l := range terms.Leaves {
			out.may = out.may || l.Level != flow.Dropped
			if l.Level == flow.Dropped && musts[i] && f.Direction == flow.Request {
				holds, out.reason, out.by = false, l.Reason, append(out.by, l.Policies...)
			}
		}
		mandatory = mandatory || holds
	}
	if !mandatory {
		out.may = false
		return out, nil
	}
	if out.may {
		return out, nil
	}
	return anything(s, q)
}

// leavesOf are the places of a schema as policy sees them, with which of them no document is without.
func leavesOf(sc *catalog.Schema) (leaves []flow.Leaf, musts []bool) {
	for info, must := range sc.Values() {
		leaves = append(leaves, flow.Leaf{Path: "/**", Label: info.Label, Field: info.Field, Origin: info.Origin, Need: info.Need})
		musts = append(musts, must && !info.Droppable)
	}
	return leaves, musts
}

// anything reports whether a flow may carry data of any class at all.
func anything(s *gateway.Snapshot, q policy.Query) (verdict, error) {
	out := verdict{}
	for _, all := range []bool{false, true} {
		leaves := []flow.Leaf{{Label: flow.FreeText}, {Label: flow.PublicData}, {Label: flow.Unlabelled}}
		if all {
			leaves = leaves[:0]
			for _, c := range s.Taxonomy.All() {
				leaves = append(leaves, flow.Leaf{Label: c.Label, Origin: flow.Catalogued})
			}
		}
		terms, err := s.Policy.Decide(q, leaves)
		if err != nil {
			return verdict{}, err
		}
		for _, l := range terms.Leaves {
			if l.Level != flow.Dropped {
				return verdict{may: true}, nil
			}
			out.by = append(out.by, l.Policies...)
			if out.reason == "" {
				out.reason = l.Reason
			}
		}
	}
	return out, nil
}

// selected takes out of a list what its recipient may not use. The rest keeps its bytes. What was taken is for the
// record alone: the recipient is not told that there is more.
func (x *exchange) selected(who parties, method string, body []byte) ([]byte, gateway.LeftOut, error) {
	l, ok := listings[method]
	if !ok {
		return body, gateway.LeftOut{}, nil
	}
	doc := new(json.Doc)
	if err := doc.Parse(body, nil, who.snap.Limits); err != nil {
		return nil, gateway.LeftOut{}, err
	}
	rpc, err := wire.ReadRPC(doc)
	if err != nil || rpc.Kind != wire.Success || doc.Nodes[rpc.Result].Kind != json.Object {
		return body, gateway.LeftOut{}, err
	}
	list, ok := doc.Member(rpc.Result, l.member)
	if !ok || doc.Nodes[list].Kind != json.Array {
		return body, gateway.LeftOut{}, nil
	}
	var out gateway.LeftOut
	var kept [][]byte
	for entry := range doc.Children(list) {
		name := ""
		if doc.Nodes[entry].Kind == json.Object {
			if n, ok := doc.Member(entry, l.naming); ok && doc.Nodes[n].Kind == json.String {
				name = doc.Text(n)
			}
		}
		if !covers(who, l, name) {
			out.Count++
			continue
		}
		v, err := x.tools.usable(who, l, name)
		if err != nil {
			return nil, out, gateway.Refuse(gateway.RulePolicy, err, "The gateway's policy could not decide this flow, so it did not happen.")
		}
		if v.may {
			kept = append(kept, doc.Raw(entry))
			continue
		}
		out.Count++
		out.Policies = append(out.Policies, v.by...)
	}
	if out.Count == 0 {
		return body, out, nil
	}
	slices.Sort(out.Policies)
	out.Policies = slices.Compact(out.Policies)
	e := doc.Edit()
	e.Replace(list, append(append([]byte{'['}, bytes.Join(kept, []byte{','})...), ']'))
	body, err = e.Apply(nil)
	return body, out, err
}

// nameUsed is what a call names, of the kind that lists have.
func (m *message) nameUsed(l listing) string {
	n := m.mcp.Name
	if l.kind == catalog.Resource {
		n = m.mcp.URI
	}
	if n < 0 {
		return ""
	}
	return m.doc.Text(n)
}

// noSuch is told of what the server does not have and of what the caller may not use alike.
func noSuch() *gateway.Refusal {
	return gateway.Refuse(gateway.RuleFace, nil, "There is nothing of this name for this caller.")
}

// concealed refuses a call of what lists keep from the caller, and of what the server's own list, where it was seen to
// its end, does not have: whether a thing is kept back or is not there cannot be told. Where policy keeps back what
// nothing is said of too, all of the server is, and that is no secret: every call is refused in policy's own words.
func (x *exchange) concealed(c *calling, m *message) error {
	if m.rpc.Kind != wire.Call || passing(c.who) != nil {
		return nil
	}
	for _, t := range m.uses() {
		if err := x.kept(c, t); err != nil {
			return err
		}
	}
	return nil
}

// kept refuses a call of a thing that is kept from the caller.
func (x *exchange) kept(c *calling, t thing) error {
	undecided := func(err error) error {
		return gateway.Refuse(gateway.RulePolicy, err, "The gateway's policy could not decide this flow, so it did not happen.")
	}
	this, err := x.tools.usable(c.who, t.listing, t.name)
	if err != nil {
		return undecided(err)
	}
	if this.may && !(c.nameless() && x.tools.listed(c.who.agent.Party.Agent)) {
		return nil
	}
	other, err := x.tools.usable(c.who, t.listing, "")
	if err != nil {
		return undecided(err)
	}
	if !other.may {
		r := gateway.Refuse(gateway.RulePolicy, nil, "%s", other.reason)
		r.Place = "/params"
		return r
	}
	return noSuch()
}

// nameless reports whether a call names a tool that nothing declares.
func (c *calling) nameless() bool { return c.method == "tools/call" && c.flow.Subject == "*" }

// unlike hides which step refused a call of a tool that nothing declares: its arguments are undeclared too, and the
// answer must be that to a tool which is kept from the caller. The refusal is on record as it was.
func (c *calling) unlike(err error) error {
	r, ok := errors.AsType[*gateway.Refusal](err)
	if !ok || !c.nameless() || r.Rule != gateway.RulePlace && r.Rule != gateway.RuleSchema && r.Rule != gateway.RulePolicy {
		return err
	}
	same := noSuch()
	same.Ref = r.Ref
	return same
}

const codeInvalidParams = "-32602" // what servers say of a tool that they do not have

// unknownThere refuses the answer of a server that does not have what a call names, so that it reads as the gateway's
// own words for what is kept from the caller.
func (x *exchange) unknownThere(ctx context.Context, who parties, c *calling, f flow.Flow, doc *json.Doc, rpc wire.RPC) error {
	l, names := used(c.method)
	if !names || passing(who) != nil || rpc.Kind != wire.Failure || l.subject && !c.nameless() {
		return nil
	}
	if n, ok := doc.Member(rpc.Error, "code"); !ok || string(doc.Raw(n)) != codeInvalidParams {
		return nil
	}
	return x.g.Refused(ctx, who.snap, f, noSuch())
}
