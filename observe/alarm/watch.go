package alarm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Options of a watch. DB is needed.
type Options struct {
	DB       store.DB
	Settings func() Settings                     // nil: the defaults
	Raise    func(context.Context, Alarm) string // does something about an alarm and says what; nil: nothing is done
	Fault    func(error)                         // for the operator's log; nil: none
	Every    time.Duration                       // between two times that what is remembered is stored; 0: 30 s
	Clock    func() time.Time                    // nil: time.Now
}

// who is a caller, or a domain where it has no agent.
type who struct {
	domain flow.DomainID
	agent  flow.AgentID
}

// Watch remembers what callers did. It is safe for concurrent use.
type Watch struct {
	opt Options

	mu     sync.Mutex // guards the fields below
	actors map[who]*actor
	gone   []who   // pushed out, and to be deleted
	queue  []Alarm // raised, and not yet stored
	lost   int     // that there was no room for
	next   int64
	wake   chan struct{}
}

// Bounds.
const (
	mostQueued = 1024
	mostRaised = 10_000 // that are kept
	storedAt   = 30 * time.Second
)

// Open reads what is remembered.
func Open(ctx context.Context, opt Options) (*Watch, error) {
	if opt.DB == nil {
		return nil, errors.New("alarms need a database")
	}
	if opt.Settings == nil {
		opt.Settings = func() Settings { return Settings{} }
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Fault == nil {
		opt.Fault = func(error) {}
	}
	if opt.Every <= 0 {
		opt.Every = storedAt
	}
	w := &Watch{opt: opt, actors: map[who]*actor{}, wake: make(chan struct{}, 1)}
	err := opt.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT domain, agent, state FROM alarm_actors")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var of who
			var state []byte
			if err := rows.Scan(&of.domain, &of.agent, &state); err != nil {
				return err
			}
			a := new(actor)
			if err := a.unpack(state); err != nil {
				return fmt.Errorf("what is remembered of a caller cannot be read: %w", err)
			}
			w.actors[of] = a
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return tx.QueryRow("SELECT COALESCE(MAX(id), 0) + 1 FROM alarm_raised").Scan(&w.next)
	})
	if err != nil {
		return nil, fmt.Errorf("opening the alarms: %w", err)
	}
	return w, nil
}

