package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

func (e *env) logCommand() *cobra.Command {
	return e.group("log", "Look at the journal", e.logVerify(), e.logShow(), e.logOpening(), e.logCheckpoint(), e.logReceipt(), e.logProve(), e.logSize())
}

func (e *env) logVerify() *cobra.Command {
	var file string
	var against []string
	var given givenFiles
	c := fileFlag(e.command("verify [FILE…] [-c FILE] [--against CHECKPOINT] [--key KEY] [--entry FILE]", "Verify the whole journal, or promises and receipts",
		"Walks every row of the journal and compares it with the log's files, those with their signed checkpoints, and all with the\n"+
			"checkpoints archived in the data directory. A checkpoint that was kept elsewhere also shows whether the whole was set back.\n"+
			"With files verifies those instead: promises, tlog-proofs, COSE receipts, and answers of /receipts/. A promise that is among\n"+
			"them says which entry the others prove; otherwise --entry does.", cobra.ArbitraryArgs,
		func(ctx context.Context, args []string) error {
			if len(args) > 0 {
				return e.verifyFiles(ctx, file, given, args)
			}
			c, err := e.load(file)
			if err != nil {
				return err
			}
			v, err := verify(ctx, c, against)
			if err != nil {
				return err
			}
			return e.verified(v)
		}), &file)
	c.Flags().StringArrayVar(&against, "against", nil, "checkpoint file kept elsewhere; the gateway must be stopped")
	c.Flags().StringVar(&given.key, "key", "", "with files: the log's verifier key, NAME+ID+KEY, or a file of it (default: this gateway's own)")
	c.Flags().StringVar(&given.entry, "entry", "", "with files: the entry's bytes")
	return c
}

func verify(ctx context.Context, c *config.Config, against []string) (v api.Verification, err error) {
	var notes [][]byte
	for _, name := range against {
		b, err := os.ReadFile(name)
		if err != nil {
			return v, err
		}
		notes = append(notes, b)
	}
	err = eitherWay(c, func(a *adminClient) error {
		if len(notes) > 0 {
			return refuse("Stop it, or leave --against out.", "--against needs a gateway that is not running")
		}
		return a.call(ctx, http.MethodPost, "/api/v1/log/verify", nil, &v)
	}, func() error {
		st, err := run.OpenStore(ctx, c, store.Options{})
		if err != nil {
			return err
		}
		v, err = api.Verified(st.Verify(ctx, c, notes...))
		return errors.Join(err, st.Close())
	})
	return v, err
}

func (e *env) verified(v api.Verification) error {
	st := e.style(e.out)
	if v.What != "" {
		fmt.Fprintf(e.out, "%s  the journal is not as it was written: at row %d %s\n", st.bad("BAD"), v.Bad, v.What)
		fmt.Fprintf(e.out, "     rows 1 to %d fit; keep the data directory as it is and find out who wrote to it\n", v.Report.Entries)
		return errSaid
	}
	fmt.Fprintf(e.out, "%s  %s, %d in the log (%s, %s)\n", st.good("ok"), count(int(v.Report.Entries), "row"), v.Report.Covered,
		count(v.Report.Trees, "tree"), count(v.Report.Archived, "archived checkpoint"))
	if v.Report.Pruned > 0 {
		fmt.Fprintf(e.out, "    rows 1 to %d are pruned: the log alone has their events\n", v.Report.Pruned)
	}
	if v.Report.Size > 0 {
		fmt.Fprintf(e.out, "    %s, %d leaves, root %s\n", v.Report.Origin, v.Report.Size, v.Report.Head)
	}
	return nil
}

func (e *env) logShow() *cobra.Command {
	var file string
	var asJSON bool
	var q api.EntryQuery
	c := fileFlag(e.command("show [REFERENCE] [--trace] [-n ROWS] [--json]", "Show the journal, or the whole story of one flow",
		"Without a reference, shows the last rows of the journal. With one, as a refusal or privacy note gives it, shows the flow,\n"+
			"what answers or continues it, and place by place what was decided and why. The journal holds no values.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				q.Flow, q.Story, q.Inputs = flow.ID(args[0]), true, true
			}
			return e.show(ctx, c, q, asJSON)
		}), &file)
	c.Flags().IntVarP(&q.Limit, "rows", "n", 20, "how many rows at most; 0 for all")
	c.Flags().Int64Var(&q.From, "from", 0, "first row (default: the last -n rows)")
	c.Flags().BoolVar(&q.Trace, "trace", false, "with a reference: every flow of the same trace, over whichever protocol it came")
	c.Flags().BoolVar(&asJSON, "json", false, "JSON lines, as they are kept")
	return c
}

