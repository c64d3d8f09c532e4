package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

func (e *env) learnCommand() *cobra.Command {
	var file string
	c := fileFlag(e.command("learn [-c FILE]", "Watch traffic inside one domain without enforcing, and propose schemas",
		"Runs the gateway so that messages pass unchanged, and takes note of places and labels, never of values. It refuses to\n"+
			"start where an agent of another domain is configured. When it stops, and on \"scrim learn report\", it proposes JSON\n"+
			"Schemas with labels, and starter lines for policies. A member's name is shown only if a schema declares it or if it is a\n"+
			"well-known word such as \"email\", since a name can be a value.", nil,
		func(ctx context.Context, _ []string) error { return e.serve(ctx, file, serving{learn: true}) }), &file)
	c.AddCommand(e.learnReport())
	return c
}

func (e *env) learnReport() *cobra.Command {
	var file string
	var asJSON bool
	c := fileFlag(e.command("report [-c FILE] [--json]", "Print the proposals of what was seen so far", "", nil,
		func(ctx context.Context, _ []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var seen run.Seen
			err = eitherWay(c,
				func(a *adminClient) error { return a.call(ctx, http.MethodGet, "/api/v1/learn", nil, &seen) },
				func() error {
					st, err := run.OpenStore(ctx, c, store.Options{}) // finds out whether a gateway is at work
					if err != nil {
						return err
					}
					if err := st.Close(); err != nil {
						return err
					}
					seen, err = run.ReadSeen(c.Path(c.Data))
					return err
				})
			if err != nil {
				return err
			}
			if len(seen.Sources) == 0 {
				return refuse(`Let "scrim learn" watch some traffic first.`, "nothing was seen yet")
			}
			if asJSON {
				enc := json.NewEncoder(e.out)
				enc.SetIndent("", "  ")
				return enc.Encode(run.Propose(seen))
			}
			e.proposals(run.Propose(seen))
			return nil
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// banner says loudly that nothing is enforced.
func (e *env) banner() {
	st := e.style(e.out)
	line := func(text string) string { return st.paint("1;37;41", fmt.Sprintf("  %-62s", text)) }
	fmt.Fprintf(e.out, "\n%s\n%s\n%s\n%s\n\n", line(""), line("LEARN MODE: NOTHING IS ENFORCED. EVERY VALUE PASSES UNCHANGED."),
		line("Places and labels are noted, values are not."), line(""))
}

func (e *env) proposals(p run.Proposals) {
	st := e.style(e.out)
	if len(p.Schemas) == 0 && p.Policy == "" {
		fmt.Fprintln(e.out, "nothing was seen that a schema or policy could be proposed for")
		return
	}
	fmt.Fprintln(e.out, "Proposals from places alone. Look through them before use: a label here is a guess, a missing one says nothing.")
	for _, s := range p.Schemas {
		fmt.Fprintf(e.out, "\n%s\n%s\n", st.bold("== "+s.File), s.JSON)
	}
	if p.Bindings != "" {
		fmt.Fprintf(e.out, "\n%s\n%s", st.bold("== for scrim.yaml"), p.Bindings)
	}
	if p.Policy != "" {
		fmt.Fprintf(e.out, "\n%s\n%s", st.bold("== for policies/learned.cedar"), p.Policy)
	}
	if p.Unnamed > 0 {
		fmt.Fprintf(e.out, "\n%s without a name: no schema declares them, and a name can be a value. Write them in.\n", count(p.Unnamed, "place"))
	}
}
