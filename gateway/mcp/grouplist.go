package mcp

import (
	stdjson "encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// answerOf is one server's part of a joint answer, read.
type answerOf struct {
	server flow.AgentID
	doc    *json.Doc
	result int // node
	part   part
}

// gather asks and reads. Missing are the servers that gave no answer, or one that is an error; a server without the
// method has nothing to add and is not missing.
func (f *fronted) gather(parts []part) (got []answerOf, missing []flow.AgentID) {
	for _, p := range f.ask(f.r.Context(), parts) {
		a, absent := f.reading(p)
		switch {
		case a != nil:
			got = append(got, *a)
		case !absent:
			missing = append(missing, p.server)
		}
	}
	return got, missing
}

// reading reads a server's part with the group's names in it; absent says that the server does not have the method.
func (f *fronted) reading(p part) (a *answerOf, absent bool) {
	if p.answer == nil {
		return nil, false
	}
	body, err := joined(p.server, f.rpc.Method, p.answer, f.snap.Limits)
	if err != nil {
		return nil, false
	}
	a = &answerOf{server: p.server, doc: new(json.Doc), part: p}
	if a.doc.Parse(body, nil, f.snap.Limits) != nil {
		return nil, false
	}
	rpc, err := wire.ReadRPC(a.doc)
	if err != nil {
		return nil, false
	}
	if rpc.Kind == wire.Failure {
		n, ok := a.doc.Member(rpc.Error, "code")
		return nil, ok && string(a.doc.Raw(n)) == "-32601"
	}
	if rpc.Kind != wire.Success || a.doc.Nodes[rpc.Result].Kind != json.Object {
		return nil, false
	}
	a.result = rpc.Result
	return a, false
}

// member returns a member of the result as it is written; nil where it is absent.
func (a *answerOf) member(name string) []byte {
	if n, ok := a.doc.Member(a.result, name); ok {
		return a.doc.Raw(n)
	}
	return nil
}

func (a *answerOf) text(name string) string {
	if n, ok := a.doc.Member(a.result, name); ok && a.doc.Nodes[n].Kind == json.String {
		return a.doc.Text(n)
	}
	return ""
}

// nobody refuses a joint request that no server answered.
func (f *fronted) nobody() {
	f.deny(gateway.Refuse(gateway.RuleUpstream, nil, "No server of this group answered."))
}

// meta is the _meta of a joint answer: what the servers' notes say, and which servers are missing, which is on record
// under the note's reference.
func (f *fronted) meta(got []answerOf, missing []flow.AgentID) []byte {
	var note flow.Note
	for _, a := range got {
		var meta struct {
			Note *flow.Note `json:"dev.scrim/privacy"`
		}
		if raw := a.member("_meta"); raw != nil && stdjson.Unmarshal(raw, &meta) == nil && meta.Note != nil {
			note.Earlier = append(note.Earlier, *meta.Note)
		}
	}
	if len(missing) > 0 {
		r := gateway.Refuse(gateway.RuleUpstream, nil, "Some servers of the group did not answer.")
		note.Reference = f.h.Gateway.Refused(f.r.Context(), f.snap, f.flow, r).Ref
		note.Missing = missing
	} else if len(note.Earlier) > 0 {
		first := note.Earlier[0]
		first.Earlier = append(first.Earlier, note.Earlier[1:]...)
		note = first
	} else {
		return nil
	}
	raw, err := stdjson.Marshal(map[string]flow.Note{wire.MetaNote: note})
	if err != nil {
		return nil // a note has no value that cannot be encoded
	}
	return raw
}

// listMember is where the answer to a list call has its entries; "" for other methods.
func listMember(method string) string {
	if method == "tasks/list" {
		return "tasks"
	}
	return listings[method].member
}

// list joins the lists of all servers, page by page: a cursor of the group's holds the cursors of those that have more.
func (f *fronted) list(member string) {
	parts, err := f.pages()
	if err != nil {
		f.deny(err)
		return
	}
	got, missing := f.gather(parts)
	if len(got) == 0 && len(missing) > 0 {
		f.nobody()
		return
	}
	out := newObject()
	out.key(member)
	out.b = append(out.b, '[')
	next := map[flow.AgentID]string{}
	first := true
	for _, a := range got {
		if n, ok := a.doc.Member(a.result, member); ok && a.doc.Nodes[n].Kind == json.Array {
			for entry := range a.doc.Children(n) {
				if !first {
					out.b = append(out.b, ',')
				}
				first = false
				out.b = append(out.b, a.doc.Raw(entry)...)
			}
		}
		if cursor := a.text("nextCursor"); cursor != "" {
			next[a.server] = cursor
		}
	}
	out.b = append(out.b, ']')
	if len(next) > 0 {
		cursor, err := f.seal(next)
		if err != nil {
			f.deny(err)
			return
		}
		out.text("nextCursor", cursor)
	}
	if f.version == wire.MCP20260728 {
		out.text("resultType", "complete")
		out.raw("ttlMs", []byte("0"))
		out.text("cacheScope", "private")
	}
	out.raw("_meta", f.meta(got, missing))
	f.answer(out.end())
}

// answer writes an answer of the group's own, within the limit of one message.
func (f *fronted) answer(result []byte) {
	if len(result) > limitOf(f.snap.Limits.Bytes) {
		f.deny(gateway.Refuse(gateway.RuleTooBig, nil, "The joint answer is larger than %d bytes.", limitOf(f.snap.Limits.Bytes)))
		return
	}
	writeJSON(f.w, http.StatusOK, f.result(result))
}

// cursorOf says whose a cursor is, and of what list.
func (f *fronted) cursorOf() []byte {
	p := f.caller.Party
	return []byte(strings.Join([]string{f.rpc.Method, string(f.group.ID), string(p.Domain), string(p.Agent)}, "\x00"))
}

func (f *fronted) seal(next map[flow.AgentID]string) (string, error) {
	raw, err := stdjson.Marshal(next)
	if err != nil {
		return "", err
	}
	return f.h.Gateway.SealCursor(raw, f.cursorOf())
}

// pages are what is asked for a list: the first page of every server, or what a cursor says is still to come.
func (f *fronted) pages() ([]part, error) {
	at := -1
	if f.rpc.Params >= 0 {
		if n, ok := f.doc.Member(f.rpc.Params, "cursor"); ok && f.doc.Nodes[n].Kind != json.Null {
			at = n
		}
	}
	if at < 0 {
		return f.same(f.joined(f.members)), nil
	}
	if f.doc.Nodes[at].Kind != json.String {
		return nil, gateway.Refuse(gateway.RulePlace, nil, "The cursor is not a string.")
	}
	raw, err := f.h.Gateway.OpenCursor(f.doc.Text(at), f.cursorOf())
	if err != nil {
		return nil, err
	}
	var next map[flow.AgentID]string
	if err := stdjson.Unmarshal(raw, &next); err != nil {
		return nil, err
	}
	var parts []part
	for _, id := range f.joined(f.members) {
		cursor, ok := next[id]
		if !ok {
			continue
		}
		e := f.doc.Edit()
		e.ReplaceText(at, cursor)
		body, err := e.Apply(nil)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{server: id, body: body})
	}
	return parts, nil
}

