package proto

import (
	stdjson "encoding/json"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/scrimhq/scrim/data/json"
)

// Details reads a google.rpc.Status as it stands in the trailer grpc-status-details-bin, and returns its details as the
// list that the other bindings have for them; nil if there are none. Details of other types than A2A uses are left out.
func Details(status []byte) ([]byte, error) {
	if len(status) > maxStatus {
		return nil, ErrTooMuch
	}
	var s spb.Status
	if err := (pb.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(status, &s); err != nil {
		return nil, ErrMessage
	}
	var list []stdjson.RawMessage
	for _, any := range s.GetDetails() {
		if raw, ok := detail(any); ok {
			list = append(list, raw)
		}
	}
	if list == nil {
		return nil, nil
	}
	return stdjson.Marshal(list)
}

// maxStatus is how large a status may be: it comes in a header field.
const maxStatus = 16 << 10

const typePrefix = "type.googleapis.com/"

// detail writes one detail with its type as the member "@type".
func detail(any *anypb.Any) (stdjson.RawMessage, bool) {
	var m pb.Message
	switch any.GetTypeUrl() {
	case typePrefix + "google.rpc.ErrorInfo":
		m = new(errdetails.ErrorInfo)
	case typePrefix + "google.rpc.BadRequest":
		m = new(errdetails.BadRequest)
	case typePrefix + "google.protobuf.Struct":
		m = new(structpb.Struct)
	default:
		return nil, false
	}
	if (pb.UnmarshalOptions{RecursionLimit: maxDepth, DiscardUnknown: true}).Unmarshal(any.GetValue(), m) != nil {
		return nil, false
	}
	raw, err := protojson.Marshal(m)
	if err != nil {
		return nil, false
	}
	var d json.Doc
	if d.Parse(raw, nil, json.Limits{}) != nil {
		return nil, false
	}
	if _, taken := d.Member(0, "@type"); taken {
		return nil, false
	}
	e := d.Edit()
	e.Append(0, "@type", json.AppendString(nil, any.GetTypeUrl()))
	out, err := e.Apply(nil)
	return out, err == nil
}

// Status returns a google.rpc.Status for the trailer, of a code, a message and a list as [Details] returns one, which
// may be nil.
func Status(code int, message string, details []byte) ([]byte, error) {
	s := &spb.Status{Code: int32(code), Message: message}
	if details == nil {
		return pb.Marshal(s)
	}
	var d json.Doc
	if err := d.Parse(details, nil, json.Limits{}); err != nil {
		return nil, err
	}
	for n := range d.Children(0) {
		if any, ok := undetail(&d, n); ok {
			s.Details = append(s.Details, any)
		}
	}
	return pb.Marshal(s)
}

func undetail(d *json.Doc, n int) (*anypb.Any, bool) {
	if d.Nodes[n].Kind != json.Object {
		return nil, false
	}
	at, ok := d.Member(n, "@type")
	if !ok || d.Nodes[at].Kind != json.String {
		return nil, false
	}
	var m pb.Message
	switch d.Text(at) {
	case typePrefix + "google.rpc.ErrorInfo":
		m = new(errdetails.ErrorInfo)
	case typePrefix + "google.rpc.BadRequest":
		m = new(errdetails.BadRequest)
	case typePrefix + "google.protobuf.Struct":
		m = new(structpb.Struct)
	default:
		return nil, false
	}
	var members map[string]stdjson.RawMessage
	if stdjson.Unmarshal(d.Raw(n), &members) != nil {
		return nil, false
	}
	delete(members, "@type")
	raw, err := stdjson.Marshal(members)
	if err != nil || (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, m) != nil {
		return nil, false
	}
	any, err := anypb.New(m)
	return any, err == nil
}
