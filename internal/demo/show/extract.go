package show

import (
	"bytes"
	"context"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
	"github.com/scrimhq/scrim/privacy/deidentify/risk"
)

// labExtract is the table that the lab gets, in the lab's directory, and labPlan the plan for it, in the hospital's.
const (
	labExtract = "received/registry.csv"
	labPlan    = "plans/lab-extract.yaml"
)

// extract is what became of the hospital's registry on its way to the lab.
type extract struct {
	manifest *release.Manifest // as the lab checked it
	outcome  plan.Outcome
	columns  []became
	who      string // of whom columns tells
	alike    int    // rows of the extract that fit them
	raw, out risk.Outcome
}

// became is a column of the registry.
type became struct{ name, was, is, how string }

// folder opens what a plan refers to.
type folder string

func (f folder) Open(name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), name))
}

func (f folder) Table(name string) (table.Source, error) {
	return csv.File(filepath.Join(string(f), name), csv.Options{})
}

// extracted has the hospital release an extract to the lab, which checks it; then somebody who knows everybody attacks it.
func (s *system) extracted(ctx context.Context, f *facts) error {
	from, to := filepath.Join(s.dir, demo.Registry), filepath.Join(s.dir, string(demo.Lab), filepath.FromSlash(labExtract))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("making room for the extract: %w", err)
	}
	var err error
	if f.extract.outcome, err = s.release(ctx, from, to); err != nil {
		return fmt.Errorf("releasing the extract: %w", err)
	}
	if f.extract.manifest, err = s.checkedByLab(to); err != nil {
		return fmt.Errorf("checking the extract: %w", err)
	}
	return f.extract.attack(from, to)
}

// release goes the road of the command anonymize, within the running gateway's process.
func (s *system) release(ctx context.Context, from, to string) (_ plan.Outcome, err error) {
	g := s.gateways[demo.Hospital]
	snap := g.Gateway.Snapshot()
	order := release.Order{Dataset: "registry", To: demo.Cohort, Purpose: "research", Criticality: flow.Routine}
	src, err := csv.File(from, csv.Options{})
	if err != nil {
		return plan.Outcome{}, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	file := g.Config().Path(filepath.FromSlash(labPlan))
	written, err := os.ReadFile(file)
	if err != nil {
		return plan.Outcome{}, err
	}
	p, err := plan.Parse(labPlan, written)
	if err != nil {
		return plan.Outcome{}, err
	}
	r, err := src.Open(ctx)
	if err != nil {
		return plan.Outcome{}, err
	}
	columns := slices.Clone(r.Columns())
	if err := r.Close(); err != nil {
		return plan.Outcome{}, err
	}
	job := &release.Planned{Source: src, Target: csv.Target(to, csv.Options{}), Beside: release.BesideFile(to)}
	job.Keys = release.NewKeys(ctx, g.Vault, g.Keys, snap.Taxonomy, snap.Agents[order.To].Party.Domain, snap.Group(order.Purpose))
	if job.Plan, err = p.Compile(columns, job.Keys, folder(filepath.Dir(file))); err != nil {
		return plan.Outcome{}, err
	}
	if job.Found, err = release.Found(ctx, snap.Detector, snap.Taxonomy, src); err != nil {
		return plan.Outcome{}, err
	}
	_, err = g.Office().Release(ctx, snap, order, job.Job())
	return job.Outcome, err
}

// releaseKey is the key by which the lab checks what the hospital releases.
func (s *system) releaseKey() string {
	return release.VerifierKey(demo.Hospital, s.gateways[demo.Hospital].LogKey())
}

// checkedByLab checks the table by what lies beside it.
func (s *system) checkedByLab(name string) (*release.Manifest, error) {
	manifest, err := os.ReadFile(name + release.ManifestSuffix)
	if err != nil {
		return nil, err
	}
	signature, err := os.ReadFile(name + release.SignatureSuffix)
	if err != nil {
		return nil, err
	}
	m, err := release.Verify(s.releaseKey(), manifest, signature)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return m, m.Check(bytes.NewReader(content))
}

// sheet is a table in memory.
type sheet struct {
	head []string
	rows [][]string
}

func readSheet(name string) (sheet, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return sheet{}, err
	}
	all, err := stdcsv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil || len(all) == 0 {
		return sheet{}, errors.Join(err, errors.New("the table has no head"))
	}
	return sheet{all[0], all[1:]}, nil
}

// pick are a row's cells of these columns.
func (t sheet) pick(row, names []string) []string {
	var all []string
	for _, name := range names {
		if at := slices.Index(t.head, name); at >= 0 {
			all = append(all, row[at])
		}
	}
	return all
}

// covers reports whether what the extract shows of a quasi-identifier may stand for a value.
func covers(_ int, shown, known string) bool {
	if decade, ok := strings.CutSuffix(shown, "0s"); ok {
		return strings.HasPrefix(known, decade)
	}
	return strings.HasPrefix(known, strings.TrimRight(shown, "*"))
}

