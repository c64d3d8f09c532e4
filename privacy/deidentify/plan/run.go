package plan

import (
	"context"
	"errors"
	"io"

	"github.com/scrimhq/scrim/data/table"
)

// Files opens what a plan refers to. Names are as the plan writes them.
type Files interface {
	// Open opens a hierarchy.
	Open(name string) (io.ReadCloser, error)
	// Table opens a population.
	Table(name string) (table.Source, error)
}

// Options of a run. The zero value of every field is a safe default.
type Options struct {
	Workers  int                 // goroutines; 0: as many as there are processors
	Resume   bool                // go on behind what a run that was interrupted left
	Progress func(Progress)      // told now and then how far the run has come; nil: nobody
	Opening  func(Outcome) error // runs when the recoding is found and measured, before anything is written; an error ends the run
	Before   func(Outcome) error // runs when the table is finished and before it is published; an error publishes nothing
}

// Progress is how far a run has come.
type Progress struct {
	Phase string  // "reading", "searching", "checking", "writing"
	Rows  int64   // of this phase
	Share float64 // of the phase, 0 to 1; below 0: not known
}

// Outcome is what a run did.
type Outcome struct {
	Plan       string // hash of the plan and the files it refers to
	Source     string // fingerprint
	Digest     string // of what is published
	In, Out    int64  // rows
	Suppressed int64  // rows
	Resumed    int64  // rows that an earlier run had written
}

// ErrRisk is wrapped when the measured risk is above what the plan allows.
var ErrRisk = errors.New("measured risk is above the plan's limit")

var errNotYet = errors.New("plans are not carried out yet")

// Keys makes the keys and memories of techniques, all of one recipient and purpose.
type Keys interface {
	// Epoch names the keys: equal names mean that equal values become equal.
	Epoch() string
}

// Compiled is a plan that fits a source's columns.
type Compiled struct {
	plan *Plan
	hash string
}

// Hash returns the hash of the plan and of all files it refers to, in hexadecimal.
func (c *Compiled) Hash() string { return c.hash }

// Compile fits the plan to columns. Keys may be nil if no technique needs one. The error is [Mistakes], or what a file's opening gave.
func (p *Plan) Compile(columns []table.Column, keys Keys, files Files) (*Compiled, error) {
	return nil, errNotYet
}

// Run carries a plan out: the table stands under its final name when it returns without error, and not otherwise.
func Run(ctx context.Context, c *Compiled, src table.Source, dst table.Target, o Options) (Outcome, error) {
	return Outcome{}, errNotYet
}

// Measure does everything that [Run] does before it writes: it finds the recoding and measures what would remain.
func Measure(ctx context.Context, c *Compiled, src table.Source, o Options) (Outcome, error) {
	return Outcome{}, errNotYet
}
