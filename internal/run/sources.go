package run

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/data/sql/files"
	"github.com/scrimhq/scrim/data/sql/process"
	"github.com/scrimhq/scrim/data/sql/pushdown"
	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/privacy/budget/answers"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// asked are the datasets of a configuration that the gateway answers questions about itself; nothing is opened, and their data cannot be reached.
func asked(c *config.Config) (map[string]*gateway.Dataset, error) {
	all := map[string]*gateway.Dataset{}
	for _, name := range slices.Sorted(maps.Keys(c.Datasets)) {
		q := c.Queried(name)
		if q == nil {
			continue
		}
		d := c.Datasets[name]
		b := Declaration(name, d)
		out := &gateway.Dataset{
			Query: q, Described: c.Described(name), Plan: b.Plan, Blocks: b.Blocks, Refresh: b.Refresh, Pad: time.Duration(d.Pad), Tell: d.SQL.Tell == config.TellAll,
			Schedule: answers.Schedule{From: d.Versions.From, Every: time.Duration(d.Versions.Every)},
			Costs:    costs(d),
			Engine:   func(context.Context) (relation.Engine, error) { return nil, errUnreached },
		}
		var err error
		if out.Catalog, err = sense(q, d); err != nil {
			return nil, fmt.Errorf("dataset %s: %w", name, err)
		}
		all[name] = out
	}
	return all, nil
}

var errUnreached = errors.New("the source is not reached from here")

// costs are what questions cost that say nothing, and at most.
func costs(d config.Dataset) gateway.Costs {
	c := gateway.Costs{Epsilon: nano(d.SQL.Epsilon), Most: nano(d.SQL.Most), Delta: femto(d.SQL.Delta), Selection: femto(d.SQL.Selection)}
	if !d.SQL.Most.Given() {
		c.Most = nano(d.Epsilon)
	}
	if !d.SQL.Delta.Given() {
		c.Delta = femto(d.Delta) / 1000
	}
	if !d.SQL.Selection.Given() {
		c.Selection = femto(d.Delta) / 1000
	}
	return c
}

// sense stands for whatever gives a question its meaning beside its plan: what the dataset is, and where it lies.
func sense(q *query.Dataset, d config.Dataset) ([32]byte, error) {
	text, err := json.Marshal(struct {
		Query  *query.Dataset
		Blocks config.Blocks
		Source string
	}{q, d.Blocks, sourcePrint(d)})
	if err != nil {
		return [32]byte{}, err
	}
	return sha256.Sum256(text), nil
}

// sourcePrint is the same for two configurations of a dataset whose data is reached in one way.
func sourcePrint(d config.Dataset) string {
	type files struct {
		Table   string
		Files   []string
		Columns []string `json:",omitempty"` // that DuckDB is opened with
	}
	var tables []files
	for _, name := range slices.Sorted(maps.Keys(d.Tables)) {
		one := files{Table: name, Files: d.Tables[name].Files}
		if d.Source.DuckDB != nil {
			one.Columns = columnsIn(d.Tables[name])
		}
		tables = append(tables, one)
	}
	s := d.Source
	postgres := ""
	if s.Postgres != nil {
		postgres = s.Postgres.Env + "\x00" + s.Postgres.File
	}
	text, err := json.Marshal(struct {
		SQLite, Postgres, Files string
		DuckDB                  *config.DuckDB
		Tables                  []files
		Time                    config.Duration
	}{s.SQLite, postgres, s.Files, s.DuckDB, tables, d.Pad})
	if err != nil {
		panic(err) // texts always encode
	}
	return string(text)
}

// sources are the engines of datasets: each is opened at the first question, and stays until a configuration is in force that has it otherwise.
type sources struct {
	mu  sync.Mutex
	now map[string]*dataSource // of the configuration in force, by dataset; guarded by mu
}

// dataSource is one engine with those who use it.
type dataSource struct {
	print string
	open  func(context.Context) (relation.Engine, error)

	mu     sync.Mutex // guards the fields below; held while the engine is opened
	engine relation.Engine
	users  int
	gone   bool // it is closed when nobody uses it any more
}

// attach gives the datasets of a snapshot their engines: those that are open already where nothing changed. The snapshot must not be in use yet.
// Once it is in force, what it returns closes all others as soon as nobody uses them.
func (s *sources) attach(c *config.Config, snap *gateway.Snapshot, seed func(dataset string) [32]byte) (retire func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := map[string]*dataSource{}
	for name, d := range snap.Datasets {
		print := sourcePrint(c.Datasets[name])
		one := s.now[name]
		if one == nil || one.print != print {
			one = &dataSource{print: print, open: func(ctx context.Context) (relation.Engine, error) { return openSource(ctx, c, c.Datasets[name]) }}
		}
		next[name], d.Seed, d.Engine = one, seed(name), one.use
	}
	return func() error { return s.put(next) }
}

