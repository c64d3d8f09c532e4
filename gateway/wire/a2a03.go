package wire

import (
	"github.com/scrimhq/scrim/data/json"
)

// ReadA2A03 is [ReadA2A] for A2A 0.3, whose results and parts tell what they are by their member "kind".
func ReadA2A03(d *json.Doc, rpc RPC) (A2A, error) {
	r := reader{d: d, part: (*reader).part03}
	a := A2A{Body: rpc.Params, Node: -1, TaskID: -1, ContextID: -1, Metadata: -1}
	switch rpc.Kind {
	case Call, Notification:
		r.params(&a)
	case Success:
		a.Body = rpc.Result
		r.result03(&a)
	case Failure:
		a.Body = -1
	}
	if r.err != nil {
		return A2A{}, r.err
	}
	return a, nil
}

func (r *reader) result03(a *A2A) {
	if r.d.Nodes[a.Body].Kind != json.Object {
		if r.d.Nodes[a.Body].Kind != json.Null && r.d.Nodes[a.Body].Kind != json.Array {
			r.fail(a.Body, "result")
		}
		return // nothing, or a list of what is neither message nor task
	}
	a.Node = a.Body
	kind := r.word(a.Body, "kind")
	artifact := r.member(a.Body, "artifact") >= 0
	if artifact && kind != "" && kind != "artifact-update" {
		r.fail(a.Body, "artifact under another kind")
		return
	}
	switch kind {
	case "task":
		r.answerTask(a, a.Body)
	case "message":
		r.answerMessage(a, a.Body)
	case "status-update":
		r.status(a, a.Body)
		a.Final = r.truth(a.Body, "final")
	case "artifact-update":
		r.artifactUpdate(a, a.Body)
	case "": // of a server that leaves it out
		switch status := r.member(a.Body, "status") >= 0; {
		case artifact && status:
			r.fail(a.Body, "result with more than one payload")
		case artifact:
			r.artifactUpdate(a, a.Body)
		case status:
			r.answerTask(a, a.Body)
		}
	default:
		r.fail(a.Body, "kind")
	}
}

// word returns a short text member, or "".
func (r *reader) word(obj int, name string) string {
	n := r.text(obj, name)
	if n < 0 || r.d.Nodes[n].End-r.d.Nodes[n].Start > 40 {
		return ""
	}
	return string(textOf(r.d, n))
}

// part03 reads a part, whose kind says which one content it has.
func (r *reader) part03(n int) (Part, bool) {
	p := Part{Node: n, Content: -1, MediaType: -1, FileName: -1, Metadata: r.object(n, "metadata")}
	kind := r.word(n, "kind")
	for _, name := range []string{"text", "data", "file"} {
		at, ok := r.d.Member(n, name)
		if ok && name != kind && r.d.Nodes[at].Kind != json.Null {
			r.fail(n, "part with another content than its kind")
			return p, false
		}
	}
	switch kind {
	case "text":
		p.Kind, p.Content = TextPart, r.text(n, "text")
	case "data":
		p.Kind = DataPart
		if at, ok := r.d.Member(n, "data"); ok {
			p.Content = at // null data is data
		}
	case "file":
		f := r.object(n, "file")
		raw, uri := r.text(f, "bytes"), r.text(f, "uri")
		if raw >= 0 && uri >= 0 {
			r.fail(n, "part with more than one content")
			return p, false
		}
		p.MediaType, p.FileName = r.text(f, "mimeType"), r.text(f, "name")
		if p.Kind, p.Content = RawPart, raw; uri >= 0 {
			p.Kind, p.Content = URLPart, uri
		}
	}
	if p.Content < 0 {
		r.fail(n, "part without content")
		return p, false
	}
	return p, true
}
