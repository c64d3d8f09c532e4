package report

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
)

// mostFigures bounds what a report holds.
const mostFigures = 50_000

// What figures add up.
const (
	sumEntries = "entries"           // 1 for each
	sumValues  = "levels.count"      // values of those levels that fit
	sumEpsilon = "cost.epsilon_nano" // ε · 10⁹
	sumDelta   = "cost.delta_pico"   // δ · 10¹²
	sumRows    = "table.out"
	sumPeople  = "people" // different subjects, known by the keyset alone; at most the sum of the member subjects
)

// members are what conditions and groups may name.
var members = map[string]func(*flow.Event) string{
	"outcome":            func(e *flow.Event) string { return string(e.Outcome) },
	"time.day":           func(e *flow.Event) string { return e.Time.UTC().Format("2006-01-02") },
	"reason":             func(e *flow.Event) string { return e.Reason },
	"flow.from.agent":    func(e *flow.Event) string { return string(e.Flow.From.Agent) },
	"flow.from.domain":   func(e *flow.Event) string { return string(e.Flow.From.Domain) },
	"flow.to.agent":      func(e *flow.Event) string { return string(e.Flow.To.Agent) },
	"flow.to.domain":     func(e *flow.Event) string { return string(e.Flow.To.Domain) },
	"flow.purpose":       func(e *flow.Event) string { return string(e.Flow.Purpose) },
	"flow.subject":       func(e *flow.Event) string { return e.Flow.Subject },
	"flow.method":        func(e *flow.Event) string { return e.Flow.Method },
	"flow.direction":     func(e *flow.Event) string { return e.Flow.Direction.String() },
	"policies":           func(e *flow.Event) string { return joined(e.Policies) },
	"contracts":          func(e *flow.Event) string { return joined(e.Contracts) },
	"policy_hash":        func(e *flow.Event) string { return e.PolicyHash },
	"question.dataset":   func(e *flow.Event) string { return orNone(e.Question).Dataset },
	"question.technique": func(e *flow.Event) string { return orNone(e.Question).Technique },
	"rules.what":         func(e *flow.Event) string { return orNone(e.Rules).What },
	"rules.by":           func(e *flow.Event) string { return orNone(e.Rules).By },
	"table.digest":       func(e *flow.Event) string { return orNone(e.Table).Digest },
}

var levelMembers = map[string]func(*flow.LevelCount) string{
	"levels.label": func(l *flow.LevelCount) string { return string(l.Label) },
	"levels.level": func(l *flow.LevelCount) string { return l.Level.String() },
	"levels.param": func(l *flow.LevelCount) string { return string(l.Param) },
	"levels.by":    func(l *flow.LevelCount) string { return l.By.String() },
}

func orNone[T any](p *T) T {
	if p == nil {
		var none T
		return none
	}
	return *p
}

func joined[T ~string](list []T) string {
	var b strings.Builder
	for i, s := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(s))
	}
	return b.String()
}

// tally counts entries into figures.
type tally struct {
	Count
	level   bool // levels are looked at one by one
	wheres  []condition
	by      []member
	figures map[string]*counted
	name    []byte // of a figure; made anew for each
	most    *int   // how many more figures there may be, of all tallies
	pairs   *int   // how many more pairs of a figure and a person
}

type member struct {
	event func(*flow.Event) string
	level func(*flow.LevelCount) string
}

func memberOf(at string) member {
	m := member{members[at], levelMembers[at]}
	if m.event == nil && m.level == nil {
		panic("no event has the member " + at)
	}
	return m
}

func (m member) of(ev *flow.Event, l *flow.LevelCount) string {
	if m.event != nil {
		return m.event(ev)
	}
	return m.level(l)
}

type condition struct {
	member
	Where
}

func (c *condition) holds(ev *flow.Event, l *flow.LevelCount) bool {
	v := c.of(ev, l)
	if len(c.Is) > 0 {
		return slices.Contains(c.Is, v)
	}
	return !slices.Contains(c.Not, v)
}

// counted is a figure that is being counted.
type counted struct {
	Figure
	digest hash.Hash
	buf    []byte
	people map[int32]struct{}
}

func newTally(c Count, most, pairs *int) *tally {
	t := &tally{Count: c, level: c.Sum == sumValues, figures: map[string]*counted{}, most: most, pairs: pairs}
	if t.Where == nil {
		t.Where = []Where{}
	}
	if t.By == nil {
		t.By = []string{}
	}
	t.Keys = c.Sum == sumPeople
	for _, w := range c.Where {
		m := memberOf(w.At)
		t.wheres, t.level = append(t.wheres, condition{m, w}), t.level || m.level != nil
	}
	for _, at := range c.By {
		m := memberOf(at)
		t.by, t.level = append(t.by, m), t.level || m.level != nil
	}
	return t
}