// Act counts an event. It is quick and writes nothing.
func (w *Watch) Act(a Act) {
	s := w.opt.Settings()
	if s.Off {
		return
	}
	by := blamed(&a)
	if len(by) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range by {
		w.count(s, b, &a, hourOf(a.Event.Time))
	}
	if len(w.queue) > 0 {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// blame is one who brought an event about.
type blame struct {
	who
	did     bool // or was sent something
	accused bool // it did so itself
}

// through marks what others did by a right that an agent handed on.
const through = "/*"

// blamed is who brought an event about, itself or by handing a right on, and the domains of those; where that is not proven, nobody in
// particular.
// An answer is its sender's doing: of its recipient it is only counted how much it was sent.
func blamed(a *Act) (all []blame) {
	f := &a.Event.Flow
	switch {
	case a.Event.Outcome == flow.Changed, a.Event.Outcome == flow.Budgeted:
		return nil
	case !a.Proven && a.Event.Outcome != flow.Refused:
		return nil
	case !a.Proven:
		return []blame{{who{"", Unproven}, true, false}}
	}
	caller, did := f.From, f.Direction == flow.Request || a.Event.Outcome == flow.Asked
	if f.Direction == flow.Response {
		caller = f.To
	}
	last := caller
	if n := len(f.Chain); n > 0 {
		last = f.Chain[n-1]
	}
	add := func(b blame) {
		if !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	if last.Agent != "" {
		// Who goes by a right that was handed on under the name of whoever gave it is not the one who has the name.
		itself := f.Capability == nil || len(f.Capability.Tokens) <= 1 || len(f.Chain) > 0
		add(blame{who{last.Domain, last.Agent}, did, did && itself})
	}
	if n := len(f.Chain); n > 0 {
		for _, p := range append([]flow.Party{caller}, f.Chain[:n-1]...) {
			add(blame{who{p.Domain, p.Agent + through}, did, false})
		}
	}
	for _, p := range []flow.Party{last, caller} {
		if p.Domain != "" {
			add(blame{who{p.Domain, ""}, did, false})
		}
	}
	return all
}

// count adds an event to what is known of one, and raises what is to be raised. The lock is held.
func (w *Watch) count(s Settings, b blame, act *Act, hour int64) {
	ev, of, a := &act.Event, b, w.actor(s, b.who)
	a.turn(hour)
	whole := of.agent == "" || of.agent == Unproven
	if !b.did {
		n := 0
		for _, l := range ev.Levels {
			if l.Level > flow.Dropped {
				n += l.Count
			}
		}
		a.add(values, n)
		w.unusual(s, of, a, Values, values)
		return
	}
	a.add(calls, 1)
	a.add(tokens, act.Unknown)
	isRefused, isHandle := ev.Outcome == flow.Refused || ev.Outcome == flow.Conflict, false
	if isRefused {
		switch rule(ev) {
		case "rate", "busy", "draining", "record", "internal", "upstream": // none of the caller's doing, or told by its calls
			isRefused = false
		case "handle":
			isHandle = true
			a.add(handles, 1)
			fallthrough
		default:
			a.add(refused, 1)
		}
	}
	if ev.Outcome == flow.Asked {
		for _, l := range ev.Levels {
			a.mark(l.Label)
		}
	}
	for _, c := range []struct {
		kind Kind
		at   int
		news bool
	}{{Refusals, refused, isRefused}, {Handles, handles, isHandle}, {Tokens, tokens, act.Unknown > 0}} {
		if !c.news {
			continue // nothing was added, so nothing is over that was not before
		}
		h, d, m := a.in(c.at)
		w.over(s.limit(c.kind, whole), of, a, c.kind, h, d, m)
	}
	if ev.Outcome == flow.Asked {
		h, d, m := a.asked()
		w.over(s.limit(Labels, whole), of, a, Labels, h, d, m)
	}
	w.unusual(s, of, a, Calls, calls)
	if ev.Outcome != flow.Refused && a.purpose(ev.Flow.Purpose) {
		w.raised(of, a, Purpose, "month", 1, 0)
	}
}

// over raises an alarm about what is more than a limit.
func (w *Watch) over(l Limit, of blame, a *actor, k Kind, hour, day, month int64) {
	for _, c := range []struct {
		span string
		seen int64
		most int
	}{{"hour", hour, l.Hour}, {"day", day, l.Day}, {"month", month, l.Month}} {
		if c.most >= 0 && c.seen > int64(c.most) {
			w.raised(of, a, k, c.span, c.seen, int64(c.most))
		}
	}
}

// unusual raises an alarm about an hour that is many times the caller's usual one, once it is known for a while.
func (w *Watch) unusual(s Settings, of blame, a *actor, k Kind, c int) {
	times := or(s.Times, 8)
	now := int64(a.Hours[c][hours-1])
	if times < 0 || now <= int64(or(s.Least, 200)) {
		return
	}
	median, n := a.usual(c)
	if most := max(int64(times)*median, int64(or(s.Least, 200))); n >= warmUp && now > most {
		w.raised(of, a, k, "hour", now, most)
	}
}

func (w *Watch) raised(of blame, a *actor, k Kind, span string, seen, most int64) {
	if !a.raise(k, span) {
		return
	}
	if len(w.queue) >= mostQueued {
		w.lost++
		return
	}
	w.queue = append(w.queue, Alarm{Time: w.opt.Clock().UTC().Truncate(time.Millisecond), Kind: k, Domain: of.domain, Agent: of.agent, Span: span, Seen: seen, Most: most, Accused: of.accused && k.Accuses()})
}

// Run does something about alarms and stores what is remembered, until ctx is done; then it stores once more.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(w.opt.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			w.Flush(last)
			return
		case <-w.wake:
			w.settle(ctx)
		case <-tick.C:
			w.Flush(ctx)
		}
	}
}

// Flush does something about all alarms and stores what is remembered.
func (w *Watch) Flush(ctx context.Context) {
	w.settle(ctx)
	if err := w.store(ctx); err != nil {
		w.opt.Fault(fmt.Errorf("storing what is remembered of callers: %w", err))
	}
}

