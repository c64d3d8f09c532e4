// Package report tells from the journal what an operator has to tell others: after an incident, who saw how many people's what; and which
// transformations recipients found useful.
//
// Reports hold names of agents and domains, labels, levels, policies and counts. People are numbers, or keyed references where they are
// asked for. docs/spec/incidents.md describes both.
package report

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// Source is what a report reads. DB is needed.
type Source struct {
	DB      store.DB
	Domain  flow.DomainID                                                    // whose journal it is
	Entries func(context.Context, audit.Query) iter.Seq2[audit.Entry, error] // nil: the rows of DB
	Inputs  *vault.AEAD                                                      // opens what a decision was made of; nil: nothing does, and counts are upper bounds
	Vault   *vault.Vault                                                     // opens which of several subjects is which; nil: likewise
}

func (s *Source) entries(ctx context.Context, q audit.Query) iter.Seq2[audit.Entry, error] {
	if s.Entries != nil {
		return s.Entries(ctx, q)
	}
	return audit.Entries(ctx, s.DB, q)
}

// BreachQuery says what a report of a breach is about.
type BreachQuery struct {
	Since    time.Time        `json:"since"`
	Until    time.Time        `json:"until,omitzero"`   // zero: up to now
	Agent    flow.AgentID     `json:"agent,omitempty"`  // recipients of this name alone
	Domain   flow.DomainID    `json:"domain,omitempty"` // recipients of this domain alone
	Subjects bool             `json:"subjects,omitempty"`
	Of       *flow.SubjectRef `json:"-"` // this subject's alone
}

// Breach is who saw what in a time.
type Breach struct {
	Domain     flow.DomainID `json:"domain"`
	Since      time.Time     `json:"since"`
	Until      time.Time     `json:"until"`
	Entries    int64         `json:"entries"`          // of the journal that fall into it
	From       int64         `json:"from,omitempty"`   // the first that was there to be read
	Subjects   int           `json:"subjects"`         // different people of whom something was shown
	Recipients []Recipient   `json:"recipients"`       // who saw something, by domain and agent
	Bounds     int64         `json:"bounds,omitempty"` // entries that say of several people together what was shown: counts are at most, not exactly
	Named      []Named       `json:"named,omitempty"`  // people by their references, where that was asked for
}

// Recipient is what one agent was shown.
type Recipient struct {
	Domain   flow.DomainID  `json:"domain"`
	Agent    flow.AgentID   `json:"agent"`
	Flows    int64          `json:"flows"` // messages, events of streams and tables that showed something
	First    time.Time      `json:"first"`
	Last     time.Time      `json:"last"`
	Subjects int            `json:"subjects"`
	Purposes []flow.Purpose `json:"purposes"`
	Shown    []Shown        `json:"shown"`
	Answers  []Answers      `json:"answers,omitempty"`
	Tables   []Table        `json:"tables,omitempty"`
}

// Shown is how much of one label was shown at one level under one set of policies.
type Shown struct {
	Label    flow.Label      `json:"label"`
	Level    flow.Level      `json:"level"`
	Param    flow.Param      `json:"param,omitempty"`
	Hash     string          `json:"policy_hash"` // of all policies that were in force
	Policies []flow.PolicyID `json:"policies,omitempty"`
	Values   int64           `json:"values"`
	Subjects int             `json:"subjects"`
	Nobody   int64           `json:"unknown_subject,omitempty"` // values of which it is not known whom they are about
}

// Answers are questions about a dataset that were answered with noise, or what was published of it.
type Answers struct {
	Dataset string    `json:"dataset"`
	Count   int64     `json:"count"`
	Cost    flow.Cost `json:"cost"` // that was charged for them
}

// Table is a table that was released.
type Table struct {
	Dataset string    `json:"dataset,omitempty"`
	Time    time.Time `json:"time"`
	Rows    int64     `json:"rows"`
	Digest  string    `json:"digest"`
	Flow    flow.ID   `json:"flow"`
}