// initialize begins a session with every server, and one of the group's that stands for them.
func (f *fronted) initialize() {
	got, missing := f.gather(f.same(f.members))
	if len(got) == 0 {
		f.nobody()
		return
	}
	version := got[0].text("protocolVersion")
	members, stateful := map[flow.AgentID]string{}, false
	kept := got[:0]
	for _, a := range got {
		if a.text("protocolVersion") != version {
			missing = append(missing, a.server) // versions are not translated
			continue
		}
		members[a.server] = a.part.session
		stateful = stateful || a.part.session != ""
		kept = append(kept, a)
	}
	out := newObject()
	out.text("protocolVersion", version)
	f.introduce(&out, kept)
	out.raw("_meta", f.meta(kept, missing))
	if stateful {
		s := f.h.groups.begin(f.group.ID, ownerOf(f.caller.Party, f.authority), members)
		f.w.Header().Set(headerSession, s.id)
	}
	f.answer(out.end())
}

// discover says what all servers can do together, in the versions that each of them speaks.
func (f *fronted) discover() {
	got, missing := f.gather(f.same(f.members))
	if len(got) == 0 {
		f.nobody()
		return
	}
	var versions []string
	for i, a := range got {
		var theirs []string
		_ = stdjson.Unmarshal(a.member("supportedVersions"), &theirs) // what is no list has no version
		if i == 0 {
			versions = theirs
			continue
		}
		versions = slices.DeleteFunc(versions, func(v string) bool { return !slices.Contains(theirs, v) })
	}
	raw, err := stdjson.Marshal(append([]string{}, versions...))
	if err != nil {
		f.deny(err)
		return
	}
	out := newObject()
	out.raw("supportedVersions", raw)
	f.introduce(&out, got)
	out.text("resultType", "complete")
	out.raw("ttlMs", []byte("0"))
	out.text("cacheScope", "private")
	out.raw("_meta", f.meta(got, missing))
	f.answer(out.end())
}

