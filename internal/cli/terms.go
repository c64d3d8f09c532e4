package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// termsFlags are those of scrim terms.
type termsFlags struct {
	file, as, with, direction string
	asJSON                    bool
	asking                    offer.Asking
	labels                    []string
}

func (e *env) termsCommand() *cobra.Command {
	var q termsFlags
	c := fileFlag(e.command("terms --as AGENT --with AGENT [--label LABEL …]", "Ask on which terms an agent's data would pass",
		"Asks as an agent would, with what it was granted, and sends nothing: how much of each label would show if it sent some to the\n"+
			"other agent (or, with --direction response, received some from it), and what would show more. The question is on record.", nil,
		func(ctx context.Context, _ []string) error { return e.askTerms(ctx, &q) }), &q.file)
	f := c.Flags()
	f.StringVar(&q.as, "as", "", "the agent that asks")
	f.StringVar(&q.with, "with", "", "the agent that it would send to or receive from")
	f.StringVar(&q.direction, "direction", "request", "request or response")
	f.StringVar(&q.asking.Purpose, "purpose", "", "why; it counts if it was granted")
	f.StringVar(&q.asking.Criticality, "criticality", "", "how much hangs on it; it counts if it was granted")
	f.StringSliceVar(&q.labels, "label", nil, "a kind of information; may be repeated. Default: what the other agent's schemas label")
	f.StringVar(&q.asking.Dataset, "dataset", "", "a dataset of a data contract")
	f.StringSliceVar(&q.asking.Columns, "column", nil, "of the dataset; may be repeated. Default: all")
	f.StringVar(&q.asking.Tool, "tool", "", "an MCP tool of the other agent")
	f.StringVar(&q.asking.Skill, "skill", "", "an A2A skill of the other agent")
	f.BoolVar(&q.asJSON, "json", false, "print the answer as agents get it")
	return c
}

func (e *env) askTerms(ctx context.Context, q *termsFlags) error {
	if q.as == "" || q.with == "" {
		return misuse("--as and --with are needed: who asks, and about whom?")
	}
	if err := q.asking.Direction.UnmarshalText([]byte(q.direction)); err != nil {
		return misuse("%v", err)
	}
	c, err := e.load(q.file)
	if err != nil {
		return err
	}
	q.asking.Agent = flow.AgentID(q.with)
	for _, l := range q.labels {
		q.asking.Labels = append(q.asking.Labels, flow.Label(l))
	}
	req := api.TermsRequest{As: flow.AgentID(q.as), Asking: q.asking}
	told := new(offer.Told)
	err = hereOrThere(c,
		func(a *adminClient) error { return a.call(ctx, http.MethodPost, "/api/v1/terms", req, told) },
		func() error {
			st, err := run.OpenState(ctx, c, store.Options{})
			if err != nil {
				return err
			}
			snap, err := e.snapshotIn(ctx, st, c)
			if err == nil {
				var t *offer.Terms
				if t, err = st.Terms(snap); err == nil {
					told, err = api.AskTerms(ctx, t, snap, req)
				}
			}
			return errors.Join(err, st.Close())
		})
	if err != nil {
		return err
	}
	if q.asJSON {
		return json.NewEncoder(e.out).Encode(told)
	}
	e.showTerms(told)
	return nil
}

func (e *env) showTerms(told *offer.Told) {
	t := table{head: true}
	t.add("label", "field", "shows", "held there by")
	for _, s := range told.Labels {
		shows := flow.Treatment{Level: s.Level, Param: s.Param}.String()
		if s.Handle > 0 {
			shows += ", by reference"
		}
		t.add(string(s.Label), s.Field, shows, s.By)
	}
	t.write(e.out, e.style(e.out), "")
	keep := "for the task only"
	if told.Duties.Retain > 0 {
		keep = "for " + (time.Duration(told.Duties.Retain) * time.Second).String()
	}
	fmt.Fprintf(e.out, "for %s, %s; kept %s\n", cmp.Or(string(told.Purpose), "no purpose"), told.Criticality, keep)
	for _, c := range told.More {
		var shows []string
		for _, s := range c.Labels {
			shows = append(shows, fmt.Sprintf("%s %s", s.Label, flow.Treatment{Level: s.Level, Param: s.Param}))
		}
		what := strings.Join(slices.DeleteFunc([]string{c.By, c.To, strings.Join(c.Columns, ", ")}, func(s string) bool { return s == "" }), " ")
		fmt.Fprintf(e.out, "with %s: %s\n", what, orNone(shows))
	}
}