// Named is one subject, and who was shown what of it.
type Named struct {
	Subject string       `json:"subject"` // its keyed reference, in hexadecimal
	Seen    []NamedShown `json:"seen"`
}

// NamedShown is what one recipient was shown of one subject.
type NamedShown struct {
	Domain flow.DomainID `json:"domain"`
	Agent  flow.AgentID  `json:"agent"`
	Label  flow.Label    `json:"label"`
	Level  flow.Level    `json:"level"`
}

// mostMembers bounds what a report keeps in memory: pairs of a person and something that was shown.
const mostMembers = 4_000_000

// ErrMuch is the error of a report about too much.
var ErrMuch = errors.New("too much was shown to too many in this time: ask about a shorter one, or about one agent or domain")

// ErrTimes is the error of a time that ends before it begins.
var ErrTimes = errors.New("the time ends before it begins")

// A clock that was set is not believed at once: times of neighbouring entries may lie late apart, and what lies further apart counts once
// settled entries in a row say so.
const (
	late    = 26 * time.Hour
	settled = 256
)

// BreachOf tells who saw what in a time. It counts what left: what was refused, or was recorded and not sent, because the process ended, is
// not told apart from what was. Its error is [ErrMuch] or [ErrTimes] where the asker can mend it.
func BreachOf(ctx context.Context, s Source, q BreachQuery) (*Breach, error) {
	if q.Until.IsZero() {
		q.Until = time.Now()
	}
	if q.Until.Before(q.Since) {
		return nil, ErrTimes
	}
	b := &breach{s: &s, q: q, people: map[flow.SubjectRef]int32{}, of: map[recipientKey]*recipient{}}
	from, err := b.begin(ctx)
	if err != nil {
		return nil, err
	}
	out := &Breach{Domain: s.Domain, Since: q.Since.UTC(), Until: q.Until.UTC()}
	var page []audit.Entry
	flush := func() error {
		err := b.take(ctx, page)
		page = page[:0]
		return err
	}
	after := 0 // entries in a row
	for e, err := range s.entries(ctx, audit.Query{From: from}) {
		if err != nil {
			return nil, err
		}
		if after++; !e.Event.Time.After(q.Until.Add(late)) {
			after = 0
		}
		if after == settled {
			break
		}
		if e.Event.Time.Before(q.Since) || !e.Event.Time.Before(q.Until) {
			continue
		}
		if out.Entries++; out.From == 0 {
			out.From = e.Seq
		}
		if !b.asked(&e.Event) {
			continue
		}
		if page = append(page, e); len(page) == 64 {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	b.fill(out)
	return out, nil
}

// begin finds an entry from which on to read: times grow with numbers, but for clocks that were set.
func (b *breach) begin(ctx context.Context) (int64, error) {
	var first, last int64
	err := b.s.DB.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT COALESCE(MIN(seq), 1), COALESCE(MAX(seq), 0) FROM audit_entries").Scan(&first, &last)
	})
	if err != nil {
		return 0, fmt.Errorf("looking where to begin: %w", err)
	}
	if b.s.Entries != nil {
		first = 1
	}
	for first < last {
		mid := first + (last-first)/2
		before := true
		for e, err := range b.s.entries(ctx, audit.Query{From: mid, Limit: settled}) {
			if err != nil {
				return 0, err
			}
			if before = e.Event.Time.Before(b.q.Since.Add(-late)); !before {
				break
			}
		}
		if before {
			first = mid + 1
		} else {
			last = mid
		}
	}
	return first, nil
}

type recipientKey struct {
	domain flow.DomainID
	agent  flow.AgentID
}

type shownKey struct {
	label flow.Label
	level flow.Level
	param flow.Param
	hash  string
}

// breach is a report that is being made.
type breach struct {
	s       *Source
	q       BreachQuery
	people  map[flow.SubjectRef]int32 // numbered as they come
	of      map[recipientKey]*recipient
	members int
	bounds  int64
}

type recipient struct {
	Recipient
	people  map[int32]struct{}
	shown   map[shownKey]*shown
	answers map[string]*Answers
}

type shown struct {
	Shown
	people map[int32]struct{}
}

