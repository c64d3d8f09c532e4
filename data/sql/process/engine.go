package process

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// Options say which program computes, over what, and with how much.
type Options struct {
	Program  string        // its path, or its name in PATH; "": scrim-duckdb beside the running program, else in PATH
	Args     []string      // of the program
	Tables   []Table       // Files may be relative to the working directory
	Database string        // or a DuckDB database
	Memory   int64         // bytes for one question; 0: 4 GiB
	Threads  int           // for one question; 0: as many as there are processors
	Temp     string        // a directory for what exceeds Memory; "": such a question fails. What is put there is personal data
	Parallel int           // questions at once, each in a process of its own; 0: 1
	Timeout  time.Duration // of one question, from when it is sent; 0: 10 minutes
}

// The errors of the engine. None carries a value, nor text of the program.
var (
	ErrProgram   = errors.New("the program that computes could not be run")
	ErrFailed    = errors.New("the program could not compute the statement")
	ErrSource    = errors.New("a declared file is not there, or is not of its format")
	ErrStatement = errors.New("the program takes one SELECT and nothing else")
	ErrClosed    = errors.New("the engine is closed")
)

// Engine asks a program. Any number of goroutines may use it; as many questions as Parallel says run at once, the others wait.
type Engine struct {
	opt    Options
	path   string
	source Source
	slots  chan *worker // one for each question at once; nil: its process is not running
	done   chan struct{}
	once   sync.Once
	gone   sync.WaitGroup // questions that are being asked

	mu        sync.Mutex // guards the fields below, and gone.Add
	closed    bool
	columnsOf map[string]map[string]Native // by table; nil: it has to be asked
}

// Open checks the options and finds the program; it starts nothing.
func Open(o Options) (*Engine, error) {
	if (o.Database == "") == (len(o.Tables) == 0) {
		return nil, errors.New("either tables of files or one database")
	}
	path, err := find(o.Program)
	if err != nil {
		return nil, err
	}
	e := &Engine{opt: o, path: path, done: make(chan struct{})}
	e.source = Source{Database: o.Database, Memory: o.Memory, Threads: o.Threads, Temp: o.Temp}
	if e.source.Memory == 0 {
		e.source.Memory = 4 << 30
	}
	if e.source.Threads == 0 {
		e.source.Threads = runtime.GOMAXPROCS(0)
	}
	if e.opt.Timeout == 0 {
		e.opt.Timeout = 10 * time.Minute
	}
	if e.source.Memory < 0 || e.source.Threads < 0 || o.Parallel < 0 || o.Timeout < 0 {
		return nil, errors.New("memory, threads, parallel and timeout are not negative")
	}
	if err := e.source.place(o.Tables); err != nil {
		return nil, err
	}
	n := max(o.Parallel, 1)
	e.slots = make(chan *worker, n)
	for range n {
		e.slots <- nil
	}
	return e, nil
}

// place makes paths absolute: the program has another working directory.
func (s *Source) place(tables []Table) error {
	var err error
	abs := func(p *string) {
		if *p != "" && err == nil {
			*p, err = filepath.Abs(*p)
		}
	}
	abs(&s.Database)
	abs(&s.Temp)
	names := map[string]bool{}
	for _, t := range tables {
		switch {
		case t.Name == "", names[t.Name]:
			return errors.New("every table of files has a name of its own")
		case t.Format != Parquet && t.Format != CSV && t.Format != JSON:
			return fmt.Errorf("table %q: the format is parquet, csv or json", t.Name)
		case len(t.Files) == 0:
			return fmt.Errorf("table %q has no files", t.Name)
		case t.Format == JSON && len(t.Columns) == 0:
			return fmt.Errorf("table %q: of JSON the columns have to be listed", t.Name)
		}
		names[t.Name] = true
		t.Files = append([]string{}, t.Files...)
		for i := range t.Files {
			abs(&t.Files[i])
		}
		s.Tables = append(s.Tables, t)
	}
	return err
}

// Statement is one SELECT with its parameters, and the kinds of its columns.
type Statement struct {
	SQL     string
	Args    []any // nil, int64, string or bool
	Columns []relation.Kind
}

// Ask runs a statement and calls yield for every row. A row is yield's to keep.
func (e *Engine) Ask(ctx context.Context, s Statement, yield func([]relation.Value) error) error {
	return e.statement(ctx, e.source, s, yield)
}

