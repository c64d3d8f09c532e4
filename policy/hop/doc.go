// Package hop is what one gateway says to the next about a message that it changed: the hop statement.
//
// An agent's proof of possession signs the body that the agent sent. A gateway changes that body, so the proof cannot hold
// at the next one. In its place the gateway signs, with its domain's key, a statement for the next domain alone: which
// request and bytes these are, who sends them, how many gateways the message came through, for what purpose and at which
// criticality it let them through, and how much of each kind of data. The next gateway decides by its own policy, and never
// reveals more than the statement says.
//
// A statement is a JWS in compact form (RFC 7515) with Ed25519 (RFC 8037) and nothing else. Its payload is written in one
// way only, see [Sign], so that a reader has nothing to be lenient about. docs/spec/hops.md is the format.
//
// The package is pure: it does no I/O, keeps no state and knows no keys but those that it is handed. Whether a statement
// was seen before, over which connection it came, and what the next gateway makes of it, is for package gateway to say.
package hop
