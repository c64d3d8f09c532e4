package wire

import "github.com/scrimhq/scrim/flow"

// For returns the table of a message. Protocol is "a2a" or "mcp". Dir says which way the message goes: a notification
// from a server has direction Response. Stream asks for the events of a stream. It is false for what is not carried.
func For(protocol, version, method string, dir flow.Direction, stream bool) (*Table, bool) {
	return nil, false
}

// Methods returns the methods and notifications that are carried, sorted; nil for a protocol or version that is not.
func Methods(protocol, version string) []string { return nil }
