package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/internal/bench"
)

func (e *env) benchCommand() *cobra.Command {
	var opt bench.Options
	var protocol string
	c := e.command("bench [--calls N] [--concurrency N] [--size BYTES] [--findings]", "Measure what the gateway costs on this machine",
		"Sends the same calls straight to a stub agent and through a gateway before it, in turn, and prints both, the difference,\n"+
			"and what the machine needs to make 4 KiB durable. All of it runs in one process, on 127.0.0.1, in a directory that is\n"+
			"removed afterwards. --no-sync and --no-record show what durability and the record cost; no gateway runs so.", nil,
		func(ctx context.Context, _ []string) error {
			switch {
			case protocol != "a2a":
				return misuse("--protocol is a2a; others are not measured yet")
			case opt.Calls < 4 || opt.Concurrency < 1 || opt.Size < 1:
				return misuse("--calls is at least 4, --concurrency and --size are at least 1")
			case opt.Calls/4 < opt.Concurrency:
				return misuse("--calls is at least four times --concurrency, so that every client has something to do")
			}
			collectLess()
			res, err := bench.Run(ctx, opt)
			if err != nil {
				return err
			}
			res.Print(e.out)
			return nil
		})
	f := c.Flags()
	f.IntVar(&opt.Calls, "calls", 2000, "counted calls of each kind")
	f.IntVar(&opt.Concurrency, "concurrency", 1, "clients at once")
	f.IntVar(&opt.Size, "size", 1024, "bytes of a request, about")
	f.BoolVar(&opt.Findings, "findings", false, "put a name, an e-mail address and a telephone number into each request")
	f.BoolVar(&opt.NoSync, "no-sync", false, "do not make the record durable")
	f.BoolVar(&opt.NoRecord, "no-record", false, "record nothing")
	f.StringVar(&opt.Dir, "dir", "", "directory to keep the record in, on the disk to be measured; absent: the system's temporary one")
	f.StringVar(&protocol, "protocol", "a2a", "protocol of the calls")
	return c
}