// asked reports whether an event may have shown something to whom the report is about.
func (b *breach) asked(ev *flow.Event) bool {
	switch ev.Outcome {
	case flow.Released, flow.Replayed, flow.Segment, flow.Watched:
	case flow.Closed:
		if ev.Table == nil || ev.Table.Digest == "" {
			return false
		}
	default:
		return false
	}
	to := ev.Flow.To
	return to.Agent != "" && (b.q.Agent == "" || to.Agent == b.q.Agent) && (b.q.Domain == "" || to.Domain == b.q.Domain)
}

// take counts a page of entries.
func (b *breach) take(ctx context.Context, page []audit.Entry) error {
	if len(page) == 0 {
		return nil
	}
	var about map[int64][]audit.Subject
	err := b.s.DB.View(ctx, func(tx store.Tx) (err error) {
		about, err = audit.SubjectsOf(tx, page[0].Seq, page[len(page)-1].Seq)
		return err
	})
	if err != nil {
		return err
	}
	for i := range page {
		if err := b.count(ctx, &page[i], about[page[i].Seq]); err != nil {
			return err
		}
	}
	return nil
}

// value is one value that was shown, or several of which no more is known.
type value struct {
	label    flow.Label
	how      flow.Treatment
	policies []flow.PolicyID
	count    int64
	subjects []flow.SubjectRef // nil: not known
}

// values are what an entry showed. Exact is false where it is only known what was shown of all its subjects together.
func (b *breach) values(ctx context.Context, e *audit.Entry, about []audit.Subject) (all []value, exact bool, err error) {
	refs := make([]flow.SubjectRef, len(about))
	for i := range about {
		refs[i] = about[i].Subject
	}
	in, ok := b.inputs(e)
	places, known, err := b.places(ctx, e, about)
	if err != nil {
		return nil, false, err
	}
	if !ok || len(in.Leaves) != len(in.Terms) || !known {
		for _, l := range e.Event.Levels {
			all = append(all, value{l.Label, flow.Treatment{Level: l.Level, Param: l.Param}, e.Event.Policies, int64(l.Count), refs})
		}
		return all, len(refs) == 0 && ok, nil
	}
	for i := range in.Leaves {
		leaf, terms := &in.Leaves[i], &in.Terms[i]
		v := value{leaf.Label, terms.Treatment, terms.Policies, 1, nil}
		if v.label == "" {
			v.label = flow.Unlabelled
		}
		if n, ok := gateway.OrdinalOf(leaf.Subject); ok {
			if ref, there := places[n]; there {
				v.subjects = []flow.SubjectRef{ref}
			}
		} else if leaf.Subject.Known() {
			v.subjects = []flow.SubjectRef{leaf.Subject}
		}
		all = append(all, v)
	}
	return all, true, nil
}

func (b *breach) inputs(e *audit.Entry) (gateway.Inputs, bool) {
	if b.s.Inputs == nil || e.Sealed == nil {
		return gateway.Inputs{}, false
	}
	plain, err := b.s.Inputs.Open(e.Sealed, []byte(e.Event.Flow.ID))
	if err != nil {
		return gateway.Inputs{}, false
	}
	in, err := gateway.DecodeInputs(plain)
	return in, err == nil
}

// places says which subject is at which place of an entry's list. It is false if that cannot be known.
func (b *breach) places(ctx context.Context, e *audit.Entry, about []audit.Subject) (map[int]flow.SubjectRef, bool, error) {
	if len(about) == 0 {
		return nil, true, nil
	}
	if b.s.Vault == nil {
		return nil, false, nil
	}
	places := make(map[int]flow.SubjectRef, len(about))
	for _, a := range about {
		own, err := b.s.Vault.Own(ctx, a.Subject)
		var plain []byte
		if err == nil {
			plain, err = own.Open(a.Sealed, e.Subjects)
		}
		if errors.Is(err, vault.ErrNoKey) || errors.Is(err, vault.ErrSealed) {
			return nil, false, nil // erased just now, or a row that was moved
		}
		if err != nil {
			return nil, false, err
		}
		share, err := audit.ParseShare(plain)
		if err != nil {
			return nil, false, nil
		}
		places[share.At] = a.Subject
	}
	return places, true, nil
}

