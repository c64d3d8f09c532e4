package a2a

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/proto"
	"github.com/scrimhq/scrim/gateway/wire"
)

// grpcBack calls agents over gRPC.
type grpcBack struct{}

func (grpcBack) call(ctx context.Context, c *call, passed *gateway.Passed) (*reply, error) {
	m, ok := proto.Find(c.rpc.Method)
	if !ok {
		return nil, gateway.Refuse(gateway.RuleMethod, nil, "The agent's binding has no such method.")
	}
	frame, err := c.grpcRequest(m, passed.Body)
	if err != nil {
		return nil, err
	}
	headers := c.headers()
	delete(headers, "Accept")
	res, err := c.agent.A2A.SendGRPC(ctx, c.to.URL, GRPCPath+m.Name, c.r.Header, headers, appendFrame(nil, frame))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/grpc") {
		_ = res.Body.Close()
		return nil, gateway.Refuse(gateway.RuleUpstream, fmt.Errorf("status %d", res.StatusCode), "The agent behind the gateway does not speak gRPC.")
	}
	body := gateway.Idle(res.Body, c.snap.Events.Idle)
	s := &grpcSource{c: c, m: m, res: res, body: body, limit: c.snap.Limits.Bytes}
	if s.limit <= 0 {
		s.limit = json.DefaultBytes
	}
	rep := &reply{used: c.used(res.Header), body: body}
	if _, atOnce := readStatus(res.Header); m.Streams && !atOnce {
		s.limit = min(s.limit, c.snap.Events.EventBytes())
		rep.events = s
		return rep, nil
	}
	defer rep.close()
	return rep, s.whole(rep)
}

// grpcRequest is what passed as a message: the caller's own if it came so and nothing changed it, but for the tenant.
func (c *call) grpcRequest(m proto.Method, envelope []byte) ([]byte, error) {
	var d json.Doc
	rpc, err := parsed(&d, envelope)
	if err != nil {
		return nil, err
	}
	tenant := c.to.Tenant
	if n, ok := d.Member(max(rpc.Params, 0), "tenant"); ok && tenant == "" && rpc.Params >= 0 && d.Nodes[n].Kind == json.String {
		tenant = d.Text(n)
	}
	frame := []byte(nil)
	if f, ok := c.front.(*grpcFront); ok && f.frame != nil && bytes.Equal(envelope, f.opened) {
		frame = f.frame
	} else {
		params := noBody
		if rpc.Params >= 0 {
			params = d.Raw(rpc.Params)
		}
		if frame, err = m.Request(params); err != nil {
			return nil, gateway.Refuse(gateway.RulePlace, err, "A value in this message cannot be written in the agent's binding.")
		}
	}
	return m.WithTenant(frame, tenant)
}

// grpcSource reads the messages of an answer.
type grpcSource struct {
	c     *call
	m     proto.Method
	res   *http.Response
	body  io.Reader
	limit int
	ended bool
}

// whole reads an answer of one message, or the status that stands for it.
func (s *grpcSource) whole(rep *reply) error {
	ev, err := s.next()
	if errors.Is(err, io.EOF) {
		err = gateway.Refuse(gateway.RuleUpstream, nil, "The agent answered nothing.")
	}
	if err != nil {
		return err
	}
	rep.whole, rep.frame, rep.status = ev.data, ev.frame, ev.status
	if s.ended {
		return nil
	}
	last, err := s.next()
	switch {
	case errors.Is(err, io.EOF):
	case err != nil:
		return err
	case last.status == 0:
		return gateway.Refuse(gateway.RuleUpstream, nil, "The agent answered more than once.")
	default: // it took its answer back
		rep.whole, rep.frame, rep.status = last.data, nil, last.status
	}
	rep.used = append(rep.used, s.c.used(s.res.Trailer)...)
	return nil
}

func (s *grpcSource) next() (*event, error) {
	if s.ended {
		return nil, io.EOF
	}
	frame, err := readFrame(s.body, s.limit)
	switch {
	case errors.Is(err, io.EOF):
		return s.end()
	case errors.Is(err, errFrameCut):
		return nil, gateway.Refuse(gateway.RuleUpstream, errors.New("stream broke off"), "The agent broke off its answer.")
	case err != nil:
		return nil, frameRefusal(err, s.limit, "The agent's")
	}
	result, plain, err := s.m.Result(frame, s.c.snap.Limits)
	if err != nil {
		return nil, gateway.Refuse(gateway.RuleUpstream, err, "The agent's answer cannot be read.")
	}
	return &event{data: wire.AppendSuccess(make([]byte, 0, len(result)+48), s.c.upstreamID(), result), frame: plain}, nil
}

// end makes an event of a status that is an error.
func (s *grpcSource) end() (*event, error) {
	s.ended = true
	status, ok := readStatus(s.res.Trailer)
	if !ok {
		status, ok = readStatus(s.res.Header)
	}
	switch {
	case !ok:
		return nil, gateway.Refuse(gateway.RuleUpstream, errors.New("no status"), "The agent broke off its answer.")
	case status.code == 0:
		return nil, io.EOF
	}
	return &event{data: wire.AppendGRPCFailure(nil, s.c.upstreamID(), status.code, status.message, status.details), status: status.code}, nil
}
