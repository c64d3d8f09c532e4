package wire

// Role says what a place of a protocol message is, and so what the gateway does with it. The zero value is [Unknown].
type Role uint8

// The roles.
const (
	Unknown   Role = iota // content that nothing declares
	Structure             // an object or array of the protocol, which carries nothing itself
	Protocol              // fixed vocabulary: enums, versions, booleans, counts; [Table.Allows] verifies it
	MessageID             // of an A2A message, or a caller's own flow id in MCP _meta
	TaskID                // of an A2A task
	ContextID             // of an A2A context
	OtherID               // artifacts, progress tokens, configurations: whoever made one knows it again
	CallID                // of a JSON-RPC call, where it stands and where another message speaks of it
	Tenant                // an address within an agent, given by its card
	Name                  // of a tool: the gateway must know it
	Trace                 // a W3C traceparent
	Text                  // free text for the reader
	Data                  // the root of a structured content subtree, and what lies in it
	Bytes                 // a file in base64
	FileURL               // the address of a file or resource
	FileName              // the name of a file or resource
	Metadata              // the root of a content subtree beside the content, and what lies in it
	Schema                // a JSON Schema from outside
	Note                  // where a privacy note lies: a gateway takes out the one it finds and may put in its own
	Card                  // an agent card, which has a road of its own
	Software              // name and version of a client or server implementation; a gateway may put in its own
	Uncarried             // an offer of something that is not carried; taking it out is a valid answer
	Signed                // covered by a signature: passes whole or not at all
	Opaque                // must come back as it was given: cursors, request state
	Refuse                // not carried yet: the message is refused unless the place is null
)

var roleNames = [...]string{
	"Unknown", "Structure", "Protocol", "MessageID", "TaskID", "ContextID", "OtherID", "CallID", "Tenant", "Name", "Trace", "Text", "Data",
	"Bytes", "FileURL", "FileName", "Metadata", "Schema", "Note", "Card", "Software", "Uncarried", "Signed", "Opaque", "Refuse",
}

// String returns the role's name as tables write it.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return "invalid"
}

// Content reports whether the place holds what people say or know, so that it needs a label and a decision.
func (r Role) Content() bool {
	switch r {
	case Unknown, Text, Data, Bytes, FileURL, FileName, Metadata:
		return true
	default:
		return false
	}
}

// subtree reports whether what lies below the place has its role too.
func (r Role) subtree() bool {
	switch r {
	case Data, Metadata, Schema, Note, Card, Software, Uncarried, Signed, Opaque, Refuse:
		return true
	default:
		return false
	}
}

// checked reports whether values of the place are held to a grammar.
func (r Role) checked() bool {
	switch r {
	case Protocol, MessageID, TaskID, ContextID, OtherID, CallID, Tenant, Name, Trace:
		return true
	default:
		return false
	}
}
