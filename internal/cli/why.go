package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/observe/story"
)

func (e *env) whyCommand() *cobra.Command {
	var file string
	var asJSON bool
	c := fileFlag(e.command("why REFERENCE [--json] [-c FILE]", "Tell the story of a flow, or of a refusal",
		"REFERENCE is what a refusal or a privacy note names, or the id of a flow. It tells who asked and by what right, what was found,\n"+
			"the terms and the policies behind them, what the recipient may see, what it cost, and where it is on record. No value is in it.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			ref := flow.ID(strings.TrimSpace(args[0]))
			if ref == "" || len(ref) > 128 {
				return misuse("name the reference that a refusal or a note gave")
			}
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var s story.Story
			err = withState(ctx, c,
				func(a *adminClient) error {
					return a.call(ctx, http.MethodGet, "/api/v1/why/"+url.PathEscape(string(ref)), nil, &s)
				},
				func(st *run.State) (err error) {
					s, err = api.Why(ctx, *st.Stories(c), ref)
					return err
				})
			if errors.Is(err, story.ErrUnknown) {
				return refuse("Look whether the reference is complete, and whether it is of this gateway.", "%v", err)
			}
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(e.out).Encode(s)
			}
			return e.tellStory(&s)
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

// tellStory prints a story step by step.
func (e *env) tellStory(s *story.Story) error {
	fmt.Fprintf(e.out, "%s  %s  %s\n", s.Reference, s.Began.UTC().Format(time.RFC3339), s.Outcome)
	for i := range s.Steps {
		st := &s.Steps[i]
		fmt.Fprintf(e.out, "\n%s\n", st.Title)
		for _, w := range st.Words {
			fmt.Fprintf(e.out, "  %s\n", w)
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		for _, f := range st.Who {
			fmt.Fprintf(w, "  %s\t%s\n", f.Name, f.Value)
		}
		for _, l := range st.Labels {
			fmt.Fprintf(w, "  %s\t%d\t%s\n", l.Label, l.Count, l.Origin)
		}
		for _, t := range st.Terms {
			how, why := t.Level.String(), t.Because
			if t.Param != "" {
				how += " " + string(t.Param)
			}
			if t.Reason != "" {
				why = t.Reason
			}
			fmt.Fprintf(w, "  %s\t%d\t%s\t%s: %s\n", t.Label, t.Count, how, t.By, why)
		}
		for _, r := range st.Rules {
			fmt.Fprintf(w, "  policy %s\t%s\t%s\n", r.ID, r.Reason, strings.Join(r.Basis, ", "))
		}
		for _, n := range st.Entries {
			fmt.Fprintf(w, "  entry %d\t%s\t%s\n", n.Seq, n.Outcome, n.Hash)
		}
		for _, d := range st.Sources {
			fmt.Fprintf(w, "  %s\t%s\n", d.Name, strings.Join(d.Columns, ", "))
		}
		for _, r := range st.Flows {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", r.How, r.ID, r.Outcome)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}