// add counts an entry about some people.
func (t *tally) add(e *audit.Entry, people []int32) error {
	ev := &e.Event
	if !t.level {
		return t.one(e, nil, people)
	}
	for i := range ev.Levels {
		if err := t.one(e, &ev.Levels[i], people); err != nil {
			return err
		}
	}
	return nil
}

func (t *tally) one(e *audit.Entry, l *flow.LevelCount, people []int32) error {
	for i := range t.wheres {
		if !t.wheres[i].holds(&e.Event, l) {
			return nil
		}
	}
	f, err := t.figure(&e.Event, l)
	if err != nil {
		return err
	}
	switch t.Sum {
	case sumEntries:
		if f.Entries.Last != e.Seq {
			f.Value++
		}
	case sumValues:
		f.Value += int64(l.Count)
	case sumPeople:
		for _, p := range people {
			if _, there := f.people[p]; !there {
				if *t.pairs--; *t.pairs < 0 {
					return ErrMuch
				}
				f.people[p] = struct{}{}
			}
		}
		f.Value = int64(len(f.people))
	default:
		if f.Entries.Last != e.Seq {
			f.Value += summed(t.Sum, &e.Event)
		}
	}
	f.from(e)
	return nil
}

func summed(sum string, ev *flow.Event) int64 {
	switch sum {
	case sumEpsilon:
		return ev.Cost.EpsilonNano
	case sumDelta:
		return ev.Cost.DeltaPico
	case sumRows:
		return orNone(ev.Table).Out
	}
	panic("nothing adds up " + sum)
}

func (t *tally) figure(ev *flow.Event, l *flow.LevelCount) (*counted, error) {
	t.name = t.name[:0]
	for _, m := range t.by {
		v := m.of(ev, l)
		t.name = append(binary.AppendUvarint(t.name, uint64(len(v))), v...)
	}
	f := t.figures[string(t.name)]
	if f == nil {
		if *t.most--; *t.most < 0 {
			return nil, ErrMuch
		}
		f = &counted{Figure: Figure{Key: make([]string, len(t.by))}, digest: sha256.New()}
		for i, m := range t.by {
			f.Key[i] = m.of(ev, l)
		}
		f.digest.Write([]byte(digestHead))
		if t.Keys {
			f.people = map[int32]struct{}{}
		}
		t.figures[string(t.name)] = f
	}
	return f, nil
}

// digestHead begins what a figure's digest is of.
const digestHead = "scrim.dev/report/entries@v1\n"

// from notes an entry, once.
func (c *counted) from(e *audit.Entry) {
	n := &c.Entries
	if n.Last == e.Seq {
		return
	}
	c.buf = append(binary.BigEndian.AppendUint64(c.buf[:0], uint64(e.Seq)), e.Hash[:]...)
	c.digest.Write(c.buf)
	switch {
	case n.Number == 0:
		n.First, n.Ranges = e.Seq, [][2]int64{{e.Seq, e.Seq}}
	case n.Ranges == nil:
	case n.Last+1 == e.Seq:
		n.Ranges[len(n.Ranges)-1][1] = e.Seq
	case len(n.Ranges) == mostRanges:
		n.Ranges = nil
	default:
		n.Ranges = append(n.Ranges, [2]int64{e.Seq, e.Seq})
	}
	n.Number++
	n.Last = e.Seq
}

// done are the figures in their order.
func (t *tally) done() Count {
	c := t.Count
	c.Figures = make([]Figure, 0, len(t.figures))
	for _, f := range slices.SortedFunc(maps.Values(t.figures), func(a, b *counted) int { return slices.Compare(a.Key, b.Key) }) {
		f.Entries.Digest = f.digest.Sum(nil)
		c.Figures = append(c.Figures, f.Figure)
	}
	return c
}

// cell shows a figure.
func (c *Count) cell(i int) Cell {
	return Cell{Text: c.shown(c.Figures[i].Value), Figure: fmt.Sprintf("%s/%d", c.ID, i)}
}

// shown is a value as reports write it.
func (c *Count) shown(v int64) string {
	switch c.Sum {
	case sumEpsilon:
		return flow.Decimal(v, 9)
	case sumDelta:
		return flow.Decimal(v, 12)
	}
	return fmt.Sprint(v)
}

// at finds the figure of a key; false if there is none.
func (c *Count) at(key ...string) (int, bool) {
	return slices.BinarySearchFunc(c.Figures, key, func(f Figure, key []string) int { return slices.Compare(f.Key, key) })
}
