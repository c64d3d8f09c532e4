package trace

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the tables of cursors and of what agents hold.
func Schema() store.Schema { return store.Schema{Name: "evidence/lineage/trace", FS: migrations} }

// Options of a tracer. DB, Domain, Graph, Entries and Open are needed.
type Options struct {
	DB     store.DB
	Domain flow.DomainID
	Graph  *lineage.Graph
	// Entries are the rows of the journal.
	Entries func(context.Context, audit.Query) iter.Seq2[audit.Entry, error]
	// Open unseals what was decided in a row that has something sealed.
	Open func(audit.Entry) (Decision, error)
	// Settled is the newest row that may be followed, and Grown a channel that is closed when there are more. Nil: all rows, looked
	// for every half second.
	Settled func() int64
	Grown   func() <-chan struct{}

	Base    string      // address under which the gateway is reached, where it serves [FacetsPath]; "": https://scrim.dev
	Share   int         // of a processor's time that is used while there is much to follow, in percent; 0: 10
	OnError func(error) // told what cannot be followed; nil: nobody
}

// Tracer follows the journal. It is safe for concurrent use.
type Tracer struct {
	opt  Options
	held holding

	mu    sync.Mutex           // held by one step at a time; guards the field below
	known map[string]time.Time // shapes that the graph was told, by when
}

// New returns a tracer over a database with the tables of [Schema], of the graph and of the journal.
func New(opt Options) *Tracer {
	if opt.Base == "" {
		opt.Base = publicBase
	}
	if opt.Share <= 0 || opt.Share > 100 {
		opt.Share = 10
	}
	if opt.OnError == nil {
		opt.OnError = func(error) {}
	}
	return &Tracer{opt: opt, known: map[string]time.Time{}}
}

// Progress is how far the journal was followed.
type Progress struct {
	Seq     int64 `json:"seq"`     // entries up to here are in the graph
	Skipped int64 `json:"skipped"` // of them, how many could not be followed
}

// Progress returns how far the journal was followed.
func (t *Tracer) Progress(ctx context.Context) (p Progress, err error) {
	err = t.opt.DB.View(ctx, func(tx store.Tx) (err error) { p, err = progress(tx); return err })
	return p, err
}

func progress(tx store.Tx) (p Progress, err error) {
	err = tx.QueryRow(`SELECT seq, skipped FROM trace_state WHERE id = 1`).Scan(&p.Seq, &p.Skipped)
	if errors.Is(err, sql.ErrNoRows) {
		return Progress{}, nil
	}
	if err != nil {
		return Progress{}, fmt.Errorf("reading how far the journal was followed: %w", err)
	}
	return p, nil
}

// batch is how many rows are followed in one transaction.
const batch = 256

// Run follows the journal until ctx ends. While there is much to follow it rests in between, so that flows are not slowed down.
func (t *Tracer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		grown := t.grown()
		began := time.Now()
		n, err := t.Step(ctx)
		rest := time.Duration(0)
		switch {
		case err != nil && ctx.Err() == nil:
			t.opt.OnError(fmt.Errorf("following the journal for its lineage: %w", err))
			rest = 5 * time.Second
		case n > 0:
			rest = min(max(time.Since(began)*time.Duration(100-t.opt.Share)/time.Duration(t.opt.Share), gather), 2*time.Second)
		default:
			rest = -1
		}
		wait(ctx, rest, grown)
	}
}

// grown tells when to look again.
func (t *Tracer) grown() <-chan struct{} {
	if t.opt.Grown == nil {
		return nil
	}
	return t.opt.Grown()
}

// gather is how long rows are let come together, since each step is a transaction of its own.
const gather = 100 * time.Millisecond

// idle is how long to wait for rows that nobody tells of.
const idle = 500 * time.Millisecond

// wait waits for so long, or, where that is negative, until there is something.
func wait(ctx context.Context, rest time.Duration, grown <-chan struct{}) {
	if rest >= 0 {
		grown = nil
	} else if rest = idle; grown != nil {
		rest = time.Minute
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-grown:
	}
}

// Step follows the next rows, at most a batch of them, and returns how many there were. What it tells the graph and how far it came is one
// transaction.
func (t *Tracer) Step(ctx context.Context) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from, err := t.Progress(ctx)
	if err != nil {
		return 0, err
	}
	t.held.forget()
	rows, read, err := t.rows(ctx, from.Seq, batch)
	if err != nil || len(read) == 0 {
		return 0, err
	}
	err = t.tell(ctx, from, rows, read)
	if !full(err) {
		return len(read), err
	}
	t.opt.OnError(fmt.Errorf("some flows are not in the lineage graph: %w", err))
	for _, seq := range read { // one after another, so that only those are left out for which there is no room
		at := Progress{Seq: seq - 1, Skipped: from.Skipped}
		one := slices.DeleteFunc(slices.Clone(rows), func(r Traced) bool { return r.Seq != seq })
		err := t.tell(ctx, at, one, []int64{seq})
		if full(err) {
			from.Skipped++
			err = t.tell(ctx, Progress{Seq: seq - 1, Skipped: from.Skipped}, nil, []int64{seq})
		}
		if err != nil {
			return 0, err
		}
	}
	return len(read), nil
}

func full(err error) bool { return errors.Is(err, lineage.ErrFull) || errors.Is(err, lineage.ErrRun) }

