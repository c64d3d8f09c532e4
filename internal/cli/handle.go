package cli

import (
	"context"
	"fmt"
	"net/http"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/run"
)

func (e *env) handleCommand() *cobra.Command {
	return e.group("handle", "Parts of messages that went by reference", e.handleList(), e.handleDrop())
}

func (e *env) handleList() *cobra.Command {
	var file string
	return fileFlag(e.command("list", "List the handles that can be redeemed",
		"Prints a name for each, when it ends, how often it can be redeemed, its size, and how many redeemers it has. No name redeems.", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var all []gateway.KeptHandle
			err = withState(ctx, c,
				func(a *adminClient) error { return a.call(ctx, http.MethodGet, "/api/v1/handles", nil, &all) },
				func(st *run.State) (err error) {
					all, err = api.ListHandles(ctx, st.Ledger())
					return err
				})
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tEXPIRES\tUSES\tBYTES\tREDEEMERS")
			for _, h := range all {
				uses := "any"
				if h.Uses >= 0 {
					uses = fmt.Sprint(h.Uses)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\n", h.Name, h.Expires.Format(time.RFC3339), uses, h.Bytes, h.Forms)
			}
			return w.Flush()
		}), &file)
}

func (e *env) handleDrop() *cobra.Command {
	var file string
	var req api.DropRequest
	cmd := fileFlag(e.command("drop [NAME]", "Drop a handle, so that nobody redeems it any more",
		"NAME is one that list prints, or a reference (scrim:ref:…). With --all every handle goes.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			if req.All != (len(args) == 0) {
				return misuse("name one handle, or write --all")
			}
			if !req.All {
				if req.Name = args[0]; req.Name != "" {
					if _, err := gateway.HandleName(req.Name); err != nil {
						return misuse("%s; scrim handle list prints names", err)
					}
				}
			}
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var out api.Dropped
			err = withState(ctx, c,
				func(a *adminClient) error { return a.call(ctx, http.MethodPost, "/api/v1/handles/drop", req, &out) },
				func(st *run.State) error {
					snap, err := e.snapshotIn(ctx, st, c)
					if err != nil {
						return err
					}
					out, err = api.DropHandles(ctx, st.Ledger(), snap, req)
					return err
				})
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "done: %d dropped; on record as %s\n", out.Count, out.Reference)
			return nil
		}), &file)
	cmd.Flags().BoolVar(&req.All, "all", false, "drop every handle")
	return cmd
}
