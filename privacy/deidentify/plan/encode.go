package plan

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
)

// recoding is what the first reading gives: the table as the models see it, and the solution.
type recoding struct {
	c         *Compiled
	source    string              // name, for errors
	quasi     []*anonymity.Coding // by number
	sensitive []*anonymity.Coding
	quasiAt   []int // of the columns that are read
	sensAt    []int
	listed    []bool // of sensitive: it has a hierarchy

	rows, uncovered int64
	table           *anonymity.Table
	population      *anonymity.Table
	solution        *anonymity.Solution
	options         anonymity.Options
	short           []bool  // classes that are suppressed beside those of the solution: too few subjects in them
	sizes           []int64 // rows that a class is released with
	subjects        []int64 // subjects of a class; nil where every row is one
}

func (c *Compiled) recoding(source string) (*recoding, error) {
	r := &recoding{c: c, source: source}
	for i, col := range c.cols {
		if col.quasi >= 0 {
			coding, err := col.spec.coding((&compiler{c: c, p: c.plan, contents: map[string][]byte{}}).open)
			if err != nil {
				return nil, err
			}
			r.quasi, r.quasiAt = append(r.quasi, coding), append(r.quasiAt, i)
		}
		if col.sensitive >= 0 {
			coding, err := c.sensitiveCoding(col.spec.Name)
			if err != nil {
				return nil, err
			}
			r.sensitive, r.sensAt, r.listed = append(r.sensitive, coding), append(r.sensAt, i), append(r.listed, c.sensitiveTree(col.spec.Name) != "")
		}
	}
	return r, nil
}

// sensitiveCoding is by what the models compare the values of a column: a hierarchy, an order of numbers, or equality.
func (c *Compiled) sensitiveCoding(name string) (*anonymity.Coding, error) {
	tree := c.sensitiveTree(name)
	if tree == "" {
		return anonymity.ValueCoding(), nil
	}
	f, err := c.files.Open(tree)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return anonymity.ReadListed(f)
}

// sensitiveTree is the hierarchy of a sensitive column, or "".
func (c *Compiled) sensitiveTree(name string) string {
	for _, m := range c.plan.Privacy {
		if m.Column == name && m.Hierarchy != "" {
			return m.Hierarchy
		}
	}
	return ""
}

// encoder turns rows into codes. It is used by one goroutine.
type encoder struct {
	r         *recoding
	quasi     []uint32
	sensitive []uint32
	scratch   []byte
	alike     []byte
}

func (r *recoding) encoder() *encoder {
	return &encoder{r: r, quasi: make([]uint32, len(r.quasi)), sensitive: make([]uint32, len(r.sensitive))}
}

func codeOf(coding *anonymity.Coding, kind table.Kind, text []byte) (uint32, error) {
	if kind == table.Null {
		return coding.Missing()
	}
	return coding.Code(text)
}

// codes sets quasi and, if asked for, sensitive to the codes of a row. It reports false for a row that is to be suppressed as a
// hierarchy does not cover it.
func (e *encoder) codes(row []table.Cell, number int64, sensitive bool) (bool, error) {
	for i, at := range e.r.quasiAt {
		code, err := codeOf(e.r.quasi[i], row[at].Kind, row[at].Text)
		if errors.Is(err, anonymity.ErrUncovered) && e.r.c.plan.Uncovered == "suppress" {
			return false, nil
		}
		if err != nil {
			return false, e.r.cellError(number, at, err)
		}
		e.quasi[i] = code
	}
	if !sensitive {
		return true, nil
	}
	for i, at := range e.r.sensAt {
		// The models look at what is released, not at what was there: two values that become one are one.
		col := &e.r.c.cols[at]
		kind, text := row[at].Kind, row[at].Text
		if !col.keep {
			var err error
			if kind, text, err = col.apply(&e.scratch, row, at); err != nil {
				return false, e.r.cellError(number, at, err)
			}
		}
		if !e.r.listed[i] { // what a hierarchy lists is looked up as it is spelled
			if e.alike = appendAlike(e.alike[:0], text); len(e.alike) == 0 {
				kind = table.Null
			}
			text = e.alike
		}
		code, err := codeOf(e.r.sensitive[i], kind, text)
		if err != nil {
			return false, e.r.cellError(number, at, err)
		}
		e.sensitive[i] = code
	}
	return true, nil
}

func (r *recoding) cellError(row int64, at int, err error) error {
	return cellError(r.source, row, r.c.needed[at], err)
}

func cellError(source string, row int64, column string, err error) error {
	return &table.Error{Table: source, Row: row, Column: column, Why: err.Error(), Err: err}
}

// errNested is for arrays and objects, which techniques do not look into.
var errNested = errors.New("an array or object can be kept or dropped, and nothing between")

// apply returns what the technique makes of a cell, in the scratch memory, which it overwrites.
func (col *column) apply(scratch *[]byte, row []table.Cell, at int) (table.Kind, []byte, error) {
	*scratch = (*scratch)[:0]
	return col.append(scratch, row, at)
}

// append puts what the technique makes of a cell behind what is in the arena.
func (col *column) append(arena *[]byte, row []table.Cell, at int) (table.Kind, []byte, error) {
	cell := row[at]
	if cell.Kind == table.Nested {
		return table.Null, nil, errNested
	}
	var subject []byte
	if col.subject >= 0 && row[col.subject].Kind != table.Null {
		subject = row[col.subject].Text
	}
	from := len(*arena)
	out, kind, err := col.technique.Apply(*arena, deidentify.Value{Kind: deidentify.Kind(cell.Kind), Text: cell.Text}, subject)
	*arena = out
	if err != nil || kind == deidentify.Null {
		return table.Null, nil, err
	}
	return table.Kind(kind), out[from:len(out):len(out)], nil
}

