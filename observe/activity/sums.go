package activity

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is the tables of the sums and of their cursor.
func Schema() store.Schema { return store.Schema{Name: "observe/activity", FS: migrations} }

// Unit is how long one sum lasts.
type Unit int64

// The units.
const (
	Minute Unit = iota
	Hour
	Day
)

var lengths = [...]time.Duration{time.Minute, time.Hour, 24 * time.Hour}

// Length is how long a sum of the unit lasts.
func (u Unit) Length() time.Duration { return lengths[u] }

// of is when the sum began that a time belongs to, in seconds.
func (u Unit) of(t time.Time) int64 { return t.Truncate(u.Length()).Unix() }

// Keep is how long sums are kept. Zero fields have the defaults named.
type Keep struct {
	Minutes time.Duration // 48 h
	Hours   time.Duration // 45 days
	Days    time.Duration // 3 years
}

func (k Keep) of(u Unit) time.Duration {
	const day = 24 * time.Hour
	given := [...]time.Duration{k.Minutes, k.Hours, k.Days}[u]
	if given <= 0 {
		return [...]time.Duration{2 * day, 45 * day, 3 * 365 * day}[u]
	}
	return given
}

// Options of sums. DB, Entries and Settled are needed.
type Options struct {
	DB      store.DB
	Entries func(context.Context, audit.Query) iter.Seq2[audit.Entry, error] // of the journal
	Settled func() int64                                                     // the newest row to be read
	Grown   func() <-chan struct{}                                           // closed when there are more; nil: looked for every second

	Keep    func() Keep      // nil: the defaults
	Names   int              // different rows of one unit of time; what is beyond is added up under "*"; 0: 1,000
	Share   int              // of a processor's time that is used while there is much to read, in percent; 0: 10
	OnError func(error)      // nil: nobody is told
	Clock   func() time.Time // nil: time.Now
}

// Sums adds up the journal. It is safe for concurrent use.
type Sums struct {
	opt Options

	mu     sync.Mutex // held by one step at a time; guards the fields below
	seq    int64      // -1: not known yet
	pruned time.Time
}

// New returns sums over a database with the tables of [Schema] and the journal's.
func New(opt Options) *Sums {
	if opt.Keep == nil {
		opt.Keep = func() Keep { return Keep{} }
	}
	if opt.Names <= 0 {
		opt.Names = 1000
	}
	if opt.Share <= 0 || opt.Share > 100 {
		opt.Share = 10
	}
	if opt.OnError == nil {
		opt.OnError = func(error) {}
	}
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	return &Sums{opt: opt, seq: -1}
}

// Seq returns the entry of the journal up to which all is added up.
func Seq(ctx context.Context, db store.DB) (seq int64, err error) {
	err = db.View(ctx, func(tx store.Tx) error { seq, err = cursor(tx); return err })
	return seq, err
}

func cursor(tx store.Tx) (seq int64, err error) {
	err = tx.QueryRow("SELECT seq FROM activity_state WHERE id = 1").Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading how far the journal was added up: %w", err)
	}
	return seq, nil
}

const (
	batch  = 2048             // rows of one transaction
	gather = time.Second      // rows are let come together, since each step is a transaction
	prune  = 10 * time.Minute // between two times that old sums are deleted
)

// Run follows the journal until ctx ends. While there is much to read it rests in between, so that flows are not slowed down.
func (s *Sums) Run(ctx context.Context) {
	for ctx.Err() == nil {
		var grown <-chan struct{}
		if s.opt.Grown != nil {
			grown = s.opt.Grown()
		}
		began := time.Now()
		n, err := s.Step(ctx)
		rest, wake := gather, (<-chan struct{})(nil)
		switch {
		case err != nil && ctx.Err() == nil:
			s.opt.OnError(fmt.Errorf("adding up the journal: %w", err))
			rest = 5 * time.Second
		case n == batch:
			rest = min(time.Since(began)*time.Duration(100-s.opt.Share)/time.Duration(s.opt.Share), 2*time.Second)
		case n == 0 && grown != nil:
			rest, wake = time.Minute, grown
		}
		timer := time.NewTimer(rest)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-wake:
		}
		timer.Stop()
	}
}

