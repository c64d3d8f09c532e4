package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
	"github.com/scrimhq/scrim/privacy/deidentify/risk"
	"github.com/scrimhq/scrim/store/durable"
)

// The risk report beside a table: the recipient's copy, which rounds what it says of the raw table.
const (
	RiskSuffix     = ".risk.json"
	RiskPageSuffix = ".risk.html"
)

// Planned is a compiled plan with where its table comes from and goes to.
type Planned struct {
	Plan    *plan.Compiled
	Source  table.Source
	Target  table.Target
	Options plan.Options
	Keys    *Keys                                     // of the plan's techniques; nil: it needs none
	Beside  func(suffix string, content []byte) error // as [Job] has it
	Found   map[string]flow.Label                     // what detection says of the source's columns, see [Found]

	Outcome plan.Outcome // what the run did, once it has ended
}

// Job returns the job that carries the plan out. What the plan's models promise is what policy is asked with.
func (p *Planned) Job() Job {
	j := Job{
		Plan: p.Plan.Hash(), Model: Promised(p.Plan.Plan()), Source: p.Source.Name(), Target: p.Target.Name(), Resume: p.Options.Resume, Beside: p.Beside,
	}
	j.Columns = columnsOf(p.Plan, p.Found)
	j.Run = func(ctx context.Context, before func(Outcome) error) error { return p.run(ctx, j.Model, before) }
	return j
}

// columnsOf are the columns of a plan, as policy is asked about them.
func columnsOf(p *plan.Compiled, found map[string]flow.Label) (out []Column) {
	for _, t := range p.Columns() {
		c := Column{Name: t.Name, Label: t.Spec.Label, Found: found[t.Name], Least: t.Spec.Least, Says: t.Says}
		switch t.Spec.Role {
		case "quasi":
			c.Role = Quasi
		case "sensitive":
			c.Role = Sensitive
		}
		out = append(out, c)
	}
	return out
}

func (p *Planned) run(ctx context.Context, promised policy.Model, before func(Outcome) error) error {
	o := p.Options
	theirs := o.Before
	if p.Keys != nil {
		o.Durable = p.Keys.Flush
	}
	o.Before = func(out plan.Outcome) error {
		if p.Keys != nil { // tokens are to be opened from the moment at which they leave
			if err := p.Keys.Flush(); err != nil {
				return fmt.Errorf("keeping what tokens need to be opened: %w", err)
			}
		}
		if err := before(outcomeOf(out, promised)); err != nil {
			return err
		}
		if out.Risk != nil {
			if err := p.report(out.Risk.ForRecipient()); err != nil {
				return err
			}
		}
		if theirs != nil {
			return theirs(out)
		}
		return nil
	}
	var err error
	p.Outcome, err = plan.Run(ctx, p.Plan, p.Source, p.Target, o)
	return err
}

func (p *Planned) report(r *risk.Report) error {
	r.Table = "the table beside this file" // the source's name is the domain's own
	raw, err := r.JSON()
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := r.WriteHTML(&page); err != nil {
		return err
	}
	return errors.Join(p.Beside(RiskSuffix, raw), p.Beside(RiskPageSuffix, page.Bytes()))
}

// outcomeOf says what was measured. What the search enforces and nobody measures again is as promised.
func outcomeOf(out plan.Outcome, promised policy.Model) Outcome {
	o := Outcome{
		Plan: out.Plan, Fingerprint: out.SourceHash, Digest: out.Digest, In: out.In, Out: out.Out, Suppressed: out.Suppressed,
		Model: promised, Levels: map[string]int{},
	}
	for _, l := range out.Levels {
		if l.Level >= 0 {
			o.Levels[l.Column] = l.Level
		}
	}
	if out.Risk == nil || out.Risk.After == nil {
		return o
	}
	if a := out.Risk.After; promised.K > 1 && out.Classes > 0 {
		o.Model.K = int(min(out.Smallest, math.MaxInt32))
		o.Model.Risk = thousandths(a.Prosecutor.Highest)
	}
	return o
}

func thousandths(share float64) int {
	return min(max(int(math.Ceil(share*1000-1e-9)), 1), 1000)
}

// Promised is what a plan's models guarantee of every table that meets them. Of l and t it is the least over all sensitive columns: a
// column that no model is about makes it none. Suppressed rows that are kept are a class of their own, of which no model speaks.
func Promised(p *plan.Plan) policy.Model {
	var m policy.Model
	l, t := map[string]int{}, map[string]int{}
	if s := p.Stream; s.Model == "castle" { // z-anonymity promises no class
		m.K, l[s.Column] = s.K, s.L
	}
	for _, x := range p.Privacy {
		switch x.Model {
		case "k-anonymity":
			m.K = max(m.K, x.K)
		case "l-diversity": // of each kind it follows that there are so many different values
			l[x.Column] = max(l[x.Column], int(x.L.Float()))
		case "t-closeness":
			if n := thousandths(x.T.Float()); t[x.Column] == 0 || n < t[x.Column] {
				t[x.Column] = n
			}
		}
	}
	first := true
	for _, c := range p.Columns {
		if c.Role != "sensitive" {
			continue
		}
		cl, ct := max(l[c.Name], 1), t[c.Name]
		if ct == 0 {
			ct = 1000
		}
		if first {
			m.L, m.T, first = cl, ct, false
		}
		m.L, m.T = min(m.L, cl), max(m.T, ct)
	}
	if p.Suppressed == "stars" {
		return policy.Model{}
	}
	if m.K > 1 {
		m.Risk = thousandths(1 / float64(m.K))
	}
	return m
}

// BesideFile keeps files beside a file: under its name with the suffix, whole and durable or not at all.
func BesideFile(name string) func(suffix string, content []byte) error {
	return func(suffix string, content []byte) (err error) {
		f, err := os.CreateTemp(filepath.Dir(name), ".release-*")
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
			err = os.Rename(f.Name(), name+suffix)
		}
		if err != nil {
			return errors.Join(err, os.Remove(f.Name()))
		}
		return durable.SyncDir(filepath.Dir(name))
	}
}
