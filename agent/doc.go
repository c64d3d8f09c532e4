// Package agent is the SDK for writing an agent in Go that meets others through Scrim.
//
// An agent needs none of it: it changes a URL. With it, an agent shows capabilities in place of broad credentials: it
// holds what it was given ([Client.Hold]), hands a narrower one to a sub-agent ([Client.Hand], offline), and proves for
// each call that it holds the key ([Client], an [http.RoundTripper]). It reads what the gateway changed ([NoteOf]),
// fetches what came as a handle, asks for terms, and sends a call again under the same name where that is safe.
// Packages agent/a2a and agent/mcp hang it into the clients of a2a-go and of the MCP Go SDK.
//
// The package imports flow and policy/capability and the standard library, and no more.
package agent
