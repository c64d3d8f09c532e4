// Package gateway is the door of a data domain: it asks policy, lets privacy change the message, sees to the
// evidence, and only then lets a byte leave.
//
// One message takes one road, whatever the protocol. A protocol adapter (packages a2a and mcp below this one) reads
// the framing and hands over a [Message]: raw bytes, the wire table that says what each place of them is, the
// sender and the recipient. [Gateway.Pass] then
//
//  1. parses the bytes and lists the leaves, each with the stricter of its schema's and the detector's label;
//  2. asks policy for the terms of every leaf, for this recipient, purpose and task;
//  3. rewrites each leaf to its level and leaves every other byte alone;
//  4. writes the journal row, together with all that the decision needs to last, in one durable transaction;
//  5. returns the bytes that may now leave, with the privacy note inside them.
//
// Any error on the way is a [Refusal]: nothing is forwarded, the refusal is on record, and neither of its texts
// holds a value. Responses, stream events, errors and cards take the same road, with the caller as recipient.
package gateway
