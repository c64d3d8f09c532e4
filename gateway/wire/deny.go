package wire

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/json"
)

// Reason says why a message is refused. The errors of both protocols are made from it.
type Reason uint8

// The reasons.
const (
	Internal            Reason = iota // something went wrong here
	ParseError                        // the bytes are not JSON as it is accepted here
	InvalidRequest                    // not the envelope of a request
	MethodNotFound                    // not a method, or not carried
	InvalidParams                     // params have not the form of the method
	Denied                            // policy forbids the flow
	Unauthenticated                   // no credential, or not accepted
	Unauthorized                      // the caller may not call this at all
	NotFound                          // no such task or resource, or not for this caller
	PushNotSupported                  // push notifications are not carried
	UnsupportedMedia                  // content type or encoding
	Unsupported                       // an operation that is not carried
	VersionNotSupported               // of the protocol
	InvalidAnswer                     // the agent's answer has not the form of the protocol
	TooLarge                          // over a limit
	Conflict                          // an id was used again for another request
	Unavailable                       // the agent cannot be reached, or no record can be written
	HeaderMismatch                    // a header says something else than the message
	Forbidden                         // a web page of another site
	TooMany                           // more than this caller may do in a time, or at one time
	Busy                              // no slot is free, or the gateway is going away
	ExtensionRequired                 // the agent requires an extension that the call does not ask for
)

// reasonRow is how one reason is told. Codes and words of A2A are those of its specification and of its Go SDK.
type reasonRow struct {
	a2a, mcp int
	word     string
	own      bool // the word is ours, not A2A's
	text     string
}

var reasonRows = [...]reasonRow{
	Internal:            {-32603, -32603, "INTERNAL_ERROR", false, "something went wrong at the gateway"},
	ParseError:          {-32700, -32700, "PARSE_ERROR", false, "the message is not JSON as it is accepted here"},
	InvalidRequest:      {-32600, -32600, "INVALID_REQUEST", false, "the message is not a JSON-RPC 2.0 request"},
	MethodNotFound:      {-32601, -32601, "METHOD_NOT_FOUND", false, "the method is not carried here"},
	InvalidParams:       {-32602, -32602, "INVALID_PARAMS", false, "the params have not the form of the method"},
	Denied:              {-31403, -31403, "POLICY_DENIED", true, "policy does not allow this flow"},
	Unauthenticated:     {-31401, -31401, "UNAUTHENTICATED", false, "a valid credential is needed"},
	Unauthorized:        {-31403, -31403, "UNAUTHORIZED", false, "the caller may not call this"},
	NotFound:            {-32001, -32602, "TASK_NOT_FOUND", false, "there is nothing of this name for this caller"},
	PushNotSupported:    {-32003, -32601, "PUSH_NOTIFICATION_NOT_SUPPORTED", false, "push notifications are not carried here"},
	UnsupportedMedia:    {-32005, -32602, "CONTENT_TYPE_NOT_SUPPORTED", false, "the content type or encoding is not carried here"},
	Unsupported:         {-32004, -32602, "UNSUPPORTED_OPERATION", false, "the operation is not carried here"},
	VersionNotSupported: {-32009, -32022, "VERSION_NOT_SUPPORTED", false, "the protocol version is not carried here"},
	InvalidAnswer:       {-32006, -32603, "INVALID_AGENT_RESPONSE", false, "the answer has not the form of the protocol"},
	TooLarge:            {-32600, -32600, "TOO_LARGE", true, "the message is over a limit"},
	Conflict:            {-32600, -32600, "ID_CONFLICT", true, "the id was used before for another request"},
	Unavailable:         {-32603, -32603, "UNAVAILABLE", true, "the flow cannot be carried at the moment"},
	HeaderMismatch:      {-32600, -32020, "HEADER_MISMATCH", true, "a header says something else than the message"},
	Forbidden:           {-31403, -31403, "FORBIDDEN", true, "this origin may not call here"},
	TooMany:             {-31429, -31429, "TOO_MANY_REQUESTS", true, "this caller calls too often; wait, then try again"},
	Busy:                {-32603, -32603, "BUSY", true, "the gateway cannot take the call at the moment; try again"},
	ExtensionRequired:   {-32008, -32602, "EXTENSION_SUPPORT_REQUIRED", false, "the agent requires an extension that the call does not ask for"},
}

func (r Reason) row() reasonRow {
	if int(r) < len(reasonRows) {
		return reasonRows[r]
	}
	return reasonRows[Internal]
}

// String returns the reason's word, such as POLICY_DENIED.
func (r Reason) String() string { return r.row().word }

// Denial is how a refusal is told. All its texts are public: none may hold a value of a message.
type Denial struct {
	Reason    Reason
	Text      string   // one sentence: place, rule, what to do; empty: the reason's own words
	Reference string   // resolves, for an operator, to the whole story; may be empty
	Ask       string   // how to ask for more; may be empty
	Supported []string // for VersionNotSupported: the versions that are carried
	Challenge string   // for Unauthenticated: what to bring, as WWW-Authenticate has it; "" for what every caller is told
	Requested string   // for VersionNotSupported: what was asked for; told only if it looks like a version
}

func (n Denial) text() string {
	if n.Text != "" {
		return n.Text
	}
	return n.Reason.row().text
}