// rows reads the rows after one, and translates those that can be.
func (t *Tracer) rows(ctx context.Context, after int64, most int) (rows []Traced, read []int64, err error) {
	q := audit.Query{From: after + 1, Limit: most}
	if t.opt.Settled != nil {
		if q.To = t.opt.Settled(); q.To <= after {
			return nil, nil, nil
		}
	}
	for e, err := range t.opt.Entries(ctx, q) {
		if err != nil {
			return nil, nil, fmt.Errorf("reading the journal: %w", err)
		}
		read = append(read, e.Seq)
		row, err := t.translate(ctx, &e)
		if err != nil {
			if ctx.Err() != nil {
				return nil, nil, err
			}
			t.opt.OnError(err)
			row = t.unread(ctx, &e)
		}
		if err := t.given(ctx, &row); err != nil {
			return nil, nil, err
		}
		rows = append(rows, row)
	}
	return rows, read, nil
}

// unread is what a row tells whose decision cannot be opened: that there was a run.
func (t *Tracer) unread(ctx context.Context, e *audit.Entry) Traced {
	return Traced{Seq: e.Seq, graph: -1, ev: &e.Event, Events: []*lineage.Event{t.event(ctx, e, lineage.Other)}}
}

// again is how long a shape that the graph was told need not be told again; it keeps when things were seen last to about this.
const again = time.Minute

// tell takes rows into the graph and moves the cursor, once whatever happens.
func (t *Tracer) tell(ctx context.Context, from Progress, rows []Traced, read []int64) error {
	var kept []held
	now := time.Now()
	told := map[string]bool{}
	err := t.opt.DB.Update(ctx, func(tx store.Tx) error {
		kept, told = nil, map[string]bool{}
		at, err := progress(tx)
		if err != nil {
			return err
		}
		if at.Seq != from.Seq {
			return errMoved
		}
		for _, g := range grouped(rows) {
			ev := g.row.Events[g.row.graph]
			if last, ok := t.known[g.shape]; ok && now.Sub(last) < again {
				ev = &lineage.Event{Type: ev.Type, Time: ev.Time, Run: ev.Run, Job: ev.Job}
			}
			if _, err := t.opt.Graph.Add(tx, ev, lineage.Told{Deliveries: g.deliveries}); err != nil {
				return err
			}
			told[g.shape] = true
		}
		for i := range rows {
			more, err := t.gave(tx, &rows[i])
			if err != nil {
				return err
			}
			kept = append(kept, more...)
		}
		return move(tx, Progress{Seq: read[len(read)-1], Skipped: from.Skipped})
	})
	if err != nil {
		return err
	}
	if len(t.known)+len(told) > 1<<14 {
		clear(t.known)
	}
	for s := range told {
		if last, ok := t.known[s]; !ok || now.Sub(last) >= again {
			t.known[s] = now
		}
	}
	t.held.keep(kept)
	return nil
}

var errMoved = errors.New("somebody else follows the journal, too")

func move(tx store.Tx, p Progress) error {
	if _, err := tx.Exec(`INSERT INTO trace_state (id, seq, skipped) VALUES (1, ?, ?)
		ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, skipped = excluded.skipped`, p.Seq, p.Skipped); err != nil {
		return fmt.Errorf("keeping how far the journal was followed: %w", err)
	}
	return nil
}

// group is rows of one shape.
type group struct {
	shape      string
	row        *Traced // the newest
	deliveries []lineage.Delivery
}

// grouped puts together what tells the graph the same.
func grouped(rows []Traced) (all []*group) {
	at := map[string]*group{}
	for i := range rows {
		r := &rows[i]
		if r.graph < 0 {
			continue
		}
		s := shape(r.Events[r.graph])
		g := at[s]
		if g == nil {
			g = &group{shape: s}
			at[s] = g
			all = append(all, g)
		}
		g.row = r
		for _, d := range r.deliveries() {
			g.add(d)
		}
	}
	return all
}

func (g *group) add(d lineage.Delivery) {
	for i := range g.deliveries {
		o := &g.deliveries[i]
		if o.Dataset == d.Dataset && o.Agent == d.Agent && o.Domain == d.Domain && o.Purpose == d.Purpose && o.Policy == d.Policy && o.Level == d.Level {
			o.Count, o.Flow, o.Last = o.Count+d.Count, d.Flow, d.Last
			return
		}
	}
	g.deliveries = append(g.deliveries, d)
}

// mostTold is how many segments of a stream are told as they come. What the others gave is in the event that ends it.
const mostTold = 16

// Rows returns what the rows after one say, for whoever sends it elsewhere: at most so many of them, and none that is not in the
// graph yet. Rows about no run have no events, nor have segments of a stream beyond its first few.
func (t *Tracer) Rows(ctx context.Context, after int64, most int) ([]Traced, error) {
	p, err := t.Progress(ctx)
	if err != nil || p.Seq <= after {
		return nil, err
	}
	rows, _, err := t.rows(ctx, after, int(min(int64(most), p.Seq-after)))
	for i := range rows {
		if ev := rows[i].ev; ev.Outcome == flow.Segment && ev.Flow.Protocol != protocolStream && ev.Segment > mostTold {
			rows[i].Events = nil
		}
	}
	return rows, err
}

func sortColumns(all []lineage.Column) {
	slices.SortFunc(all, func(a, b lineage.Column) int {
		for _, n := range [][2]string{{a.Dataset.Namespace, b.Dataset.Namespace}, {a.Dataset.Name, b.Dataset.Name}, {a.Field, b.Field}} {
			if c := strings.Compare(n[0], n[1]); c != 0 {
				return c
			}
		}
		return 0
	})
}
