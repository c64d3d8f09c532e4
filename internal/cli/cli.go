// Package cli is the command line of scrim: a file for each subcommand, and the list of them all.
//
// Answers go to standard output and everything else to standard error. The exit status is 0 when it is done, 1 when it
// failed or the answer is no, and 2 when the command was misused.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/internal/run"
)

// Exit statuses.
const (
	done    = 0
	failed  = 1
	misused = 2
)

// commands are all there are, in the order in which help lists them.
func (e *env) commands() []*cobra.Command {
	return []*cobra.Command{
		e.demoCommand(),
		e.runCommand(), e.learnCommand(), e.mcpCommand(), e.consoleCommand(),
		e.checkCommand(), e.detectCommand(), e.anonymizeCommand(), e.scanCommand(), e.riskCommand(), e.dpCommand(), e.configCommand(), e.catalogCommand(), e.policyCommand(), e.doctorCommand(),
		e.logCommand(), e.whyCommand(), e.tokenCommand(), e.eraseCommand(), e.subjectCommand(), e.handleCommand(), e.exposureCommand(), e.releaseCommand(), e.keyCommand(),
		e.domainCommand(), e.peerCommand(), e.bundleCommand(), e.caCommand(), e.capCommand(), e.termsCommand(), e.contractCommand(), e.budgetCommand(), e.queryCommand(), e.streamCommand(), e.lineageCommand(),
		e.freezeCommand(), e.thawCommand(), e.frozenCommand(), e.alarmsCommand(), e.reportCommand(),
		e.witnessCommand(),
		e.backupCommand(), e.restoreCommand(),
		e.benchCommand(), e.healthCommand(), e.versionCommand(),
	}
}

// Main runs the command that the arguments name and returns the exit status.
func Main(args []string, in io.Reader, out, err io.Writer) int {
	return MainWith(run.Models{}, args, in, out, err)
}

// MainWith is Main of a program that can run models.
func MainWith(models run.Models, args []string, in io.Reader, out, err io.Writer) int {
	quiet()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	e := &env{in: in, out: out, err: err, models: models}
	return e.main(ctx, args)
}

// env is what a command has to do with the world.
type env struct {
	in      io.Reader
	out     io.Writer
	err     io.Writer
	began   bool // a command was found, and its flags and arguments are right
	noColor bool
	models  run.Models
}

// root is the whole tree of commands.
func (e *env) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "scrim",
		Short: "The privacy layer between agents",
		Long: "Scrim stands at the edge of a data domain, between agents that speak A2A or MCP. It decides for each message what\n" +
			"the recipient may see, changes the message so that it shows no more, and keeps proof.",
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              cobra.NoArgs,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().BoolVar(&e.noColor, "no-color", os.Getenv("NO_COLOR") != "", "plain text on a terminal too")
	cobra.EnableCommandSorting = false
	root.SetIn(e.in)
	root.SetOut(e.out)
	root.SetErr(e.err)
	root.AddCommand(e.commands()...)
	return root
}

func (e *env) main(ctx context.Context, args []string) int {
	root := e.root()
	root.SetArgs(shielded(args))
	err := root.ExecuteContext(ctx)
	var stated *status
	switch {
	case err == nil:
		return done
	case errors.As(err, &stated):
		if stated.text != "" {
			e.complain(stated.text)
		}
		return stated.code
	case !e.began:
		e.complain(strings.TrimSpace(err.Error()))
		fmt.Fprintln(e.err, `"scrim help" lists the commands, "scrim help COMMAND" what one takes.`)
		return misused
	}
	e.complain(err.Error())
	return failed
}

func (e *env) complain(text string) {
	fmt.Fprintf(e.err, "%s %s\n", e.style(e.err).bad("scrim:"), text)
}

// status is an error with an exit status of its own. Without a text everything was said already.
type status struct {
	code int
	text string
}

func (s *status) Error() string { return s.text }

// errSaid fails without another word.
var errSaid = &status{code: failed}

func misuse(format string, args ...any) error {
	return &status{misused, fmt.Sprintf(format, args...)}
}

// refuse is a failure with what to do next.
func refuse(next string, format string, args ...any) error {
	return &status{failed, fmt.Sprintf(format, args...) + "\n       " + next}
}

// command makes a subcommand. What it runs is only reached with flags and arguments that fit.
func (e *env) command(use, short, long string, args cobra.PositionalArgs, run func(ctx context.Context, args []string) error) *cobra.Command {
	if args == nil {
		args = cobra.NoArgs
	}
	return &cobra.Command{
		Use: use, Short: short, Long: long, Args: args, DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			e.began = true
			return run(c.Context(), unshielded(args))
		},
	}
}

// group makes a command that only has subcommands.
func (e *env) group(use, short string, subs ...*cobra.Command) *cobra.Command {
	var names []string
	for _, s := range subs {
		names = append(names, s.Name())
	}
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misuse("%s needs one of: %s", c.CommandPath(), strings.Join(names, ", "))
			}
			return misuse("%s has no %q; it has: %s", c.CommandPath(), unshielded(args)[0], strings.Join(names, ", "))
		},
	}
	c.AddCommand(subs...)
	return c
}
