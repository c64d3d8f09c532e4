// Package program is the command line of scrim-verify.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/internal/stranger/verify"
)

// Exit statuses.
const (
	done   = 0
	failed = 1
	misuse = 2
)

const usage = `scrim-verify checks a log of Scrim without trusting whoever keeps it.

  scrim-verify log          --key KEY LOG...            every entry and hash of a log, up to its signed root
  scrim-verify consistency  --key KEY OLD [NEW] LOG     that a checkpoint kept earlier is a beginning of the log
  scrim-verify inclusion    --key KEY --index N LOG     that the log holds an entry, by its hash tiles
  scrim-verify proof        --key KEY --entry FILE PROOF   a tlog-proof, without the log
  scrim-verify promise      --key KEY PROMISE LOG       that the log kept a promise, given by a header or a receipt
  scrim-verify checkpoint   --key KEY CHECKPOINT        signatures of a checkpoint alone
  scrim-verify report       --key KEY REPORT LOG...     that the figures of a report are those of the log

LOG is a directory, an https address, or a file of a checkpoint's name in either. KEY is the log's verifier key,
name+id+key, or a file that holds it. Witnesses: --witness KEY (repeated) and --quorum N, or --policy FILE.
"scrim-verify COMMAND -h" lists the options of a command. --json reports in JSON.

Exit status: 0 all that was asked for is proven; 1 it is not; 2 the command makes no sense.
`

type command struct {
	name string
	run  func(ctx context.Context, o *options, args []string, r *report) error
}

var commands = []command{
	{"log", runLog}, {"consistency", runConsistency}, {"inclusion", runInclusion}, {"proof", runProof}, {"promise", runPromise}, {"checkpoint", runCheckpoint},
	{"report", runReport},
}

// Main runs the program and returns its exit status.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		fmt.Fprint(stdout, usage)
		if len(args) == 0 {
			return misuse
		}
		return done
	}
	at := slices.IndexFunc(commands, func(c command) bool { return c.name == args[0] })
	if at < 0 {
		fmt.Fprintf(stderr, "scrim-verify: there is no command %q\n\n%s", args[0], usage)
		return misuse
	}
	o := &options{stdin: stdin}
	rest, err := o.parse(commands[at].name, args[1:], stderr)
	if errors.Is(err, flag.ErrHelp) {
		return done
	}
	if err != nil {
		fmt.Fprintf(stderr, "scrim-verify %s: %v\n", args[0], err)
		return misuse
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.timeout)
		defer cancel()
	}
	r := &report{Command: args[0]}
	r.Failure = verify.AsFailure(commands[at].run(ctx, o, rest, r))
	r.OK = r.Failure == nil
	if err := r.print(stdout, o.json); err != nil {
		fmt.Fprintf(stderr, "scrim-verify: %v\n", err)
		return failed
	}
	switch {
	case r.OK:
		return done
	case r.Failure.Kind == verify.Misused:
		return misuse
	}
	return failed
}

func misused(format string, args ...any) error {
	return &verify.Failure{Kind: verify.Misused, What: fmt.Sprintf(format, args...)}
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }
