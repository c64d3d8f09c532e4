package wire

import (
	"net/http"
	"strconv"

	"github.com/scrimhq/scrim/data/json"
)

// Status is what an A2A error is called in each binding.
type Status struct {
	Code int // JSON-RPC
	HTTP int
	GRPC int // of google.rpc.Code
}

// The codes of google.rpc.Code that A2A uses, and their words.
const (
	grpcCancelled         = 1
	grpcUnknown           = 2
	grpcInvalidArgument   = 3
	grpcDeadline          = 4
	grpcNotFound          = 5
	grpcAlreadyExists     = 6
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcPrecondition      = 9
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

var grpcWords = map[int]string{
	grpcCancelled: "CANCELLED", grpcUnknown: "UNKNOWN", grpcInvalidArgument: "INVALID_ARGUMENT", grpcDeadline: "DEADLINE_EXCEEDED", grpcNotFound: "NOT_FOUND",
	grpcAlreadyExists: "ALREADY_EXISTS", grpcPermissionDenied: "PERMISSION_DENIED", grpcResourceExhausted: "RESOURCE_EXHAUSTED", grpcPrecondition: "FAILED_PRECONDITION",
	grpcUnimplemented: "UNIMPLEMENTED", grpcInternal: "INTERNAL", grpcUnavailable: "UNAVAILABLE", grpcUnauthenticated: "UNAUTHENTICATED",
}

// statuses are those of the specification as its Go SDK has them, by the reason in an error's ErrorInfo, and our own.
var statuses = map[string]Status{
	"PARSE_ERROR":                        {-32700, 400, grpcInvalidArgument},
	"INVALID_REQUEST":                    {-32600, 400, grpcInvalidArgument},
	"METHOD_NOT_FOUND":                   {-32601, 501, grpcUnimplemented},
	"INVALID_PARAMS":                     {-32602, 400, grpcInvalidArgument},
	"INTERNAL_ERROR":                     {-32603, 500, grpcInternal},
	"SERVER_ERROR":                       {-32000, 500, grpcInternal},
	"TASK_NOT_FOUND":                     {-32001, 404, grpcNotFound},
	"TASK_NOT_CANCELABLE":                {-32002, 400, grpcPrecondition},
	"PUSH_NOTIFICATION_NOT_SUPPORTED":    {-32003, 400, grpcPrecondition},
	"UNSUPPORTED_OPERATION":              {-32004, 400, grpcPrecondition},
	"CONTENT_TYPE_NOT_SUPPORTED":         {-32005, 400, grpcInvalidArgument},
	"INVALID_AGENT_RESPONSE":             {-32006, 500, grpcInternal},
	"EXTENDED_AGENT_CARD_NOT_CONFIGURED": {-32007, 400, grpcPrecondition},
	"EXTENSION_SUPPORT_REQUIRED":         {-32008, 400, grpcPrecondition},
	"VERSION_NOT_SUPPORTED":              {-32009, 400, grpcPrecondition},
	"UNAUTHENTICATED":                    {-31401, 401, grpcUnauthenticated},
	"UNAUTHORIZED":                       {-31403, 403, grpcPermissionDenied},
	"POLICY_DENIED":                      {-31403, 403, grpcPermissionDenied},
	"FORBIDDEN":                          {-31403, 403, grpcPermissionDenied},
	"TOO_LARGE":                          {-32600, 413, grpcResourceExhausted},
	"ID_CONFLICT":                        {-32600, 409, grpcAlreadyExists},
	"UNAVAILABLE":                        {-32603, 503, grpcUnavailable},
	"HEADER_MISMATCH":                    {-32600, 400, grpcInvalidArgument},
	"TOO_MANY_REQUESTS":                  {-31429, 429, grpcResourceExhausted},
	"BUSY":                               {-32603, 503, grpcUnavailable},
}

// plainReasons are what an error means that has a JSON-RPC code alone.
var plainReasons = map[int]string{
	-32700: "PARSE_ERROR", -32600: "INVALID_REQUEST", -32601: "METHOD_NOT_FOUND", -32602: "INVALID_PARAMS", -32603: "INTERNAL_ERROR", -32000: "SERVER_ERROR",
	-32001: "TASK_NOT_FOUND", -32002: "TASK_NOT_CANCELABLE", -32003: "PUSH_NOTIFICATION_NOT_SUPPORTED", -32004: "UNSUPPORTED_OPERATION",
	-32005: "CONTENT_TYPE_NOT_SUPPORTED", -32006: "INVALID_AGENT_RESPONSE", -32007: "EXTENDED_AGENT_CARD_NOT_CONFIGURED",
	-32008: "EXTENSION_SUPPORT_REQUIRED", -32009: "VERSION_NOT_SUPPORTED", -31401: "UNAUTHENTICATED", -31403: "UNAUTHORIZED", -31429: "TOO_MANY_REQUESTS",
}

const errorInfoType = "type.googleapis.com/google.rpc.ErrorInfo"

// reasonIn returns the reason of the ErrorInfo in a list of error details.
func reasonIn(d *json.Doc, details int) string {
	if details < 0 || d.Nodes[details].Kind != json.Array {
		return ""
	}
	for n := range d.Children(details) {
		if d.Nodes[n].Kind != json.Object {
			continue
		}
		kind, ok := d.Member(n, "@type")
		reason, has := d.Member(n, "reason")
		if ok && has && d.Nodes[kind].Kind == json.String && d.Nodes[reason].Kind == json.String && d.Text(kind) == errorInfoType {
			return d.Text(reason)
		}
	}
	return ""
}

// statusOf returns the status of a JSON-RPC error: by its reason, and where it names none, by its code.
func statusOf(d *json.Doc, failure, data int) Status {
	if s, ok := statuses[reasonIn(d, data)]; ok {
		return s
	}
	code, _ := strconv.Atoi(string(number(d, failure, "code")))
	if word, ok := plainReasons[code]; ok {
		return statuses[word]
	}
	return statuses["INTERNAL_ERROR"]
}

func number(d *json.Doc, obj int, name string) []byte {
	if n, ok := d.Member(obj, name); ok && d.Nodes[n].Kind == json.Number {
		return d.Raw(n)
	}
	return nil
}

// Fault is the error of an envelope, for a binding that has another form for it.
type Fault struct {
	Status
	Message []byte // raw JSON string
	Details []byte // raw JSON array; nil where there are none
}

// ReadFault reads the error of a failed answer. It is for answers that were made or passed here.
func ReadFault(d *json.Doc, rpc RPC) Fault {
	f := Fault{Message: []byte(`""`)}
	data := -1
	if n, ok := d.Member(rpc.Error, "data"); ok && d.Nodes[n].Kind == json.Array {
		data, f.Details = n, d.Raw(n)
	}
	if n, ok := d.Member(rpc.Error, "message"); ok && d.Nodes[n].Kind == json.String {
		f.Message = d.Raw(n)
	}
	f.Status = statusOf(d, rpc.Error, data)
	return f
}

// AppendREST appends the error as the HTTP+JSON binding has it, a google.rpc.Status in the form of AIP-193. Status is
// the HTTP status that goes with it, which an agent may have chosen itself.
func (f Fault) AppendREST(dst []byte, status int) []byte {
	dst = strconv.AppendInt(append(dst, `{"error":{"code":`...), int64(status), 10)
	dst = append(append(dst, `,"status":"`...), grpcWords[f.GRPC]...)
	dst = append(append(dst, `","message":`...), f.Message...)
	if f.Details != nil {
		dst = append(append(dst, `,"details":`...), f.Details...)
	}
	return append(dst, '}', '}')
}

// AppendRESTFailure appends, as a failed answer to the call with the id, what an agent's HTTP+JSON binding says with an
// HTTP status: the member "error" of an object, at node n, or -1 where the body has none.
func AppendRESTFailure(dst, id []byte, status int, d *json.Doc, n int) []byte {
	message, details := []byte(`""`), -1
	if n >= 0 && d.Nodes[n].Kind == json.Object {
		if m, ok := d.Member(n, "message"); ok && d.Nodes[m].Kind == json.String {
			message = d.Raw(m)
		}
		if m, ok := d.Member(n, "details"); ok && d.Nodes[m].Kind == json.Array {
			details = m
		}
	}
	var data []byte
	if details >= 0 {
		data = d.Raw(details)
	}
	s, ok := statuses[reasonIn(d, details)]
	if !ok {
		s = statuses[byHTTP(status)]
	}
	return AppendFailure(dst, id, s.Code, message, data)
}

// byHTTP is the reason that an HTTP status alone gives.
func byHTTP(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusForbidden:
		return "UNAUTHORIZED"
	case http.StatusNotFound:
		return "TASK_NOT_FOUND"
	case http.StatusNotImplemented, http.StatusMethodNotAllowed:
		return "METHOD_NOT_FOUND"
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return "INVALID_PARAMS"
	default:
		return "INTERNAL_ERROR"
	}
}

