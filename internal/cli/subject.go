package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/run"
)

func (e *env) subjectCommand() *cobra.Command {
	var file string
	erase := fileFlag(e.command("erase UNIT < VALUE", "Destroy a subject's keys, so that its tokens stop resolving",
		"Reads the value that names the subject, such as a record number, from standard input, so that it stays out of the shell's\n"+
			"history. UNIT is what a contract or schema calls it, such as patient. The record says that somebody's keys were\n"+
			"destroyed, not whose. Tokens that were given out cannot be opened or joined afterwards.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			line, err := bufio.NewReader(io.LimitReader(e.in, 64<<10)).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			req := api.EraseRequest{Unit: args[0], Value: strings.TrimRight(line, "\r\n")}
			if req.Value == "" {
				return misuse("standard input is empty; write the value that names the subject to it")
			}
			var out struct {
				Reference flow.ID `json:"reference"`
			}
			err = withState(ctx, c,
				func(a *adminClient) error { return a.call(ctx, http.MethodPost, "/-/subject/erase", req, &out) },
				func(st *run.State) error {
					snap, err := e.snapshotOf(c)
					if err != nil {
						return err
					}
					out.Reference, err = api.Erase(ctx, st.Ledger(), snap, req)
					return err
				})
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "done: the subject's keys are destroyed; on record as %s\n", out.Reference)
			return nil
		}), &file)
	return e.group("subject", "Serve the people whom data is about", erase)
}
