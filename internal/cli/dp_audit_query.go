package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/privacy/dp/audit"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/privacy/dp/query/querytest"
)

// queryFlags are those of scrim dp audit query.
type queryFlags struct {
	file, dataset string
	claim         audit.Claim
	exam          querytest.ExamOptions
	options       audit.ThresholdOptions
	asJSON        bool
}

func (e *env) auditQueryCommand() *cobra.Command {
	var q queryFlags
	c := fileFlag(e.command("query [SQL] --dataset NAME [--epsilon E] [--json]", "Audit questions about a dataset as it is declared",
		"Makes databases up that the declaration of the dataset allows (values beyond their bounds and of no kind, NULLs, units with rows in\n"+
			"many groups), takes one unit out of each, and compares what the compiled question computes of both, before noise, with what its plan\n"+
			"declares that one unit can change. Without SQL it makes questions up, of every construct of the language. A question that is given is\n"+
			"then asked with its noise, and ε bounded by the answers. Neither the dataset's source nor its ledger is touched. The exit status is\n"+
			"1 if a unit changed more than is declared, or ε is refuted.", cobra.MaximumNArgs(1), nil), &q.file)
	c.RunE = func(_ *cobra.Command, args []string) error {
		e.began = true
		switch {
		case q.dataset == "":
			return misuse("--dataset is needed: which one are the questions about?")
		case !(q.claim.Epsilon > 0 && q.claim.Epsilon <= 64):
			return misuse("--epsilon must be more than 0 and at most 64")
		case q.exam.Databases < 1 || q.exam.Databases > 100_000:
			return misuse("--databases must be at least 1 and at most 100000")
		case q.exam.Questions < 1 || q.exam.Questions > 10_000:
			return misuse("--questions must be at least 1 and at most 10000")
		}
		sql := ""
		if len(args) == 1 {
			sql = args[0]
		} else if c.Flags().Changed("epsilon") || c.Flags().Changed("samples") {
			return misuse("--epsilon and --samples belong to a question in SQL")
		}
		return e.auditQuery(c.Context(), &q, sql)
	}
	f := c.Flags()
	f.StringVar(&q.dataset, "dataset", "", "a dataset of the configuration that answers questions in SQL")
	f.Float64Var(&q.claim.Epsilon, "epsilon", 2, "the ε that the question is asked with; audits see best between 1 and 3")
	f.IntVar(&q.exam.Databases, "databases", 20, "how many are made up")
	f.IntVar(&q.exam.Questions, "questions", 50, "how many are made up for each database, without SQL, and a quarter as many times several together")
	f.Uint64Var(&q.exam.Seed, "seed", 1, "of what is made up: the same makes the same")
	f.IntVar(&q.options.Samples, "samples", 10_000, "answers with noise from each side")
	f.Float64Var(&q.options.Alpha, "alpha", 1e-6, "how often the bound of ε may be wrong")
	f.BoolVar(&q.asJSON, "json", false, "print JSON")
	return c
}

// queryReport is what scrim dp audit query prints.
type queryReport struct {
	Dataset   string         `json:"dataset"`
	Databases int            `json:"databases"`
	Asked     int            `json:"asked,omitempty"`    // questions that were made up
	Compiled  int            `json:"compiled,omitempty"` // of which so many are taken
	Compared  int            `json:"compared"`           // questions over two neighbouring databases
	Differed  int            `json:"differed"`           // in which the unit showed, before noise
	Exceeded  []string       `json:"exceeded,omitempty"` // what was more than is declared, each once
	Numbers   []auditedSum   `json:"numbers,omitempty"`  // of the question
	Finding   *audit.Finding `json:"finding,omitempty"`  // with noise
	Seconds   float64        `json:"seconds"`
	auditVerdict
}

// auditedSum is how far one unit moved a number of a question in one group, and how far it may.
type auditedSum struct {
	Number   int    `json:"number"`
	Of       string `json:"of"` // the aggregate that is made of it
	Moved    string `json:"moved"`
	Declared int64  `json:"declared"`
}

// queried is a dataset of the configuration that can be asked.
func (e *env) queried(q *queryFlags) (*query.Dataset, error) {
	c, err := e.load(q.file)
	if err != nil {
		return nil, err
	}
	if d := c.Queried(q.dataset); d != nil {
		return d, nil
	}
	return nil, misuse("%s has no dataset %q that answers questions in SQL; it has: %s", c.File(), q.dataset, orNone(askedDatasets(c)))
}

func askedDatasets(c *config.Config) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(c.Datasets)), func(n string) bool { return c.Queried(n) == nil })
}

func (e *env) auditQuery(ctx context.Context, q *queryFlags, sql string) error {
	d, err := e.queried(q)
	if err != nil {
		return err
	}
	began := time.Now()
	r := queryReport{Dataset: q.dataset, Databases: q.exam.Databases}
	if sql == "" {
		err = r.exam(ctx, q, d)
	} else {
		err = r.question(ctx, q, d, sql)
	}
	if err != nil {
		return auditMistake(err, mechanismNames)
	}
	r.Seconds = time.Since(began).Seconds()
	r.auditVerdict = auditVerdict{
		Verdict: notRefuted,
		Sees:    "what questions compute of databases that were made up, without noise, and single answers with it; not time, errors, memory or several answers together",
		Proves: []string{
			"Not refuted is no proof: other databases may show more. The proof is in docs/spec/dp-sql.md.",
			"It is computed in memory; that a source computes the same is what the tests of its engine hold.",
			"Whether the declaration fits the data (whose a row is, which tables are public) nothing here sees.",
		},
	}
	if len(r.Exceeded) > 0 || r.Finding != nil && r.Finding.Refuted {
		r.Verdict = refuted
		r.Proves = []string{"One unit changes more than the noise was made for: answers to this are not private. This is a bug of scrim's; please report it."}
	}
	if q.asJSON {
		if err := e.printJSON(r); err != nil {
			return err
		}
		return r.ended()
	}
	e.printQuery(&r)
	return r.ended()
}

