package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// entryDigest begins what a figure's digest is of.
const (
	entryDigest = "scrim.dev/report/entries@v1\n"
	mostRanges  = 32
)

// event is what reports count by.
type event struct {
	Time       time.Time `json:"time"`
	Outcome    string    `json:"outcome"`
	Reason     string    `json:"reason"`
	PolicyHash string    `json:"policy_hash"`
	Policies   []string  `json:"policies"`
	Contracts  []string  `json:"contracts"`
	Subjects   int64     `json:"subjects"`
	Flow       struct {
		From      party  `json:"from"`
		To        party  `json:"to"`
		Purpose   string `json:"purpose"`
		Subject   string `json:"subject"`
		Method    string `json:"method"`
		Direction string `json:"direction"`
	} `json:"flow"`
	Cost struct {
		Epsilon int64 `json:"epsilon_nano"`
		Delta   int64 `json:"delta_pico"`
	} `json:"cost"`
	Table struct {
		Digest string `json:"digest"`
		Out    int64  `json:"out"`
	} `json:"table"`
	Question struct {
		Dataset   string `json:"dataset"`
		Technique string `json:"technique"`
	} `json:"question"`
	Rules struct {
		What string `json:"what"`
		By   string `json:"by"`
	} `json:"rules"`
	Levels []level `json:"levels"`
}

type party struct {
	Agent  string `json:"agent"`
	Domain string `json:"domain"`
}

type level struct {
	Label string `json:"label"`
	Level string `json:"level"`
	Param string `json:"param"`
	By    string `json:"by"`
	Count int64  `json:"count"`
}

// member is what an event, or one of its levels, says at a place; false if there is no such place.
func (e *event) member(at string, l *level) (string, bool) {
	switch at {
	case "outcome":
		return e.Outcome, true
	case "time":
		return e.Time.UTC().Format(time.RFC3339), true
	case "time.day":
		return e.Time.UTC().Format(time.DateOnly), true
	case "reason":
		return e.Reason, true
	case "flow.from.agent":
		return e.Flow.From.Agent, true
	case "flow.from.domain":
		return e.Flow.From.Domain, true
	case "flow.to.agent":
		return e.Flow.To.Agent, true
	case "flow.to.domain":
		return e.Flow.To.Domain, true
	case "flow.purpose":
		return e.Flow.Purpose, true
	case "flow.subject":
		return e.Flow.Subject, true
	case "flow.method":
		return e.Flow.Method, true
	case "flow.direction":
		return e.Flow.Direction, true
	case "policies":
		return strings.Join(e.Policies, " "), true
	case "contracts":
		return strings.Join(e.Contracts, " "), true
	case "policy_hash":
		return e.PolicyHash, true
	case "question.dataset":
		return e.Question.Dataset, true
	case "question.technique":
		return e.Question.Technique, true
	case "rules.what":
		return e.Rules.What, true
	case "rules.by":
		return e.Rules.By, true
	case "table.digest":
		return e.Table.Digest, true
	}
	if !ofLevel(at) {
		return "", false
	}
	if l == nil {
		return "", true
	}
	switch at {
	case "levels.label":
		return l.Label, true
	case "levels.level":
		return l.Level, true
	case "levels.param":
		return l.Param, true
	}
	return l.By, true
}

func ofLevel(at string) bool {
	return at == "levels.label" || at == "levels.level" || at == "levels.param" || at == "levels.by"
}

// shown is a value as it stands in tables.
func (c *reportCount) shown(v int64) string {
	places := map[string]int{"cost.epsilon_nano": 9, "cost.delta_pico": 12}[c.Sum]
	s := strconv.FormatInt(v, 10)
	if places == 0 {
		return s
	}
	if len(s) <= places {
		s = strings.Repeat("0", places+1-len(s)) + s
	}
	s = strings.TrimRight(s[:len(s)-places]+"."+s[len(s)-places:], "0")
	return strings.TrimSuffix(s, ".")
}

// levels reports whether a count looks at levels one by one.
func (c *reportCount) levels() bool {
	return c.Sum == "levels.count" || slices.ContainsFunc(c.By, ofLevel) || slices.ContainsFunc(c.Where, func(w reportWhere) bool { return ofLevel(w.At) })
}

func (c *reportCount) wellFormed() error {
	var none event
	for _, at := range c.By {
		if _, ok := none.member(at, nil); !ok {
			return failed(Form, "", "it counts by %q, which no entry has", short(at))
		}
	}
	for _, w := range c.Where {
		if _, ok := none.member(w.At, nil); !ok || (len(w.Is) == 0) == (len(w.Not) == 0) {
			return failed(Form, "", "its condition on %q is not in its form", short(w.At))
		}
	}
	if !slices.Contains([]string{"entries", "levels.count", "cost.epsilon_nano", "cost.delta_pico", "table.out", "people"}, c.Sum) || c.Keys != (c.Sum == "people") {
		return failed(Form, "", "it adds up %q, which this program does not know", short(c.Sum))
	}
	for i, f := range c.Figures {
		if len(f.Key) != len(c.By) || len(f.Entries.Digest) != sha256.Size || f.Entries.Number < 1 || i > 0 && slices.Compare(c.Figures[i-1].Key, f.Key) >= 0 {
			return failed(Form, "", "figure %d is not in its form or its order", i)
		}
	}
	return nil
}

