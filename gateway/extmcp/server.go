// Package extmcp answers agentgateway's hook for MCP policy: its gRPC service agentgateway.dev.ext_mcp.ExtMcp asks about
// each request before it goes to a server, and about each result before it goes to a client.
//
// What is asked about takes the same road as a message that this gateway carries itself. Whose message it is, the other
// gateway says; it is believed only for the agents and servers that configuration lets it speak for. A message that
// cannot be read or decided is refused, never passed.
package extmcp

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
)

// Paths of the service's methods.
const (
	checkRequest  = "/agentgateway.dev.ext_mcp.ExtMcp/CheckRequest"
	checkResponse = "/agentgateway.dev.ext_mcp.ExtMcp/CheckResponse"
)

// Codes of gRPC.
const (
	statusInvalid         = 3
	statusUnimplemented   = 12
	statusUnavailable     = 14
	statusUnauthenticated = 16
)

// Server answers the hook over HTTP/2. It is safe for concurrent use.
type Server struct {
	Gateway *gateway.Gateway
	Checker *mcp.Checker
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		http.Error(w, "this address speaks gRPC", http.StatusUnsupportedMediaType)
		return
	}
	w.Header().Set("Content-Type", "application/grpc")
	if r.URL.Path != checkRequest && r.URL.Path != checkResponse {
		end(w, statusUnimplemented, "the method is not carried")
		return
	}
	snap := s.Gateway.Snapshot()
	peer := snap.ExtMCP
	if peer == nil {
		end(w, statusUnavailable, "the hook is not configured")
		return
	}
	f := flow.Flow{ID: gateway.NewFlowID(), Protocol: "mcp", Direction: flow.Request, To: flow.Party{Domain: snap.Domain}}
	from, err := peer.Admit(r.Context(), s.Gateway, snap, r)
	if err != nil {
		s.Gateway.Refused(r.Context(), snap, f, err)
		end(w, statusUnauthenticated, "a valid credential is needed")
		return
	}
	f.From = from
	if err := s.Gateway.Admit(r.Context(), snap, from); err != nil {
		end(w, statusUnavailable, s.Gateway.Refused(r.Context(), snap, f, err).Text())
		return
	}
	message, err := readFrame(r.Body, limit(snap.Limits))
	if err != nil {
		end(w, statusInvalid, s.Gateway.Refused(r.Context(), snap, f, err).Text())
		return
	}
	a, err := readAsk(message)
	if err != nil {
		ref := s.Gateway.Refused(r.Context(), snap, f, gateway.Refuse(gateway.RuleMalformed, err, "The message has not the form of the hook."))
		write(w, refusal(ref))
		return
	}
	write(w, s.decide(r.Context(), a, r.URL.Path == checkResponse))
}

// limit is what one message may have: its payload and as much around it as headers and metadata take.
func limit(l json.Limits) int {
	if l.Bytes <= 0 {
		l.Bytes = json.DefaultBytes
	}
	return l.Bytes + 256<<10
}

// decide takes the message down the road, once for each server that it is for: what one lets pass is what the next is
// asked about, so that the strictest holds.
func (s *Server) decide(ctx context.Context, a *ask, response bool) []byte {
	services := a.services
	if len(services) == 0 {
		services = []string{""} // refused, and on record
	}
	payload, headers := a.payload, a.mirrors()
	for _, service := range services {
		in := s.carried(a, service, payload)
		if response {
			out, err := s.Checker.Response(ctx, in)
			if err != nil {
				return refusal(err)
			}
			payload = out
			continue
		}
		in.Headers = headers
		out, err := s.Checker.Request(ctx, in)
		if err != nil {
			return refusal(err)
		}
		payload, headers = out.Payload, out.Headers
	}
	result := passed()
	if !bytes.Equal(payload, a.payload) {
		result = mutated(payload)
	}
	if response {
		return result
	}
	return append(result, a.mutation(headers)...)
}

// carried says what is asked about, by what the peer says and configuration believes.
func (s *Server) carried(a *ask, service string, payload []byte) mcp.Carried {
	in := mcp.Carried{Method: a.method, Payload: payload, Version: a.headers["Mcp-Protocol-Version"]}
	peer := s.Gateway.Snapshot().ExtMCP
	if peer == nil {
		peer = &gateway.Peer{} // knows nobody
	}
	said := func(key string) string {
		if key == "" {
			return ""
		}
		return a.metadata[key]
	}
	in.Tool, in.Purpose, in.Criticality = said(peer.Keys.Tool), said(peer.Keys.Purpose), said(peer.Keys.Criticality)
	in.Session = said(peer.Keys.Session)
	in.Who = func(snap *gateway.Snapshot) (identity.Caller, *gateway.Agent, error) {
		peer := snap.ExtMCP
		if peer == nil {
			return identity.Caller{}, nil, gateway.Refuse(gateway.RuleFace, nil, "The hook is not configured any more.")
		}
		caller, err := peer.Caller(snap, a.metadata[peer.Keys.Caller])
		if err != nil {
			return identity.Caller{}, nil, err
		}
		agent, err := peer.Server(snap, service)
		return caller, agent, err
	}
	return in
}

// refusal is how the hook is told that something does not pass.
func refusal(err error) []byte {
	r, ok := errors.AsType[*gateway.Refusal](err)
	if !ok {
		return failed(codeDenied, "The gateway could not decide this flow, so it did not happen.", nil)
	}
	code := uint64(codeDenied)
	switch r.Rule {
	case gateway.RuleTooBig, gateway.RuleExhausted:
		code = codeExhausted
	case gateway.RuleMalformed, gateway.RuleEncoding, gateway.RuleVersion, gateway.RuleMethod:
		code = codeInvalid
	}
	return failed(code, r.Text(), mcp.Told(err))
}

const frameHead = 5 // whether it is compressed, and four bytes of length

// readFrame reads the one message of a call.
func readFrame(r io.Reader, most int) ([]byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, gateway.Refuse(gateway.RuleMalformed, nil, "The message broke off.")
	}
	if head[0] != 0 {
		return nil, gateway.Refuse(gateway.RuleEncoding, nil, "The message is compressed; send it as identity.")
	}
	size := int64(binary.BigEndian.Uint32(head[1:]))
	if size > int64(most) {
		return nil, gateway.Refuse(gateway.RuleTooBig, nil, "The message is larger than %d bytes.", most)
	}
	b, err := io.ReadAll(io.LimitReader(r, size)) // grows with what comes, not with what is promised
	if err != nil || int64(len(b)) != size {
		return nil, gateway.Refuse(gateway.RuleMalformed, nil, "The message broke off.")
	}
	return b, nil
}

// write answers with one message and success.
func write(w http.ResponseWriter, message []byte) {
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	_, _ = w.Write(append(frame, message...)) // the caller may have gone; the record says what was decided
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
}

// end says how a call without an answer ended. The text is public.
func end(w http.ResponseWriter, code int, text string) {
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(code))
	w.Header().Set(http.TrailerPrefix+"Grpc-Message", strings.NewReplacer("%", "%25", "\n", " ").Replace(text))
	w.WriteHeader(http.StatusOK)
}
