// Package bench measures what a gateway costs: the same calls straight to a stub agent, through a gateway before it, and
// through something to compare it with, in turn, so that the machine's drift falls on all.
//
// Clients and stub live in this process, each gateway in one of its own, so that its processor time can be told apart.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// Options of a run. Zero fields have the scenario's values.
type Options struct {
	Scenario    string        // see [Scenarios]
	Protocol    string        // "a2a" or "mcp"
	Calls       int           // counted calls of each way
	Concurrency int           // connections at once
	Request     int           // bytes of a request, about
	Response    int           // bytes of an answer, about
	Findings    int           // protected values in an answer
	Streams     int           // streams held open at once
	For         time.Duration // how long a soak lasts
	NoSync      bool          // the record is not made durable: shows what durability costs, and is of no other use
	NoRecord    bool          // nothing is recorded at all: shows what the record costs, and is of no other use
	Dir         string        // where the record is kept while it runs; "": the system's temporary directory
	Profile     string        // file that gets a processor profile of the gateway that the scenario is about, and with .heap behind it what is alive; "": none

	// Child returns a command that calls [Serve] with the argument, in a process of its own.
	Child func(arg string) *exec.Cmd
}

// Percentiles of one kind of duration.
type Percentiles struct {
	P50 time.Duration `json:"p50_ns"`
	P90 time.Duration `json:"p90_ns"`
	P99 time.Duration `json:"p99_ns"`
	Max time.Duration `json:"max_ns"`
}

// Way is what was measured of one way to the agent.
type Way struct {
	Name       string      `json:"name"`
	Calls      int         `json:"calls"`
	Latency    Percentiles `json:"latency"`
	First      Percentiles `json:"first,omitzero"`           // until the first event of a stream
	PerSecond  float64     `json:"calls_per_second"`         // with clients, stub and all on the same processors
	ServerCPU  float64     `json:"server_cpu_ms,omitempty"`  // of the process in between alone, for a call
	AllCPU     float64     `json:"all_cpu_ms"`               // of clients, stub and the process in between, for a call
	OwnTwo     float64     `json:"on_two_cores,omitempty"`   // calls a second that two processors of its own can carry at this cost
	Resident   int64       `json:"resident_bytes,omitempty"` // of the process in between, after the run
	AnswerSize int         `json:"answer_bytes"`
}

// Result is what one run measured, with its conditions.
type Result struct {
	Scenario    string      `json:"scenario"`
	Protocol    string      `json:"protocol"`
	Conditions  string      `json:"conditions"`
	Cores       int         `json:"cores"`
	Go          string      `json:"go"`
	Concurrency int         `json:"concurrency"`
	Fsync       Percentiles `json:"fsync"` // of a 4 KiB append in the same directory, before and after, the machine's own
	Ways        []Way       `json:"ways,omitempty"`
	Ratios      []Ratio     `json:"ratios,omitempty"`
	Memory      []Memory    `json:"memory,omitempty"`
}

