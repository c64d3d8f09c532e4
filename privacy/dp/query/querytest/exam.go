package querytest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// ExamOptions say how much is compared.
type ExamOptions struct {
	Databases  int            // 0: 4
	Questions  int            // random ones of each database; 0: 40
	Batches    int            // random ones of several questions that share measurements; 0: a quarter of Questions; below 0: none
	Neighbours int            // of each database; 0: 3
	Units      int            // of each database; 0: 10
	Typed      bool           // as in [Options]
	Seed       uint64         // of all that is random here
	Plans      []*query.Plan  // asked of each database besides, or with Questions < 0 alone
	Selection  relation.Seed  // keys which rows and groups of a unit count
	Each       func(Compared) // called after each comparison; nil: nobody looks
}

// Compared is one plan over one pair of neighbours.
type Compared struct {
	Plan  *query.Plan
	Batch *query.Batch // of which Plan is what is measured; nil: one question
	Moved Moved
	Found []string // what is more than the plan declares
}

// Report is what an exam saw.
type Report struct {
	Asked    int // questions that were made, several together being one
	Compiled int // of which so many are taken
	Compared int // plans over pairs of neighbours
	Differed int // in which the unit showed at all, before noise
	Found    []Compared
}

// Exam compares what an engine computes over random databases and over neighbours of them. The engines that open makes are closed.
func Exam(ctx context.Context, d *query.Dataset, open func(Database) (relation.Engine, error), o ExamOptions) (Report, error) {
	for _, n := range []struct {
		v       *int
		instead int
	}{{&o.Databases, 4}, {&o.Questions, 40}, {&o.Neighbours, 3}, {&o.Units, 10}} {
		if *n.v == 0 {
			*n.v = n.instead
		}
	}
	if o.Batches == 0 {
		o.Batches = max(o.Questions/4, 0)
	}
	var r Report
	for i := range o.Databases {
		rng := rand.New(rand.NewPCG(uint64(i), o.Seed))
		subjects, err := r.subjects(rng, d, &o)
		if err != nil {
			return r, err
		}
		if err := r.database(ctx, rng, d, open, &o, subjects); err != nil {
			return r, err
		}
	}
	return r, nil
}

// subjects are the plans of the options, random ones and random batches.
func (r *Report) subjects(rng *rand.Rand, d *query.Dataset, o *ExamOptions) ([]Compared, error) {
	var all []Compared
	for _, p := range o.Plans {
		all = append(all, Compared{Plan: p})
	}
	take := func(n int, ask func() (Compared, bool)) error {
		for tries, taken := 0, 0; taken < n; tries++ {
			if tries > 50*n {
				return errors.New("of the random questions about this dataset too few are taken")
			}
			r.Asked++
			if c, ok := ask(); ok {
				r.Compiled, taken = r.Compiled+1, taken+1
				all = append(all, c)
			}
		}
		return nil
	}
	err := take(o.Questions, func() (Compared, bool) {
		p, err := query.Compile(d, Question(rng, d))
		return Compared{Plan: p}, err == nil
	})
	if err != nil {
		return nil, err
	}
	err = take(o.Batches, func() (Compared, bool) {
		b, err := query.CompileBatch(d, Batch(rng, d))
		if err != nil || b.Measured() == nil {
			return Compared{}, false
		}
		return Compared{Plan: b.Measured(), Batch: b}, true
	})
	if err != nil {
		return nil, fmt.Errorf("several together: %w", err)
	}
	return all, nil
}

func (r *Report) database(ctx context.Context, rng *rand.Rand, d *query.Dataset, open func(Database) (relation.Engine, error), o *ExamOptions, subjects []Compared) error {
	full := Random(rng, d, Options{Units: o.Units, Typed: o.Typed})
	var engines []relation.Engine
	defer func() {
		for _, e := range engines {
			_ = e.Close() // they were read from alone
		}
	}()
	for _, db := range append([]Database{full}, full.Neighbours(rng, o.Neighbours)...) {
		e, err := open(db)
		if err != nil {
			return err
		}
		engines = append(engines, e)
	}
	for _, c := range subjects {
		for _, without := range engines[1:] {
			if err := ctx.Err(); err != nil {
				return err
			}
			if c.Batch != nil {
				c.Moved, c.Found = AuditBatch(ctx, c.Batch, o.Selection, engines[0], without)
			} else {
				c.Moved, c.Found = Audit(ctx, c.Plan, o.Selection, engines[0], without)
			}
			r.Compared++
			if c.Moved.Groups > 0 {
				r.Differed++
			}
			if len(c.Found) > 0 {
				r.Found = append(r.Found, c)
			}
			if o.Each != nil {
				o.Each(c)
			}
		}
	}
	return nil
}