func (e *Engine) statement(ctx context.Context, source Source, s Statement, yield func([]relation.Value) error) error {
	req := Request{SQL: s.SQL, Source: source}
	for _, a := range s.Args {
		req.Args = append(req.Args, Arg{a})
	}
	for _, k := range s.Columns {
		req.Columns = append(req.Columns, KindName(k))
	}
	if s.SQL == "" {
		return ErrStatement
	}
	return e.ask(ctx, req, func(r *Response) error {
		for _, row := range r.Rows {
			if len(row) != len(s.Columns) {
				return errWire
			}
			out := make([]relation.Value, len(row))
			for i, c := range row {
				var err error
				if out[i], err = c.value(s.Columns[i]); err != nil {
					return err
				}
			}
			if err := yield(out); err != nil {
				return stopped{err}
			}
		}
		return nil
	})
}

// Check reports the first table or column of the scans that is not there, or holds nothing that could be read.
func (e *Engine) Check(ctx context.Context, scans []relation.Scan) error {
	e.forget()
	columns, err := e.known(ctx)
	if err != nil {
		return err
	}
	for _, s := range scans {
		have, ok := columns[s.Table]
		if !ok {
			return fmt.Errorf("there is no table %q", s.Table)
		}
		for _, f := range s.Fields {
			switch native, ok := have[f.Source]; {
			case !ok:
				return fmt.Errorf("table %q has no column %q", s.Table, f.Source)
			case native == NativeOther:
				return fmt.Errorf("column %q of table %q holds no numbers, text, truth values, dates or times", f.Source, s.Table)
			}
		}
	}
	return nil
}

// columns asks what is there.
func (e *Engine) columns(ctx context.Context) (map[string]map[string]Native, error) {
	columns := map[string]map[string]Native{}
	return columns, e.ask(ctx, Request{Source: e.source}, func(r *Response) error {
		for _, t := range r.Tables {
			if len(t.Types) != len(t.Columns) {
				return errWire
			}
			columns[t.Name] = map[string]Native{}
			for i, c := range t.Columns {
				columns[t.Name][c] = t.Types[i]
			}
		}
		return nil
	})
}

// stopped wraps an error of yield: it is the caller's own and goes back as it is.
type stopped struct{ error }

func (e *Engine) ask(ctx context.Context, req Request, each func(*Response) error) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return ErrClosed
	}
	e.gone.Add(1)
	e.mu.Unlock()
	defer e.gone.Done()

	var w *worker
	select {
	case w = <-e.slots:
	case <-e.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { e.slots <- w }()
	ctx, cancel := context.WithTimeout(ctx, e.opt.Timeout)
	defer cancel()
	go func() { // Close ends what is running
		select {
		case <-e.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	req.Version = Version
	var err error
	w, err = e.try(ctx, w, req, each)
	if s, ok := err.(stopped); ok {
		return s.error
	}
	if err != nil && ctx.Err() != nil {
		select {
		case <-e.done:
			return ErrClosed
		default:
			return ctx.Err()
		}
	}
	return err
}

// try asks the worker, a new one if there is none or if it died while it was idle, and returns the one to keep.
func (e *Engine) try(ctx context.Context, w *worker, req Request, each func(*Response) error) (*worker, error) {
	if w != nil && w.dead() {
		w.kill()
		w = nil
	}
	if w == nil {
		var err error
		if w, err = start(e.path, e.opt.Args); err != nil {
			return nil, err
		}
	}
	stop := context.AfterFunc(ctx, w.terminate)
	err := w.ask(req, each)
	if !stop() || err != nil && !errors.As(err, new(failure)) {
		w.kill() // it was cancelled, or it is in no known state
		w = nil
	}
	if f, ok := err.(failure); ok {
		err = f.error()
	}
	return w, err
}

// Close ends the programs; questions that are being asked fail.
func (e *Engine) Close() error {
	e.once.Do(func() {
		e.mu.Lock()
		e.closed = true
		e.mu.Unlock()
		close(e.done)
		e.gone.Wait()
		for range cap(e.slots) {
			if w := <-e.slots; w != nil {
				w.kill()
			}
		}
	})
	return nil
}

// failure is what a program said.
type failure FailedCode

func (f failure) Error() string { return string(f) }

func (f failure) error() error {
	switch FailedCode(f) {
	case FailedSource:
		return ErrSource
	case FailedStatement:
		return ErrStatement
	case FailedRequest:
		return fmt.Errorf("%w: it did not understand the request; is it of the same version?", ErrProgram)
	}
	return ErrFailed
}