// Recount counts the figures of a report again.
type Recount struct {
	Entries int64 // that are in the report's time
	r       *Report
	first   int64                   // number of the earliest entry that was there
	began   time.Time               // of it
	figures []map[string]*recounted // of each count
	levels  []bool                  // of each count: it looks at levels one by one
	name    []byte                  // of a figure; made anew for each
	facts   map[int64][]reportCell
}

type recounted struct {
	key      []string
	value    int64
	subjects int64
	entries  reportEntries
	digest   hash.Hash
	buf      []byte
}

// Recount begins to count a report's figures again.
func (r *Report) Recount() *Recount {
	n := &Recount{r: r, figures: make([]map[string]*recounted, len(r.body.Counts)), facts: map[int64][]reportCell{}}
	for i := range n.figures {
		n.figures[i], n.levels = map[string]*recounted{}, append(n.levels, r.body.Counts[i].levels())
	}
	for _, s := range r.body.Sections {
		for _, row := range s.Rows {
			for _, c := range row {
				if c.Entry != 0 {
					n.facts[c.Entry] = append(n.facts[c.Entry], c)
				}
			}
		}
	}
	return n
}

// Checkpoint is the report's own of a tree, which the log must begin with.
func (n *Recount) Checkpoint(origin string) (Checkpoint, bool) {
	for _, c := range n.r.trees {
		if c.Origin == origin {
			c.From = "the report"
			return c, true
		}
	}
	return Checkpoint{}, false
}

// Origins are the trees that the report is about.
func (n *Recount) Origins() (list []string) {
	for _, c := range n.r.trees {
		list = append(list, c.Origin)
	}
	return list
}

// slack is how long before a report was made something may have happened that reached the log only after it.
const slack = 10 * time.Minute

// Add counts an entry of the log, which was found to be in the tree. Entries behind the report's checkpoint do not count, and must not be
// of the report's time, but for what happened just before it was made.
func (n *Recount) Add(origin string, index int64, entry []byte, leaf tlog.Hash) error {
	if index == 0 {
		return nil
	}
	log := &n.r.body.Log
	c, ours := n.Checkpoint(origin)
	where := fmt.Sprintf("entry %d", index)
	seq, ev, err := eventOf(entry)
	if err != nil {
		return failed(Form, where, "%v", err)
	}
	if ours && index < c.Size {
		t := log.Trees[slices.IndexFunc(log.Trees, func(t reportTree) bool { return t.Origin == origin })]
		if seq-t.Start+1 != index {
			return failed(Order, where, "it has the number %d, and the report takes the tree to begin with %d", seq, t.Start)
		}
	}
	if n.first == 0 || seq < n.first {
		n.first, n.began = seq, ev.Time
	}
	inTime := !ev.Time.Before(n.r.body.From) && ev.Time.Before(n.r.body.To)
	if log.First == 0 || seq < log.First || seq > log.Last {
		if inTime && (seq < log.First || ev.Time.Before(n.r.body.Made.Add(-slack))) {
			return failed(Absent, where, "it is of the report's time, and the report leaves it out")
		}
		return nil
	}
	if !inTime {
		return nil
	}
	if err := n.check(seq, ev); err != nil {
		return err
	}
	n.Entries++
	for i := range n.r.body.Counts {
		n.count(i, seq, ev, leaf)
	}
	return nil
}

// check holds what tables say of an entry against it.
func (n *Recount) check(seq int64, ev *event) error {
	for _, c := range n.facts[seq] {
		got, ok := ev.member(c.At, nil)
		if rest, isLevel := strings.CutPrefix(c.At, "levels="); isLevel {
			said, err := strconv.ParseInt(c.Text, 10, 64)
			if most := ev.shownAt(rest); err != nil || said < 0 || said > most {
				return failed(Figures, fmt.Sprintf("entry %d", seq), "the report tells %q values at %s, the entry at most %d", short(c.Text), short(rest), most)
			}
			continue
		}
		if !ok || got != c.Text {
			return failed(Figures, fmt.Sprintf("entry %d", seq), "the report says %q at %s, the log %q", short(c.Text), short(c.At), short(got))
		}
	}
	delete(n.facts, seq)
	return nil
}

// shownAt is how many values an entry has under "LABEL LEVEL".
func (e *event) shownAt(what string) (n int64) {
	for _, l := range e.Levels {
		if l.Label+" "+l.Level == what || l.Label+" raw" == what && e.Outcome == "watched" {
			n += l.Count
		}
	}
	return n
}

func eventOf(entry []byte) (int64, *event, error) {
	members, err := splitObject(entry)
	if err != nil {
		return 0, nil, err
	}
	seq, err := parseEntry(members)
	if err != nil {
		return 0, nil, err
	}
	ev := new(event)
	if err := json.Unmarshal(members["event"], ev); err != nil {
		return 0, nil, errors.New("its event cannot be read")
	}
	return seq, ev, nil
}