// put has these sources in force and no others.
func (s *sources) put(next map[string]*dataSource) error {
	s.mu.Lock()
	old := s.now
	s.now = next
	s.mu.Unlock()
	var errs []error
	for name, one := range old {
		if next[name] != one {
			errs = append(errs, one.close())
		}
	}
	return errors.Join(errs...)
}

func (s *sources) close() error { return s.put(nil) }

// seed keys the hashes by which rows and groups of a unit are chosen. It stays the same for the life of the keyset.
func (r *Gateway) seed(dataset string) [32]byte { return r.Keys.Seed("questions/" + dataset) }

// Questions is what answers questions about the domain's own datasets.
func (r *Gateway) Questions() *ask.Service { return r.asks }

// use opens the source if it is not open. What it returns must be closed, which leaves the source open for others.
func (s *dataSource) use(ctx context.Context) (relation.Engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine == nil {
		var err error
		if s.engine, err = s.open(ctx); err != nil {
			return nil, fmt.Errorf("opening a source: %w", err)
		}
	}
	s.users++
	return &lent{Engine: s.engine, back: sync.OnceValue(s.back)}, nil
}

type lent struct {
	relation.Engine
	back func() error
}

// Close implements [relation.Engine] by giving the engine back.
func (l *lent) Close() error { return l.back() }

func (s *dataSource) back() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users--
	return s.end()
}

func (s *dataSource) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	return s.end()
}

// end closes the engine if it is gone and nobody uses it. Who still asks by an old configuration opens it anew, for that one question.
func (s *dataSource) end() error {
	if !s.gone || s.users > 0 || s.engine == nil {
		return nil
	}
	err := s.engine.Close()
	s.engine = nil
	return err
}

// openSource opens the engine of a dataset.
func openSource(_ context.Context, c *config.Config, d config.Dataset) (relation.Engine, error) {
	opt := pushdown.Options{Timeout: time.Duration(d.Pad)}
	switch s := d.Source; {
	case s.SQLite != "":
		return pushdown.SQLite(c.Path(s.SQLite), opt)
	case s.Postgres != nil:
		url, err := c.SourceURL(s.Postgres)
		if err != nil {
			return nil, err
		}
		return pushdown.Postgres(url.Expose(), opt)
	case s.DuckDB != nil:
		return duckOf(c, d)
	case s.Files != "":
		return files.New(files.Options{Tables: filesOf(c.Path(s.Files), d)})
	}
	return nil, errUnreached
}

// duckOf starts nothing yet: the program is started by the first question.
func duckOf(c *config.Config, d config.Dataset) (relation.Engine, error) {
	s := d.Source.DuckDB
	o := process.Options{Program: s.Command[0], Args: s.Command[1:], Timeout: time.Duration(d.Pad)}
	if strings.ContainsRune(o.Program, filepath.Separator) {
		o.Program = c.Path(o.Program)
	}
	if s.Database != "" {
		o.Database = c.Path(s.Database)
		return process.Open(o)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Tables)) {
		t := d.Tables[name]
		one := process.Table{Name: cmp.Or(t.Table, name), Format: process.Parquet}
		for _, f := range t.Files {
			switch filepath.Ext(f) {
			case ".csv":
				one.Format = process.CSV
			case ".jsonl", ".ndjson":
				one.Format = process.JSON
			}
			one.Files = append(one.Files, filepath.Join(c.Path(s.Dir), f))
		}
		one.Columns = columnsIn(t)
		o.Tables = append(o.Tables, one)
	}
	return process.Open(o)
}

// columnsIn are a table's columns by their names in the source.
func columnsIn(t config.Table) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(t.Columns)) {
		all = append(all, cmp.Or(t.Columns[name].Column, name))
	}
	return all
}

// filesOf are the files of each table.
func filesOf(dir string, d config.Dataset) map[string]files.Table {
	all := map[string]files.Table{}
	for name, t := range d.Tables {
		one := files.Table{}
		for _, f := range t.Files {
			one.Paths = append(one.Paths, filepath.Join(dir, f))
		}
		all[name] = one
	}
	return all
}

// CheckSource reports whether the source of a dataset can be reached and has the tables and columns that configuration says.
func CheckSource(ctx context.Context, c *config.Config, name string) error {
	q := c.Queried(name)
	if q == nil {
		return errUnreached
	}
	engine, err := openSource(ctx, c, c.Datasets[name])
	if err != nil {
		return err
	}
	var scans []relation.Scan
	for _, t := range q.Tables {
		s := relation.Scan{Table: t.Source}
		for _, col := range t.Columns {
			s.Fields = append(s.Fields, relation.Field{Source: col.Source, As: col.Name, Type: col.Type})
		}
		scans = append(scans, s)
	}
	return errors.Join(engine.Check(ctx, scans), engine.Close())
}
