package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/gateway/release"
)

func (e *env) anonymizePlanCommand() *cobra.Command {
	var q question
	var dataset string
	var k int
	c := e.command("plan SRC --to AGENT --purpose P [--dataset D] [--k N]", "Propose a plan for a table from policy and data contract",
		"Prints a plan that policy would not refuse: for each column a technique that shows what the terms for this agent and purpose allow, and\n"+
			"the weakest privacy model with which rows may leave. Comments say where each line comes from. Columns that no contract labels are\n"+
			"labelled by looking at the first rows, and marked for review. Nothing is released and nothing recorded; no value is printed.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if k < 0 || k == 1 || k > 1_000_000_000 {
				return misuse("--k is 2 or more")
			}
			text, err := e.propose(ctx, args[0], q, dataset, k)
			if err != nil {
				return err
			}
			_, err = e.out.Write(text)
			return err
		})
	f := c.Flags()
	f.StringVar(&dataset, "dataset", "", "the dataset that the table is of, as a data contract names it")
	f.IntVar(&k, "k", 0, "rows that are to be alike, at least (default: the fewest with which rows may leave)")
	q.flags(c)
	f.Lookup("to").Usage = "the agent that the table is for"
	_ = f.MarkHidden("from") // it is the domain's
	return c
}

func (e *env) propose(ctx context.Context, from string, q question, dataset string, k int) ([]byte, error) {
	c, err := e.load(q.file)
	if err != nil {
		return nil, err
	}
	query, err := q.query(c)
	if err != nil {
		return nil, err
	}
	snap, err := e.snapshotOf(c)
	if err != nil {
		return nil, err
	}
	src, err := e.openSource(from)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	found, err := release.Found(ctx, snap.Detector, snap.Taxonomy, src)
	if err != nil {
		return nil, err
	}
	columns, err := release.Columns(ctx, src, found)
	if err != nil {
		return nil, err
	}
	text, err := release.Propose(snap, release.Order{
		Dataset: dataset, To: query.Flow.To.Agent, Purpose: query.Flow.Purpose, Criticality: query.Flow.Task.Criticality, Consent: query.Consent, Approved: query.Approved,
	}, k, columns)
	if errors.Is(err, release.ErrNothing) {
		return nil, refuse("scrim policy explain --field DATASET/COLUMN says why", "%s", err)
	}
	return text, err
}
