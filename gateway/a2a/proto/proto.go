// Package proto turns the messages of A2A 1.0's gRPC binding into JSON and back: bytes in, bytes out.
//
// JSON is that of the other bindings. What protobuf does not know, fields of a later version or of nobody's, stands
// there as a member called [Unknown], which no table declares: so a policy decides on it as on all that is not declared.
package proto

import (
	"bytes"
	"encoding/base64"
	stdjson "encoding/json"
	"errors"
	"math"
	"math/big"
	"strconv"

	"github.com/a2aproject/a2a-go/v2/a2apb/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/scrimhq/scrim/data/json"
)

// Service is the gRPC service of A2A 1.0.
const Service = "lf.a2a.v1.A2AService"

// Unknown is the member under which fields stand that the message's type does not have: their bytes, in base64.
const Unknown = "@unknown"

// Errors of this package. None holds a value.
var (
	ErrMessage = errors.New("not a message of its type")
	ErrTooMuch = errors.New("message is over a limit")
	ErrNumber  = errors.New("a number cannot be written in protobuf as it is")
	ErrHidden  = errors.New("fields are hidden where the type has no place for them")
)

// Method is one of the service's.
type Method struct {
	Name    string
	Streams bool // its answer is a stream
	request func() pb.Message
	answer  func() pb.Message
}

func of[M any, P interface {
	*M
	pb.Message
}]() pb.Message {
	return P(new(M))
}

var methods = []Method{
	{"SendMessage", false, of[a2apb.SendMessageRequest], of[a2apb.SendMessageResponse]},
	{"SendStreamingMessage", true, of[a2apb.SendMessageRequest], of[a2apb.StreamResponse]},
	{"GetTask", false, of[a2apb.GetTaskRequest], of[a2apb.Task]},
	{"ListTasks", false, of[a2apb.ListTasksRequest], of[a2apb.ListTasksResponse]},
	{"CancelTask", false, of[a2apb.CancelTaskRequest], of[a2apb.Task]},
	{"SubscribeToTask", true, of[a2apb.SubscribeToTaskRequest], of[a2apb.StreamResponse]},
	{"CreateTaskPushNotificationConfig", false, of[a2apb.TaskPushNotificationConfig], of[a2apb.TaskPushNotificationConfig]},
	{"GetTaskPushNotificationConfig", false, of[a2apb.GetTaskPushNotificationConfigRequest], of[a2apb.TaskPushNotificationConfig]},
	{"ListTaskPushNotificationConfigs", false, of[a2apb.ListTaskPushNotificationConfigsRequest], of[a2apb.ListTaskPushNotificationConfigsResponse]},
	{"DeleteTaskPushNotificationConfig", false, of[a2apb.DeleteTaskPushNotificationConfigRequest], of[emptypb.Empty]},
	{"GetExtendedAgentCard", false, of[a2apb.GetExtendedAgentCardRequest], of[a2apb.AgentCard]},
}

// Find returns the method of a name.
func Find(name string) (Method, bool) {
	for _, m := range methods {
		if m.Name == name {
			return m, true
		}
	}
	return Method{}, false
}

// Params returns a request as the params of a call, and the request as protobuf writes what was read of it: what a later
// field of it overwrites is in neither, unknown fields are in both.
func (m Method) Params(request []byte, lim json.Limits) (params, plain []byte, err error) {
	return toJSON(m.request(), request, lim)
}

// Request returns the params of a call as a request.
func (m Method) Request(params []byte) ([]byte, error) { return fromJSON(m.request(), params) }

// Result returns an answer, or one event of it, as the result of a call, and the answer as Params does a request.
func (m Method) Result(answer []byte, lim json.Limits) (result, plain []byte, err error) {
	return toJSON(m.answer(), answer, lim)
}

// Answer returns the result of a call as an answer or one event of it.
func (m Method) Answer(result []byte) ([]byte, error) { return fromJSON(m.answer(), result) }

// Tenant returns the tenant that a request names. Of several, the last counts, as protobuf has it.
func (m Method) Tenant(request []byte) (tenant string, err error) {
	err = m.eachTenant(request, func(value []byte) { tenant = string(value) }, nil)
	return tenant, err
}

// WithTenant returns the request with another tenant, "" for none, and every other byte as it was.
func (m Method) WithTenant(request []byte, tenant string) ([]byte, error) {
	out := make([]byte, 0, len(request)+len(tenant)+4)
	if err := m.eachTenant(request, nil, func(field []byte) { out = append(out, field...) }); err != nil {
		return nil, err
	}
	if tenant == "" {
		return out, nil
	}
	number := m.request().ProtoReflect().Descriptor().Fields().ByName("tenant").Number()
	return protowire.AppendString(protowire.AppendTag(out, number, protowire.BytesType), tenant), nil
}

