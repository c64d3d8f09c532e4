package extmcp

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// ask is an McpRequest or an McpResponse: their first four fields are the same.
type ask struct {
	services []string          // 1
	method   string            // 2
	metadata map[string]string // 3, a google.protobuf.Struct: its texts, by name
	payload  []byte            // 4, JSON; nil where it is absent
	headers  map[string]string // 5, of requests; one that comes twice is not kept
}

// maxServices bounds how many servers one message may be for, maxHeaders how many headers are read.
const (
	maxServices = 16
	maxHeaders  = 256
)

var errMessage = errors.New("the message has not the form of the hook")

// readAsk reads a message. What it does not know is passed over, as protocol buffers have it.
func readAsk(b []byte) (*ask, error) {
	a := &ask{metadata: map[string]string{}, headers: map[string]string{}}
	twice, count := map[string]bool{}, 0
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
			return a.header(v, twice)
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

func (a *ask) header(b []byte, twice map[string]bool) error {
	var name, value string
	err := fields(b, func(num protowire.Number, v []byte) error {
		switch num {
		case 1:
			name = lower(string(v))
		case 2:
			value = string(v)
		}
		return nil
	})
	if _, there := a.headers[name]; there || twice[name] {
		delete(a.headers, name)
		twice[name] = true
		return err
	}
	a.headers[name] = value
	return err
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
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
