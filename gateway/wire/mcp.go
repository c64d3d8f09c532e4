package wire

import (
	"github.com/scrimhq/scrim/data/json"
)

// Keys of MCP _meta that Scrim defines.
const (
	MetaFlowID = "dev.scrim/flow-id" // the caller's own id of a call: the same id again is a retry
	MetaNote   = "dev.scrim/privacy" // the privacy note
)

const metaVersion = "io.modelcontextprotocol/protocolVersion"

// Content is one item of a tool's result or of a resource. Nodes are -1 where the member is absent or null.
type Content struct {
	Node     int
	Type     string // text, image, audio, resource, resource_link; empty for the contents of resources/read
	Text     int    // of a text or of an embedded resource
	Data     int    // base64: data of an image or audio, blob of a resource
	URI      int
	MIMEType int
	Meta     int
}

// MCP is what an MCP message holds. Nodes are -1 where the member is absent or null.
type MCP struct {
	Body              int // the params or the result
	Name              int // of the tool called
	Arguments         int
	URI               int // of resources/read
	Meta              int
	FlowID            int // in _meta
	ProtocolVersion   int // in _meta, or of initialize
	ProgressToken     int // in _meta, or of a progress notification
	Contents          []Content
	StructuredContent int
	IsError           bool
	InputRequired     bool // resultType is input_required
	TTL, CacheScope   int
}

// ReadMCP finds what the body of an MCP message holds. It returns an error that wraps [ErrPayload], and names the place,
// where a member is of another kind than the protocol says.
func ReadMCP(d *json.Doc, rpc RPC) (MCP, error) {
	r := reader{d: d}
	m := nothing(rpc.Params)
	switch rpc.Kind {
	case Call, Notification:
		r.call(&m)
	case Success:
		m.Body = rpc.Result
		r.answer(&m)
	case Failure:
		m.Body = -1
	}
	if r.err != nil {
		return MCP{}, r.err
	}
	return m, nil
}

// ReadMCPMeta finds what the _meta of a call or notification holds, whatever else its params are. What is of another
// kind than the protocol says is taken for absent.
func ReadMCPMeta(d *json.Doc, rpc RPC) MCP {
	r, m := reader{d: d}, nothing(rpc.Params)
	if m.Body >= 0 {
		r.meta(&m)
	}
	if r.err != nil {
		return nothing(rpc.Params)
	}
	return m
}

func nothing(body int) MCP {
	return MCP{
		Body: body, Name: -1, Arguments: -1, URI: -1, Meta: -1, FlowID: -1, ProtocolVersion: -1,
		ProgressToken: -1, StructuredContent: -1, TTL: -1, CacheScope: -1,
	}
}

func (r *reader) call(m *MCP) {
	if m.Body < 0 {
		return
	}
	m.Name, m.Arguments, m.URI = r.text(m.Body, "name"), r.object(m.Body, "arguments"), r.text(m.Body, "uri")
	m.ProtocolVersion, m.ProgressToken = r.text(m.Body, "protocolVersion"), r.member(m.Body, "progressToken", json.String, json.Number)
	r.meta(m)
}

func (r *reader) meta(m *MCP) {
	m.Meta = r.object(m.Body, "_meta")
	m.FlowID = r.text(m.Meta, MetaFlowID)
	if v := r.text(m.Meta, metaVersion); v >= 0 {
		m.ProtocolVersion = v
	}
	if v := r.member(m.Meta, "progressToken", json.String, json.Number); v >= 0 {
		m.ProgressToken = v
	}
}

func (r *reader) answer(m *MCP) {
	if r.d.Nodes[m.Body].Kind != json.Object {
		r.fail(m.Body, "result")
		return
	}
	r.meta(m)
	m.StructuredContent, _ = r.present(m.Body, "structuredContent")
	m.IsError = r.truth(m.Body, "isError")
	m.TTL, m.CacheScope = r.member(m.Body, "ttlMs", json.Number), r.text(m.Body, "cacheScope")
	if n := r.text(m.Body, "resultType"); n >= 0 {
		m.InputRequired = string(textOf(r.d, n)) == "input_required"
	}
	for n := range r.objects(r.array(m.Body, "content"), "content") {
		m.Contents = append(m.Contents, r.content(n))
	}
	for n := range r.objects(r.array(m.Body, "contents"), "contents") {
		m.Contents = append(m.Contents, r.resource(n))
	}
}

// present is member for a place where null is a value too.
func (r *reader) present(obj int, name string) (int, bool) {
	if n, ok := r.d.Member(obj, name); ok {
		return n, true
	}
	return -1, false
}

func (r *reader) content(n int) Content {
	c := Content{
		Node: n, Text: r.text(n, "text"), Data: r.text(n, "data"), URI: r.text(n, "uri"), MIMEType: r.text(n, "mimeType"),
		Meta: r.object(n, "_meta"),
	}
	if t := r.text(n, "type"); t >= 0 {
		c.Type = contentType(textOf(r.d, t))
	}
	if e := r.object(n, "resource"); e >= 0 {
		in := r.resource(e)
		c.Text, c.Data, c.URI, c.MIMEType = in.Text, in.Data, in.URI, in.MIMEType
	}
	return c
}

// contentType returns the word if it is one, so that a stranger's text goes no further.
func contentType(s []byte) string {
	for _, t := range [...]string{"text", "image", "audio", "resource", "resource_link"} {
		if string(s) == t {
			return t
		}
	}
	return ""
}

func (r *reader) resource(n int) Content {
	return Content{
		Node: n, Text: r.text(n, "text"), Data: r.text(n, "blob"), URI: r.text(n, "uri"), MIMEType: r.text(n, "mimeType"),
		Meta: r.object(n, "_meta"),
	}
}
