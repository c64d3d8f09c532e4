package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	rows "github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
	"github.com/scrimhq/scrim/privacy/deidentify/risk"
)

// anonymizing is what the command was asked for.
type anonymizing struct {
	from                       string // as the command was given it
	plan, to, progress, report string
	resume, dry, restart       bool
	workers                    int
	checkpoint                 time.Duration
	recipient                  question // whom the table is for; without it the table is for nobody outside
	dataset, beside            string
	stream                     bool // records one by one
}

func (e *env) anonymizeCommand() *cobra.Command {
	var a anonymizing
	c := e.command("anonymize SRC --plan FILE -o DST --to AGENT --purpose P [--dataset D] [--resume] [--dry-run]", "Write a table as a plan has it",
		"Reads a table and writes it changed as the plan says: columns dropped, masked, tokenised or coarser, rows generalised and suppressed\n"+
			"until the privacy models hold. What the plan does not name is left out. The table has its final name when everything was\n"+
			"verified, and not before. --dry-run does everything but write. --resume goes on behind what an interrupted run left.\n"+
			"The table is a release: policy decides it for the agent and purpose, and it is on record before it has its name. Manifest, signature,\n"+
			"lineage and risk report are kept beside it (docs/spec/releases.md).\n"+
			"Tables are files by their ending, sqlite:FILE?table=T, postgres://…?table=T, or - for standard input.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if a.stream {
				return e.anonymizeStream(ctx, args[0], a)
			}
			return e.anonymize(ctx, args[0], a)
		})
	f := c.Flags()
	f.StringVar(&a.plan, "plan", "", "the plan (docs/spec/anonymization-plans.md)")
	f.StringVarP(&a.to, "output", "o", "", "where the table goes; it must not be there yet")
	f.StringVar(&a.progress, "progress", "", "json, plain or none; without it plain on a terminal")
	f.StringVar(&a.report, "report", "", "write the risk report there: .json, .html, or text")
	f.BoolVar(&a.resume, "resume", false, "go on behind what an interrupted run left")
	f.BoolVar(&a.restart, "restart", false, "remove what an interrupted run left, and begin anew")
	f.BoolVar(&a.dry, "dry-run", false, "find the recoding and measure, but write nothing")
	f.IntVar(&a.workers, "workers", 0, "how many at once; 0: one for each processor")
	f.DurationVar(&a.checkpoint, "checkpoint", 5*time.Second, "how often what is written is made durable, for --resume")
	f.StringVar(&a.dataset, "dataset", "", "the dataset that the table is of, as a data contract names it")
	f.StringVar(&a.beside, "beside", "", "name before the endings of manifest, lineage and risk report (default: that of a file; needed for a database)")
	f.BoolVar(&a.stream, "stream", false, "records of JSON lines one by one, to standard output or -o FILE, by a plan with stream")
	a.recipient.flags(c)
	f.Lookup("to").Usage = "the agent that the table is for"
	_ = f.MarkHidden("from") // it is the domain's
	c.AddCommand(e.anonymizeExplainCommand(), e.anonymizePlanCommand())
	return c
}

func (e *env) anonymize(ctx context.Context, from string, a anonymizing) error {
	switch {
	case a.plan == "":
		return misuse("--plan names the plan")
	case a.to == "" && !a.dry:
		return misuse("-o names where the table goes, or --dry-run writes nothing")
	case !a.dry && a.recipient.to == "":
		return misuse("--to names the agent that the table is for, so that policy can decide")
	case a.restart && a.resume:
		return misuse("give --resume or --restart, and not both")
	case a.checkpoint <= 0:
		return misuse("--checkpoint is above 0")
	case a.workers < 0:
		return misuse("--workers is 0 or more")
	case !slices.Contains([]string{"", "json", "plain", "none"}, a.progress):
		return misuse("--progress takes json, plain or none")
	}
	a.from = from
	src, err := e.openSource(from)
	if err != nil {
		return err
	}
	defer src.Close()
	tell, end := e.progress(a.progress)
	defer end()
	o := plan.Options{Workers: a.workers, State: stateOf(from), Resume: a.resume, Checkpoint: a.checkpoint, Progress: tell}
	var out plan.Outcome
	if a.dry {
		var compiled *plan.Compiled
		if compiled, err = e.compilePlan(ctx, a.plan, src, nil, nil); err != nil {
			return err
		}
		out, err = plan.Measure(ctx, compiled, src, o)
	} else {
		var dst rows.Target
		if dst, err = e.openTarget(a.to); err != nil {
			return err
		}
		if a.restart {
			if err := dst.Discard(ctx); err != nil {
				return err
			}
		}
		out, err = e.release(ctx, a, src, dst, o)
		err = advice(err, a)
	}
	end()
	if err != nil {
		return err
	}
	e.printOutcome(out, a.dry)
	return writeReport(a.report, out.Risk)
}

