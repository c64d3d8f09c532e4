package extmcp

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/scrimhq/scrim/gateway/mcp"
)

// ask is an McpRequest or an McpResponse: their first four fields are the same.
type ask struct {
	services []string          // 1
	method   string            // 2
	metadata map[string]string // 3, a google.protobuf.Struct: its texts, by name
	payload  []byte            // 4, JSON; nil where it is absent
	headers  map[string]string // 5, of requests, by canonical name; one that comes twice is not kept
	twice    map[string]bool   // headers that came twice
}

// maxServices bounds how many servers one message may be for, maxHeaders how many headers are read.
const (
	maxServices = 16
	maxHeaders  = 256
)

var errMessage = errors.New("the message has not the form of the hook")

// readAsk reads a message. What it does not know is passed over, as protocol buffers have it.
func readAsk(b []byte) (*ask, error) {
	a := &ask{metadata: map[string]string{}, headers: map[string]string{}, twice: map[string]bool{}}
	count := 0
	err := fields(b, func(num protowire.Number, v []byte) error {
		switch num {
		case 1:
			if len(a.services) == maxServices {
				return errMessage
			}
			a.services = append(a.services, string(v))
		case 2:
			a.method = string(v)
		case 3:
			return a.context(v)
		case 4:
			a.payload = append([]byte{}, v...)
		case 5:
			if count++; count > maxHeaders {
				return errMessage
			}
			return a.header(v)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// fields calls each for every length-delimited field of a message.
func fields(b []byte, each func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return errMessage
		}
		b = b[n:]
		if typ != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
				return errMessage
			}
			b = b[n:]
			continue
		}
		v, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return errMessage
		}
		if err := each(num, v); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// context reads the Struct. Only texts are looked for; a name that stands in it twice has the last, as a map has it.
func (a *ask) context(b []byte) error {
	var s structpb.Struct
	if err := (proto.UnmarshalOptions{RecursionLimit: 32}).Unmarshal(b, &s); err != nil {
		return errMessage // the library's words may repeat what it read
	}
	for name, v := range s.GetFields() {
		if text, ok := v.GetKind().(*structpb.Value_StringValue); ok {
			a.metadata[name] = text.StringValue
		}
	}
	return nil
}

func (a *ask) header(b []byte) error {
	var name, value string
	err := fields(b, func(num protowire.Number, v []byte) error {
		switch num {
		case 1:
			name = http.CanonicalHeaderKey(string(v))
		case 2:
			value = string(v)
		}
		return nil
	})
	if _, there := a.headers[name]; there || a.twice[name] {
		delete(a.headers, name)
		a.twice[name] = true
		return err
	}
	a.headers[name] = value
	return err
}

// mirrors are the headers that repeat parts of the message.
func (a *ask) mirrors() map[string]string {
	out := map[string]string{}
	for name, v := range a.headers {
		if mcp.Mirrors(name) {
			out[name] = v
		}
	}
	return out
}

// mutation says what must become of the headers that repeat parts of the message, so that none tells what the message does
// not any more; nil where they may stay.
func (a *ask) mutation(now map[string]string) []byte {
	var m []byte
	for _, name := range slices.Sorted(maps.Keys(a.headers)) {
		v, there := now[name]
		switch {
		case !mcp.Mirrors(name) || there && v == a.headers[name]:
		case there: // HeaderMutation.set, a McpHeader of key (1) and value (2)
			h := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), name)
			h = protowire.AppendString(protowire.AppendTag(h, 2, protowire.BytesType), v)
			m = protowire.AppendBytes(protowire.AppendTag(m, 1, protowire.BytesType), h)
		default:
			m = protowire.AppendString(protowire.AppendTag(m, 2, protowire.BytesType), name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(a.twice)) {
		if mcp.Mirrors(name) {
			m = protowire.AppendString(protowire.AppendTag(m, 2, protowire.BytesType), name)
		}
	}
	if m == nil {
		return nil
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), m)
}

// Codes of an AuthorizationError.
const (
	codeDenied    = 1 // PERMISSION_DENIED
	codeExhausted = 2 // RESOURCE_EXHAUSTED
	codeInvalid   = 3 // INVALID
)

// An McpRequestResult and an McpResponseResult hold one of three: pass (1), mutated (2), error (3).

func passed() []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), nil)
}

func mutated(payload []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), payload)
}

// failed is an error: a code (1), a reason in words (2), and the JSON-RPC error that the client is to see (3).
func failed(code uint64, reason string, rpc []byte) []byte {
	e := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), code)
	e = protowire.AppendString(protowire.AppendTag(e, 2, protowire.BytesType), reason)
	if rpc != nil {
		e = protowire.AppendBytes(protowire.AppendTag(e, 3, protowire.BytesType), rpc)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), e)
}