// read is the first reading: it fills the table of combinations.
func (r *recoding) read(ctx context.Context, src table.Source, o Options) error {
	workers := o.workers()
	builders := make([]*anonymity.Builder, workers)
	encoders := make([]*encoder, workers)
	for i := range builders {
		builders[i], encoders[i] = anonymity.NewBuilder(len(r.quasi), len(r.sensitive)), r.encoder()
	}
	var rows, uncovered atomic.Int64
	err := each(ctx, src, r.c.needed, func(worker int, b *table.Batch) error {
		e, builder := encoders[worker], builders[worker]
		for i := range b.Rows {
			covered, err := e.codes(b.Row(i), b.First+int64(i), true)
			if err != nil {
				return err
			}
			if covered {
				builder.Add(e.quasi, e.sensitive)
			} else {
				uncovered.Add(1)
			}
		}
		rows.Add(int64(b.Rows))
		return nil
	}, o, "reading", 0)
	if err != nil {
		return err
	}
	r.rows, r.uncovered = rows.Load(), uncovered.Load()
	people, err := r.readPopulation(ctx, o)
	if err != nil {
		return err
	}
	for _, coding := range append(slices.Clone(r.quasi), r.sensitive...) {
		if err := coding.Fix(); err != nil {
			return err
		}
	}
	for _, b := range builders[1:] {
		if err := builders[0].Merge(b); err != nil {
			return err
		}
	}
	var sensitive []anonymity.Sensitive
	for i, at := range r.sensAt {
		sensitive = append(sensitive, r.sensitive[i].Sensitive(r.c.needed[at]))
	}
	if people != nil {
		if r.population, err = people.Table(r.attributes(), nil); err != nil {
			return err
		}
	}
	r.table, err = builders[0].Table(r.attributes(), sensitive)
	return err
}

func (r *recoding) attributes() []anonymity.Attribute {
	var out []anonymity.Attribute
	for i, at := range r.quasiAt {
		a, spec := r.quasi[i].Attribute(r.c.needed[at]), r.c.cols[at].spec
		a.Least, a.Most = spec.Least, spec.Most
		if spec.Weight != "" {
			a.Weight = spec.Weight.Float()
		}
		out = append(out, a)
	}
	return out
}

// readPopulation reads whom the table is a sample of, by the same columns; nil if no table of them is named.
func (r *recoding) readPopulation(ctx context.Context, o Options) (*anonymity.Builder, error) {
	if r.c.plan.Population.File == "" {
		return nil, nil
	}
	src, err := r.c.files.Table(r.c.plan.Population.File)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	var names []string
	for _, at := range r.quasiAt {
		names = append(names, r.c.needed[at])
	}
	builder, codes := anonymity.NewBuilder(len(names), 0), make([]uint32, len(names))
	o.Workers = 1
	err = each(ctx, src, names, func(_ int, b *table.Batch) error {
	rows:
		for i := range b.Rows {
			for j, cell := range b.Row(i) {
				code, err := codeOf(r.quasi[j], cell.Kind, cell.Text)
				if errors.Is(err, anonymity.ErrUncovered) && r.c.plan.Uncovered == "suppress" {
					continue rows // nobody of the table can be taken for this one
				}
				if err != nil {
					return cellError(src.Name(), b.First+int64(i), names[j], err)
				}
				codes[j] = code
			}
			builder.Add(codes, nil)
		}
		return nil
	}, o, "reading the population", 0)
	return builder, err
}

// each reads columns of a source to its end.
func each(ctx context.Context, src table.Source, names []string, look func(int, *table.Batch) error, o Options, phase string, total int64) error {
	opened, err := src.Open(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	reader, err := table.Select(src.Name(), opened, names)
	if err != nil {
		return err
	}
	return table.Each(ctx, reader, look, table.Options{Workers: o.workers(), Progress: o.told(phase, total)})
}

// models are the plan's as package anonymity has them.
func (r *recoding) models() []anonymity.Model {
	var out []anonymity.Model
	for _, m := range r.c.plan.Privacy {
		l := int(math.Ceil(m.L.Float()))
		switch m.Model + " " + m.Kind + m.Distance {
		case "k-anonymity ":
			out = append(out, anonymity.KAnonymity{K: m.K})
		case "k-map ":
			out = append(out, anonymity.KMap{K: m.K, Population: r.population})
		case "delta-presence ":
			out = append(out, anonymity.DeltaPresence{Least: m.Least.Float(), Most: m.Most.Float(), Population: r.population})
		case "l-diversity distinct":
			out = append(out, anonymity.DistinctLDiversity{Of: m.Column, L: l})
		case "l-diversity entropy":
			out = append(out, anonymity.EntropyLDiversity{Of: m.Column, L: m.L.Float()})
		case "l-diversity recursive":
			out = append(out, anonymity.RecursiveCLDiversity{Of: m.Column, C: m.C.Float(), L: l})
		case "t-closeness equal":
			out = append(out, anonymity.EqualTCloseness{Of: m.Column, T: m.T.Float()})
		case "t-closeness ordered":
			out = append(out, anonymity.OrderedTCloseness{Of: m.Column, T: m.T.Float()})
		case "t-closeness hierarchical":
			out = append(out, anonymity.HierarchicalTCloseness{Of: m.Column, T: m.T.Float()})
		default:
			panic(fmt.Sprintf("plan: model %q was not checked", m.Model)) // Parse lets no other through
		}
	}
	return out
}

var metrics = map[string]anonymity.Metric{
	"loss": anonymity.Loss, "entropy": anonymity.NonUniformEntropy, "discernibility": anonymity.Discernibility, "class-size": anonymity.AverageClassSize,
}
