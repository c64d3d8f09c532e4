package plan

import (
	"context"
	"fmt"
	"math"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
	"github.com/scrimhq/scrim/privacy/deidentify/risk"
)

// describe fills in what the solution is, and what risk it leaves.
func (r *recoding) describe(out *Outcome) error {
	s := r.solution
	out.In, out.Suppressed = r.rows, r.suppressed()
	out.Out, out.Unseen = out.In-out.Suppressed, r.c.Unseen()
	if r.c.plan.Suppressed == "stars" {
		out.Out = out.In
	}
	for _, m := range r.models() {
		out.Models = append(out.Models, m.String())
	}
	for i, at := range r.quasiAt {
		l := Level{Column: r.c.needed[at], Level: -1, Of: r.quasi[i].Levels()}
		if s.Levels != nil {
			l.Level = s.Levels[i]
		}
		out.Levels = append(out.Levels, l)
	}
	out.Score, out.Utility, out.Nodes, out.Checked = s.Score, s.Utility, s.Nodes, s.Checked
	sizes := risk.Sizes{}
	out.Smallest = math.MaxInt64
	for class := range r.sizes {
		if n := r.members(class); n > 0 {
			sizes.Add(n)
			out.Classes++
			out.Smallest = min(out.Smallest, n)
		}
	}
	if out.Classes == 0 {
		out.Smallest = 0
	}
	var err error
	out.Risk, err = r.measureRisk(out, sizes)
	return err
}

// members is how many rows, or subjects where the plan names them, a class is released with; 0 if it is suppressed.
func (r *recoding) members(class int) int64 {
	switch {
	case r.short[class]:
		return 0
	case r.subjects != nil:
		return r.subjects[class]
	}
	return r.sizes[class]
}

func (r *recoding) measureRisk(out *Outcome, sizes risk.Sizes) (*risk.Report, error) {
	p := r.c.plan
	before := risk.Sizes{}
	for i := range r.table.Len() {
		before.Add(int64(r.table.Count(i)))
	}
	in := risk.Input{
		Table: r.source, Models: out.Models,
		Before:     risk.State{Sizes: before, Suppressed: r.uncovered},
		After:      &risk.State{Sizes: sizes, Suppressed: out.Suppressed, Kept: p.Suppressed == "stars"},
		Population: risk.Population{Persons: p.Population.Size},
		Utility: &risk.Utility{
			Loss: out.Score, NonUniform: out.Utility.NonUniformEntropy, Discernibility: out.Utility.Discernibility,
			AverageClass: out.Utility.AverageClassSize, SuppressedShare: float64(out.Suppressed) / float64(max(out.In, 1)),
		},
	}
	in.Utility.Loss = out.Utility.Loss
	for i, l := range out.Levels {
		in.Columns = append(in.Columns, l.Column)
		c := risk.Column{Name: l.Column, Level: l.Level, Levels: l.Of}
		if i < len(out.Utility.LossOf) {
			c.Loss = out.Utility.LossOf[i]
		}
		in.Utility.Columns = append(in.Utility.Columns, c)
	}
	for _, m := range p.Privacy {
		in.K = max(in.K, int64(m.K))
	}
	if t, ok := p.Risk.Threshold.Float(); ok {
		in.Thresholds = []float64{t}
	}
	if r.population != nil && r.subjects == nil {
		in.After.Matches = map[risk.Match]int64{}
		for class := range r.sizes {
			if n := r.members(class); n > 0 {
				in.After.Matches[risk.Match{Rows: n, Persons: r.solution.People(class)}]++
			}
		}
	}
	return risk.Measure(in)
}

// withinRisk holds the measured risk against the plan's limits. The errors wrap [ErrRisk] and name the figure.
func (p *Plan) withinRisk(r *risk.Report) error {
	after := r.After
	atRisk := 0.0
	for _, a := range after.Prosecutor.AtRisk {
		atRisk = max(atRisk, a.Share)
	}
	u := after.Uniqueness
	if p.Risk.Unique != "" && u.Taken == risk.None {
		return fmt.Errorf("uniqueness in the population cannot be estimated: %w", ErrRisk)
	}
	for _, f := range []struct {
		name  string
		limit Share
		got   float64
	}{
		{"the greatest chance of a row", p.Risk.Highest, after.Prosecutor.Highest},
		{"the share of rows at risk", p.Risk.AtRisk, atRisk},
		{"the mean chance", p.Risk.Average, after.Marketer.Share},
		{"the greatest chance against the population", p.Risk.Journalist, after.Journalist.Highest},
		{"the share of rows unique in the population", p.Risk.Unique, u.Share},
	} {
		if limit, ok := f.limit.Float(); ok && !(f.got <= limit) {
			return fmt.Errorf("%s is %.4g and may be %s: %w", f.name, f.got, f.limit, ErrRisk)
		}
	}
	return nil
}

// Raw measures the risk of a table as it stands, by these quasi-identifiers.
func Raw(ctx context.Context, src table.Source, quasi []string, o Options) (*risk.Report, error) {
	codings := make([]*anonymity.Coding, len(quasi))
	for i := range codings {
		codings[i] = anonymity.PlainCoding()
	}
	builders := make([]*anonymity.Builder, o.workers())
	codes := make([][]uint32, len(builders))
	for i := range builders {
		builders[i], codes[i] = anonymity.NewBuilder(len(quasi), 0), make([]uint32, len(quasi))
	}
	err := each(ctx, src, quasi, func(worker int, b *table.Batch) error {
		for i := range b.Rows {
			for j, cell := range b.Row(i) {
				code, err := codeOf(codings[j], cell.Kind, cell.Text)
				if err != nil {
					return cellError(src.Name(), b.First+int64(i), quasi[j], err)
				}
				codes[worker][j] = code
			}
			builders[worker].Add(codes[worker], nil)
		}
		return nil
	}, o, "reading", 0)
	if err != nil {
		return nil, err
	}
	attributes := make([]anonymity.Attribute, len(quasi))
	for i, c := range codings {
		if err := c.Fix(); err != nil {
			return nil, err
		}
		attributes[i] = c.Attribute(quasi[i])
	}
	for _, b := range builders[1:] {
		if err := builders[0].Merge(b); err != nil {
			return nil, err
		}
	}
	t, err := builders[0].Table(attributes, nil)
	if err != nil {
		return nil, err
	}
	sizes := risk.Sizes{}
	for i := range t.Len() {
		sizes.Add(int64(t.Count(i)))
	}
	return risk.Measure(risk.Input{Table: src.Name(), Columns: quasi, Before: risk.State{Sizes: sizes}})
}
