package wire

import (
	"slices"
	"sync"
)

// Versions of MCP that are carried, newest first. The first has no sessions and begins without a handshake; in all
// others a session begins with initialize.
const (
	MCP20260728 = "2026-07-28"
	MCP20251125 = "2025-11-25"
	MCP20250618 = "2025-06-18"
	MCP20250326 = "2025-03-26"
	MCP20241105 = "2024-11-05"
)

// MCPClient is the protocol of what goes the other way in MCP: a client answers what its server asks. For [For] a
// request of it is one of the server, and a response the client's.
const MCPClient = "mcp/client"

var mcpVersions = []string{MCP20260728, MCP20251125, MCP20250618, MCP20250326, MCP20241105}

// MCPVersions returns the versions of MCP that are carried, newest first.
func MCPVersions() []string { return slices.Clone(mcpVersions) }

// MCPSessions reports whether a session of the version begins with initialize.
func MCPSessions(version string) bool {
	return version != MCP20260728 && slices.Contains(mcpVersions, version)
}

// passing is the table of a message that has none.
var passing = sync.OnceValue(func() *Table {
	shapes := parseShapes(envelopeShapes, mcpShapes)
	shapes[""] = &shape{role: Structure, rules: []rule{{shape: "Call"}, {shape: "Passing"}}}
	return compile(shapes, "")
})

// Passing is the table of a message that no other describes: all that it says is content. It is for traffic that
// configuration declares public from end to end, where every conformant message passes; elsewhere what has no table is refused.
func Passing() *Table { return passing() }

// mcpDialects are made from what the versions have in common and what each has besides.
var mcpDialects = slices.Concat(
	mcpDialect(MCP20241105, mcpMethods, sessionMethods),
	mcpDialect(MCP20250326, mcpMethods, sessionMethods),
	mcpDialect(MCP20250618, mcpMethods, sessionMethods),
	mcpDialect(MCP20251125, mcpMethods, sessionMethods, taskMethods),
	mcpDialect(MCP20260728, mcpMethods, statelessMethods),
	clientDialect(MCP20241105, clientMethods),
	clientDialect(MCP20250326, clientMethods),
	clientDialect(MCP20250618, clientMethods, elicitMethods),
	clientDialect(MCP20251125, clientMethods, elicitMethods, clientTaskMethods),
)

func mcpDialect(version string, methods ...[]method) []dialect {
	return []dialect{{protocol: "mcp", version: version, failure: "MCPError", methods: slices.Concat(methods...)}}
}

func clientDialect(version string, methods ...[]method) []dialect {
	return []dialect{{protocol: MCPClient, version: version, failure: "MCPError", methods: slices.Concat(methods...)}}
}

// mcpMethods are those of all versions.
var mcpMethods = []method{
	{name: "tools/list", params: "ListParams", result: "ToolList"},
	{name: "tools/call", params: "CallToolParams", result: "CallToolResult"},
	{name: "resources/list", params: "ListParams", result: "ResourceList"},
	{name: "resources/templates/list", params: "ListParams", result: "TemplateList"},
	{name: "resources/read", params: "ReadParams", result: "ReadResult"},
	{name: "prompts/list", params: "ListParams", result: "PromptList"},
	{name: "prompts/get", params: "GetPromptParams", result: "GetPromptResult"},
	{name: "completion/complete", params: "CompleteParams", result: "CompleteResult"},
	{name: "notifications/cancelled", params: "CancelledParams", notice: "CancelledParams"},
	{name: "notifications/message", notice: "LogParams"},
	{name: "notifications/tools/list_changed", notice: "NoticeParams"},
	{name: "notifications/resources/list_changed", notice: "NoticeParams"},
	{name: "notifications/resources/updated", notice: "URIParams"},
	{name: "notifications/prompts/list_changed", notice: "NoticeParams"},
}

// sessionMethods are those of versions with sessions.
var sessionMethods = []method{
	{name: "initialize", params: "InitializeParams", result: "InitializeResult"},
	{name: "notifications/initialized", params: "NoticeParams"},
	{name: "ping", params: "NoticeParams", result: "Result"},
	{name: "logging/setLevel", params: "SetLevelParams", result: "Result"},
	{name: "resources/subscribe", params: "URIParams", result: "Result"},
	{name: "resources/unsubscribe", params: "URIParams", result: "Result"},
	{name: "notifications/roots/list_changed", params: "NoticeParams"},
	{name: "notifications/progress", params: "ProgressParams", notice: "ProgressParams"},
	{name: "notifications/elicitation/complete", notice: "ElicitedParams"},
}

// taskMethods are the experimental tasks of 2025-11-25, of either side.
var taskMethods = []method{
	{name: "tasks/get", params: "TaskParams", result: "TaskResult"},
	{name: "tasks/result", params: "TaskParams", result: "AnyAnswer"},
	{name: "tasks/list", params: "ListParams", result: "TaskPage"},
	{name: "tasks/cancel", params: "TaskParams", result: "TaskResult"},
	{name: "notifications/tasks/status", params: "TaskNotice", notice: "TaskNotice"},
}

// statelessMethods are those of 2026-07-28 and of its tasks extension.
var statelessMethods = []method{
	{name: "server/discover", params: "NoticeParams", result: "DiscoverResult"},
	{name: "subscriptions/listen", params: "ListenParams", result: "Result"},
	{name: "notifications/subscriptions/acknowledged", notice: "ListenParams"},
	{name: "notifications/progress", notice: "ProgressParams"},
	{name: "tasks/get", params: "TaskParams", result: "TaskDetails"},
	{name: "tasks/update", params: "TaskUpdateParams", result: "Result"},
	{name: "tasks/cancel", params: "TaskParams", result: "Result"},
	{name: "notifications/tasks", notice: "TaskDetailsNotice"},
}

// clientMethods are what a server may ask of its client.
var clientMethods = []method{
	{name: "ping", params: "NoticeParams", result: "Result"},
	{name: "roots/list", params: "NoticeParams", result: "RootsResult"},
	{name: "sampling/createMessage", params: "SamplingParams", result: "SamplingResult"},
}

var elicitMethods = []method{
	{name: "elicitation/create", params: "ElicitParams", result: "ElicitResult"},
}

var clientTaskMethods = []method{
	{name: "tasks/get", params: "TaskParams", result: "TaskResult"},
	{name: "tasks/result", params: "TaskParams", result: "ClientPayload"},
	{name: "tasks/list", params: "ListParams", result: "TaskPage"},
	{name: "tasks/cancel", params: "TaskParams", result: "TaskResult"},
}
