package plan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
	"github.com/scrimhq/scrim/privacy/deidentify/risk"
)

// Options of a run. The zero value of every field is a safe default.
type Options struct {
	Workers    int                 // goroutines; 0: as many as there are processors
	Resume     bool                // go on behind what a run that was interrupted left
	State      string              // what is known of the source before it is read, such as a file's size and time: a run resumes only what began with the same
	Checkpoint time.Duration       // least time between two checkpoints; 0: 5 seconds; negative: behind every chunk
	Progress   func(Progress)      // told now and then how far the run has come; nil: nobody
	Durable    func() error        // makes durable what the keys' tokens need to be opened; runs before each checkpoint; nil: nothing is needed
	Opening    func(Outcome) error // runs when the recoding is found and measured, before anything is written; an error ends the run
	Before     func(Outcome) error // runs when the table is finished and before it is published; an error publishes nothing
}

func (o Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// told returns what tells of a phase, or nil.
func (o Options) told(phase string, total int64) func(table.Progress) {
	if o.Progress == nil {
		return nil
	}
	return func(p table.Progress) {
		share := -1.0
		if total > 0 {
			share = float64(p.Rows) / float64(total)
		}
		o.Progress(Progress{Phase: phase, Rows: p.Rows, Bytes: p.Bytes, Share: share})
	}
}

// Progress is how far a run has come.
type Progress struct {
	Phase string  // "reading", "searching", "checking", "counting subjects", "writing"
	Rows  int64   // of this phase; of searching, nodes that were looked at
	Bytes int64   // of the source in this phase, as far as is known
	Share float64 // of the phase, 0 to 1; below 0: not known
}

// Outcome is what a run did. It holds no value of the table.
type Outcome struct {
	Plan       string   // hash of the plan and the files it refers to
	Source     string   // name of the source
	SourceHash string   // its fingerprint, where the source was read to its end
	Digest     string   // of what is published; "": nothing is written yet
	In, Out    int64    // rows
	Suppressed int64    // rows; they are among Out as stars if the plan keeps them
	Resumed    int64    // rows that an earlier run had dealt with
	Models     []string // as package anonymity prints them
	Unseen     []string // columns that none of them looks at, as [Compiled.Unseen] has them
	Levels     []Level  // of the quasi-identifiers; nil without models
	Smallest   int64    // size of the smallest class that is released, in subjects; 0 without models
	Classes    int64
	Score      float64
	Utility    anonymity.Utility
	Nodes      int64        // combinations of levels there are
	Checked    int64        // of these, looked at
	Risk       *risk.Report // before and after; nil without models
}

// Level is how far a quasi-identifier is generalised.
type Level struct {
	Column string
	Level  int // of a local recoding: -1
	Of     int // levels there are, the value's own included
}

// Errors that callers act on.
var (
	// ErrRisk is wrapped when the measured risk is above what the plan allows.
	ErrRisk = errors.New("measured risk is above the plan's limit")
	// ErrStream is returned when a plan for a stream is to be carried out on a table, which it would not protect.
	ErrStream = errors.New("the plan is for a stream, and not for a table: it has stream where a table needs privacy")
	// ErrMemory is returned when a run cannot be resumed: a technique remembered what it had given out, and that is gone.
	ErrMemory = errors.New("the plan draws stand-ins at random, and those of the interrupted run are gone: begin anew")
)

// run is one execution.
type run struct {
	c       *Compiled
	src     table.Source
	o       Options
	r       *recoding // nil without models
	out     Outcome
	counts  []atomic.Int64 // rows written, by class
	skipped atomic.Int64   // suppressed in this run
}

// Measure does everything that [Run] does before it writes: it finds the recoding and measures what would remain.
func Measure(ctx context.Context, c *Compiled, src table.Source, o Options) (Outcome, error) {
	r := &run{c: c, src: src, o: o}
	if err := r.measure(ctx); err != nil {
		return Outcome{}, err
	}
	return r.out, nil
}

// measure is what comes before writing.
func (r *run) measure(ctx context.Context) error {
	r.out = Outcome{Plan: r.c.hash, Source: r.src.Name()}
	if r.c.plan.Stream.Model != "" {
		return ErrStream
	}
	if len(r.c.plan.Privacy) == 0 {
		return nil
	}
	var err error
	if r.r, err = r.c.recoding(r.src.Name()); err != nil {
		return err
	}
	if err := r.r.read(ctx, r.src, r.o); err != nil {
		return err
	}
	r.out.SourceHash = r.src.Fingerprint()
	if err := r.r.search(ctx, r.src, r.o); err != nil {
		return err
	}
	if r.src.Fingerprint() != r.out.SourceHash {
		return changed(r.src)
	}
	if err := r.r.describe(&r.out); err != nil {
		return err
	}
	return r.c.plan.withinRisk(r.out.Risk)
}

func changed(src table.Source) error {
	return &table.Error{Table: src.Name(), Why: table.ErrChanged.Error(), Err: table.ErrChanged}
}

// Run carries a plan out: the table stands under its final name when it returns without error, and not otherwise.
func Run(ctx context.Context, c *Compiled, src table.Source, dst table.Target, o Options) (Outcome, error) {
	r := &run{c: c, src: src, o: o}
	if err := r.measure(ctx); err != nil {
		return Outcome{}, err
	}
	if o.Opening != nil {
		if err := o.Opening(r.out); err != nil {
			return Outcome{}, err
		}
	}
	if err := r.write(ctx, dst); err != nil {
		return Outcome{}, err
	}
	return r.out, nil
}

// tag identifies what is written: a run resumes only what the same plan, keys and source began, and with the same recoding.
func (r *run) tag() string {
	h := sha256.New()
	fmt.Fprintf(h, "scrim table 1\n%s\n%s\n%s\n%q\n", r.c.hash, r.c.epoch, r.out.SourceHash, r.o.State)
	// The recoding follows from these as long as the program is the same.
	fmt.Fprintf(h, "%v %v %d %d %d\n", r.out.Levels, r.out.Utility, r.out.Classes, r.out.Smallest, r.out.Suppressed)
	return hex.EncodeToString(h.Sum(nil))
}

// write writes the table. What the source is to blame for would be met again, so that nothing is left for a resumption.
func (r *run) write(ctx context.Context, dst table.Target) error {
	err := r.copy(ctx, dst)
	var place *table.Error
	if errors.As(err, &place) && place.Table == r.src.Name() && r.out.Resumed == 0 {
		return errors.Join(err, dst.Discard(context.WithoutCancel(ctx)))
	}
	return err
}

func (r *run) copy(ctx context.Context, dst table.Target) error {
	opened, err := r.src.Open(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	reader, err := table.Select(r.src.Name(), opened, r.c.needed)
	if err != nil {
		return err
	}
	w, err := dst.Create(ctx, r.columns(), table.Run{Tag: r.tag(), Resume: r.o.Resume})
	if err != nil {
		return err
	}
	defer w.Close()
	r.out.Resumed = w.Rows()
	if r.out.Resumed > 0 && r.remembers() {
		return ErrMemory
	}
	change := r.changeFields
	if r.r != nil {
		r.counts = make([]atomic.Int64, len(r.r.sizes))
		change = r.changeRecoded
	}
	rows := r.out.Resumed
	told := r.o.told("writing", r.out.In)
	err = table.Copy(ctx, reader, w, change, table.Options{Workers: r.o.Workers, Checkpoint: r.o.Checkpoint, Durable: r.o.Durable, Progress: func(p table.Progress) {
		rows = max(rows, p.Rows)
		if told != nil {
			told(p)
		}
	}})
	if err != nil {
		return err
	}
	if err := r.agrees(rows); err != nil {
		return err
	}
	if r.out.Digest, err = w.Finish(ctx); err != nil {
		return err
	}
	if r.o.Before != nil {
		if err := r.o.Before(r.out); err != nil {
			return err
		}
	}
	return w.Commit(ctx)
}

func (r *run) remembers() bool {
	for _, col := range r.c.cols {
		if col.says.Remembers {
			return true
		}
	}
	return false
}

// agrees checks that what was written is what was verified: the same source, every class as large as it was.
func (r *run) agrees(rows int64) error {
	fingerprint := r.src.Fingerprint()
	if r.r == nil {
		r.out.SourceHash, r.out.In, r.out.Out = fingerprint, rows, rows
		return nil
	}
	if fingerprint != r.out.SourceHash || rows != r.out.In {
		return changed(r.src)
	}
	for class := range r.counts {
		n, want := r.counts[class].Load(), r.r.sizes[class]
		if r.r.short[class] {
			want = 0
		}
		if n > want || r.out.Resumed == 0 && n != want {
			return changed(r.src)
		}
	}
	return nil
}

// columns are those of what is written.
func (r *run) columns() []table.Column {
	var out []table.Column
	for _, i := range r.c.out {
		col := r.c.cols[i]
		tc := table.Column{Name: col.spec.Name, Type: table.String}
		if r.keepsType(&col) {
			tc.Type = col.source.Type
			tc.Required = col.source.Required && r.r == nil && col.keep
		}
		if col.source.Type == table.Mixed {
			tc.Type = table.Mixed
		}
		out = append(out, tc)
	}
	return out
}
