package wire

import (
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/data/json"
)

// Errors of [ReadRPC].
var (
	ErrBatch    = errors.New("JSON-RPC batches are not carried")
	ErrEnvelope = errors.New("not a JSON-RPC 2.0 message")
	ErrParams   = errors.New("/params is not an object") // comes with ErrEnvelope
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
	Method string // of a call or notification; a stranger's text until [For] knows it
	Params int    // an object, or -1
	Result int
	Error  int // an object, or -1
}

// ReadRPC reads the envelope of a parsed document.
//
// Ids are strings or integers, or null in an answer to what could not be read; params are an object. An answer has
// either a result or an error, and no method. The error wraps [ErrBatch] or [ErrEnvelope]; where the id could be read it
// is returned with the error, so that the refusal can carry it, and nothing else is.
func ReadRPC(d *json.Doc) (RPC, error) {
	rpc := RPC{IDNode: -1, Params: -1, Result: -1, Error: -1}
	if len(d.Nodes) == 0 {
		return rpc, fmt.Errorf("%w: there is nothing", ErrEnvelope)
	}
	switch d.Nodes[0].Kind {
	case json.Object:
	case json.Array:
		return rpc, ErrBatch
	default:
		return rpc, fmt.Errorf("%w: it is not an object", ErrEnvelope)
	}
	if err := rpc.readID(d); err != nil {
		return rpc, err
	}
	read := rpc
	if err := read.readBody(d); err != nil {
		return rpc, err
	}
	return read, nil
}

func (r *RPC) readID(d *json.Doc) error {
	n, ok := d.Member(0, "id")
	if !ok {
		return nil
	}
	if d.Nodes[n].Kind != json.Null && !(check{name: "rpcid"}).allows(d, n) {
		return fmt.Errorf("%w: /id is not a short string or an integer", ErrEnvelope)
	}
	r.IDNode, r.ID = n, d.Raw(n)
	return nil
}

func (r *RPC) readBody(d *json.Doc) error {
	if v, ok := d.Member(0, "jsonrpc"); !ok || d.Nodes[v].Kind != json.String || string(textOf(d, v)) != "2.0" {
		return fmt.Errorf("%w: /jsonrpc is not 2.0", ErrEnvelope)
	}
	method, hasMethod := d.Member(0, "method")
	result, hasResult := d.Member(0, "result")
	failure, hasError := d.Member(0, "error")
	hasError = hasError && d.Nodes[failure].Kind != json.Null
	if hasResult && hasError && d.Nodes[result].Kind == json.Null {
		hasResult = false // some servers write both members
	}
	switch {
	case hasMethod && !hasResult && !hasError:
		return r.readCall(d, method)
	case hasMethod || hasResult == hasError:
		return fmt.Errorf("%w: it has not exactly one of /method, /result and /error", ErrEnvelope)
	case r.ID == nil:
		return fmt.Errorf("%w: an answer has no /id", ErrEnvelope)
	case hasError:
		if d.Nodes[failure].Kind != json.Object {
			return fmt.Errorf("%w: /error is not an object", ErrEnvelope)
		}
		r.Kind, r.Error = Failure, failure
	case d.Nodes[r.IDNode].Kind == json.Null:
		return fmt.Errorf("%w: a result has /id null", ErrEnvelope)
	default:
		r.Kind, r.Result = Success, result
	}
	return nil
}

func (r *RPC) readCall(d *json.Doc, method int) error {
	if d.Nodes[method].Kind != json.String {
		return fmt.Errorf("%w: /method is not a string", ErrEnvelope)
	}
	if r.ID != nil && d.Nodes[r.IDNode].Kind == json.Null {
		return fmt.Errorf("%w: a call has /id null", ErrEnvelope)
	}
	if params, ok := d.Member(0, "params"); ok && d.Nodes[params].Kind != json.Null {
		if d.Nodes[params].Kind != json.Object {
			return fmt.Errorf("%w: %w", ErrEnvelope, ErrParams)
		}
		r.Params = params
	}
	r.Method = string(textOf(d, method))
	if r.ID == nil {
		r.Kind = Notification
	}
	return nil
}
