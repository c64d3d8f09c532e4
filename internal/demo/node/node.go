// Package node starts the programs of the demo world: A2A agents and MCP servers on the official SDKs, each on a
// loopback port of its own. A node knows nothing of Scrim; one points it at the addresses of a gateway, or straight
// at another node.
//
// Each node keeps the last messages that reached it, byte for byte, so that the demo can print what a recipient saw.
package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
)

// Options says where a node listens and whom it lets in. The zero value listens on a free loopback port and asks nobody who they are.
type Options struct {
	Listener net.Listener // nil: a free port of 127.0.0.1; closed by the node
	Bearer   flow.Secret  // what callers must present; zero: nothing. A gateway holds it, so that going round the gateway is refused
	Keep     int          // how many received messages are kept; 0: 32
}

// Received is one message as it came in.
type Received struct {
	Time   time.Time
	Header http.Header // without credentials
	Body   []byte
	Answer []byte // what the node has answered so far
}

// Running is a node at work. It is safe for concurrent use.
type Running struct {
	url    string
	server *http.Server
	ended  chan struct{}
	keep   int
	finish time.Duration // how long requests under way may take once Close is called

	mu       sync.Mutex  // guards the field below, and what it points to
	received []*Received // oldest first
}

const mostBody = 4 << 20 // bytes of one request

// quiet keeps the SDK's log to itself: what it writes may hold values.
var quiet = slog.New(slog.DiscardHandler)

// StartAgent serves an A2A agent over JSON-RPC, with its card at /.well-known/agent-card.json.
// The card's interfaces and security are filled in here. The node runs until ctx ends or Close is called.
func StartAgent(ctx context.Context, opt Options, card a2a.AgentCard, agent a2asrv.AgentExecutor) (*Running, error) {
	r, ln, err := listen(opt)
	if err != nil {
		return nil, err
	}
	r.url = AgentURL(ln)
	card.SupportedInterfaces = []*a2a.AgentInterface{a2a.NewAgentInterface(r.url+"/", a2a.TransportProtocolJSONRPC)}
	card.Capabilities.Streaming = true
	card.DefaultInputModes = []string{"text/plain", "application/json"}
	card.DefaultOutputModes = card.DefaultInputModes
	if !opt.Bearer.IsZero() {
		card.SecuritySchemes = a2a.NamedSecuritySchemes{"bearer": a2a.HTTPAuthSecurityScheme{Scheme: "Bearer"}}
		card.SecurityRequirements = a2a.SecurityRequirementsOptions{{"bearer": a2a.SecuritySchemeScopes{}}}
	}
	mux := http.NewServeMux()
	mux.Handle(a2asrv.WellKnownAgentCardPath, a2asrv.NewStaticAgentCardHandler(&card))
	mux.Handle("/", r.admit(opt.Bearer, a2asrv.NewJSONRPCHandler(a2asrv.NewHandler(agent, a2asrv.WithLogger(quiet)))))
	r.serve(ctx, ln, mux)
	return r, nil
}

// StartServer serves an MCP server over streamable HTTP at /mcp, for the stateless protocol and the one before it.
func StartServer(ctx context.Context, opt Options, server *mcp.Server) (*Running, error) {
	r, ln, err := listen(opt)
	if err != nil {
		return nil, err
	}
	r.url = ServerURL(ln)
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})
	mux := http.NewServeMux()
	mux.Handle(serverPath, r.admit(opt.Bearer, handler))
	r.serve(ctx, ln, mux)
	return r, nil
}

func listen(opt Options) (*Running, net.Listener, error) {
	ln := opt.Listener
	if ln == nil {
		var err error
		if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, nil, fmt.Errorf("listening on loopback: %w", err)
		}
	}
	keep := opt.Keep
	if keep == 0 {
		keep = 32
	}
	return &Running{keep: keep, ended: make(chan struct{}), finish: 2 * time.Second}, ln, nil
}

func (r *Running) serve(ctx context.Context, ln net.Listener, h http.Handler) {
	r.server = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	stop := context.AfterFunc(ctx, func() { _ = r.server.Close() })
	go func() {
		defer close(r.ended)
		defer stop()
		_ = r.server.Serve(ln) // always ErrServerClosed, or the listener's end
	}()
}

// URL is where clients find the node: the base of an agent's card, or the endpoint of an MCP server.
func (r *Running) URL() string { return r.url }

const serverPath = "/mcp"

// AgentURL is where an agent started on the listener will be found.
func AgentURL(ln net.Listener) string { return "http://" + ln.Addr().String() }

// ServerURL is where an MCP server started on the listener will be found.
func ServerURL(ln net.Listener) string { return "http://" + ln.Addr().String() + serverPath }

// Received returns the messages kept, oldest first. Callers must not change their bytes.
func (r *Running) Received() []Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Received, len(r.received))
	for i, m := range r.received {
		all[i] = *m
		all[i].Answer = slices.Clone(m.Answer)
	}
	return all
}

// Close lets requests under way finish, for up to two seconds, and waits until the node has ended.
func (r *Running) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), r.finish)
	defer cancel()
	err := r.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = r.server.Close()
	}
	<-r.ended
	return err
}

// admit refuses callers without the credential, before anything of theirs is read, and keeps what the others sent.
func (r *Running) admit(bearer flow.Secret, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if token, ok := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer "); !bearer.IsZero() && (!ok || !bearer.Equal(token)) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a bearer credential is required", http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, mostBody))
		if err != nil {
			http.Error(w, "the request is too large or broke off", http.StatusRequestEntityTooLarge)
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(&recorder{w, r, r.record(req, body)}, req)
	})
}

// recorder keeps what is answered beside what was received.
type recorder struct {
	http.ResponseWriter
	node *Running
	of   *Received
}

// Write implements [io.Writer].
func (w *recorder) Write(p []byte) (int, error) {
	w.node.mu.Lock()
	w.of.Answer = append(w.of.Answer, p...)
	w.node.mu.Unlock()
	return w.ResponseWriter.Write(p)
}

// Flush implements [http.Flusher]: streams are flushed event by event.
func (w *recorder) Flush() { _ = http.NewResponseController(w.ResponseWriter).Flush() }

// Unwrap is for [http.ResponseController].
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (r *Running) record(req *http.Request, body []byte) *Received {
	header := req.Header.Clone()
	header.Del("Authorization")
	header.Del("Cookie")
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.received) >= r.keep {
		r.received = slices.Delete(r.received, 0, len(r.received)-r.keep+1)
	}
	m := &Received{Time: time.Now().UTC(), Header: header, Body: body}
	r.received = append(r.received, m)
	return m
}