func (m Method) eachTenant(request []byte, tenant func(value []byte), other func(field []byte)) error {
	number := m.request().ProtoReflect().Descriptor().Fields().ByName("tenant").Number()
	for b := request; len(b) > 0; {
		n, t, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return ErrMessage
		}
		size := protowire.ConsumeFieldValue(n, t, b[tag:])
		if size < 0 {
			return ErrMessage
		}
		switch {
		case n == number && t == protowire.BytesType:
			if value, _ := protowire.ConsumeBytes(b[tag:]); tenant != nil {
				tenant(value)
			}
		case other != nil:
			other(b[:tag+size])
		}
		b = b[tag+size:]
	}
	return nil
}

// maxDepth is how deep messages may lie within each other. Data in a part takes up to three for each of its own levels.
const maxDepth = 200

// toJSON parses a message and writes it as JSON, with unknown fields as members, and as protobuf.
func toJSON(m pb.Message, src []byte, lim json.Limits) (out, plain []byte, err error) {
	left := lim.Nodes
	if left <= 0 {
		left = json.DefaultNodes
	}
	if err := measure(src, m.ProtoReflect().Descriptor(), maxDepth, &left); err != nil {
		return nil, nil, err
	}
	if err := (pb.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(src, m); err != nil {
		return nil, nil, ErrMessage // its text may hold what was sent
	}
	raw, err := protojson.Marshal(m)
	if err != nil {
		return nil, nil, ErrMessage
	}
	var b bytes.Buffer
	if err := stdjson.Compact(&b, raw); err != nil { // the encoder sets blanks differently from build to build
		return nil, nil, ErrMessage
	}
	if plain, err = (pb.MarshalOptions{Deterministic: true}).Marshal(m); err != nil {
		return nil, nil, ErrMessage
	}
	if !anyUnknown(m.ProtoReflect()) {
		return b.Bytes(), plain, nil
	}
	var d json.Doc
	if err := d.Parse(b.Bytes(), nil, lim); err != nil {
		return nil, nil, err
	}
	e := d.Edit()
	if err := tellUnknown(m.ProtoReflect(), &d, 0, e); err != nil {
		return nil, nil, err
	}
	out, err = e.Apply(nil)
	return out, plain, err
}

// measure counts messages and fields before any memory is taken for them: two bytes can ask for a hundred.
func measure(b []byte, md protoreflect.MessageDescriptor, depth int, left *int) error {
	if depth < 0 {
		return ErrTooMuch
	}
	for len(b) > 0 {
		n, t, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return ErrMessage
		}
		size := protowire.ConsumeFieldValue(n, t, b[tag:])
		if size < 0 {
			return ErrMessage
		}
		if *left--; *left < 0 {
			return ErrTooMuch
		}
		if fd := md.Fields().ByNumber(n); fd != nil && fd.Message() != nil && t == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(b[tag:])
			if err := measure(value, fd.Message(), depth-1, left); err != nil {
				return err
			}
		}
		b = b[tag+size:]
	}
	return nil
}

// wellKnown reports whether JSON has a form of its own for the type, in which fields have no place.
func wellKnown(md protoreflect.MessageDescriptor) bool {
	return md.ParentFile().Package() == "google.protobuf"
}

// each calls f for each message that a message holds directly, until f says no.
func each(m protoreflect.Message, f func(sub protoreflect.Message) bool) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		more := true
		switch {
		case fd.IsMap():
			if fd.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
					more = f(v.Message())
					return more
				})
			}
		case fd.Message() == nil:
		case fd.IsList():
			for i := 0; more && i < v.List().Len(); i++ {
				more = f(v.List().Get(i).Message())
			}
		default:
			more = f(v.Message())
		}
		return more
	})
}