// Catch adds up all that is in the journal now.
func (s *Sums) Catch(ctx context.Context) error {
	for {
		n, err := s.Step(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
}

type flowKey struct {
	unit                                      Unit
	at                                        int64
	sender, recipient, purpose, outcome, rule string
}

type flowSum struct {
	entries, bytes int64
	highest        int
}

type levelKey struct {
	unit             Unit
	at               int64
	label, recipient string
	level            flow.Level
}

// tally is the sums of one batch.
type tally struct {
	flows  map[flowKey]flowSum
	levels map[levelKey]int64
}

// name is a name as both databases take it.
func name[T ~string](s T) string {
	t := strings.ReplaceAll(strings.ToValidUTF8(string(s), "\uFFFD"), "\x00", "\uFFFD")
	if len(t) > longest {
		t = strings.ToValidUTF8(t[:longest], "")
	}
	return t
}

func (t *tally) add(ev *flow.Event, keep Keep, now time.Time) {
	for u := Minute; u <= Day; u++ {
		if now.Sub(ev.Time) > keep.of(u) {
			continue
		}
		at := u.of(ev.Time)
		k := flowKey{u, at, name(ev.Flow.From.Domain), name(ev.Flow.To.Domain), name(ev.Flow.Purpose), name(ev.Outcome), Rule(ev)}
		sum, ok := t.flows[k]
		if !ok {
			sum.highest = Nothing
		}
		sum.entries, sum.highest = sum.entries+1, max(sum.highest, Highest(ev))
		if shows(ev) {
			sum.bytes += int64(max(ev.Bytes, 0))
		}
		t.flows[k] = sum
		if !shows(ev) {
			continue
		}
		for i := range ev.Levels {
			if l := &ev.Levels[i]; l.Count > 0 {
				t.levels[levelKey{u, at, name(l.Label), name(ev.Flow.To.Domain), l.Level}] += int64(l.Count)
			}
		}
	}
}

// Step adds up the next rows, at most a batch of them, and returns how many there were. The sums and how far it came are one transaction.
func (s *Sums) Step(ctx context.Context) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seq < 0 {
		seq, err := Seq(ctx, s.opt.DB)
		if err != nil {
			return 0, err
		}
		s.seq = seq
	}
	now := s.opt.Clock()
	to := s.opt.Settled()
	if to <= s.seq {
		return 0, s.prune(ctx, now)
	}
	t := &tally{map[flowKey]flowSum{}, map[levelKey]int64{}}
	n, last, keep := 0, s.seq, s.opt.Keep()
	for e, err := range s.opt.Entries(ctx, audit.Query{From: s.seq + 1, To: to, Limit: batch}) {
		if err != nil {
			return 0, fmt.Errorf("reading the journal: %w", err)
		}
		t.add(&e.Event, keep, now)
		n, last = n+1, e.Seq
	}
	if n == 0 {
		return 0, nil
	}
	err := s.opt.DB.Update(ctx, func(tx store.Tx) error {
		at, err := cursor(tx)
		if err != nil {
			return err
		}
		if at != s.seq {
			s.seq = -1
			return errMoved
		}
		if err := t.put(tx, s.opt.Names); err != nil {
			return err
		}
		_, err = tx.Exec("INSERT INTO activity_state (id, seq) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq", last)
		return err
	})
	if err != nil {
		s.seq = -1 // whether it is durable is not known: look again
		return 0, err
	}
	s.seq = last
	return n, s.prune(ctx, now)
}

var errMoved = errors.New("somebody else adds up the journal, too")

// put adds to what is stored. In one unit of time there are at most so many different rows; what is beyond is added to one that names nobody.
func (t *tally) put(tx store.Tx, most int) error {
	room := map[string]map[[2]int64]int{"activity_flows": {}, "activity_levels": {}}
	left := func(table string, u Unit, at int64) (int, error) {
		k := [2]int64{int64(u), at}
		if n, ok := room[table][k]; ok {
			return n, nil
		}
		var n int
		if err := tx.QueryRow("SELECT COUNT(*) FROM "+table+" WHERE unit = ? AND at = ?", int64(u), at).Scan(&n); err != nil {
			return 0, err
		}
		room[table][k] = most - n
		return most - n, nil
	}
	for _, k := range slices.SortedFunc(maps.Keys(t.flows), compareFlows) {
		sum := t.flows[k]
		added, err := k.add(tx, sum)
		if err != nil || added {
			if err != nil {
				return err
			}
			continue
		}
		n, err := left("activity_flows", k.unit, k.at)
		if err != nil {
			return err
		}
		if n <= 0 {
			k.sender, k.recipient, k.purpose = Others, Others, Others
		}
		room["activity_flows"][[2]int64{int64(k.unit), k.at}]--
		if err := k.insert(tx, sum); err != nil {
			return err
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(t.levels), compareLevels) {
		n, err := tx.Exec("UPDATE activity_levels SET shown = shown + ? WHERE unit = ? AND at = ? AND label = ? AND recipient = ? AND level = ?",
			t.levels[k], int64(k.unit), k.at, k.label, k.recipient, int64(k.level))
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		free, err := left("activity_levels", k.unit, k.at)
		if err != nil {
			return err
		}
		label, recipient := k.label, k.recipient
		if free <= 0 {
			label, recipient = Others, Others
		}
		room["activity_levels"][[2]int64{int64(k.unit), k.at}]--
		if _, err := tx.Exec(`INSERT INTO activity_levels (unit, at, label, recipient, level, shown) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (unit, at, label, recipient, level) DO UPDATE SET shown = activity_levels.shown + excluded.shown`, int64(k.unit), k.at, label, recipient, int64(k.level), t.levels[k]); err != nil {
			return err
		}
	}
	return nil
}

// Others stands for all names that a unit of time had no room for.
const Others = "*"

// add adds to a row that is there.
func (k flowKey) add(tx store.Tx, sum flowSum) (there bool, err error) {
	n, err := tx.Exec(`UPDATE activity_flows SET entries = entries + ?, bytes = bytes + ?, highest = CASE WHEN highest < ? THEN ? ELSE highest END
		WHERE unit = ? AND at = ? AND sender = ? AND recipient = ? AND purpose = ? AND outcome = ? AND rule = ?`,
		sum.entries, sum.bytes, int64(sum.highest), int64(sum.highest), int64(k.unit), k.at, k.sender, k.recipient, k.purpose, k.outcome, k.rule)
	return n > 0, err
}

func (k flowKey) insert(tx store.Tx, sum flowSum) error {
	_, err := tx.Exec(`INSERT INTO activity_flows (unit, at, sender, recipient, purpose, outcome, rule, entries, bytes, highest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (unit, at, sender, recipient, purpose, outcome, rule) DO UPDATE SET entries = activity_flows.entries + excluded.entries, bytes = activity_flows.bytes + excluded.bytes,
		highest = CASE WHEN activity_flows.highest < excluded.highest THEN excluded.highest ELSE activity_flows.highest END`,
		int64(k.unit), k.at, k.sender, k.recipient, k.purpose, k.outcome, k.rule, sum.entries, sum.bytes, int64(sum.highest))
	return err
}

// prune deletes what is older than it is kept, now and then.
func (s *Sums) prune(ctx context.Context, now time.Time) error {
	if now.Sub(s.pruned).Abs() < prune {
		return nil
	}
	s.pruned = now
	keep := s.opt.Keep()
	return s.opt.DB.Update(ctx, func(tx store.Tx) error {
		for u := Minute; u <= Day; u++ {
			for _, table := range []string{"activity_flows", "activity_levels"} {
				if _, err := tx.Exec("DELETE FROM "+table+" WHERE unit = ? AND at < ?", int64(u), now.Add(-keep.of(u)).Unix()); err != nil {
					return fmt.Errorf("deleting old sums: %w", err)
				}
			}
		}
		return nil
	})
}
