package wire

// Reason says why a message is refused, in the vocabulary that both protocols' errors are made from.
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
	NotFound                          // no such agent, task or tool, or not for this caller
	UnsupportedMode                   // push, extension or content type that is not carried
	UnsupportedMedia                  // content type or encoding
	Unsupported                       // operation that is not carried
	VersionNotSupported               // of the protocol
	InvalidAnswer                     // the agent's answer has not the form of the protocol
	TooLarge                          // over a limit
	Conflict                          // an id was used again for another request
	Unavailable                       // the agent cannot be reached, or no record can be written
)

// Denial is how a refusal is told. Text and Reference are public: neither may hold a value.
type Denial struct {
	Reason    Reason
	Text      string   // one sentence: place, rule, what to do; empty: the reason's own words
	Reference string   // resolves, for an operator, to the whole story; may be empty
	Ask       string   // how to ask for more; may be empty
	Supported []string // for VersionNotSupported: the versions that are carried
}

// A2A returns the JSON-RPC error for a call with the id, raw as [RPC.ID]; nil becomes null.
func (n Denial) A2A(id []byte) []byte { return nil }

// MCP returns the answer to an MCP call of the method: for tools/call that policy denies a result with isError, so
// that a model can read it; a JSON-RPC error for everything else.
func (n Denial) MCP(version, method string, id []byte) []byte { return nil }

// A2AStatus returns the HTTP status that goes with [Denial.A2A].
func (n Denial) A2AStatus() int { return 200 }

// MCPStatus returns the HTTP status that goes with [Denial.MCP].
func (n Denial) MCPStatus(version, method string) int { return 200 }
