package a2a

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/proto"
	"github.com/scrimhq/scrim/gateway/wire"
)

// GRPCPath is where gRPC looks for A2A 1.0: a method's path has no prefix.
const GRPCPath = "/" + proto.Service + "/"

// GRPC serves the faces of a gateway over gRPC. Since a path names no agent, the tenant does: that of an agent's
// interface in the gateway's card, such as "a2a/billing" or "out/a2a/partner". What follows a further slash is the tenant
// that the agent gets. Mount it at [GRPCPath].
type GRPC struct {
	faces []*Handler
}

// NewGRPC returns a server of the handlers' faces, whose tenants begin as their prefixes do.
func NewGRPC(faces ...*Handler) *GRPC { return &GRPC{faces} }

// Tenant is the name of an agent of a face over gRPC.
func (h *Handler) Tenant(id flow.AgentID) string {
	return strings.Trim(h.Prefix, "/") + "/" + string(id)
}

// ServeHTTP implements [http.Handler].
func (g *GRPC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	media := r.Header.Get("Content-Type")
	if r.Method != http.MethodPost || media != "application/grpc" && media != "application/grpc+proto" {
		http.Error(w, "gRPC with protobuf is spoken here", http.StatusUnsupportedMediaType)
		return
	}
	if r.ProtoMajor < 2 {
		http.Error(w, "gRPC needs HTTP/2", http.StatusHTTPVersionNotSupported)
		return
	}
	if d, ok := timeout(r.Header.Get("Grpc-Timeout")); ok {
		ctx, cancel := context.WithTimeout(r.Context(), d)
		defer cancel()
		r = r.WithContext(ctx)
	}
	f := &grpcFront{w: w, r: r, faces: g.faces}
	m, ok := proto.Find(strings.TrimPrefix(r.URL.Path, GRPCPath))
	if !ok {
		f.status = grpcStatus{code: 12, message: "This method is not carried."}
		f.end()
		return
	}
	f.method = m
	g.faces[0].call(w, r, "", f).serve()
	f.end()
}

// timeout reads the header grpc-timeout: up to eight digits and a unit.
func timeout(s string) (time.Duration, bool) {
	if len(s) < 2 || len(s) > 9 {
		return 0, false
	}
	unit, ok := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if !ok || err != nil {
		return 0, false
	}
	return min(time.Duration(n), 24*time.Hour/unit) * unit, true
}

// grpcFront is the gRPC binding.
type grpcFront struct {
	w      http.ResponseWriter
	r      *http.Request
	faces  []*Handler
	method proto.Method
	frame  []byte // the request without the gateway's part of its tenant, and without what its own fields overwrite
	opened []byte // the envelope that it became
	begun  bool
	ended  bool
	status grpcStatus
	active string
}

// speaks knows 1.0 alone: the service of 0.3 is another one.
func (f *grpcFront) speaks(version string) bool { return version == wire.A2A10 }

// address reads the message, since its tenant names the agent.
func (f *grpcFront) address(c *call) error {
	c.rpc.ID = []byte(restID)
	if enc := f.r.Header.Get("Grpc-Encoding"); enc != "" && enc != "identity" {
		return gateway.Refuse(gateway.RuleEncoding, nil, "The message is compressed; send it as identity.")
	}
	limit := c.snap.Limits.Bytes
	if limit <= 0 {
		limit = json.DefaultBytes
	}
	frame, err := readFrame(f.r.Body, limit)
	if err != nil {
		return frameRefusal(err, limit, "The")
	}
	if _, err := readFrame(f.r.Body, 0); !errors.Is(err, io.EOF) {
		return gateway.Refuse(gateway.RuleMalformed, nil, "The call has more than one message.")
	}
	c.sent = frame
	tenant, err := f.method.Tenant(frame)
	if err != nil {
		return gateway.Refuse(gateway.RuleMalformed, err, "The message cannot be read.")
	}
	for _, h := range f.faces {
		rest, ok := strings.CutPrefix(tenant, h.Tenant(""))
		if !ok {
			continue
		}
		id, own, _ := strings.Cut(rest, "/")
		c.h, c.agentID = h, flow.AgentID(id)
		if f.frame, err = f.method.WithTenant(frame, own); err != nil {
			return gateway.Refuse(gateway.RuleMalformed, err, "The message cannot be read.")
		}
		return nil
	}
	return gateway.Refuse(gateway.RuleFace, nil, "The tenant names no agent of this gateway; take it from the agent's card.")
}