// exam compares made-up questions.
func (r *queryReport) exam(ctx context.Context, q *queryFlags, d *query.Dataset) error {
	report, err := querytest.Exam(ctx, d, inMemory, q.exam)
	if err != nil {
		return err
	}
	r.Asked, r.Compiled = report.Asked, report.Compiled
	r.add(report)
	return nil
}

func inMemory(db querytest.Database) (relation.Engine, error) { return db.Engine(), nil }

func (r *queryReport) add(report querytest.Report) {
	r.Compared, r.Differed = report.Compared, report.Differed
	for _, c := range report.Found {
		for _, f := range c.Found {
			if !slices.Contains(r.Exceeded, f) {
				r.Exceeded = append(r.Exceeded, f)
			}
		}
	}
}

// question compares one question, and asks it with noise.
func (r *queryReport) question(ctx context.Context, q *queryFlags, d *query.Dataset, sql string) error {
	plan, err := query.Compile(d, query.Question{Dataset: q.dataset, SQL: sql})
	if err != nil {
		return notAsked(err)
	}
	const selection = 1_000_000_000 // femto
	priced, err := plan.Price(query.Terms{Epsilon: int64(q.claim.Epsilon * 1e9), SelectionDelta: selection, Noise: query.LaplaceNoise})
	if err != nil {
		return notAsked(err)
	}
	if plan.Private() {
		q.claim.Delta = selection / 1e15
	}
	for i, m := range plan.Measures {
		n := auditedSum{Number: i + 1, Moved: "0", Declared: m.Most}
		for _, a := range plan.Aggregates {
			if n.Of == "" && slices.Contains(a.Measures, i) {
				n.Of = a.Text
			}
		}
		r.Numbers = append(r.Numbers, n)
	}
	o := q.exam
	o.Questions, o.Plans = -1, []*query.Plan{plan}
	most := make([]querytest.Measure, len(plan.Measures))
	o.Each = func(c querytest.Compared) {
		for i, m := range c.Moved.Measures[:min(len(c.Moved.Measures), len(most))] {
			if most[i].Largest == nil || m.Largest.Cmp(most[i].Largest) > 0 {
				most[i] = m
				r.Numbers[i].Moved = m.Largest.String()
			}
		}
	}
	report, err := querytest.Exam(ctx, d, inMemory, o)
	if err != nil {
		return err
	}
	r.add(report)
	rng := rand.New(rand.NewPCG(q.exam.Seed, 0))
	with := querytest.Random(rng, d, querytest.Options{Units: 200}) // so many that groups with private keys are selected
	column := slices.IndexFunc(plan.Columns, func(c query.Output) bool { _, key := c.Expr.(query.PostKey); return !key })
	without := with.Neighbours(rng, 1)
	if column < 0 || len(without) == 0 {
		return nil
	}
	pair, err := querytest.Pair(ctx, priced, relation.Seed{}, with.Engine(), without[0].Engine(), column)
	if err != nil {
		return err
	}
	f, err := audit.Threshold(ctx, pair, q.claim, q.options)
	r.Finding = &f
	return err
}

// notAsked is a question that is refused before anything is audited.
func notAsked(err error) error {
	if e, ok := errors.AsType[*query.Error](err); ok {
		return refuse(e.Hint, "line %d, column %d: %s", e.Line, e.Column, e.Text)
	}
	if e, ok := errors.AsType[*syntax.Error](err); ok {
		return refuse(e.Hint, "line %d, column %d: %s", e.Line, e.Column, e.Text)
	}
	return err
}

func (e *env) printQuery(r *queryReport) {
	e.auditLine("dataset", "%s, as it is declared; %d databases made up", r.Dataset, r.Databases)
	if r.Asked > 0 {
		e.auditLine("questions", "%d made up, of which %d are taken", r.Asked, r.Compiled)
	}
	e.auditLine("compared", "%d questions over neighbours; one unit showed in %d, before noise", r.Compared, r.Differed)
	for _, n := range r.Numbers {
		e.auditLine(fmt.Sprintf("number %d", n.Number), "of %s: one unit moved it by %s in a group, declared %d", n.Of, n.Moved, n.Declared)
	}
	for _, f := range r.Exceeded {
		e.auditLine("exceeded", "%s", f)
	}
	if f := r.Finding; f != nil {
		e.auditLine("claim", "%s", claimed(audit.Claim{Epsilon: f.Claimed, Delta: f.Delta}))
		e.auditLine("bound", "ε ≥ %.3f at δ = %g; wrong with probability at most %g (%s, %d answers a side, %.1f s)", f.Lower, f.Delta, f.Alpha, f.Method, f.Samples, r.Seconds)
	}
	e.printVerdict(r.auditVerdict)
}
