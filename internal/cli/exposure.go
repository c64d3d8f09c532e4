package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/exposure"
)

func (e *env) exposureCommand() *cobra.Command {
	return e.group("exposure", "What other domains were shown about each subject", e.exposureShow(), e.exposureReset(), e.exposureRules())
}

// named reads the value that names a subject from standard input, so that it stays out of the shell's history.
func (e *env) named(unit string) (api.ExposureRequest, error) {
	line, err := bufio.NewReader(io.LimitReader(e.in, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return api.ExposureRequest{}, err
	}
	req := api.ExposureRequest{Unit: unit, Value: strings.TrimRight(line, "\r\n")}
	if req.Value == "" {
		return req, misuse("standard input is empty; write the value that names the subject to it")
	}
	return req, nil
}

func (e *env) exposureShow() *cobra.Command {
	var file string
	return fileFlag(e.command("show [UNIT < VALUE]", "List what is held, by audience, or about one subject",
		"Without UNIT it prints for each audience of how many subjects it holds something, and how many facts its agents added today.\n"+
			"With UNIT, which is what a contract or schema calls a subject, such as patient, it reads the value that names one from standard\n"+
			"input, and prints labels, levels and how many values were shown. No value is kept, so none is printed.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) (err error) {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var req api.ExposureRequest
			if len(args) == 1 {
				if req, err = e.named(args[0]); err != nil {
					return err
				}
			}
			var out api.Exposed
			err = withState(ctx, c,
				func(a *adminClient) error { return a.call(ctx, http.MethodPost, "/api/v1/exposure/show", req, &out) },
				func(st *run.State) (err error) {
					out, err = api.ShowExposure(ctx, st.Ledger(), req)
					return err
				})
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
			if req.Unit != "" {
				fmt.Fprintln(w, "AUDIENCE\tLABEL\tSHOWN\tVALUES\tABOUT")
				for _, s := range out.Shown {
					about := "the subject"
					if !s.Sure {
						about = "perhaps the subject"
					}
					fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", s.Audience, s.Label, flow.Treatment{Level: s.Level, Param: s.Param}, s.Values, about)
				}
				return w.Flush()
			}
			fmt.Fprintln(w, "AUDIENCE\tSUBJECTS\tFACTS")
			for _, h := range out.Held {
				fmt.Fprintf(w, "%s\t%d\t%d\n", h.Audience, h.Subjects, h.Facts)
			}
			if len(out.Today) > 0 {
				fmt.Fprintln(w, "\nAUDIENCE\tAGENT\tADDED TODAY")
			}
			for _, a := range out.Today {
				fmt.Fprintf(w, "%s\t%s\t%d\n", a.Audience, a.Agent, a.Facts)
			}
			return w.Flush()
		}), &file)
}

func (e *env) exposureReset() *cobra.Command {
	var file, audience string
	var all bool
	cmd := fileFlag(e.command("reset [UNIT < VALUE]", "Forget what audiences hold, as if it had never been shown",
		"What an audience was shown it may still have: reset where you know that it deleted it, or that a rule was wrong. With UNIT the value\n"+
			"that names one subject is read from standard input; without it everything of --audience goes, or of all with --all. It is put on record.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) (err error) {
			if len(args) == 0 && (audience == "") != all {
				return misuse("name an audience with --audience, or a subject, or write --all")
			}
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var req api.ExposureRequest
			if len(args) == 1 {
				if req, err = e.named(args[0]); err != nil {
					return err
				}
			}
			req.Audience = exposure.Audience(audience)
			var out api.ExposureReset
			err = withState(ctx, c,
				func(a *adminClient) error { return a.call(ctx, http.MethodPost, "/api/v1/exposure/reset", req, &out) },
				func(st *run.State) error {
					snap, err := e.snapshotIn(ctx, st, c)
					if err != nil {
						return err
					}
					out, err = api.ResetExposure(ctx, st.Ledger(), snap, req)
					return err
				})
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "done: forgotten of %d subjects and tasks; on record as %s\n", out.Subjects, out.Reference)
			return nil
		}), &file)
	cmd.Flags().StringVar(&audience, "audience", "", "of this audience alone: a domain, or a name of exposure.audiences")
	cmd.Flags().BoolVar(&all, "all", false, "of every audience")
	return cmd
}

func (e *env) exposureRules() *cobra.Command {
	var file string
	return fileFlag(e.command("rules [FILE]", "Print the rules in force, or check a file of rules",
		"For each rule it prints its pieces with the level at which a piece does not count, how many an audience may hold finer than that,\n"+
			"and where one reads that together they single people out. With FILE it checks that file alone, and needs no configuration.", cobra.MaximumNArgs(1),
		func(_ context.Context, args []string) error {
			var rules *exposure.Rules
			if len(args) == 1 {
				raw, err := os.ReadFile(args[0])
				if err != nil {
					return err
				}
				if rules, err = exposure.ParseRules(raw, flow.DefaultTaxonomy()); err != nil {
					return err
				}
			} else {
				c, err := e.load(file)
				if err != nil {
					return err
				}
				rules = c.ExposureRules()
			}
			for i, r := range rules.Rules() {
				if i > 0 {
					fmt.Fprintln(e.out)
				}
				printRule(e.out, &r)
			}
			return nil
		}), &file)
}

func printRule(w io.Writer, r *exposure.Rule) {
	allow := r.Allow
	if allow == 0 {
		allow = len(r.Of) - 1
	}
	fmt.Fprintf(w, "%s: at most %d of %d\n", r.Name, allow, len(r.Of))
	for _, el := range r.Of {
		var any []string
		for _, a := range el.Any {
			to := a.To.Level.String()
			if a.To.Param != "" {
				to = string(a.To.Param)
			}
			any = append(any, fmt.Sprintf("%s finer than %s", a.Label, to))
		}
		times := ""
		if el.Count > 1 {
			times = fmt.Sprintf("%d different values of ", el.Count)
		}
		fmt.Fprintf(w, "  %s%s\n", times, strings.Join(any, ", or "))
	}
	if r.Source != "" {
		fmt.Fprintf(w, "  source: %s\n", r.Source)
	}
}
