package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
)

// Program is a running MCP server that speaks over its standard input and output.
type Program struct {
	In  io.WriteCloser // its standard input
	Out io.ReadCloser  // its standard output

	cmd *exec.Cmd
	end func() error // instead of a process's: waits until the other side is gone
}

// stopTime is how long a program has to end by itself once its input is closed.
const stopTime = 3 * time.Second

// Start starts a program. Its environment is PATH, HOME and what extra lists. What it writes to its standard error goes
// to stderr, unread by the gateway; nil discards it. It is killed when ctx is done.
func Start(ctx context.Context, argv []string, extra map[string]flow.Secret, stderr io.Writer) (*Program, error) {
	if len(argv) == 0 {
		return nil, errors.New("the program has no name")
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stderr = stderr
	cmd.WaitDelay = stopTime
	cmd.Env = []string{}
	for _, name := range inherited {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	for name, value := range extra {
		cmd.Env = append(cmd.Env, name+"="+value.Expose())
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the server's program: %w", err)
	}
	return &Program{In: in, Out: out, cmd: cmd}, nil
}

// Stop closes the program's input, waits a little for it to end, and kills it if it does not. It is to be called once,
// when nobody reads from Out any more.
func (p *Program) Stop() error {
	_ = p.In.Close() // it may be closed already
	if p.end != nil {
		return p.end()
	}
	kill := time.AfterFunc(stopTime, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	err := p.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if !exit.Exited() {
			return nil // we ended it
		}
		return fmt.Errorf("the server's program ended with status %d", exit.ExitCode())
	}
	return err
}

// OpenStdio opens a gateway for one client and one server that speak over standard input and output. It listens nowhere
// and reads no credential but that of a detection service: the program gets its own. Its rules are those of c, in a state that is its client's own.
func OpenStdio(ctx context.Context, c *config.Config, opt Options) (*Gateway, error) {
	own := *c
	own.Governance = config.Governance{}
	c = &own
	return open(ctx, c, opt, nil, func(c *config.Config) (*gateway.Snapshot, error) {
		return snapshot(c, opt.Models, nil, true, unreached)
	})
}
