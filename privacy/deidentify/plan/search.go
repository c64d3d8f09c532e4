package plan

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
)

// search finds the recoding, verifies it by another road, and has classes count subjects where the plan names them.
func (r *recoding) search(ctx context.Context, src table.Source, o Options) error {
	if r.table.Len() == 0 {
		return fmt.Errorf("%s has no rows that the hierarchies cover: %w", r.source, anonymity.ErrNone)
	}
	if err := r.solve(ctx, r.models(), o); err != nil {
		return err
	}
	if r.c.plan.Subject == "" {
		return nil
	}
	most, err := r.countSubjects(ctx, src, o)
	if err != nil || r.suppressed() <= r.limit() {
		return err
	}
	// (k-1)·m+1 rows, of which nobody has more than m, are of k subjects at least.
	models := append(r.models(), anonymity.KAnonymity{K: (r.c.leastSubjects()-1)*int(most) + 1})
	if err := r.solve(ctx, models, o); err != nil {
		return err
	}
	if _, err := r.countSubjects(ctx, src, o); err != nil {
		return err
	}
	if r.suppressed() > r.limit() {
		return fmt.Errorf("classes of too few subjects: %w", anonymity.ErrNone)
	}
	return nil
}

// limit is how many rows may be suppressed.
func (r *recoding) limit() int64 { return r.c.plan.Suppression.of(r.rows) }

// suppressed is how many rows are.
func (r *recoding) suppressed() int64 {
	n := r.uncovered + r.solution.Suppressed
	for class, short := range r.short {
		if short {
			n += int64(r.solution.Size(class))
		}
	}
	return n
}

func (r *recoding) solve(ctx context.Context, models []anonymity.Model, o Options) error {
	left := r.limit() - r.uncovered
	if left < 0 {
		return fmt.Errorf("%d rows are not covered by hierarchies, more than may be suppressed: %w", r.uncovered, anonymity.ErrNone)
	}
	r.options = anonymity.Options{
		Models: models, Metric: metrics[r.c.plan.Metric], Workers: o.Workers,
		Suppression: min((float64(left)+0.5)/float64(r.table.Rows()), 1), // the half is lost again when rows are counted
		Progress: func(p anonymity.Progress) {
			if o.Progress != nil && p.Nodes > 0 {
				o.Progress(Progress{Phase: "searching", Rows: p.Checked, Share: float64(p.Resolved) / float64(p.Nodes)})
			}
		},
	}
	find := anonymity.Search
	if r.c.plan.Recoding == "local" {
		find = anonymity.Mondrian
	}
	var err error
	if r.solution, err = find(ctx, r.table, r.options); err != nil {
		return err
	}
	if o.Progress != nil {
		o.Progress(Progress{Phase: "checking", Share: -1})
	}
	if err := anonymity.Verify(ctx, r.table, r.solution, r.options); err != nil {
		return err
	}
	if r.solution.Suppressed > left {
		return fmt.Errorf("more rows are suppressed than may be: %w", anonymity.ErrUnmet)
	}
	r.short, r.subjects = make([]bool, r.solution.Classes), nil
	r.sizes = make([]int64, r.solution.Classes)
	for class := range r.sizes {
		r.sizes[class] = int64(r.solution.Size(class))
	}
	return nil
}

// visit is a subject's row in a class. The subject is a keyed hash: two that share one count as one, which errs to the safe side.
type visit struct {
	subject uint64
	class   int32
}

// errNoSubject is for rows that say nothing of whom they are about.
var errNoSubject = errors.New("the row says nothing of whom it is about, so that subjects cannot be counted")

// errLinked is returned where rows of one subject can be put together and so tell more than each by itself.
var errLinked = errors.New("rows of one subject fall into several classes while its column is released, so that they can be put together")

