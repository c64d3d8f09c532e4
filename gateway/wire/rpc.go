package wire

import (
	"errors"

	"github.com/scrimhq/scrim/data/json"
)

// Errors of [ReadRPC].
var (
	ErrBatch    = errors.New("JSON-RPC batches are not carried")
	ErrEnvelope = errors.New("not a JSON-RPC 2.0 message")
)

// RPCKind says which of the four JSON-RPC messages one is.
type RPCKind uint8

// The kinds.
const (
	Call RPCKind = iota
	Notification
	Success
	Failure
)

// RPC is a JSON-RPC 2.0 envelope. Nodes are -1 where the member is absent.
type RPC struct {
	Kind   RPCKind
	ID     []byte // as written, a slice of the document; nil for a notification
	IDNode int
	Method string // of a call or notification
	Params int    // an object, or -1
	Result int
	Error  int
}

// ReadRPC reads the envelope of a parsed document. Ids are strings, integers or, in an answer to what could not be
// read, null; params are an object. The errors are [ErrBatch] and [ErrEnvelope].
func ReadRPC(d *json.Doc) (RPC, error) { return RPC{}, ErrEnvelope }