func (n *Recount) count(i int, seq int64, ev *event, leaf tlog.Hash) {
	c := &n.r.body.Counts[i]
	if !n.levels[i] {
		n.one(i, c, seq, ev, nil, leaf)
		return
	}
	for j := range ev.Levels {
		n.one(i, c, seq, ev, &ev.Levels[j], leaf)
	}
}

func (n *Recount) one(i int, c *reportCount, seq int64, ev *event, l *level, leaf tlog.Hash) {
	for _, w := range c.Where {
		v, _ := ev.member(w.At, l)
		if len(w.Is) > 0 && !slices.Contains(w.Is, v) || slices.Contains(w.Not, v) {
			return
		}
	}
	n.name = n.name[:0]
	for _, at := range c.By {
		v, _ := ev.member(at, l)
		n.name = append(strconv.AppendInt(n.name, int64(len(v)), 10), ':')
		n.name = append(n.name, v...)
	}
	f := n.figures[i][string(n.name)]
	if f == nil {
		f = &recounted{key: make([]string, len(c.By)), digest: sha256.New()}
		for k, at := range c.By {
			f.key[k], _ = ev.member(at, l)
		}
		f.digest.Write([]byte(entryDigest))
		n.figures[i][string(n.name)] = f
	}
	first := f.entries.Last != seq
	switch {
	case c.Sum == "levels.count":
		f.value += l.Count
	case !first:
	case c.Sum == "entries":
		f.value++
	case c.Sum == "cost.epsilon_nano":
		f.value += ev.Cost.Epsilon
	case c.Sum == "cost.delta_pico":
		f.value += ev.Cost.Delta
	case c.Sum == "table.out":
		f.value += ev.Table.Out
	}
	if first {
		f.subjects += ev.Subjects
		f.note(seq, leaf)
	}
}

func (f *recounted) note(seq int64, leaf tlog.Hash) {
	f.buf = append(binary.BigEndian.AppendUint64(f.buf[:0], uint64(seq)), leaf[:]...) //nolint:gosec // from 1 upwards
	f.digest.Write(f.buf)
	e := &f.entries
	switch {
	case e.Number == 0:
		e.First, e.Ranges = seq, [][2]int64{{seq, seq}}
	case e.Ranges == nil:
	case e.Last+1 == seq:
		e.Ranges[len(e.Ranges)-1][1] = seq
	case len(e.Ranges) == mostRanges:
		e.Ranges = nil
	default:
		e.Ranges = append(e.Ranges, [2]int64{seq, seq})
	}
	e.Number++
	e.Last = seq
}

// Done compares. It returns a [Failure] of kind [Figures], or of kind [Absent] for an entry that the log does not have, and where entries are not
// there to be looked at that may be of the report's time.
func (n *Recount) Done() error {
	if n.first > 1 && !n.began.Before(n.r.body.From) {
		return failed(Absent, "", "the log is not there before number %d, and what is missing may be of the report's time", n.first)
	}
	for _, seq := range slices.Sorted(maps.Keys(n.facts)) {
		return failed(Absent, fmt.Sprintf("entry %d", seq), "the report tells of it, and it is not among the report's entries")
	}
	for i := range n.r.body.Counts {
		c := &n.r.body.Counts[i]
		all := slices.SortedFunc(maps.Values(n.figures[i]), func(a, b *recounted) int { return slices.Compare(a.key, b.key) })
		for j, f := range all {
			if j >= len(c.Figures) || !slices.Equal(c.Figures[j].Key, f.key) {
				return failed(Figures, c.ID, "the log has a figure for %q at place %d, and the report has none", f.key, j)
			}
			if err := f.same(&c.Figures[j], c); err != nil {
				return at(fmt.Sprintf("%s/%d", c.ID, j), err)
			}
		}
		if len(c.Figures) > len(all) {
			return failed(Figures, fmt.Sprintf("%s/%d", c.ID, len(all)), "the report has a figure for %q, and the log has none", c.Figures[len(all)].Key)
		}
	}
	return nil
}

func (f *recounted) same(said *reportFigure, c *reportCount) error {
	f.entries.Digest = f.digest.Sum(nil)
	e := said.Entries
	switch {
	case !c.Keys && said.Value != f.value:
		return failed(Figures, "", "the report says %d, the log %d", said.Value, f.value)
	case c.Keys && (said.Value < 0 || said.Value > f.subjects):
		return failed(Figures, "", "the report says %d people, the log at most %d", said.Value, f.subjects)
	case e.Number != f.entries.Number || e.First != f.entries.First || e.Last != f.entries.Last || !slices.Equal(e.Ranges, f.entries.Ranges):
		return failed(Figures, "", "it is from other entries than the report says: %d from %d to %d, and not %d from %d to %d",
			f.entries.Number, f.entries.First, f.entries.Last, e.Number, e.First, e.Last)
	case !bytes.Equal(e.Digest, f.entries.Digest):
		return failed(Figures, "", "the digest of its entries is another")
	}
	return nil
}
