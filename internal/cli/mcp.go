package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// wrapping is a server over standard input and output, with the gateway between it and its client.
type wrapping struct {
	file, server, as, purpose, data string
	stderr                          bool
}

func (e *env) mcpCommand() *cobra.Command {
	var w wrapping
	c := fileFlag(e.command("mcp --server ID [--as AGENT] [-- COMMAND ARGS…]", "Wrap an MCP server that speaks over standard input and output",
		"Starts the server's program and stands between it and the client that started scrim, so that \"scrim mcp --server ID --\"\n"+
			"before the program is all that a client's configuration needs. The program gets PATH, HOME and what scrim.yaml lists\n"+
			"under the server's env, nothing else. Without a program after \"--\" it is the one under mcp.command.\n\n"+
			"What the program writes to its standard error would pass by the gateway, so it is discarded unless --stderr is given.",
		cobra.ArbitraryArgs,
		func(ctx context.Context, args []string) error {
			c, err := e.load(w.file)
			if err != nil {
				return err
			}
			return e.wrap(ctx, c, &w, args)
		}), &w.file)
	f := c.Flags()
	f.StringVar(&w.server, "server", "", "the server, as scrim.yaml calls it")
	f.StringVar(&w.as, "as", "", "the agent that the client is, as scrim.yaml calls it (default: the only one that serves nothing)")
	f.StringVar(&w.purpose, "purpose", "", "why it calls, where its messages do not say (default: the agent's own)")
	f.StringVar(&w.data, "data", "", "data directory (default: one of its own beside the configured one)")
	f.BoolVar(&w.stderr, "stderr", false, "let the server's standard error through, unread")
	return c
}

func (e *env) wrap(ctx context.Context, c *config.Config, w *wrapping, argv []string) error {
	server, err := wrappedServer(c, w.server)
	if err != nil {
		return err
	}
	if len(server.Questions) > 0 {
		return misuse("%s answers questions that are paid for out of a budget, and a wrapped server's state is its client's alone: each would have the whole budget for itself. Put it behind \"scrim run\", with mcp.command", server.ID)
	}
	client, err := wrappedClient(c, w.as)
	if err != nil {
		return err
	}
	if len(argv) == 0 && server.MCP != nil {
		argv = server.MCP.Command
	}
	if len(argv) == 0 {
		return misuse("what program is it? Write it after --, or under mcp.command of %s in %s", server.ID, c.File())
	}
	gw, err := e.openOwn(ctx, c, w, server.ID)
	if err != nil {
		return err
	}
	err = e.pump(ctx, c, gw, w, server, client, argv)
	return errors.Join(err, gw.Close())
}

// openOwn opens a gateway on a data directory of its own. Each client of a server that runs at the same time gets another.
func (e *env) openOwn(ctx context.Context, c *config.Config, w *wrapping, server flow.AgentID) (*run.Gateway, error) {
	const most = 16
	base := w.data
	if base == "" {
		base = c.Path(c.Data) + "-mcp-" + string(server)
	}
	for n := 1; ; n++ {
		own := *c
		own.Data, own.Store = base, config.Store{} // each has its own, and goes with it
		if n > 1 {
			own.Data = fmt.Sprintf("%s-%d", base, n)
		}
		abs, err := filepath.Abs(own.Data)
		if err != nil {
			return nil, err
		}
		own.Data, own.Keys.File = abs, filepath.Join(abs, "keyset.json")
		gw, err := run.OpenStdio(ctx, &own, run.Options{Logger: newLog(e.err, c.Log), Models: e.models})
		if errors.Is(err, store.ErrLocked) && n < most && w.data == "" {
			continue
		}
		if err != nil {
			return nil, e.notOpened(&own, err)
		}
		return gw, nil
	}
}

func (e *env) pump(ctx context.Context, c *config.Config, gw *run.Gateway, w *wrapping, server, client config.Agent, argv []string) error {
	var extra map[string]flow.Secret
	if server.MCP != nil {
		var err error
		if extra, err = c.Environ(server.MCP); err != nil {
			return err
		}
	}
	var stderr io.Writer
	if w.stderr {
		stderr = e.err
	}
	p, err := run.Start(ctx, argv, extra, stderr)
	if err != nil {
		return err
	}
	caller := identity.Caller{Party: client.Party(), Purposes: client.Purposes, Default: client.DefaultPurpose, Criticality: client.Criticality, TokenRoot: "stdio/" + string(client.ID)}
	purpose := w.purpose
	if purpose == "" {
		purpose = string(client.DefaultPurpose)
	}
	in, err := interruptible(ctx, e.in)
	if err != nil {
		return errors.Join(err, p.Stop())
	}
	s := &mcp.Stdio{
		Gateway: gw.Gateway, Caller: caller, Server: server.ID, Purpose: purpose,
		Client: in, ToClient: e.out, FromServer: p.Out, ToServer: p.In,
	}
	err = s.Run(ctx)
	if ctx.Err() != nil {
		err = nil // asked to stop
	}
	return errors.Join(err, p.Stop())
}

// interruptible returns a reader that ends with ctx.
func interruptible(ctx context.Context, in io.Reader) (io.Reader, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() { // ends with the input, or with the process: a read from a terminal cannot be called off
		_, err := io.Copy(w, in)
		_ = err // whoever reads sees the end of the input
		w.Close()
	}()
	context.AfterFunc(ctx, func() { w.Close() })
	return r, nil
}

func wrappedServer(c *config.Config, id string) (config.Agent, error) {
	var servers []string
	for _, a := range c.Agents {
		if a.MCP != nil {
			servers = append(servers, string(a.ID))
		}
	}
	if id == "" && len(servers) == 1 {
		id = servers[0]
	}
	if id == "" {
		return config.Agent{}, misuse("--server is missing: which one is it? %s has: %s", c.File(), orNone(servers))
	}
	a, ok := c.Agent(flow.AgentID(id))
	if !ok {
		return a, misuse("there is no server %q in %s; it has: %s", id, c.File(), orNone(servers))
	}
	return a, nil
}

func wrappedClient(c *config.Config, id string) (config.Agent, error) {
	if id != "" {
		a, ok := c.Agent(flow.AgentID(id))
		if !ok {
			return a, misuse("there is no agent %q in %s; it has: %s", id, c.File(), agentNames(c))
		}
		return a, nil
	}
	var only []config.Agent
	for _, a := range c.Agents {
		if !a.Serves() && a.A2A == nil && c.Own(a) {
			only = append(only, a)
		}
	}
	if len(only) != 1 {
		return config.Agent{}, misuse("--as is missing: which agent is the client? %s has: %s", c.File(), agentNames(c))
	}
	return only[0], nil
}