// attack looks for everybody of the raw table, by all their quasi-identifiers, in the raw table and in the extract.
func (x *extract) attack(from, to string) error {
	raw, err := readSheet(from)
	if err != nil {
		return err
	}
	out, err := readSheet(to)
	if err != nil {
		return err
	}
	var quasi []string
	for _, c := range x.manifest.Columns {
		if c.Role == release.Quasi.String() {
			quasi = append(quasi, c.Name)
		}
	}
	var register []risk.Person
	var before, after []risk.Row
	for _, row := range raw.rows {
		known := raw.pick(row, quasi)
		register = append(register, risk.Person{Name: row[0], Known: known})
		before = append(before, risk.Row{Subject: row[0], Shown: known})
	}
	for _, row := range out.rows {
		after = append(after, risk.Row{Shown: out.pick(row, quasi)}) // nobody can say whose it is
	}
	if x.raw, err = risk.Link(register, before, nil); err != nil {
		return err
	}
	if x.out, err = risk.Link(register, after, covers); err != nil {
		return err
	}
	x.example(raw, out, register, after)
	return nil
}

// example takes the first person whom rows of the extract fit, and tells what became of each column.
func (x *extract) example(raw, out sheet, register []risk.Person, after []risk.Row) {
	for i, p := range register {
		var fit []int
		for n, row := range after {
			all := true
			for c, shown := range row.Shown {
				all = all && covers(c, shown, p.Known[c])
			}
			if all {
				fit = append(fit, n)
			}
		}
		if len(fit) == 0 {
			continue
		}
		x.who, x.alike = strings.Join(raw.pick(raw.rows[i], []string{"name"}), ""), len(fit)
		for c, name := range raw.head {
			x.columns = append(x.columns, x.became(name, raw.rows[i][c], out, fit))
		}
		return
	}
}

func (x *extract) became(name, was string, out sheet, fit []int) became {
	b := became{name: name, was: was, is: "-", how: "left out"}
	for _, c := range x.manifest.Columns {
		if c.Name != name {
			continue
		}
		values := map[string]bool{}
		for _, n := range fit {
			b.is = out.pick(out.rows[n], []string{name})[0]
			values[b.is] = true
		}
		b.how = c.Technique
		if c.Param != "" {
			b.how = string(c.Param)
		}
		if c.Step != nil {
			b.how = "as it is"
			if *c.Step > 0 {
				b.how = x.level(name)
			}
		}
		if n := len(values); n > 1 {
			b.is = fmt.Sprintf("one of %d", n)
		}
		if c.Role == release.Sensitive.String() {
			b.how += "; sensitive, diverse in every group"
		}
	}
	return b
}

// level says how far a quasi-identifier is generalised.
func (x *extract) level(name string) string {
	for _, l := range x.outcome.Levels {
		if l.Column == name {
			return fmt.Sprintf("generalised, step %d of %d", l.Level, l.Of-1)
		}
	}
	return "generalised"
}

func (p *printer) extracted(f *facts) {
	x := &f.extract
	m := x.manifest
	p.heading(5, "A table for research, in which nobody is found")
	p.para(3, "", plain, words(plain, fmt.Sprintf("The hospital released its registry to the %s's %s for %s, as a plan has it and a policy permits: k %d, l %d at least. "+
		"What became of %s:", m.To.Domain, m.To.Agent, m.Purpose, m.Promised.K, m.Promised.L, x.who)))
	p.line("")
	var rows [][]cell
	for _, c := range x.columns {
		is := cell{c.is, other}
		switch c.is {
		case c.was:
			is.how = good
		case "-":
			is.how = bad
		}
		rows = append(rows, []cell{{c.name, faint}, {c.was, plain}, is, {c.how, plain}})
	}
	p.table(3, []string{"", "registry", "extract", "how"}, rows)
	p.line("")
	o := x.outcome
	p.para(3, "rows", faint, words(plain, fmt.Sprintf("%d in, %d out, %d suppressed", o.In, o.Out, o.Suppressed)))
	p.para(3, "groups", faint, words(plain, fmt.Sprintf("%d, the smallest of %d rows that look alike; %d like %s's", o.Classes, o.Smallest, x.alike, x.who)))
	p.para(3, "highest risk", faint, words(plain, fmt.Sprintf("%s before, %s after", percent(o.Risk.Before.Prosecutor.Highest), percent(o.Risk.After.Prosecutor.Highest))))
	p.para(3, "checked", faint, append(words(good, "fits:"), words(plain, fmt.Sprintf(
		"the lab checked signature and digest; manifest, lineage and risk report lie beside the table; entry %d of the hospital's journal", m.Receipt.Seq))...))
	p.para(3, "an attack", bold, words(plain, fmt.Sprintf("by somebody who knows %s of all %d patients:", and(x.quasi()), x.raw.Persons)))
	p.para(3, "in the registry", faint, words(bad, fmt.Sprintf("%d of %d found", x.raw.Correct, x.raw.Persons)))
	p.para(3, "in the extract", faint, words(good, fmt.Sprintf("%d of %d found", x.out.Claimed, x.out.Persons)))
}

// quasi are the names of the quasi-identifiers, in words.
func (x *extract) quasi() []string {
	var all []string
	for _, c := range x.manifest.Columns {
		if c.Role == release.Quasi.String() {
			all = append(all, strings.ReplaceAll(c.Name, "_", " "))
		}
	}
	return all
}

func and(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
