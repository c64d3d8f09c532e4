package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/draw"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

func (e *env) lineageCommand() *cobra.Command {
	return e.group("lineage", "Where data came from, and who received what came of it",
		e.lineageQuery(api.Upstream, "Show what a column or dataset was made of", "what it was made of, step by step, and who received any of that"),
		e.lineageQuery(api.Downstream, "Show what was made of a column or dataset, and who received it", "what was made of it, step by step, and who received any of it, by which policies"),
		e.lineageLabels(), e.lineageExport(), e.lineageStatus())
}

// askLineage asks the running gateway, or the data directory, which is first brought up to the end of its journal.
func askLineage[Q, A any](ctx context.Context, e *env, file, path string, q Q, do func(context.Context, *api.Lineage, Q) (A, error)) (A, error) {
	var out A
	c, err := e.load(file)
	if err != nil {
		return out, err
	}
	err = eitherWay(c,
		func(a *adminClient) error { return a.call(ctx, http.MethodPost, path, q, &out) },
		func() error {
			st, err := run.OpenState(ctx, c, store.Options{})
			if err != nil {
				return err
			}
			var l *run.Lineage
			ruled, err := st.RuledBy(ctx, c) // what is followed is said by the rules in force
			if err == nil {
				l, err = st.Trace(ruled, nil)
			}
			if err == nil {
				err = l.Catch(ctx)
			}
			if err == nil {
				out, err = do(ctx, &l.Lineage, q)
			}
			return errors.Join(err, st.Close())
		})
	return out, err
}

const lineageNames = "A dataset is named as contracts and configuration name it; what an agent was given is agents/AGENT/from/SENDER/SKILL in its own\n" +
	"domain's namespace, scrim://DOMAIN. \"scrim lineage export\" lists all there are."

func (e *env) lineageQuery(direction, short, shows string) *cobra.Command {
	var file, format string
	var coarse bool
	q := api.LineageQuery{Direction: direction}
	c := fileFlag(e.command(direction+" DATASET [COLUMN] [--namespace NAMESPACE] [--format mermaid|svg|json|prov]", short,
		"Shows "+shows+".\n"+lineageNames, cobra.RangeArgs(1, 2),
		func(ctx context.Context, args []string) error {
			if q.Dataset = args[0]; len(args) > 1 {
				q.Column = args[1]
			}
			if err := knownFormat(format); err != nil {
				return err
			}
			p, err := askLineage(ctx, e, file, "/api/v1/lineage/show", q, api.ShowLineage)
			if err != nil {
				if strings.Contains(err.Error(), lineage.ErrUnknown.Error()) {
					return refuse("\"scrim lineage export\" lists all there are; name another namespace with --namespace.", "%v", lineage.ErrUnknown)
				}
				return err
			}
			if coarse {
				p = draw.Coarse(p)
			}
			if format != "" {
				return draw.Write(e.out, format, p)
			}
			e.showLineage(p)
			return nil
		}), &file)
	c.Flags().StringVar(&q.Namespace, "namespace", "", "namespace of the dataset (default: the own domain's)")
	c.Flags().IntVar(&q.Steps, "steps", 0, "how far, from dataset to dataset (default: to the end)")
	c.Flags().BoolVar(&coarse, "datasets", false, "leave columns out")
	c.Flags().StringVar(&format, "format", "", "print a picture or a document: "+strings.Join(draw.Formats(), ", "))
	return c
}

func knownFormat(format string) error {
	if format != "" && !slices.Contains(draw.Formats(), format) {
		return misuse("--format is one of %s", strings.Join(draw.Formats(), ", "))
	}
	return nil
}

func (e *env) lineageExport() *cobra.Command {
	var file, format string
	var coarse bool
	c := fileFlag(e.command("export [--format mermaid|svg|json|prov]", "Print the whole lineage",
		"Prints every dataset and column with what it was made of and who received it: as JSON, as PROV-JSON for other programs, or as a\npicture in Mermaid or SVG.", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			if err := knownFormat(format); err != nil {
				return err
			}
			p, err := askLineage(ctx, e, file, "/api/v1/lineage/show", api.LineageQuery{}, api.ShowLineage)
			if err != nil {
				return err
			}
			if coarse {
				p = draw.Coarse(p)
			}
			return draw.Write(e.out, format, p)
		}), &file)
	c.Flags().BoolVar(&coarse, "datasets", false, "leave columns out")
	c.Flags().StringVar(&format, "format", "json", strings.Join(draw.Formats(), ", "))
	return c
}

func (e *env) lineageStatus() *cobra.Command {
	var file string
	var asJSON bool
	c := fileFlag(e.command("status", "Show how far lineage is, and where it is sent",
		"Shows up to which entry the journal was followed, how many entries could not be, and for each target of lineage.emit how far it is\nand what holds it up.", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			s, err := askLineage(ctx, e, file, "/api/v1/lineage/status", struct{}{}, api.LineageStatus)
			if err != nil {
				return err
			}
			if asJSON {
				return e.printJSON(s)
			}
			t := table{head: true}
			t.add("TARGET", "UNTIL ROW", "LEFT OUT", "STATE")
			t.add("(graph)", fmt.Sprint(s.Followed.Seq), fmt.Sprint(s.Followed.Skipped), "ok")
			for _, one := range s.Emitters {
				t.add(one.Name, fmt.Sprint(one.Seq), fmt.Sprint(one.Refused), orWord(one.Error, "ok"))
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// showLineage prints two tables: what was made of what, and who received it.
func (e *env) showLineage(p *lineage.Picture) {
	st := e.style(e.out)
	t := table{head: true}
	t.add("FROM", "TO", "HOW", "BY", "LAST")
	for _, l := range p.Links {
		how := strings.ToLower(l.How)
		if l.Masking {
			how += ", masked"
		}
		by := l.Job.Name
		if l.Teller != "" {
			by += " (told by " + l.Teller + ")"
		}
		t.add(columnName(l.From), columnName(l.To), orWord(how, "not told"), by, l.Last.Local().Format(time.DateTime))
	}
	if len(p.Links) > 0 {
		t.write(e.out, st, "")
	} else {
		fmt.Fprintln(e.out, "there is nothing beyond it")
	}
	if len(p.Deliveries) > 0 {
		t := table{head: true}
		t.add("RECEIVED BY", "DATASET", "PURPOSE", "LEVEL", "TIMES", "LAST", "POLICY")
		for _, d := range p.Deliveries {
			t.add(string(d.Agent)+"@"+string(d.Domain), d.Dataset.Name, orWord(string(d.Purpose), "-"), d.Level, fmt.Sprint(d.Count),
				d.Last.Local().Format(time.DateTime), d.Policy)
		}
		fmt.Fprintln(e.out)
		t.write(e.out, st, "")
	}
	if p.Cut {
		fmt.Fprintln(e.err, "there is more than is shown")
	}
}

func columnName(c lineage.Column) string {
	s := strings.TrimPrefix(c.Dataset.Namespace, "scrim://") + ":" + c.Dataset.Name
	if c.Field != "" {
		s += " " + c.Field
	}
	return s
}
