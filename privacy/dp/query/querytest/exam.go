package querytest

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// ExamOptions say how much is compared.
type ExamOptions struct {
	Databases  int            // 0: 4
	Questions  int            // random ones of each database; 0: 40
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
	Moved Moved
	Found []string // what is more than the plan declares
}

// Report is what an exam saw.
type Report struct {
	Asked    int // questions that were made
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
	var r Report
	for i := range o.Databases {
		rng := rand.New(rand.NewPCG(uint64(i), o.Seed))
		plans, err := r.plans(rng, d, &o)
		if err != nil {
			return r, err
		}
		if err := r.database(ctx, rng, d, open, &o, plans); err != nil {
			return r, err
		}
	}
	return r, nil
}

// plans are those of the options and random ones.
func (r *Report) plans(rng *rand.Rand, d *query.Dataset, o *ExamOptions) ([]*query.Plan, error) {
	plans := append([]*query.Plan(nil), o.Plans...)
	for tries := 0; len(plans) < len(o.Plans)+o.Questions; tries++ {
		if tries > 50*o.Questions {
			return nil, errors.New("of the random questions about this dataset too few are taken")
		}
		r.Asked++
		if p, err := query.Compile(d, Question(rng, d)); err == nil {
			r.Compiled++
			plans = append(plans, p)
		}
	}
	return plans, nil
}

func (r *Report) database(ctx context.Context, rng *rand.Rand, d *query.Dataset, open func(Database) (relation.Engine, error), o *ExamOptions, plans []*query.Plan) error {
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
	for _, p := range plans {
		for _, without := range engines[1:] {
			if err := ctx.Err(); err != nil {
				return err
			}
			c := Compared{Plan: p}
			c.Moved, c.Found = Audit(ctx, p, o.Selection, engines[0], without)
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
