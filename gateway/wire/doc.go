// Package wire says what is what in the messages of A2A and MCP. It does no I/O of its own.
//
// A [Table], one for each protocol, version, method and direction, gives every place of a message a [Role]. Tables walk
// along with the JSON parser as its matcher. What a table calls [Protocol] is of a fixed vocabulary, and [Table.Allows]
// holds a value to it, so that nothing can be said in a place that nobody reads. What no table declares is [Unknown].
//
// Beside the tables are the readers of what surrounds the content: JSON-RPC envelopes ([ReadRPC]), the parts of A2A
// messages ([ReadA2A]) and MCP calls ([ReadMCP]), server-sent events ([EventReader]); and the forms in which a gateway
// says no ([Denial]).
package wire