// advice says what to do next about errors of a run.
func advice(err error, a anonymizing) error {
	switch {
	case errors.Is(err, rows.ErrExists):
		return refuse("choose another -o; what an interrupted run left is continued with --resume, or removed with --restart", "%s", err)
	case errors.Is(err, rows.ErrPartial):
		return refuse("a run is resumed with the same plan, keys and source only; --restart begins anew", "%s", err)
	}
	return err
}

// stateOf is what the system says of a source that is a file: one of which fields change by themselves is read once, so that its content
// is not known before.
func stateOf(arg string) string {
	info, err := os.Stat(arg)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d bytes of %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
}

// beside opens what a plan refers to, from the plan's directory.
type beside struct {
	e   *env
	dir string
}

func (b beside) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(b.dir, name)
}

func (b beside) Open(name string) (io.ReadCloser, error) { return os.Open(b.path(name)) }
func (b beside) Table(name string) (rows.Source, error)  { return b.e.openSource(b.path(name)) }
func parsePlan(path string) (*plan.Plan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, 2<<20))
	if err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	return plan.Parse(path, raw)
}

func (e *env) compilePlan(ctx context.Context, path string, src rows.Source, keys plan.Keys, labels *flow.Taxonomy) (*plan.Compiled, error) {
	p, err := parsePlan(path)
	if err != nil {
		return nil, err
	}
	p.Taxonomy = labels
	if f, ok := src.(rows.Finder); ok {
		names := make([]string, len(p.Columns))
		for i, c := range p.Columns {
			names[i] = c.Name
		}
		if err := f.Find(names); err != nil {
			return nil, err
		}
	}
	r, err := src.Open(ctx)
	if err != nil {
		return nil, err
	}
	columns := slices.Clone(r.Columns())
	if err := r.Close(); err != nil {
		return nil, err
	}
	return p.Compile(columns, keys, beside{e, filepath.Dir(path)})
}

// progress returns what tells of a run's progress, and what ends telling.
func (e *env) progress(how string) (tell func(plan.Progress), end func()) {
	live := e.style(e.err).on
	if how == "none" || how == "" && !live {
		return nil, func() {}
	}
	var last time.Time
	began, phase := time.Now(), ""
	shown := false
	tell = func(p plan.Progress) {
		now := time.Now()
		if p.Phase != phase {
			phase, began, last = p.Phase, now, time.Time{}
		}
		if now.Sub(last) < time.Second {
			return
		}
		last = now
		perSecond := 0.0
		if d := now.Sub(began).Seconds(); d > 0 {
			perSecond = float64(p.Rows) / d
		}
		if how == "json" {
			_ = json.NewEncoder(e.err).Encode(map[string]any{"phase": p.Phase, "rows": p.Rows, "rows_per_second": int64(perSecond), "share": p.Share})
			return
		}
		text := fmt.Sprintf("%s: %d rows, %.0f a second", p.Phase, p.Rows, perSecond)
		if p.Share >= 0 {
			text += fmt.Sprintf(", %.0f %%", 100*p.Share)
		}
		if live {
			shown = true
			fmt.Fprintf(e.err, "\r\x1b[K%s", text)
			return
		}
		fmt.Fprintln(e.err, text)
	}
	return tell, func() {
		if shown {
			shown = false
			fmt.Fprint(e.err, "\r\x1b[K")
		}
	}
}

