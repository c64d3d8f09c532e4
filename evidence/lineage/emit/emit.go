package emit

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/store"
)

// ErrRefused is the error of an event that a receiver will never take.
var ErrRefused = errors.New("the receiver does not take this event")

// Target is where events go: a [File] or an [HTTP].
type Target interface {
	// begin is called once, with where the target was when the last rows were noted.
	begin(place int64) error
	// wants reports whether the target is sent an event of this kind.
	wants(*lineage.Event) bool
	// send returns when the target has the events: how many of them, and where it is then. A [ErrRefused] is about the first that it has not.
	send(ctx context.Context, events [][]byte) (sent int, place int64, err error)
}

// Options of an emitter. Name, DB, Rows and To are needed.
type Options struct {
	Name string // of its cursor
	DB   store.DB
	// Rows are those after a row, in order, at most so many: [trace.Tracer.Rows].
	Rows func(ctx context.Context, after int64, most int) ([]trace.Traced, error)
	To   Target

	Begin   int64         // the row after which it begins, where it never ran
	Least   time.Duration // between two tries, doubled each time up to Most; 0: a second
	Most    time.Duration // 0: five minutes
	OnError func(error)   // told what goes wrong; nil: nobody
}

// Emitter sends events to one target.
type Emitter struct {
	opt Options

	at     *Status // nil: not read yet; of the goroutine that runs it
	ahead  int     // events after the cursor that were sent: of a row of which not all were
	asked  int     // how often the next event was refused
	failed error   // of the last step, guarded by mu
	mu     sync.Mutex
}

// New returns an emitter over a database with the tables of [trace.Schema].
func New(opt Options) *Emitter {
	if opt.Least <= 0 {
		opt.Least = time.Second
	}
	if opt.Most <= 0 {
		opt.Most = 5 * time.Minute
	}
	if opt.OnError == nil {
		opt.OnError = func(error) {}
	}
	return &Emitter{opt: opt}
}

// Status is how far an emitter is.
type Status struct {
	Name    string `json:"name"`
	Seq     int64  `json:"seq"`             // rows up to here were sent
	Refused int64  `json:"refused"`         // events that the receiver did not take
	Error   string `json:"error,omitempty"` // why it does not go on

	place int64
}

// Status returns how far it is.
func (e *Emitter) Status(ctx context.Context) (Status, error) {
	s, _, err := e.cursor(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed != nil {
		s.Error = e.failed.Error()
	}
	return s, err
}

func (e *Emitter) cursor(ctx context.Context) (s Status, there bool, err error) {
	s = Status{Name: e.opt.Name, Seq: e.opt.Begin}
	err = e.opt.DB.View(ctx, func(tx store.Tx) error {
		err := tx.QueryRow(`SELECT seq, place, refused FROM trace_sinks WHERE name = ?`, e.opt.Name).Scan(&s.Seq, &s.place, &s.Refused)
		if there = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("reading how far lineage was sent to %s: %w", e.opt.Name, err)
	}
	return s, there, err
}

// move keeps how far it is.
func (e *Emitter) move(ctx context.Context, s Status) error {
	err := e.opt.DB.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec(`INSERT INTO trace_sinks (name, seq, place, refused) VALUES (?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, place = excluded.place, refused = excluded.refused`, s.Name, s.Seq, s.place, s.Refused)
		return err
	})
	if err != nil {
		e.at = nil
		return fmt.Errorf("keeping how far lineage was sent to %s: %w", e.opt.Name, err)
	}
	e.at = &s
	return nil
}

// atOnce is how many rows are sent before the cursor moves.
const atOnce = 64

// idle is how long to wait where there is nothing to send.
const idle = time.Second

// Run sends until ctx ends.
func (e *Emitter) Run(ctx context.Context) {
	rest := e.opt.Least
	for ctx.Err() == nil {
		n, err := e.Step(ctx)
		if ctx.Err() != nil {
			return
		}
		e.mu.Lock()
		e.failed = err
		e.mu.Unlock()
		pause := time.Duration(0)
		switch {
		case err != nil:
			e.opt.OnError(fmt.Errorf("sending lineage to %s, which is tried again: %w", e.opt.Name, err))
			pause = max(rest, retryAfter(err, e.opt.Most))
			rest = min(2*rest, e.opt.Most)
		case n == 0:
			pause, rest = idle, e.opt.Least
		default:
			rest = e.opt.Least
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// mostRefusals is how often a receiver may refuse one event before it is left out.
const mostRefusals = 3

// Step sends the next rows and returns how many. After an error nothing of what was not sent is lost.
func (e *Emitter) Step(ctx context.Context) (int, error) {
	if e.at == nil {
		s, there, err := e.cursor(ctx)
		if err != nil {
			return 0, err
		}
		if err := e.opt.To.begin(s.place); err != nil {
			return 0, err
		}
		if !there { // so that where it begins is decided once
			if err := e.move(ctx, s); err != nil {
				return 0, err
			}
		}
		e.at, e.ahead = &s, 0
	}
	rows, err := e.opt.Rows(ctx, e.at.Seq, atOnce)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	events, until, err := e.events(rows)
	if err != nil {
		return 0, err
	}
	next := *e.at
	next.Seq = rows[len(rows)-1].Seq
	if len(events) > 0 {
		if next, err = e.send(ctx, next, events, until); err != nil {
			return 0, err
		}
	}
	n := int(next.Seq - e.at.Seq)
	if err := e.move(ctx, next); err != nil {
		return 0, err
	}
	e.ahead = 0
	return n, nil
}

// events encodes what the target wants of rows; until says of each event which row ends with it, 0 if there are more of the row.
func (e *Emitter) events(rows []trace.Traced) (events [][]byte, until []int64, err error) {
	for _, row := range rows {
		n := len(events)
		for _, ev := range row.Events {
			if !e.opt.To.wants(ev) {
				continue
			}
			b, err := json.Marshal(ev)
			if err != nil {
				return nil, nil, fmt.Errorf("entry %d: encoding its lineage: %w", row.Seq, err)
			}
			events, until = append(events, b), append(until, 0)
		}
		if len(events) > n {
			until[len(until)-1] = row.Seq
		}
	}
	return events, until, nil
}

// send sends events. What the target refuses again and again is left out and counted. Where it breaks off, the rows that were sent whole are noted.
func (e *Emitter) send(ctx context.Context, end Status, events [][]byte, until []int64) (Status, error) {
	done := e.ahead // whose receiver has them
	for done < len(events) {
		sent, place, err := e.opt.To.send(ctx, events[done:])
		if done += sent; sent > 0 {
			end.place, e.asked = place, 0
		}
		if err == nil {
			continue
		}
		if errors.Is(err, ErrRefused) {
			if e.asked++; e.asked >= mostRefusals {
				e.opt.OnError(fmt.Errorf("an event of lineage is left out: %s: %w", e.opt.Name, err))
				end.Refused, e.asked = end.Refused+1, 0
				done++
				continue
			}
		}
		return end, errors.Join(err, e.halfway(ctx, end, until[:done]))
	}
	return end, nil
}

// halfway notes what was sent before something went wrong: the rows of which all was in the store, the rest in memory.
func (e *Emitter) halfway(ctx context.Context, end Status, sent []int64) error {
	whole := *e.at
	whole.place, whole.Refused = end.place, end.Refused
	ahead := len(sent)
	for i, seq := range sent {
		if seq > 0 {
			whole.Seq, ahead = seq, len(sent)-i-1
		}
	}
	if whole != *e.at {
		if err := e.move(ctx, whole); err != nil {
			return err
		}
	}
	e.ahead = ahead
	return nil
}