func (b *breach) count(ctx context.Context, e *audit.Entry, about []audit.Subject) error {
	ev := &e.Event
	all, exact, err := b.values(ctx, e, about)
	if err != nil {
		return err
	}
	if b.q.Of != nil {
		all = slices.DeleteFunc(all, func(v value) bool { return !slices.Contains(v.subjects, *b.q.Of) })
		for i := range all {
			all[i].subjects = []flow.SubjectRef{*b.q.Of}
		}
	}
	all = slices.DeleteFunc(all, func(v value) bool { return v.how.Level == flow.Dropped && ev.Outcome != flow.Watched })
	if len(all) == 0 && (b.q.Of != nil || ev.Table == nil && ev.Question == nil) {
		return nil
	}
	if !exact && len(about) > 0 {
		b.bounds++
	}
	r := b.recipient(ev)
	for i := range all {
		if ev.Outcome == flow.Watched {
			all[i].how = flow.Treatment{Level: flow.Raw} // learn mode changes nothing
		}
		if err := b.add(r, ev, &all[i]); err != nil {
			return err
		}
	}
	r.beside(ev)
	return nil
}

func (b *breach) recipient(ev *flow.Event) *recipient {
	key := recipientKey{ev.Flow.To.Domain, ev.Flow.To.Agent}
	r := b.of[key]
	if r == nil {
		r = &recipient{Recipient: Recipient{Domain: key.domain, Agent: key.agent, First: ev.Time.UTC(), Last: ev.Time.UTC()}, people: map[int32]struct{}{}, shown: map[shownKey]*shown{}, answers: map[string]*Answers{}}
		b.of[key] = r
	}
	r.Flows++
	if ev.Time.Before(r.First) {
		r.First = ev.Time.UTC()
	}
	if ev.Time.After(r.Last) {
		r.Last = ev.Time.UTC()
	}
	if !slices.Contains(r.Purposes, ev.Flow.Purpose) {
		r.Purposes = append(r.Purposes, ev.Flow.Purpose)
	}
	return r
}

// beside counts answers and tables.
func (r *recipient) beside(ev *flow.Event) {
	if q := ev.Question; q != nil && ev.Flow.Direction == flow.Response {
		a := r.answers[q.Dataset]
		if a == nil {
			a = &Answers{Dataset: q.Dataset}
			r.answers[q.Dataset] = a
		}
		a.Count++
		a.Cost.EpsilonNano += ev.Cost.EpsilonNano
		a.Cost.DeltaPico += ev.Cost.DeltaPico
	}
	if t := ev.Table; t != nil && t.Digest != "" {
		r.Tables = append(r.Tables, Table{Dataset: ev.Flow.Subject, Time: ev.Time.UTC(), Rows: t.Out, Digest: t.Digest, Flow: ev.Flow.ID})
	}
}

// add counts a value.
func (b *breach) add(r *recipient, ev *flow.Event, v *value) error {
	key := shownKey{v.label, v.how.Level, v.how.Param, ev.PolicyHash}
	s := r.shown[key]
	if s == nil {
		s = &shown{Shown: Shown{Label: key.label, Level: key.level, Param: key.param, Hash: key.hash}, people: map[int32]struct{}{}}
		r.shown[key] = s
	}
	s.Values += v.count
	for _, p := range v.policies {
		if !slices.Contains(s.Policies, p) {
			s.Policies = append(s.Policies, p)
		}
	}
	if len(v.subjects) == 0 {
		s.Nobody += v.count
	}
	for _, ref := range v.subjects {
		n, there := b.people[ref]
		if !there {
			n = int32(len(b.people))
			b.people[ref] = n
		}
		r.people[n] = struct{}{}
		if _, there := s.people[n]; !there {
			if b.members++; b.members > mostMembers {
				return ErrMuch
			}
			s.people[n] = struct{}{}
		}
	}
	return nil
}