func (f *grpcFront) open(c *call) ([]byte, error) {
	params, plain, err := f.method.Params(f.frame, c.snap.Limits)
	switch {
	case errors.Is(err, proto.ErrTooMuch):
		return nil, gateway.Refuse(gateway.RuleTooBig, err, "The message has more places than are read.")
	case err != nil:
		return nil, gateway.Refuse(gateway.RuleMalformed, err, "The message cannot be read.")
	}
	f.frame = plain
	f.opened = wire.AppendCall(make([]byte, 0, len(params)+96), []byte(restID), f.method.Name, params)
	return f.opened, nil
}

func (f *grpcFront) begin(c *call) {
	if f.begun {
		return
	}
	f.begun, f.active = true, c.active
	f.w.Header().Set("Content-Type", "application/grpc")
	f.w.Header().Set("A2a-Version", wire.A2A10)
	f.w.WriteHeader(http.StatusOK)
	_ = send(f.w, nil) // whoever went is noticed with the first message
}

func (f *grpcFront) whole(c *call, status int, envelope []byte) {
	f.begin(c)
	if err := f.message(&event{data: c.rep.whole, frame: c.rep.frame}, envelope, status); err != nil {
		c.h.Gateway.Fault(err)
	}
}

func (f *grpcFront) event(in *event, envelope []byte) error {
	if envelope == nil {
		return nil // gRPC has heartbeats of its own
	}
	return f.message(in, envelope, in.status)
}

// message sends an envelope: a result as a message, an error as the end. An agent's own message is sent as it came if
// nothing changed it.
func (f *grpcFront) message(in *event, envelope []byte, status int) error {
	if f.ended {
		return nil
	}
	var d json.Doc
	rpc, err := parsed(&d, envelope)
	if err != nil {
		return f.broken(err)
	}
	if rpc.Kind == wire.Failure {
		fault := wire.ReadFault(&d, rpc)
		text := ""
		if n, ok := d.Member(rpc.Error, "message"); ok {
			text = d.Text(n)
		}
		f.status, f.ended = grpcStatus{code: fault.GRPC, message: text, details: fault.Details}, true
		if wire.IsGRPCCode(status) {
			f.status.code = status
		}
		return nil
	}
	frame := in.frame
	if frame == nil || string(in.data) != string(envelope) {
		result := d.Raw(rpc.Result)
		if d.Nodes[rpc.Result].Kind == json.Null {
			result = noBody
		}
		if frame, err = f.method.Answer(result); err != nil {
			return f.broken(err)
		}
	}
	return send(f.w, appendFrame(nil, frame))
}

// broken ends the call: what was decided cannot be said in this binding.
func (f *grpcFront) broken(err error) error {
	f.status, f.ended = grpcStatus{code: 13, message: "The answer cannot be written in this binding."}, true
	return gateway.Refuse(gateway.RulePlace, err, "The answer cannot be written in this binding.")
}

func (f *grpcFront) deny(c *call, d wire.Denial) {
	f.begin(c)
	_ = f.message(&event{}, d.A2A([]byte(restID)), 0) // a denial is a failure, which is kept for the end
}

// end sends the status.
func (f *grpcFront) end() {
	h := f.w.Header()
	if !f.begun {
		h.Set("Content-Type", "application/grpc")
	}
	if err := f.status.set(h); err != nil {
		h.Set(http.TrailerPrefix+"Grpc-Status", "13")
	}
	if f.active != "" {
		h.Set(http.TrailerPrefix+"A2a-Extensions", f.active)
	}
}