// A2A returns the JSON-RPC error for a call with the id, raw as in [RPC.ID]; nil becomes null. It carries a
// google.rpc.ErrorInfo whose domain is a2a-protocol.org, or scrim.dev where A2A has no word for the reason.
func (n Denial) A2A(id []byte) []byte {
	row := n.Reason.row()
	domain := "a2a-protocol.org"
	if row.own {
		domain = "scrim.dev"
	}
	b := n.opening(id, row.a2a)
	b = append(b, `,"data":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"`...)
	b = append(append(append(append(b, row.word...), `","domain":"`...), domain...), '"')
	meta := object{}
	meta.add("reference", n.Reference)
	meta.add("ask", n.Ask)
	if n.Reason == VersionNotSupported {
		meta.add("supported", strings.Join(n.Supported, ", "))
	}
	if len(meta) > 0 {
		b = append(append(b, `,"metadata":`...), meta.close()...)
	}
	return append(b, `}]}}`...)
}

// MCP returns the answer to an MCP call with the id. What policy denies of a tools/call is a result with isError, so
// that a model can read it; all else is a JSON-RPC error. Its data names the reason.
func (n Denial) MCP(version, method string, id []byte) []byte {
	if n.Reason == Denied && method == "tools/call" {
		return n.toolResult(version, id)
	}
	b := append(n.opening(id, n.Reason.row().mcp), `,"data":`...)
	data := n.told()
	if n.Reason == VersionNotSupported {
		data = data.key("supported")
		data = append(data, '[')
		for i, v := range n.Supported {
			if i > 0 {
				data = append(data, ',')
			}
			data = json.AppendString(data, v)
		}
		data = append(data, ']')
		requested := "0" // the member is required
		if versionLike(n.Requested) {
			requested = n.Requested
		}
		data.add("requested", requested)
	}
	return append(append(b, data.close()...), `}}`...)
}

// versionLike reports whether s may be repeated to whoever named it as a version.
func versionLike(s string) bool {
	return 0 < len(s) && len(s) <= 16 && made(s, ".-") && strings.ContainsAny(s, "0123456789")
}

func (n Denial) toolResult(version string, id []byte) []byte {
	text := n.text()
	if n.Ask != "" {
		text = strings.TrimSuffix(text, ".") + ". " + n.Ask
	}
	if n.Reference != "" {
		text += " (reference " + n.Reference + ")"
	}
	b := append(answer(id), `"result":{`...)
	if version == MCP20260728 {
		b = append(b, `"resultType":"complete",`...)
	}
	b = append(b, `"content":[{"type":"text","text":`...)
	b = append(json.AppendString(b, text), `}],"isError":true,"_meta":{"dev.scrim/denial":`...)
	return append(append(b, n.told().close()...), `}}}`...)
}

// told is the reason, reference and way to ask, as MCP data.
func (n Denial) told() object {
	var o object
	word := n.Reason.String()
	if n.Reason == NotFound {
		word = "NOT_FOUND" // MCP has no tasks here
	}
	o.add("reason", word)
	o.add("reference", n.Reference)
	o.add("ask", n.Ask)
	return o
}

func answer(id []byte) []byte {
	b := append([]byte(nil), `{"jsonrpc":"2.0","id":`...)
	if id == nil {
		b = append(b, "null"...)
	}
	return append(append(b, id...), ',')
}

// opening is an error up to its message.
func (n Denial) opening(id []byte, code int) []byte {
	b := strconv.AppendInt(append(answer(id), `"error":{"code":`...), int64(code), 10)
	return json.AppendString(append(b, `,"message":`...), n.text())
}

// object is a JSON object being written, without its end.
type object []byte

func (o object) key(name string) object {
	if len(o) == 0 {
		o = append(o, '{')
	} else {
		o = append(o, ',')
	}
	return append(json.AppendString(o, name), ':')
}

// add adds a text member, unless the text is empty.
func (o *object) add(name, text string) {
	if text != "" {
		*o = json.AppendString(o.key(name), text)
	}
}

func (o object) close() []byte { return append(o, '}') }

// A2AStatus returns the HTTP status that goes with [Denial.A2A]. Clients of the JSON-RPC binding read an error's body
// only at 200, so that is what a refused call gets; what failed before there was a call gets the status of HTTP.
func (n Denial) A2AStatus() int {
	switch n.Reason {
	case Unauthenticated:
		return http.StatusUnauthorized
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case TooMany:
		return http.StatusTooManyRequests
	case Busy:
		return http.StatusServiceUnavailable
	default:
		return http.StatusOK
	}
}

// MCPStatus returns the HTTP status that goes with [Denial.MCP]: since 2026-07-28 some codes have one of their own.
func (n Denial) MCPStatus(version, method string) int {
	switch n.Reason {
	case Unauthenticated:
		return http.StatusUnauthorized
	case Unauthorized:
		return http.StatusForbidden
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case UnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case TooMany:
		return http.StatusTooManyRequests
	case Busy:
		return http.StatusServiceUnavailable
	case ParseError, InvalidRequest, VersionNotSupported, HeaderMismatch:
		return http.StatusBadRequest
	case Forbidden:
		return http.StatusForbidden
	}
	if version != MCP20260728 || n.Reason == Denied && method == "tools/call" {
		return http.StatusOK
	}
	switch n.Reason.row().mcp {
	case -32601:
		return http.StatusNotFound
	case -32602:
		return http.StatusBadRequest
	default:
		return http.StatusOK
	}
}
