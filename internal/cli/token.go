package cli

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/run"
)

func (e *env) tokenCommand() *cobra.Command {
	var q question
	open := q.flags(e.command("open TOKEN --to AGENT [--purpose P]", "Open a token for an agent, if policy lets it",
		"Asks the policies whether the agent may see the value behind a token that this gateway gave to another domain (action\n"+
			"\"open\"; without a policy that permits it, nobody may). Whatever the answer, it is put on record first.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := e.load(q.file)
			if err != nil {
				return err
			}
			query, err := q.query(c)
			if err != nil {
				return err
			}
			req := api.OpenRequest{Token: args[0], As: query.Flow.To.Agent, Purpose: query.Flow.Purpose, Criticality: query.Flow.Task.Criticality}
			var out api.Opening
			err = withState(ctx, c,
				func(a *adminClient) error { return a.call(ctx, http.MethodPost, "/api/v1/token/open", req, &out) },
				func(st *run.State) error {
					snap, err := e.snapshotIn(ctx, st, c)
					if err != nil {
						return err
					}
					out, err = api.OpenToken(ctx, st.Ledger(), snap, req)
					return err
				})
			if err != nil {
				return err
			}
			return e.opened(out)
		}))
	open.Flags().StringVar(&q.to, "as", "", "the same as --to: whose eyes it is for")
	for _, hidden := range []string{"to", "from", "consent", "approved"} {
		_ = open.Flags().MarkHidden(hidden) // the flags were made above
	}
	open.Use = "open TOKEN --as AGENT [--purpose P]"
	return e.group("token", "Open tokens", open)
}

func (e *env) opened(o api.Opening) error {
	if o.Label == "" {
		return refuse(fmt.Sprintf("A policy that permits Action::\"open\" is needed. On record as %s.", o.Reference), "not opened: %s", o.Reason)
	}
	fmt.Fprintln(e.out, o.Value)
	fmt.Fprintf(e.err, "%s, given to domain %s; opened by %s; on record as %s\n", o.Label, o.MintedFor, policyWords(o.Policies), o.Reference)
	return nil
}

func policyWords(ids []flow.PolicyID) string {
	var names []string
	for _, id := range ids {
		names = append(names, string(id))
	}
	return orNone(names)
}
