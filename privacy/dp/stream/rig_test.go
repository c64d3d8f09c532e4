package stream_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/privacy/dp/stream"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

func aead(key byte) continual.Sealer {
	b, err := aes.NewCipher([]byte{31: key})
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCM(b)
	if err != nil {
		panic(err)
	}
	return continual.AEAD(a)
}

// stay is one row.
type stay struct {
	patient, ward string
	at            time.Time
	days          int64
}

// hospital is a source in memory, which the reference evaluator computes.
type hospital struct {
	mu    sync.Mutex // guards the fields below
	stays []stay
	fail  error
	asked int
	slow  func()
}

func (h *hospital) admit(s ...stay) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stays = append(h.stays, s...)
}

// Run implements [relation.Engine].
func (h *hospital) Run(ctx context.Context, q *relation.Bounded, seed relation.Seed, yield func(relation.Group) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	if h.slow != nil {
		h.slow()
	}
	if h.fail != nil {
		return h.fail
	}
	open := func(_ context.Context, s *relation.Scan) iter.Seq2[[]any, error] {
		return func(yield func([]any, error) bool) {
			for _, row := range h.stays {
				var cells []any
				for _, f := range s.Fields {
					cells = append(cells, map[string]any{
						"patient_id": row.patient, "ward": row.ward, "admitted": row.at.UTC().Format(time.RFC3339Nano), "days": row.days,
					}[f.Source])
				}
				if !yield(cells, nil) {
					return
				}
			}
		}
	}
	groups, err := relation.Evaluate(ctx, q, seed, open, nil)
	for _, g := range groups {
		if err == nil {
			err = yield(g)
		}
	}
	return err
}

// Check implements [relation.Engine].
func (h *hospital) Check(context.Context, []relation.Scan) error { return nil }

// Close implements [relation.Engine].
func (h *hospital) Close() error { return nil }

