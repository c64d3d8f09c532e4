package wire

import (
	"github.com/scrimhq/scrim/data/json"
)

// Versions that are carried.
const (
	A2A10       = "1.0"
	MCP20260728 = "2026-07-28"
	MCP20251125 = "2025-11-25"
)

// Keys of MCP _meta that Scrim defines.
const (
	MetaFlowID = "dev.scrim/flow-id" // the caller's own id of a call: the same id again is a retry
	MetaNote   = "dev.scrim/privacy" // the privacy note
)

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

// ReadMCP finds what the body of an MCP message holds. It returns an error that wraps [ErrPayload] where a member has another kind.
func ReadMCP(d *json.Doc, rpc RPC) (MCP, error) { return MCP{}, ErrPayload }
