package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

func (e *env) dpCommand() *cobra.Command {
	return e.group("dp", "Differential privacy: what answers cost, and whether mechanisms keep what they claim",
		e.dpAccountCommand(), e.dpCostCommand(), e.dpCalibrateCommand(), e.dpStreamCommand(), e.dpAuditCommand())
}

func (e *env) dpAccountCommand() *cobra.Command {
	c := e.command("account FILE", "Answer accounting questions, one JSON line each",
		"Reads rows with id, spec, input and quantity (docs/spec/dp-accounting.md) from a file or, with -, from standard input: a list,\n"+
			"one row after the other, or a file with a member values. Prints a JSON line for each with id, value and by, which names the\n"+
			"method. A row that has no answer gets a line with id and error, and the exit status is 1; the others are still answered.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			in, _, err := e.open(args)
			if err != nil {
				return err
			}
			defer in.Close()
			return e.accountRows(ctx, in)
		})
	c.Flags().Bool("json", true, "print JSON lines; there is no other form")
	_ = c.Flags().MarkHidden("json")
	return c
}

// rowError is the line of a row that has no answer.
type rowError struct {
	ID    string `json:"id"`
	Error string `json:"error"`
}

// accountRows answers every row, those behind a bad one too.
func (e *env) accountRows(ctx context.Context, in io.Reader) error {
	out := json.NewEncoder(e.out)
	out.SetEscapeHTML(false)
	n, bad := 0, 0
	var broken error // standard output, or the command was interrupted
	err := account.ReadRows(in, func(row account.Row, err error) bool {
		n++
		var a account.Answer
		if err == nil {
			a, err = row.Answer()
		}
		if err == nil {
			broken = out.Encode(a)
		} else {
			bad++
			id := row.ID
			if id == "" {
				id = fmt.Sprintf("row %d", n)
			}
			broken = out.Encode(rowError{id, err.Error()})
		}
		if broken == nil {
			broken = ctx.Err()
		}
		return broken == nil
	})
	switch {
	case broken != nil:
		return broken
	case err != nil:
		return fmt.Errorf("reading rows: %w", err)
	case bad > 0:
		return refuse("each of them has a line with its error", "%d of %d rows have no answer", bad, n)
	}
	return nil
}