// byGRPC are the reasons that a code of google.rpc.Code alone gives.
var byGRPC = map[int]string{
	grpcInvalidArgument: "INVALID_PARAMS", grpcNotFound: "TASK_NOT_FOUND", grpcPermissionDenied: "UNAUTHORIZED", grpcPrecondition: "TASK_NOT_CANCELABLE",
	grpcUnimplemented: "METHOD_NOT_FOUND", grpcUnauthenticated: "UNAUTHENTICATED",
}

// AppendGRPCFailure appends, as a failed answer to the call with the id, a status of gRPC. Details are a JSON array, or nil.
func AppendGRPCFailure(dst, id []byte, code int, message string, details []byte) []byte {
	var d json.Doc
	reason := ""
	if details != nil && d.Parse(details, nil, json.Limits{}) == nil {
		reason = reasonIn(&d, 0)
	}
	s, ok := statuses[reason]
	if !ok {
		if s, ok = statuses[byGRPC[code]]; !ok {
			s = statuses["INTERNAL_ERROR"]
		}
	}
	return AppendFailure(dst, id, s.Code, json.AppendString(nil, message), details)
}

// IsGRPCCode reports whether a code is one of google.rpc.Code that means an error.
func IsGRPCCode(code int) bool { return 0 < code && code <= grpcUnauthenticated }