func (e *env) show(ctx context.Context, c *config.Config, q api.EntryQuery, asJSON bool) error {
	if q.From == 0 && q.Flow == "" {
		q.Last, q.Limit = q.Limit, 0
	}
	var raw bytes.Buffer
	err := withState(ctx, c,
		func(a *adminClient) error { return a.copyTo(ctx, "/api/v1/log/entries?"+q.Values().Encode(), &raw) },
		func(st *run.State) error { return api.WriteEntries(ctx, st.Ledger(), q, &raw) })
	if err != nil {
		return err
	}
	lines := bytes.SplitAfter(raw.Bytes(), []byte("\n"))
	lines = lines[:len(lines)-1]
	if len(lines) == 0 && q.Flow != "" {
		return refuse("References are of one gateway; ask the domain that gave it.", "the journal has no flow %s", q.Flow)
	}
	if asJSON {
		_, err := e.out.Write(bytes.Join(lines, nil))
		return err
	}
	return e.showEntries(lines, q.Story)
}

func (e *env) showEntries(lines [][]byte, story bool) error {
	st := e.style(e.out)
	t := table{head: true, paint: map[int]func(string) string{2: func(s string) string { return paintOutcome(st, s) }}}
	t.add("ROW", "TIME", "OUTCOME", "FROM", "TO", "WHAT", "WHY", "REFERENCE")
	var entries []api.Entry
	for _, line := range lines {
		var en api.Entry
		if err := json.Unmarshal(line, &en); err != nil {
			return errors.New("a row of the journal cannot be read")
		}
		entries = append(entries, en)
		ev := en.Event
		t.add(fmt.Sprint(en.Seq), ev.Time.Local().Format(time.DateTime), string(ev.Outcome), who(ev.Flow.From), who(ev.Flow.To),
			strings.TrimSpace(ev.Flow.Method+" "+ev.Flow.Direction.String()), whyOf(ev), string(ev.Flow.ID))
	}
	w := bufio.NewWriter(e.out)
	t.write(w, st, "")
	if story {
		for _, en := range entries {
			showInputs(w, st, en)
		}
	}
	return w.Flush()
}

func paintOutcome(st style, s string) string {
	switch flow.Outcome(strings.TrimSpace(s)) {
	case flow.Refused, flow.Conflict:
		return st.bad(s)
	case flow.Released, flow.Segment, flow.Opened, flow.Closed, flow.Fetched:
		return st.good(s)
	}
	return st.warn(s)
}

func who(p flow.Party) string {
	switch {
	case p.Agent == "" && p.Domain == "":
		return "-"
	case p.Agent == "":
		return "(" + string(p.Domain) + ")"
	}
	return string(p.Agent) + "@" + string(p.Domain)
}

// whyOf is the reason of a row, or how many values were shown at which level.
func whyOf(ev flow.Event) string {
	if ev.Reason != "" {
		return ev.Reason
	}
	var sum [flow.Raw + 1]int
	for _, l := range ev.Levels {
		if int(l.Level) < len(sum) {
			sum[l.Level] += l.Count
		}
	}
	var parts []string
	for l := flow.Raw + 1; l > 0; l-- {
		if n := sum[l-1]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, l-1))
		}
	}
	if parts == nil {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// showInputs tells one decision place by place.
func showInputs(w io.Writer, st style, en api.Entry) {
	in := en.Inputs
	if in == nil || len(in.Leaves) == 0 || len(in.Terms) != len(in.Leaves) {
		return
	}
	fmt.Fprintf(w, "\n%s\n", st.bold(fmt.Sprintf("row %d, %s to %s, purpose %s, criticality %s", en.Seq, who(en.Event.Flow.From), who(en.Event.Flow.To),
		orWord(string(en.Event.Flow.Purpose), "none"), en.Event.Flow.Task.Criticality)))
	t := table{head: true}
	t.add("PLACE", "LABEL", "ORIGIN", "SCORE", "SHOWN", "BY", "WHY")
	for i, l := range in.Leaves {
		terms := in.Terms[i]
		t.add(string(l.Path), string(l.Label), l.Origin.String(), sureness(l.Score), terms.Treatment.String(), terms.By.String(), reasonOf(terms))
	}
	t.write(w, st, "  ")
}

func reasonOf(t flow.LeafTerms) string {
	var ids []string
	for _, id := range t.Policies {
		ids = append(ids, string(id))
	}
	return strings.Trim(strings.Join(ids, ", ")+": "+t.Reason, ": ")
}

func orWord(s, word string) string {
	if s == "" {
		return word
	}
	return s
}