// pairs calls f for each message that a message holds directly, with the node that it has in the object of the message.
func pairs(m protoreflect.Message, d *json.Doc, obj int, f func(sub protoreflect.Message, n int) error) (err error) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if fd.Message() == nil || fd.IsMap() && fd.MapValue().Message() == nil {
			return true
		}
		n, ok := d.Member(obj, fd.JSONName())
		if !ok {
			n, ok = d.Member(obj, string(fd.Name()))
		}
		if !ok {
			err = ErrHidden
			return false
		}
		switch {
		case fd.IsMap():
			for child := range d.Children(n) {
				if sub := v.Map().Get(protoreflect.ValueOfString(string(d.Key(child))).MapKey()); err == nil && sub.IsValid() {
					err = f(sub.Message(), child)
				}
			}
		case fd.IsList():
			for child := range d.Children(n) {
				if i := int(d.Nodes[child].Index); err == nil && i < v.List().Len() {
					err = f(v.List().Get(i).Message(), child)
				}
			}
		default:
			err = f(v.Message(), n)
		}
		return err == nil
	})
	return err
}

func anyUnknown(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	found := false
	each(m, func(sub protoreflect.Message) bool {
		found = anyUnknown(sub)
		return !found
	})
	return found
}

// tellUnknown adds the unknown fields of a message, and of those in it, to the object that it became.
func tellUnknown(m protoreflect.Message, d *json.Doc, obj int, e *json.Edits) error {
	if wellKnown(m.Descriptor()) {
		if anyUnknown(m) {
			return ErrHidden
		}
		return nil
	}
	if raw := m.GetUnknown(); len(raw) > 0 {
		e.Append(obj, Unknown, json.AppendString(nil, base64.StdEncoding.EncodeToString(raw)))
	}
	return pairs(m, d, obj, func(sub protoreflect.Message, n int) error { return tellUnknown(sub, d, n, e) })
}

// fromJSON writes an object as a message. Members that the type does not have are left out, as protobuf cannot say them;
// what stands under [Unknown] comes back as the fields it was.
func fromJSON(m pb.Message, src []byte) ([]byte, error) {
	var d json.Doc
	wide := json.Limits{Bytes: len(src), Depth: 1 << 16, Nodes: len(src) + 1, Number: len(src) + 1}
	if err := d.Parse(src, nil, wide); err != nil {
		return nil, err
	}
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxDepth}).Unmarshal(src, m); err != nil {
		return nil, ErrMessage // its text may hold what was sent
	}
	if err := restore(m.ProtoReflect(), &d, 0); err != nil {
		return nil, err
	}
	b, err := pb.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, ErrMessage
	}
	return b, nil
}

// restore puts unknown fields back where they stood, and looks whether numbers are what they were.
func restore(m protoreflect.Message, d *json.Doc, obj int) error {
	md := m.Descriptor()
	if wellKnown(md) {
		return exactNumbers(d, obj)
	}
	if n, ok := d.Member(obj, Unknown); ok && d.Nodes[n].Kind == json.String {
		raw, err := base64.StdEncoding.DecodeString(d.Text(n))
		if err != nil || !allUnknown(raw, md) {
			return ErrHidden
		}
		m.SetUnknown(raw)
	}
	return pairs(m, d, obj, func(sub protoreflect.Message, n int) error { return restore(sub, d, n) })
}

// allUnknown reports whether none of the fields is one that the type has: that would be another message than the one
// that was decided.
func allUnknown(raw []byte, md protoreflect.MessageDescriptor) bool {
	for len(raw) > 0 {
		n, t, tag := protowire.ConsumeTag(raw)
		if tag < 0 || md.Fields().ByNumber(n) != nil {
			return false
		}
		size := protowire.ConsumeFieldValue(n, t, raw[tag:])
		if size < 0 {
			return false
		}
		raw = raw[tag+size:]
	}
	return true
}

// exactNumbers reports, for what becomes a google.protobuf.Value, whether every number is one that a double holds: a long
// id that came out rounded would be another one.
func exactNumbers(d *json.Doc, from int) error {
	for n := from; n < int(d.Nodes[from].Next); n++ {
		if d.Nodes[n].Kind == json.Number && !exact(string(d.Raw(n))) {
			return ErrNumber
		}
	}
	return nil
}

func exact(raw string) bool {
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsInf(f, 0) {
		return false
	}
	if math.Trunc(f) != f || math.Abs(f) < 1<<53 {
		return digits(raw) <= 17
	}
	want, ok := new(big.Int).SetString(raw, 10)
	if !ok {
		return true // written with a point or an exponent: nobody's id
	}
	got, _ := big.NewFloat(f).Int(nil)
	return got.Cmp(want) == 0
}

// digits counts the significant digits of a number's mantissa.
func digits(raw string) (n int) {
	lead := true
	for _, c := range raw {
		switch {
		case c == 'e' || c == 'E':
			return n
		case c < '0' || c > '9' || lead && c == '0':
		default:
			lead = false
			n++
		}
	}
	return n
}