// countSubjects reads the source again, and suppresses classes with fewer subjects than the models ask for rows. It returns how many
// rows of one class a subject has at most.
func (r *recoding) countSubjects(ctx context.Context, src table.Source, o Options) (int64, error) {
	at := slices.Index(r.c.needed, r.c.plan.Subject)
	seed := maphash.MakeSeed()
	visits, who := make([][]visit, o.workers()), make([][]byte, o.workers())
	coders := make([]*coder, o.workers())
	for i := range coders {
		coders[i] = r.coder()
	}
	err := each(ctx, src, r.c.needed, func(worker int, b *table.Batch) error {
		for i := range b.Rows {
			row, number := b.Row(i), b.First+int64(i)
			class, state, err := coders[worker].class(row, number)
			if err != nil {
				return err
			}
			if state != released {
				continue
			}
			if who[worker] = appendAlike(who[worker][:0], row[at].Text); len(who[worker]) == 0 {
				return cellError(r.source, number, r.c.plan.Subject, errNoSubject)
			}
			visits[worker] = append(visits[worker], visit{maphash.Bytes(seed, who[worker]), int32(class)})
		}
		return nil
	}, o, "counting subjects", r.rows)
	if err != nil {
		return 0, err
	}
	all := slices.Concat(visits...)
	slices.SortFunc(all, func(a, b visit) int {
		switch {
		case a.subject != b.subject && a.subject < b.subject, a.subject == b.subject && a.class < b.class:
			return -1
		case a == b:
			return 0
		}
		return 1
	})
	return r.weigh(all)
}

// leastSubjects is how many subjects a class has at least: as many as k-anonymity asks for, as diversity asks for values, and two where
// closeness is asked for, since many values of one person hide nobody.
func (c *Compiled) leastSubjects() int {
	k := 1
	for _, m := range c.plan.Privacy {
		switch m.Model {
		case "k-anonymity":
			k = max(k, m.K)
		case "l-diversity":
			k = max(k, int(math.Ceil(m.L.Float())))
		case "t-closeness":
			k = max(k, 2)
		}
	}
	return k
}

// weigh counts the subjects of each class, from visits in order.
func (r *recoding) weigh(all []visit) (int64, error) {
	k := r.c.leastSubjects()
	r.subjects = make([]int64, r.solution.Classes)
	var most, run int64
	several := false
	for i, v := range all {
		if i > 0 && all[i-1] == v {
			run++
		} else {
			run = 1
			r.subjects[v.class]++
			several = several || i > 0 && all[i-1].subject == v.subject
		}
		most = max(most, run)
	}
	if several && r.linked() {
		return 0, &table.Error{Table: r.source, Column: r.c.plan.Subject, Why: errLinked.Error(), Err: errLinked}
	}
	for class, n := range r.subjects {
		r.short[class] = n < int64(k)
	}
	return most, nil
}

// linked reports whether the subject's column is released in a form that tells which rows are of one subject.
func (r *recoding) linked() bool {
	for _, i := range r.c.out {
		col := r.c.cols[i]
		if col.spec.Name == r.c.plan.Subject {
			switch col.spec.Technique {
			case "constant", "placeholder":
				return false
			}
			return true
		}
	}
	return false
}

// state is what becomes of a row.
type state uint8

const (
	released state = iota
	suppressed
)

// coder finds the class of a row. It is used by one goroutine.
type coder struct {
	*encoder
	cells []anonymity.Cell
}

func (r *recoding) coder() *coder {
	return &coder{encoder: r.encoder(), cells: make([]anonymity.Cell, len(r.quasi))}
}

// class returns the class of a row and sets cells. A combination that the first reading did not see is [table.ErrChanged].
func (c *coder) class(row []table.Cell, number int64) (int, state, error) {
	covered, err := c.codes(row, number, false)
	if errors.Is(err, anonymity.ErrUncovered) {
		return 0, suppressed, &table.Error{Table: c.r.source, Row: number, Why: table.ErrChanged.Error(), Err: table.ErrChanged}
	}
	if err != nil || !covered {
		return 0, suppressed, err
	}
	class, ok := c.r.solution.Recode(c.cells, c.quasi)
	if ok {
		if c.r.short[class] {
			return class, suppressed, nil
		}
		return class, released, nil
	}
	if _, known := c.r.table.Find(c.quasi); !known {
		return 0, suppressed, &table.Error{Table: c.r.source, Row: number, Why: table.ErrChanged.Error(), Err: table.ErrChanged}
	}
	return 0, suppressed, nil
}