// settle does something about alarms that were raised, and keeps them.
func (w *Watch) settle(ctx context.Context) {
	w.mu.Lock()
	all, lost := w.queue, w.lost
	w.queue, w.lost = nil, 0
	w.mu.Unlock()
	if lost > 0 {
		w.opt.Fault(fmt.Errorf("%d alarms more than can be kept", lost))
	}
	for i := range all {
		if w.opt.Raise != nil {
			all[i].Done = w.opt.Raise(ctx, all[i])
		}
	}
	if len(all) == 0 {
		return
	}
	err := w.opt.DB.Update(ctx, func(tx store.Tx) error {
		for i := range all {
			all[i].ID = w.next + int64(i)
			al := &all[i]
			if _, err := tx.Exec("INSERT INTO alarm_raised (id, at, kind, domain, agent, span, seen, most, done) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
				al.ID, al.Time.UnixMilli(), string(al.Kind), string(al.Domain), string(al.Agent), al.Span, al.Seen, al.Most, al.Done); err != nil {
				return err
			}
		}
		_, err := tx.Exec("DELETE FROM alarm_raised WHERE id <= ?", w.next+int64(len(all))-1-mostRaised)
		return err
	})
	if err != nil {
		w.opt.Fault(fmt.Errorf("keeping %d alarms: %w", len(all), err))
		return
	}
	w.next += int64(len(all)) // settle is for one goroutine
}

// store writes what changed.
func (w *Watch) store(ctx context.Context) error {
	type row struct {
		of    who
		a     *actor
		state []byte
	}
	w.mu.Lock()
	var rows []row
	gone := w.gone
	w.gone = nil
	for of, a := range w.actors {
		if a.dirty {
			rows = append(rows, row{of, a, a.pack()})
			a.dirty = false
		}
	}
	w.mu.Unlock()
	var err error
	for part := range slices.Chunk(rows, 256) {
		err = errors.Join(err, w.opt.DB.Update(ctx, func(tx store.Tx) error {
			for _, r := range part {
				if _, err := tx.Exec("INSERT INTO alarm_actors (domain, agent, state) VALUES (?, ?, ?) ON CONFLICT (domain, agent) DO UPDATE SET state = excluded.state",
					string(r.of.domain), string(r.of.agent), r.state); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if len(gone) > 0 {
		err = errors.Join(err, w.opt.DB.Update(ctx, func(tx store.Tx) error {
			for _, of := range gone {
				if _, err := tx.Exec("DELETE FROM alarm_actors WHERE domain = ? AND agent = ?", string(of.domain), string(of.agent)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, r := range rows {
			r.a.dirty = true
		}
	}
	return err
}

// Raised returns alarms since a time, the newest first, at most so many.
func Raised(ctx context.Context, db store.DB, since time.Time, most int) (all []Alarm, err error) {
	err = db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT id, at, kind, domain, agent, span, seen, most, done FROM alarm_raised WHERE at >= ? ORDER BY id DESC LIMIT ?", since.UnixMilli(), most)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var a Alarm
			var at int64
			if err := rows.Scan(&a.ID, &at, &a.Kind, &a.Domain, &a.Agent, &a.Span, &a.Seen, &a.Most, &a.Done); err != nil {
				return err
			}
			a.Time = time.UnixMilli(at).UTC()
			all = append(all, a)
		}
		return rows.Err()
	})
	return all, err
}

// pack is an actor as it is stored: counts that are not 0, by their distance from the last.
func (a *actor) pack() []byte {
	for c := range counters {
		a.Packed[c] = map[string]uint32{}
		for i, n := range a.Hours[c] {
			if n > 0 {
				a.Packed[c]["h"+strconv.Itoa(hours-1-i)] = n
			}
		}
		for i, n := range a.Days[c] {
			if n > 0 {
				a.Packed[c]["d"+strconv.Itoa(days-1-i)] = n
			}
		}
	}
	b, _ := json.Marshal(a) // maps, texts and numbers
	a.Packed = [counters]map[string]uint32{}
	return b
}

func (a *actor) unpack(b []byte) error {
	if err := json.Unmarshal(b, a); err != nil {
		return err
	}
	for c := range counters {
		for k, n := range a.Packed[c] {
			if len(k) < 2 {
				continue
			}
			i, err := strconv.Atoi(k[1:])
			switch {
			case err != nil || i < 0:
			case k[0] == 'h' && i < hours:
				a.Hours[c][hours-1-i] = n
			case k[0] == 'd' && i < days:
				a.Days[c][days-1-i] = n
			}
		}
	}
	a.Packed = [counters]map[string]uint32{}
	return nil
}
