package mcp

import (
	stdjson "encoding/json"
	"net/http"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// listen joins the streams on which servers send what nobody asked for. A client that wants to go on from an event names
// the server in the event's id, and gets that server's stream alone.
func (f *fronted) listen() {
	if last := f.r.Header.Get(headerEvent); last != "" {
		server, id, ok := strings.Cut(last, idMark)
		for _, member := range f.joined(f.members) {
			if ok && member == flow.AgentID(server) {
				f.resume(member, id)
				return
			}
		}
		f.deny(gateway.Refuse(gateway.RuleFace, nil, "There is no such stream for this caller."))
		return
	}
	f.streams(f.same(f.joined(f.members)))
}

func (f *fronted) resume(server flow.AgentID, id string) {
	r := f.request(f.r.Context(), server, "", nil)
	r.Header.Set(headerEvent, id)
	w := &joinedWriter{f: f, server: server, out: &sharedOut{w: f.w}}
	f.h.ServeHTTP(w, r)
	w.finish()
}

// streams sends every part and joins the streams that come back until all have ended. Servers that offer none are left
// out; where none does, the client gets the first answer.
func (f *fronted) streams(parts []part) {
	out := &sharedOut{w: f.w, shared: len(parts) > 1}
	writers := make([]*joinedWriter, len(parts))
	for i, p := range parts {
		writers[i] = &joinedWriter{f: f, server: p.server, out: out}
	}
	together(len(parts), func(i int) {
		f.h.ServeHTTP(writers[i], f.request(f.r.Context(), parts[i].server, "", parts[i].body))
	})
	if out.last != nil {
		_ = out.event(nil, out.last) // the caller may have gone
	}
	for _, w := range writers {
		if !out.began {
			w.finish()
		}
	}
	if !out.began {
		http.Error(f.w, "no server offers a stream", http.StatusMethodNotAllowed)
	}
}

// subscribe asks every server for the news that the client wants of it: addresses go to the server that they name, all
// else to all.
func (f *fronted) subscribe() {
	var parts []part
	for _, id := range f.joined(f.members) {
		body, ok := f.subscription(id)
		if ok {
			parts = append(parts, part{server: id, body: body})
		}
	}
	if len(parts) == 0 {
		f.deny(noSuch())
		return
	}
	f.streams(parts)
}

// subscription is the call as one server gets it, with what is its own alone.
func (f *fronted) subscription(server flow.AgentID) ([]byte, bool) {
	e := f.doc.Edit()
	for member, as := range map[string]spelling{"resourceSubscriptions": asAddress, "taskIds": asName} {
		at, ok := memberAt(f.doc, "params", "notifications", member)
		if !ok || f.doc.Nodes[at].Kind != json.Array {
			continue
		}
		mine := []string{}
		for child := range f.doc.Children(at) {
			if f.doc.Nodes[child].Kind != json.String {
				return nil, false
			}
			if of, name, ok := as.split(f.doc.Text(child)); ok && of == server {
				mine = append(mine, name)
			}
		}
		raw, err := stdjson.Marshal(mine)
		if err != nil {
			return nil, false
		}
		e.Replace(at, raw)
	}
	if e.Empty() {
		return f.body, true
	}
	body, err := e.Apply(nil)
	return body, err == nil
}

// memberAt finds a member by the names down to it.
func memberAt(d *json.Doc, names ...string) (int, bool) {
	n := 0
	for _, name := range names {
		if d.Nodes[n].Kind != json.Object {
			return 0, false
		}
		next, ok := d.Member(n, name)
		if !ok {
			return 0, false
		}
		n = next
	}
	return n, true
}
