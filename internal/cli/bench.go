package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/internal/bench"
)

func (e *env) benchCommand() *cobra.Command {
	var opt bench.Options
	var child string
	var asJSON bool
	var names []string
	var list strings.Builder
	for _, s := range bench.Scenarios() {
		names = append(names, s.Name)
		fmt.Fprintf(&list, "\n  %-12s %s", s.Name, s.Does)
	}
	c := e.command("bench [SCENARIO] [--protocol a2a|mcp] [--calls N] [--concurrency N] [--json]", "Measure what the gateway costs on this machine",
		"Sends calls straight to a stub agent and through a gateway before it, in turns, and prints throughput, percentiles and the\n"+
			"processor time of the gateway alone, beside what the machine needs to make 4 KiB durable. Clients and stub are in this\n"+
			"process, each gateway is in one of its own; all is on 127.0.0.1, in a directory that is removed afterwards.\n"+
			"--no-sync and --no-record show what durability and the record cost; no gateway runs so.\n\nScenarios (load if none is named):"+list.String(), cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			collectLess()
			if child != "" {
				return bench.Serve(ctx, child, e.in, e.out)
			}
			opt.Scenario = names[0]
			if len(args) == 1 {
				opt.Scenario = args[0]
			}
			if err := e.benchFits(opt, names); err != nil {
				return err
			}
			opt.Child = func(arg string) *exec.Cmd {
				self, err := os.Executable()
				if err != nil {
					self = os.Args[0]
				}
				return exec.Command(self, "bench", "--child", arg)
			}
			res, err := bench.Run(ctx, opt)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(e.out)
				enc.SetIndent("", "  ")
				return enc.Encode(res)
			}
			res.Print(e.out)
			return nil
		})
	f := c.Flags()
	f.StringVar(&opt.Protocol, "protocol", "a2a", "protocol of the calls: a2a or mcp")
	f.IntVar(&opt.Calls, "calls", 0, "counted calls of each way; absent: the scenario's")
	f.IntVar(&opt.Concurrency, "concurrency", 0, "connections at once; absent: the scenario's")
	f.IntVar(&opt.Request, "request", 0, "bytes of a request, about; absent: the scenario's")
	f.IntVar(&opt.Response, "response", 0, "bytes of an answer, about; absent: the scenario's")
	f.IntVar(&opt.Findings, "findings", 0, "protected values in an answer; absent: the scenario's; -1: none")
	f.IntVar(&opt.Streams, "streams", 0, "streams held open; absent: the scenario's")
	f.DurationVar(&opt.For, "for", 0, "how long a soak lasts; absent: 10m")
	f.BoolVar(&opt.NoSync, "no-sync", false, "do not make the record durable")
	f.BoolVar(&opt.NoRecord, "no-record", false, "record nothing")
	f.StringVar(&opt.Dir, "dir", "", "directory to keep the record in, on the disk to be measured; absent: the system's temporary one")
	f.StringVar(&opt.Profile, "profile", "", "write a processor profile of the gateway to this file")
	f.BoolVar(&asJSON, "json", false, "print the result as JSON")
	f.StringVar(&child, "child", "", "be the process that is measured")
	_ = f.MarkHidden("child") // it is there
	c.AddCommand(e.benchUtilityCommand())
	return c
}

// benchFits refuses numbers that measure nothing.
func (e *env) benchFits(opt bench.Options, names []string) error {
	switch {
	case !slices.Contains(names, opt.Scenario):
		return misuse("there is no scenario %q; there are %s", opt.Scenario, strings.Join(names, ", "))
	case opt.Protocol != "a2a" && opt.Protocol != "mcp":
		return misuse("--protocol is a2a or mcp")
	case opt.Protocol == "mcp" && strings.HasPrefix(opt.Scenario, "stream"):
		return misuse("streams are measured over a2a")
	case opt.Calls < 0 || opt.Concurrency < 0 || opt.Request < 0 || opt.Response < 0 || opt.Streams < 0 || opt.For < 0:
		return misuse("numbers are not negative")
	}
	return nil
}