var (
	began   = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	texts   = relation.Type{Kind: relation.Text}
	moments = relation.TimeType(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro(), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	days    = relation.NumberType(0, 0, 30)
	wards   = []string{"icu", "surgery", "other"}
)

func stays() *query.Dataset {
	return &query.Dataset{
		Name: "stays", Unit: "patient", Formal: true, Limits: query.Limits{Rows: 1, MostRows: 64, Groups: 1, MostGroups: 64, MostCells: 1000},
		Tables: []query.Table{{
			Name: "stays", Source: "clinic.stays", Unit: []string{"patient"}, Time: "admitted",
			Columns: []query.Column{
				{Name: "patient", Source: "patient_id", Type: texts, NoKey: true},
				{Name: "ward", Source: "ward", Type: texts, Values: wardValues()},
				{Name: "admitted", Source: "admitted", Type: moments, Bounded: true},
				{Name: "days", Source: "days", Type: days, Bounded: true},
			},
		}},
	}
}

func wardValues() (all []relation.Value) {
	for _, w := range wards {
		all = append(all, relation.Value{Kind: relation.Text, Text: w})
	}
	return all
}

// asked is a question as it is compiled: the count of rows, or the sum of days, by ward or of all.
func asked(t testing.TB, d *query.Dataset, sum, byWard bool, rows, groups int64) *query.Plan {
	t.Helper()
	scan, err := relation.NewScan("clinic.stays", relation.Field{Source: "patient_id", As: "u", Type: texts, Exact: true},
		relation.Field{Source: "ward", As: "w", Type: texts}, relation.Field{Source: "days", As: "d", Type: days})
	if err != nil {
		t.Fatal(err)
	}
	p := &query.Plan{
		Dataset: d, Relation: relation.Bounded{In: scan, Unit: []string{"u"}, Rows: rows, Sums: []relation.Sum{{Op: relation.Count, High: rows}}}, Limit: -1,
		Measures:   []query.Measure{{Sum: 0, Bins: -1, Most: rows, Levels: 1, Weight: 1}},
		Aggregates: []query.Aggregate{{Kind: query.CountAggregate, Text: "count(*)", Measures: []int{0}}},
		Columns:    []query.Output{{Name: "count", Expr: query.PostAggregate{}}},
		Scans:      []relation.Scan{*scan},
	}
	if sum {
		most := rows * days.Max
		p.Relation.Sums = []relation.Sum{{Op: relation.Total, Col: "d", High: most}}
		p.Measures[0].Most, p.Aggregates[0].Kind, p.Columns[0].Name = most, query.SumAggregate, "sum"
	}
	if byWard {
		ref := &relation.Ref{Name: "w", As: texts}
		in, err := relation.NewIn(ref, wardValues()...)
		if err != nil {
			t.Fatal(err)
		}
		f, err := relation.NewFilter(scan, in)
		if err != nil {
			t.Fatal(err)
		}
		p.Relation.In, p.Relation.Keys, p.Relation.Groups = f, []string{"w"}, groups
		p.Keys = []query.Key{{Name: "ward", Type: texts, Values: wardValues()}}
		p.Columns = append([]query.Output{{Name: "ward", Expr: query.PostKey{}}}, p.Columns...)
	}
	return p
}

// patientDays is the budget of units that are a patient's day, and patients that of patients.
func patientDays() budget.Budget {
	b := patients()
	b.Unit = budget.Unit{Name: "patient-day", Window: 24 * time.Hour}
	return b
}

func patients() budget.Budget {
	return budget.Budget{Dataset: "stays", Unit: budget.Unit{Name: "patient"}, Plan: budget.Plan{Epsilon: 3_000_000_000, Delta: 1_000_000_000}}
}

// hourly counts admissions by the hour, with so little noise that none is seen unless rho says otherwise.
func hourly() stream.Definition {
	return stream.Definition{
		Dataset: "stays", Name: "admissions", SQL: "SELECT count(*) FROM stays", From: began, Every: time.Hour, Horizon: 8, Epochs: 3,
		Method: continual.Tree, Rho: 20_000_000, Delta: 1_000_000,
	}
}

// rig is a publisher with a ledger, a clock and a hospital.
type rig struct {
	t        testing.TB
	db       store.DB
	ledger   *budget.Ledger
	source   *hospital
	recorded []stream.Step
	opt      stream.Options
	*stream.Publisher

	mu  sync.Mutex // guards now
	now time.Time
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) at(t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = t
}

func openRig(t testing.TB, b budget.Budget) *rig {
	t.Helper()
	r := &rig{t: t, db: storetest.Open(t, budget.Schema(), continual.Schema(), stream.Schema()), source: &hospital{}, now: began}
	r.ledger = openLedger(t, r.db, false, r.clock)
	if err := r.ledger.Declare(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	r.opt = stream.Options{
		DB: r.db, Seal: aead(1), Ledger: r.ledger, Clock: r.clock,
		Source: func(context.Context, string) (stream.Source, error) {
			return stream.Source{Engine: r.source, Seed: relation.Seed{1}}, nil
		},
		Record: func(_ store.Tx, s stream.Step) error {
			r.recorded = append(r.recorded, s)
			return nil
		},
	}
	r.restart()
	return r
}

func openLedger(t testing.TB, db store.DB, shared bool, clock func() time.Time) *budget.Ledger {
	t.Helper()
	l, err := budget.Open(t.Context(), db, budget.Options{Signer: ed25519.NewKeyFromSeed(make([]byte, 32)), Seal: aead(2), Shared: shared, Clock: clock, MaxBlocks: 64})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	return l
}

// restart is a process that ends and another one that begins.
func (r *rig) restart(plans ...*stream.Plan) {
	r.t.Helper()
	p, err := stream.NewPublisher(r.opt)
	if err != nil {
		r.t.Fatal(err)
	}
	r.Publisher = p
	p.Set(plans)
}

func (r *rig) catchUp() {
	r.t.Helper()
	if err := r.CatchUp(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) read(ask stream.Ask) *stream.Reading {
	r.t.Helper()
	ask.Dataset, ask.Stream = "stays", "admissions"
	got, err := r.Read(r.t.Context(), ask)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

// spent is what the dataset's budget was charged, in nano-ρ.
func (r *rig) spent(blocks budget.Range) int64 {
	r.t.Helper()
	all, err := r.ledger.Remaining(r.t.Context(), budget.Scope{Dataset: "stays"}, blocks)
	if err != nil {
		r.t.Fatal(err)
	}
	return all[0].Spent.Rho
}

func plan(t testing.TB, b budget.Budget, d *query.Dataset, q *query.Plan, def stream.Definition) *stream.Plan {
	t.Helper()
	d.Window = b.Unit.Window
	if b.Blocks.Kind == budget.BlocksTime {
		d.Origin = b.Blocks.From
	}
	p, err := stream.New(b, d, q, def)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error = %v, want %v", err, want)
	}
}
