package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// childOptions are what a child process is told on its command line.
type childOptions struct {
	Dir      string `json:"dir,omitempty"`   // of a gateway's configuration
	Proxy    string `json:"proxy,omitempty"` // or the address that a plain proxy leads to
	NoSync   bool   `json:"no_sync,omitempty"`
	NoRecord bool   `json:"no_record,omitempty"`
}

// usage is what a child says of itself.
type usage struct {
	CPU      time.Duration `json:"cpu"`
	Resident int64         `json:"resident"`
	Heap     int64         `json:"heap"`
	Routines int           `json:"goroutines"`
}

// ask is a line to a child, reply the line that comes back.
type ask struct {
	What string `json:"what"` // "usage", "profile"
	File string `json:"file,omitempty"`
}

type reply struct {
	URL   string `json:"url,omitempty"`
	Usage usage  `json:"usage,omitzero"`
	Error string `json:"error,omitempty"`
}

// child is a server in a process of its own. It is for one goroutine.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	url string
}

// startChild starts a process and waits until it listens.
func startChild(ctx context.Context, command func(string) *exec.Cmd, opt childOptions) (*child, error) {
	if command == nil {
		return nil, errors.New("there is no command to start a gateway with")
	}
	arg, err := json.Marshal(opt)
	if err != nil {
		return nil, err
	}
	c := &child{cmd: command(string(arg))}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a process to measure: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.cmd.Process.Kill() }) // whoever waits for a line gets an end of file
	defer stop()
	r, err := c.read()
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	c.url = r.URL
	return c, nil
}

func (c *child) read() (reply, error) {
	var r reply
	if !c.out.Scan() {
		return r, errors.New("the process that is measured has ended")
	}
	if err := json.Unmarshal(c.out.Bytes(), &r); err != nil {
		return r, fmt.Errorf("reading from the process that is measured: %w", err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("the process that is measured: %s", r.Error)
	}
	return r, nil
}

func (c *child) ask(a ask) (reply, error) {
	line, err := json.Marshal(a)
	if err != nil {
		return reply{}, err
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		return reply{}, fmt.Errorf("asking the process that is measured: %w", err)
	}
	return c.read()
}

func (c *child) usage() (usage, error) {
	r, err := c.ask(ask{What: "usage"})
	return r.Usage, err
}

// profile begins a processor profile, or ends it if the file is "".
func (c *child) profile(file string) error {
	_, err := c.ask(ask{What: "profile", File: file})
	return err
}

// close lets the process end by itself, and ends it if it does not.
func (c *child) close() error {
	_ = c.in.Close() // it may have gone
	kill := time.AfterFunc(20*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	return c.cmd.Wait()
}
