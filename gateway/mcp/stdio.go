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

// maxReplies bounds the answers on the client's behalf that wait for the server to read them.
const maxReplies = 256

// Run pumps both ways. When the client's lines end, the server is told so and its remaining lines still pass; when the
// server's end, calls that it left are answered with an error. It returns when the server's lines ended, or ctx is done
// and both readers returned.
//
// A reader that blocks cannot be made to return: where the server ends first, one goroutine may stay in Client.Read
// until that returns. It touches nothing else any more.
func (s *Stdio) Run(ctx context.Context) error {
	snap := s.Gateway.Snapshot()
	first, err := s.parties(snap, parties{caller: s.Caller})
	if err != nil {
		return errors.New("no such server in the configuration")
	}
	x := &exchange{
		g: s.Gateway, tools: &Tools{}, memory: &memory{}, inbox: &inbox{}, who: first, session: "stdio " + string(gateway.NewFlowID()), stdio: true,
	}
	x.renew = func(_ context.Context, next *gateway.Snapshot) (parties, error) { return s.parties(next, x.who) }
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x.claims = func(c identity.Caller) (flow.Purpose, flow.Criticality) { return c.Choose(s.Purpose, "") }
	p := &pump{s: s, x: x, toClient: &lineWriter{w: s.ToClient}, toServer: &lineWriter{w: s.ToServer}}
	lines := s.read(ctx, s.Client, snap.Limits.Bytes)
	replies := make(chan []byte, maxReplies)
	var wg sync.WaitGroup
	var clientErr, serverErr error
	wg.Go(func() {
		defer s.ToServer.Close()
		clientErr = p.fromClient(ctx, lines)
	})
	wg.Go(func() { // apart from the server's lines, so that a server which writes before it reads is not waited for
		for line := range replies {
			_ = p.toServer.line(line) // a server that is gone needs none
		}
	})
	wg.Go(func() {
		defer cancel()
		defer close(replies)
		serverErr = p.fromServer(ctx, snap.Limits.Bytes, replies)
	})
	wg.Wait()
	return errors.Join(clientErr, serverErr)
}

// parties are who talks, by another configuration: the server must still be in it, and so must the client if it was.
func (s *Stdio) parties(snap *gateway.Snapshot, before parties) (parties, error) {
	agent, caller := snap.Agents[s.Server], before.caller
	if agent == nil {
		return before, gateway.Refuse(gateway.RuleFace, nil, "There is no such server for this caller any more.")
	}
	if known := snap.Agents[caller.Party.Agent]; known != nil && known.Party.Domain == caller.Party.Domain {
		caller.Party = known.Party
	} else if before.snap != nil && before.snap.Agents[caller.Party.Agent] != nil {
		return before, gateway.Refuse(gateway.RuleIdentity, nil, "The caller is not in the configuration any more.")
	}
	if snap.Requires(caller.Party) { // there is no header in which one could be shown
		return before, gateway.Refuse(gateway.RuleCapability, nil, "This caller is heard by a capability alone, and standard input carries none.")
	}
	return parties{snap: snap, agent: agent, caller: caller}, nil
}

// lineOf is a line, or the error in its place.
type lineOf struct {
	text []byte
	err  error
}

// read sends the lines of a reader until it ends.
func (s *Stdio) read(ctx context.Context, r io.Reader, limit int) <-chan lineOf {
	out := make(chan lineOf)
	go func() {
		defer close(out)
		lines := json.NewLines(r, limit)
		for {
			line, err := lines.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			select {
			case out <- lineOf{append([]byte(nil), line...), err}:
			case <-ctx.Done():
				return
			}
			if err != nil && !errors.Is(err, json.ErrTooBig) {
				return
			}
		}
	}()
	return out
}

// pump is a running session.
type pump struct {
	s                  *Stdio
	x                  *exchange
	toClient, toServer *lineWriter
}

func (p *pump) fromClient(ctx context.Context, lines <-chan lineOf) error {
	for {
		var line lineOf
		var ok bool
		select {
		case line, ok = <-lines:
		case <-ctx.Done():
			return nil
		}
		switch {
		case !ok:
			return nil
		case line.err != nil && !errors.Is(line.err, json.ErrTooBig):
			return line.err
		}
		var got fromClient
		if line.err != nil {
			got.reply = p.tooLong(ctx)
		} else {
			got = p.x.client(ctx, incoming{body: line.text, reason: p.reason})
		}
		var err error
		if got.forward != nil {
			err = p.toServer.line(got.forward)
		} else if len(got.reply) > 0 {
			err = p.toClient.line(got.reply)
		}
		if err != nil {
			return err
		}
	}
}

func (p *pump) reason(c identity.Caller, claimed, criticality string) (flow.Purpose, flow.Criticality) {
	if claimed == "" {
		claimed = p.s.Purpose
	}
	return c.Choose(claimed, criticality)
}

func (p *pump) fromServer(ctx context.Context, limit int, replies chan<- []byte) error {
	lines := json.NewLines(p.s.FromServer, limit)
	err := func() error {
		for {
			line, err := lines.Next()
			switch {
			case errors.Is(err, io.EOF):
				return nil
			case errors.Is(err, json.ErrTooBig):
				p.leftOut(ctx)
				continue
			case err != nil:
				return err
			}
			got, _ := p.x.server(ctx, append([]byte(nil), line...))
			if got.reply != nil {
				select {
				case replies <- got.reply:
				default: // it reads nothing; its request stays unanswered
				}
			}
			if got.forward != nil {
				if err := p.toClient.line(got.forward); err != nil {
					return err
				}
			}
		}
	}()
	for _, c := range p.x.abandon() {
		d := p.x.unanswered(ctx, c, gateway.Refuse(gateway.RuleUpstream, nil, "The server ended before it answered."))
		_ = p.toClient.line(d.MCP(c.version, c.method, c.id)) // the client may have gone first
	}
	return err
}

// tooLong answers a line of the client that was too long to be read.
func (p *pump) tooLong(ctx context.Context) []byte {
	who, _ := p.x.now(ctx)
	f := flow.Flow{ID: gateway.NewFlowID(), From: who.caller.Party, To: who.agent.Party, Protocol: protocolName(p.x.spoken()), Direction: flow.Request}
	return denial(p.x.g.Refused(ctx, who.snap, f, tooLong)).MCP("", "", nil)
}

// leftOut puts on record that a line of the server was too long. Which call it answered cannot be known, unless there
// is but one.
func (p *pump) leftOut(ctx context.Context) {
	who, _ := p.x.now(ctx)
	f, err := p.x.outside(ctx, who)
	if err != nil {
		p.x.g.Fault(err)
	}
	p.x.g.Refused(ctx, who.snap, f, tooLong)
	if c := p.x.only(); c != nil {
		d := p.x.unanswered(ctx, c, tooLong)
		_ = p.toClient.line(d.MCP(c.version, c.method, c.id)) // the client may have gone
	}
}

var tooLong = gateway.Refuse(gateway.RuleTooBig, json.ErrTooBig, "A line is over the limit.")

// only takes the one call that is unanswered, if it is one.
func (x *exchange) only() *calling {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.pending) != 1 {
		return nil
	}
	for key, c := range x.pending {
		delete(x.pending, key)
		return c
	}
	return nil
}

// lineWriter writes whole lines from several goroutines.
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
