package mcp

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
)

// Stdio joins a client and a server that speak newline-delimited JSON, with the gateway between them.
type Stdio struct {
	Gateway *gateway.Gateway
	Caller  identity.Caller // who the client is
	Server  flow.AgentID
	Purpose string // claimed for every message that names none

	Client     io.Reader // lines of the client
	ToClient   io.Writer
	FromServer io.Reader // lines of the server
	ToServer   io.WriteCloser
}

// Run pumps both ways until the client ends its input and the server its output, or ctx is done.
func (s *Stdio) Run(ctx context.Context) error {
	snap := s.Gateway.Snapshot()
	agent := snap.Agents[s.Server]
	if agent == nil {
		return errors.New("no such server in the configuration")
	}
	x := &exchange{g: s.Gateway, tools: &Tools{}, agent: agent, caller: s.Caller, session: "stdio " + string(gateway.NewFlowID())}
	defer x.abandon()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &lineWriter{w: s.ToClient}
	in := &lineWriter{w: s.ToServer}
	var wg sync.WaitGroup
	var clientErr, serverErr error
	wg.Go(func() {
		defer s.ToServer.Close()
		clientErr = s.eachLine(s.Client, snap.Limits.Bytes, func(line []byte) error {
			got := x.client(ctx, func(claimed, criticality string) (flow.Purpose, flow.Criticality) {
				return s.Caller.Choose(orElse(claimed, s.Purpose), criticality)
			}, line)
			if got.forward != nil {
				return in.line(got.forward)
			}
			if len(got.reply) > 0 {
				return out.line(got.reply)
			}
			return nil
		})
	})
	wg.Go(func() {
		defer cancel()
		serverErr = s.eachLine(s.FromServer, snap.Limits.Bytes, func(line []byte) error {
			got := x.server(ctx, line)
			if got.reply != nil {
				if err := in.line(got.reply); err != nil {
					return err
				}
			}
			if got.forward != nil {
				return out.line(got.forward)
			}
			return nil
		})
	})
	wg.Wait()
	return errors.Join(clientErr, serverErr)
}

func (s *Stdio) eachLine(r io.Reader, limit int, fn func([]byte) error) error {
	lines := json.NewLines(r, limit)
	for {
		line, err := lines.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case len(line) == 0:
			continue
		}
		if err := fn(append([]byte(nil), line...)); err != nil {
			return err
		}
	}
}

// lineWriter writes whole lines from two goroutines.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lineWriter) line(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.w.Write(json.AppendLine(nil, b))
	return err
}