// introduce writes what a client is told of the servers at the beginning.
func (f *fronted) introduce(out *objectBuilder, got []answerOf) {
	capabilities := map[string]any{}
	var instructions []string
	for _, a := range got {
		var theirs map[string]any
		if stdjson.Unmarshal(a.member("capabilities"), &theirs) == nil {
			unite(capabilities, theirs)
		}
		if words := a.text("instructions"); words != "" {
			instructions = append(instructions, string(a.server)+": "+words)
		}
	}
	raw, err := stdjson.Marshal(capabilities)
	if err != nil {
		raw = []byte("{}") // decoded from JSON, so it can be encoded
	}
	out.raw("capabilities", raw)
	info := newObject()
	info.text("name", string(f.group.ID))
	info.text("version", "1")
	out.raw("serverInfo", info.end())
	if len(instructions) > 0 {
		out.text("instructions", strings.Join(instructions, "\n\n"))
	}
}

// unite adds what one server can do to what others can: a thing that any of them can do can be asked for.
func unite(all, one map[string]any) {
	for name, v := range one {
		switch v := v.(type) {
		case map[string]any:
			into, ok := all[name].(map[string]any)
			if !ok {
				into = map[string]any{}
				all[name] = into
			}
			unite(into, v)
		case bool:
			if was, _ := all[name].(bool); !was {
				all[name] = v
			}
		default:
			if _, there := all[name]; !there {
				all[name] = v
			}
		}
	}
}

// all tells every server the same and answers once: yes, if one of them does.
func (f *fronted) all() {
	got, _ := f.gather(f.same(f.joined(f.members)))
	if len(got) == 0 {
		f.nobody()
		return
	}
	f.answer([]byte("{}"))
}

// objectBuilder writes a JSON object.
type objectBuilder struct{ b []byte }

func newObject() objectBuilder { return objectBuilder{[]byte{'{'}} }

func (o *objectBuilder) key(name string) {
	if len(o.b) > 1 {
		o.b = append(o.b, ',')
	}
	o.b = append(json.AppendString(o.b, name), ':')
}

func (o *objectBuilder) text(name, value string) {
	o.key(name)
	o.b = json.AppendString(o.b, value)
}

// raw adds a member of JSON; nil adds nothing.
func (o *objectBuilder) raw(name string, value []byte) {
	if value != nil {
		o.key(name)
		o.b = append(o.b, value...)
	}
}

func (o *objectBuilder) end() []byte { return append(o.b, '}') }