// Ratio compares two ways.
type Ratio struct {
	What  string  `json:"what"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Memory is what the gateway's process held at one moment.
type Memory struct {
	After    time.Duration `json:"after_ns"`
	Calls    int64         `json:"calls"`
	Streams  int           `json:"streams,omitempty"`
	Resident int64         `json:"resident_bytes"`
	Heap     int64         `json:"heap_bytes"`
	Routines int           `json:"goroutines"`
}

// Run measures one scenario.
func Run(ctx context.Context, opt Options) (Result, error) {
	sc, ok := find(opt.Scenario)
	if !ok {
		return Result{}, fmt.Errorf("there is no scenario %q", opt.Scenario)
	}
	opt = sc.fill(opt)
	dir, err := os.MkdirTemp(opt.Dir, "scrim-bench-")
	if err != nil {
		return Result{}, fmt.Errorf("making a directory to measure in: %w", err)
	}
	defer os.RemoveAll(dir)
	b := &bench{opt: opt, dir: dir, load: newPayload(opt)}
	defer b.close()
	if b.stub, err = startStub(b.load); err != nil {
		return Result{}, err
	}
	res := conditions(opt)
	before, err := fsync(dir)
	if err != nil {
		return Result{}, err
	}
	if err := sc.run(ctx, b, &res); err != nil {
		return Result{}, err
	}
	after, err := fsync(dir)
	res.Fsync = percentiles(slices.Concat(before, after))
	return res, errors.Join(err, b.close())
}

// bench is one run on its way.
type bench struct {
	opt   Options
	dir   string
	load  *payload
	stub  *stub
	ways  []*way
	spare []func() error
}

// close ends all processes and servers; calling it again does nothing.
func (b *bench) close() error {
	var errs []error
	for _, f := range slices.Backward(b.spare) {
		errs = append(errs, f())
	}
	b.spare = nil
	if b.stub != nil {
		errs = append(errs, b.stub.close())
		b.stub = nil
	}
	return errors.Join(errs...)
}

// way is one way to the agent.
type way struct {
	name    string
	target  target
	child   *child // nil: none in between
	latency []time.Duration
	first   []time.Duration
	took    time.Duration
	own     time.Duration // processor time of this process
	cpu     time.Duration // of the child
	size    int
}

// direct is the way without anything in between.
func (b *bench) direct() *way {
	return &way{name: "straight to the agent", target: target{url: b.stub.url, path: "/", hides: false}}
}

// through starts a gateway with these terms and returns the way through it.
func (b *bench) through(ctx context.Context, name string, t terms) (*way, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("gateway-%d", len(b.spare)))
	key, err := writeConfig(dir, b.stub.url, b.opt.Protocol, t)
	if err != nil {
		return nil, err
	}
	var h *holder
	if t.capability {
		if h, err = newHolder(ctx, dir); err != nil {
			return nil, err
		}
	}
	c, err := startChild(ctx, b.opt.Child, childOptions{Dir: dir, NoSync: b.opt.NoSync, NoRecord: b.opt.NoRecord})
	if err != nil {
		return nil, err
	}
	b.spare = append(b.spare, c.close)
	return &way{name: name, child: c, target: target{url: c.url, path: "/" + b.opt.Protocol + "/stub", key: key, holder: h, hides: t.hide}}, nil
}

// proxied starts a plain reverse proxy.
func (b *bench) proxied(ctx context.Context) (*way, error) {
	c, err := startChild(ctx, b.opt.Child, childOptions{Proxy: b.stub.url})
	if err != nil {
		return nil, err
	}
	b.spare = append(b.spare, c.close)
	return &way{name: "through a plain proxy", child: c, target: target{url: c.url, path: "/", again: 3}}, nil
}

const rounds = 5

// measure sends the calls of each way in turns: first as many as warm everything, then the counted ones.
func (b *bench) measure(ctx context.Context, stream bool, ways ...*way) error {
	b.ways = ways
	clients := make([]*clients, len(ways))
	for i, w := range ways {
		clients[i] = newClients(b.load, w.target, b.opt.Concurrency, stream)
		defer clients[i].close()
		if _, err := clients[i].round(ctx, max(b.opt.Concurrency*2, min(b.opt.Calls/4, 1000))); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	last := ways[len(ways)-1]
	if b.opt.Profile != "" && last.child != nil {
		if err := last.child.profile(b.opt.Profile); err != nil {
			return err
		}
	}
	for range rounds {
		for i, w := range ways {
			if err := w.round(ctx, clients[i], max(b.opt.Calls/rounds, 1)); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
	}
	if b.opt.Profile != "" && last.child != nil {
		return last.child.profile("")
	}
	return nil
}

func (w *way) round(ctx context.Context, c *clients, calls int) error {
	before, err := w.usage()
	if err != nil {
		return err
	}
	own, at := cpuTime(), time.Now()
	got, err := c.round(ctx, calls)
	if err != nil {
		return err
	}
	w.took, w.own = w.took+time.Since(at), w.own+cpuTime()-own
	after, err := w.usage()
	if err != nil {
		return err
	}
	w.cpu += after.CPU - before.CPU
	w.latency, w.first, w.size = append(w.latency, got.whole...), append(w.first, got.first...), got.size
	return nil
}

func (w *way) usage() (usage, error) {
	if w.child == nil {
		return usage{}, nil
	}
	return w.child.usage()
}

// result sums a way up.
func (w *way) result() (Way, error) {
	n := len(w.latency)
	u, err := w.usage()
	if err != nil || n == 0 {
		return Way{}, err
	}
	out := Way{
		Name: w.name, Calls: n, Latency: percentiles(w.latency), PerSecond: float64(n) / w.took.Seconds(), AnswerSize: w.size,
		ServerCPU: ms(w.cpu) / float64(n), AllCPU: ms(w.cpu+w.own) / float64(n), Resident: u.Resident,
	}
	if len(w.first) > 0 {
		out.First = percentiles(w.first)
	}
	if w.cpu > 0 {
		out.OwnTwo = 2 * float64(n) / w.cpu.Seconds()
	}
	return out, nil
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }
