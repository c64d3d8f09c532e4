package files

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/table"
)

// Format is what a file is.
type Format uint8

// The formats. ByName goes by the end of the name: .csv, .tsv, .jsonl, .ndjson, each also with .gz behind it, and .parquet.
const (
	ByName Format = iota
	CSV
	Lines
	Parquet
)

// Table is the files of one table. All have the columns that are asked for.
type Table struct {
	Paths  []string // names, or patterns as of [filepath.Glob]; a file that several fit is read once
	Format Format
	CSV    csv.Options
}

// Options say what the engine reads, and what it may take. The zero value of a limit is a safe default.
type Options struct {
	Tables  map[string]Table // by the name in [relation.Scan]
	Workers int              // 0: as many as there are processors
	Memory  int64            // bytes that rows, texts and groups may take, about; 0: 2 GiB
	Files   int              // of one table; 0: 10,000
	AtOnce  int              // questions that are computed at once, each with that memory; others wait; 0: 1
}

// What may go wrong. None says anything of what a file holds.
var (
	ErrTable   = errors.New("is not one of the tables, or has no such column")
	ErrFiles   = errors.New("has no files, or more than are read")
	ErrDamaged = errors.New("cannot be read as a table")
	ErrChanged = table.ErrChanged
	ErrMemory  = errors.New("the question needs more memory than it may take")
)

// Error is what failed, by table.
type Error struct {
	Table string
	Err   error // one of this package's, or of the context
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("table %q: %v", e.Table, e.Err) }

// Unwrap returns what callers may act on.
func (e *Error) Unwrap() error { return e.Err }

// Engine is a [relation.Engine] over files. It is safe for concurrent use.
type Engine struct {
	o    Options
	busy chan struct{} // as many as may compute at once
}

// New returns an engine. Files are looked for when a question is asked, not before.
func New(o Options) (*Engine, error) {
	o.Tables = maps.Clone(o.Tables)
	for name, t := range o.Tables {
		if len(t.Paths) == 0 || t.Format > Parquet {
			return nil, &Error{name, ErrFiles}
		}
		for _, p := range t.Paths {
			if _, err := filepath.Match(p, ""); err != nil {
				return nil, &Error{name, fmt.Errorf("a pattern of its files: %w", err)}
			}
		}
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Memory <= 0 {
		o.Memory = 2 << 30
	}
	if o.Files <= 0 {
		o.Files = 10_000
	}
	if o.AtOnce <= 0 {
		o.AtOnce = 1
	}
	return &Engine{o, make(chan struct{}, o.AtOnce)}, nil
}

// Close implements [relation.Engine]. There is nothing to release.
func (e *Engine) Close() error { return nil }

// Check implements [relation.Engine]: each table has files, and CSV and Parquet files have the columns. JSON lines may leave any out.
func (e *Engine) Check(ctx context.Context, scans []relation.Scan) error {
	for _, s := range scans {
		names := sources(&s)
		t, err := e.open(s.Table, names)
		if err != nil {
			return err
		}
		for i := range t.files {
			r, err := t.reader(ctx, i, names)
			if err != nil {
				return t.fail(err)
			}
			if err := r.Close(); err != nil {
				return t.fail(err)
			}
		}
	}
	return nil
}

// Run implements [relation.Engine]. Yield must not ask the same engine.
func (e *Engine) Run(ctx context.Context, q *relation.Bounded, seed relation.Seed, yield func(relation.Group) error) error {
	if err := relation.Check(q); err != nil {
		return err
	}
	select {
	case e.busy <- struct{}{}:
		defer func() { <-e.busy }()
	case <-ctx.Done():
		return ctx.Err()
	}
	x := &exec{engine: e, seed: &seed, texts: newTexts()}
	if err := x.openAll(q.In); err != nil {
		return err
	}
	b := newBounder(x, q)
	for passes := uint64(1); ; passes *= 4 {
		err := b.run(ctx, passes)
		if err == nil {
			break
		}
		// Several readings help where the rows are what takes memory, not what is below them.
		if !errors.Is(err, errFull) || passes >= 1024 || !b.rowsTake() {
			if errors.Is(err, errFull) {
				return ErrMemory
			}
			return err
		}
		b.reset()
	}
	return b.give(yield)
}

// format is what a file is by its name.
func format(f Format, path string) Format {
	if f != ByName {
		return f
	}
	name := strings.TrimSuffix(strings.ToLower(path), ".gz")
	switch filepath.Ext(name) {
	case ".csv", ".tsv", ".txt":
		return CSV
	case ".jsonl", ".ndjson":
		return Lines
	case ".parquet", ".pq":
		return Parquet
	}
	return ByName
}

// expand is the files of a table, each once, in order.
func (e *Engine) expand(t Table) ([]string, error) {
	var out []string
	for _, p := range t.Paths {
		found, err := filepath.Glob(p)
		if err != nil || len(found) == 0 {
			return nil, ErrFiles
		}
		out = append(out, found...)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > e.o.Files {
		return nil, ErrFiles
	}
	return out, nil
}
