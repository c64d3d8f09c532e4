package cli

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

type eraseFlags struct {
	file, confirm, withdraw, credential string
	waiting, draw                       bool
}

func (e *env) eraseCommand() *cobra.Command {
	var f eraseFlags
	c := fileFlag(e.command("erase UNIT < VALUE", "Destroy what the gateway keeps of a person",
		"Reads the value that names the person, such as a record number, from standard input, so that it stays out of the shell's\n"+
			"history. UNIT is what a contract or schema calls it, such as patient. Says how much is kept and makes a request, which another\n"+
			"approver must confirm in time, naming the person again; where the configuration has no approvers (erasure.approvers), the same\n"+
			"operator confirms. Then the person's keys are destroyed: tokens stop resolving, handles, stored answers, notifications and the\n"+
			"memory of tasks go, nothing leads to the events any more, and the database's files are scrubbed. The log stays as it is, and\n"+
			"every proof holds. Sources are not touched: what they still hold about the person is new to the gateway when it flows again.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error { return e.erase(ctx, &f, args) }), &f.file)
	flags := c.Flags()
	flags.StringVar(&f.confirm, "confirm", "", "request to confirm")
	flags.StringVar(&f.withdraw, "withdraw", "", "request to take back")
	flags.StringVar(&f.credential, "credential", "", "file with an approver's credential; absent: the operator asks or confirms")
	flags.BoolVar(&f.waiting, "waiting", false, "list the requests that wait for their confirmation")
	flags.BoolVar(&f.draw, "new-credential", false, "draw an approver's credential")
	return c
}

func (e *env) erase(ctx context.Context, f *eraseFlags, args []string) error {
	chosen := 0
	for _, on := range []bool{f.confirm != "", f.withdraw != "", f.waiting, f.draw} {
		if on {
			chosen++
		}
	}
	if named := len(args) == 1; chosen > 1 || named == (f.withdraw != "" || f.waiting || f.draw) {
		return misuse("write UNIT, alone or with --confirm, or one of --waiting, --withdraw and --new-credential")
	}
	if !f.draw {
		if err := e.hasBegun(f.file); err != nil {
			return err
		}
	}
	switch {
	case f.draw:
		e.drawCredential("erasure.approvers")
		return nil
	case f.waiting:
		all, err := askPart(ctx, e, f.file, "/api/v1/erase/waiting", struct{}{}, erasures, api.WaitingErasures)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "REQUEST\tASKED BY\tENDS")
		for _, r := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\n", r.ID, r.Asker, r.Expires.Format(time.RFC3339))
		}
		return w.Flush()
	case f.withdraw != "":
		_, err := askPart(ctx, e, f.file, "/api/v1/erase/withdraw", api.ErasureOf{Request: f.withdraw}, erasures, api.WithdrawErasure)
		if err == nil {
			fmt.Fprintln(e.out, "withdrawn")
		}
		return err
	}
	q, err := e.subject(args[0])
	if err != nil {
		return err
	}
	if f.credential != "" {
		b, err := os.ReadFile(f.credential)
		if err != nil {
			return fmt.Errorf("reading the credential: %w", err)
		}
		q.Credential = strings.TrimSpace(string(b))
	}
	if q.Request = f.confirm; q.Request == "" {
		return e.askErasure(ctx, f.file, q)
	}
	done, err := askPart(ctx, e, f.file, "/api/v1/erase/confirm", q, erasures, api.ConfirmErasure)
	if done.Reference != "" {
		fmt.Fprintf(e.out, "erased; on record as %s\n", done.Reference)
	}
	if err == nil && !done.Scrubbed {
		fmt.Fprintln(e.err, "PostgreSQL keeps deleted rows until it vacuums, and its write-ahead log and backups for as long as it is told to: see docs/spec/erasure.md.")
	}
	return err
}

// drawCredential prints a credential for an approver whom configuration lists at a place, and its digest.
func (e *env) drawCredential(place string) {
	credential, sum := erasure.NewCredential()
	fmt.Fprintf(e.out, "credential  %s\nsha256      %s\n", credential.Expose(), hex.EncodeToString(sum[:]))
	fmt.Fprintf(e.err, "Give the credential to the approver and to nobody else; the digest goes to %s in the configuration.\n", place)
}

func (e *env) askErasure(ctx context.Context, file string, q api.ErasureOf) error {
	r, err := askPart(ctx, e, file, "/api/v1/erase/ask", q, erasures, api.AskErasure)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "events\t%d\tstay on record; nothing will lead from the person to them\n", r.Kept.Events)
	for _, row := range []struct {
		n    int64
		what string
	}{
		{r.Kept.Tokens, "tokens\tkinds of tokens that will not resolve"}, {r.Kept.Values, "values\tvaulted values"}, {r.Kept.Handles, "handles\tparts that went by reference"},
		{r.Kept.Answers, "answers\tstored answers"}, {r.Kept.Notifications, "notifications\ton their way"}, {r.Kept.Tasks, "tasks\twhose memory will be forgotten"},
	} {
		name, what, _ := strings.Cut(row.what, "\t")
		fmt.Fprintf(w, "%s\t%d\t%s\n", name, row.n, what)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	who := "Confirm it"
	if r.Second {
		who = "Another approver confirms it"
	}
	fmt.Fprintf(e.out, "\nNothing is erased yet. %s until %s:\n  scrim erase %s --confirm %s < VALUE\n", who, r.Expires.Format(time.RFC3339), q.Unit, r.ID)
	return nil
}

// hasBegun refuses a data directory that no gateway has used: what it knows of nobody must not pass for an answer.
func (e *env) hasBegun(file string) error {
	c, err := e.load(file)
	if err != nil {
		return err
	}
	return eitherWay(c, nil, func() error { return nil })
}

// subject reads the value that names a person.
func (e *env) subject(unit string) (api.ErasureOf, error) {
	line, err := bufio.NewReader(io.LimitReader(e.in, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return api.ErasureOf{}, err
	}
	q := api.ErasureOf{Unit: unit, Value: strings.TrimRight(line, "\r\n")}
	if q.Value == "" {
		return q, misuse("standard input is empty; write the value that names the person to it")
	}
	return q, nil
}

func erasures(st *run.State, c *config.Config) (*erasure.Office, error) { return st.Erasures(c), nil }
