package run

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/internal/config"
)

// bridges put MCP servers that are programs behind HTTP, so that the gateway fronts them like any other. They listen on
// a loopback port of their own, and want a secret that is made anew at every start: nobody but this process gets in.
//
// A session is one process. Messages without a session, which later versions of MCP send, share one.
type bridges struct {
	facades facades
	pool    gateway.Pool // of connections to every agent, programs or not
	hands   gateway.Handoff
	peers   atomic.Pointer[peers.Peers] // those of the gateway, once its state is open
	log     *slog.Logger
	ctx     context.Context
	stop    context.CancelFunc
	secret  flow.Secret

	mu       sync.Mutex // guards the fields below
	server   *http.Server
	base     string
	byPath   map[string]*bridge
	byServer map[string]*bridge // by what the program and its environment are
	closed   bool
}

func newBridges(log *slog.Logger) *bridges {
	ctx, stop := context.WithCancel(context.Background())
	return &bridges{log: log, ctx: ctx, stop: stop, secret: flow.NewSecret(rand.Text()), byPath: map[string]*bridge{}, byServer: map[string]*bridge{}}
}

// program returns the way to the programs of a configuration. None is started before it is needed.
func (b *bridges) program(c *config.Config) programs {
	return func(a *config.Agent) (*gateway.Upstream, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if err := b.listen(); err != nil {
			return nil, err
		}
		name, err := nameOf(c, a)
		if err != nil {
			return nil, err
		}
		br := b.byServer[name]
		if br == nil {
			br = &bridge{all: b, agent: a.ID, path: "/" + rand.Text(), sessions: map[string]*child{}}
			b.byServer[name], b.byPath[br.path] = br, br
		}
		start, err := b.starter(c, a)
		if err != nil {
			return nil, err
		}
		br.configure(int(c.Limits.Body), start)
		up, err := gateway.NewUpstream(b.base+br.path, "Authorization", flow.NewSecret("Bearer "+b.secret.Expose()),
			upstreamOptions(c, &b.pool))
		if err == nil {
			up.Handoff = &b.hands
		}
		return up, err
	}
}

// starter returns what begins a session with a server: its program, or the stream of one that speaks the old transport.
func (b *bridges) starter(c *config.Config, a *config.Agent) (func(context.Context) (*Program, error), error) {
	mcp, limit := *a.MCP, int(c.Limits.Body)
	if mcp.Transport == config.SSE {
		up, err := upstream(c, mcp.URL, mcp.Credential, mcp.CAFile, mcp.HTTP2, upstreamOptions(c, &b.pool))
		if err != nil {
			return nil, err
		}
		var once sync.Once
		return func(ctx context.Context) (*Program, error) {
			once.Do(func() {
				if !c.Own(*a) {
					up.Peers, up.Domain = b.peers.Load(), a.Domain
				}
			})
			return dial(ctx, up, limit), nil
		}, nil
	}
	argv := slices.Clone(mcp.Command)
	return func(ctx context.Context) (*Program, error) {
		env, err := c.Environ(&mcp)
		if err != nil {
			return nil, err
		}
		return Start(ctx, argv, env, nil)
	}, nil
}

// nameOf tells servers apart by agent, program and environment. It says nothing about a secret.
func nameOf(c *config.Config, a *config.Agent) (string, error) {
	env, err := c.Environ(a.MCP)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, text := range append([]string{string(a.ID), a.MCP.URL}, a.MCP.Command...) {
		fmt.Fprintf(h, "%d:%s", len(text), text)
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(h, "%d:%s%d:%s", len(name), name, len(env[name].Expose()), env[name].Expose())
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// listen opens the port at the first use.
func (b *bridges) listen() error {
	if b.closed {
		return errors.New("the gateway is closed")
	}
	if b.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("taking a port for programs: %w", err)
	}
	b.base = "http://" + l.Addr().String()
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() { _ = b.server.Serve(l) }() // ends with Close
	return nil
}

// ServeHTTP implements [http.Handler].
func (b *bridges) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || !b.secret.Equal(given) {
		http.Error(w, "only the gateway calls here", http.StatusUnauthorized)
		return
	}
	b.mu.Lock()
	br := b.byPath[r.URL.Path]
	b.mu.Unlock()
	if br == nil {
		http.NotFound(w, r)
		return
	}
	br.serve(w, r)
}

// retire lets programs that the configuration does not have any more end with their sessions.
func (b *bridges) retire(c *config.Config) {
	if err := b.facades.retire(c); err != nil {
		b.log.Error("closing sources of the configuration before", "error", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	keep := map[string]bool{}
	for i := range c.Agents {
		if a := &c.Agents[i]; a.MCP != nil && (len(a.MCP.Command) > 0 || a.MCP.Transport == config.SSE) {
			if name, err := nameOf(c, a); err == nil {
				keep[name] = true
			}
		}
	}
	for name, br := range b.byServer {
		if !keep[name] {
			delete(b.byServer, name)
			br.retire()
		}
	}
}

// Close ends every program and waits until all have ended.
func (b *bridges) Close() error {
	b.mu.Lock()
	b.closed = true
	server, all := b.server, slices.Collect(maps.Values(b.byPath))
	b.mu.Unlock()
	b.stop()
	var err error
	if server != nil {
		err = server.Close()
	}
	for _, br := range all {
		br.close()
	}
	return errors.Join(err, b.facades.retire(nil))
}