func (e *env) printOutcome(o plan.Outcome, dry bool) {
	t := table{}
	t.add("plan", o.Plan)
	if !dry || o.In > 0 {
		t.add("rows", fmt.Sprintf("%d in, %d out, %d suppressed", o.In, o.Out, o.Suppressed))
	}
	if o.Resumed > 0 {
		t.add("resumed", fmt.Sprintf("behind row %d", o.Resumed))
	}
	for _, m := range o.Models {
		t.add("holds", m)
	}
	if len(o.Unseen) > 0 {
		t.add("unseen", strings.Join(o.Unseen, ", ")+": no model looks there, and whoever knows what stands there can tell rows apart")
	}
	for _, l := range o.Levels {
		level := fmt.Sprintf("%s: level %d of 0 to %d", l.Column, l.Level, l.Of-1)
		if l.Level < 0 {
			level = l.Column + ": by class"
		}
		t.add("level", level)
	}
	if o.Risk != nil {
		t.add("classes", fmt.Sprintf("%d, the smallest of %d", o.Classes, o.Smallest))
		t.add("loss", fmt.Sprintf("%.4f", o.Utility.Loss))
		t.add("risk", fmt.Sprintf("highest %.4g before, %.4g after", o.Risk.Before.Prosecutor.Highest, o.Risk.After.Prosecutor.Highest))
	}
	if o.Digest != "" {
		t.add("digest", o.Digest)
	}
	t.write(e.out, e.style(e.out), "")
}

// writeReport writes the risk report in the form that the file's ending names.
func writeReport(path string, r *risk.Report) error {
	if path == "" {
		return nil
	}
	if r == nil {
		return refuse("give columns role: quasi, and a privacy model", "there is no risk report: the plan has no quasi-identifiers")
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".json":
		var b []byte
		if b, err = r.JSON(); err == nil {
			_, err = f.Write(b)
		}
	case ".html":
		err = r.WriteHTML(f)
	default:
		err = r.WriteText(f)
	}
	return errors.Join(err, f.Close())
}

func (e *env) anonymizeExplainCommand() *cobra.Command {
	var path string
	c := e.command("explain SRC --plan FILE", "Say what a plan preserves and what it still reveals",
		"Prints for each column that is released what becomes of it, what that preserves, what it still reveals and whom it stops.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if path == "" {
				return misuse("--plan names the plan")
			}
			src, err := e.openSource(args[0])
			if err != nil {
				return err
			}
			defer src.Close()
			compiled, err := e.compilePlan(ctx, path, src, nil, nil)
			if err != nil {
				return err
			}
			e.explain(compiled)
			return nil
		})
	c.Flags().StringVar(&path, "plan", "", "the plan")
	return c
}

func (e *env) explain(c *plan.Compiled) {
	s := e.style(e.out)
	for _, col := range c.Columns() {
		fmt.Fprintf(e.out, "%s: %s, %s\n", s.bold(col.Name), col.Says.Name, col.Says.Does)
		for _, line := range []struct {
			what  string
			items []string
		}{{"preserves", col.Says.Preserves}, {"reveals", col.Says.Reveals}, {"threat", []string{col.Says.Threat}}} {
			for _, item := range line.items {
				fmt.Fprintf(e.out, "  %-9s  %s\n", line.what, item)
			}
		}
	}
	if unseen := c.Unseen(); len(unseen) > 0 {
		fmt.Fprintf(e.out, "No privacy model looks at %s: whoever knows what stands there can tell rows of one class apart.\n", strings.Join(unseen, ", "))
	}
	p := c.Plan()
	switch {
	case len(p.Privacy) > 0 && p.Subject == "":
		fmt.Fprintln(e.out, "Every row counts as a person of its own; where somebody may have several, name the column as subject.")
	case p.Subject != "":
		fmt.Fprintf(e.out, "Classes count the subjects of column %s; diversity and closeness count rows. Rows keep the source's order:\n", p.Subject)
		fmt.Fprintln(e.out, "where those of one subject stand together there, the order tells that they belong together.")
	}
	fmt.Fprintln(e.out, "Every column that is not listed is left out.")
}
