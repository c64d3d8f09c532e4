package exposure

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// To is who is shown a message.
type To struct {
	Domain flow.DomainID
	Agent  flow.AgentID
	Task   flow.TaskID // "": it belongs to none

	// Named are the subjects that the request named which the message answers: what the message says about somebody unknown counts for each
	// of them. More of them than count, and that the message does not name itself, keep back all that is new about somebody unknown.
	Named []flow.SubjectRef
	Crowd bool // it named more than those
}

// Value is what one leaf of a message says.
type Value struct {
	Leaf   int // its place among the leaves
	Scalar deidentify.Scalar

	// Fits reports whether the place can take a value at a coarser level without being left out; nil: it can.
	Fits func(flow.Treatment) bool
}

// Look is one message held against the memory. It is for one goroutine.
type Look struct {
	m        *Memory
	s        *Settings
	to       To
	audience Audience
	removals int64 // as known when it began
	begun    bool
	about    []*subject
	added    int64 // facts, as known for the agent and day
	day      int64
	fresh    int64 // facts that Commit adds
	over     bool  // the agent has added all that it may
	lowered  int
	was      map[int]flow.LeafTerms     // by leaf: the terms that it had, where they were changed
	classes  map[flow.Label]*flow.Class // of labels that were looked up

	named []flow.SubjectRef // whom the request named, as far as they count
	many  bool              // it named more than count
	crowd bool              // too many of whom the message does not speak
}

// subject is one subject of a message: what the audience holds, and what it would be shown.
type subject struct {
	ref  flow.SubjectRef
	task bool // stands for whoever the task is about

	passing bool // nothing is kept of it
	was     *entry
	base    []fact // what was held, and what is to be held with it from now on
	link    bool   // base has more than what was held
	items   []item
	joins   []flow.SubjectRef // of a task: who is to be added
	crowd   bool              // and that its requests named more than are

	next *entry // written by Commit
}

// item is one leaf that is about the subject.
type item struct {
	value  *Value
	leaf   *flow.Leaf
	class  *flow.Class
	fact   fact
	terms  *flow.LeafTerms
	bottom bool // nothing coarser is left
}

// Begin looks up what the recipient holds about the subjects of the values, and returns nil if the rules have nothing to say about any of
// them. The batch keeps the subjects' keys, and must be flushed before the look is committed.
func (m *Memory) Begin(ctx context.Context, s *Settings, to To, b *vault.Batch, leaves []flow.Leaf, terms []flow.LeafTerms, values []Value) (*Look, error) {
	l := &Look{m: m, s: s, to: to, audience: s.Audience(to.Domain), day: m.now().Unix() / 86400}
	mine, theirs := l.sort(leaves, terms, values)
	if len(mine) == 0 && len(theirs) == 0 && (len(to.Named) == 0 || to.Task == "") {
		return nil, nil
	}
	for _, it := range mine {
		l.of(it.leaf.Subject).add(it)
	}
	l.asked()
	if to.Task != "" {
		if err := l.unknown(ctx, theirs); err != nil {
			return nil, err
		}
	} else {
		l.spread(theirs)
	}
	if err := l.load(ctx); err != nil {
		return nil, err
	}
	for _, sub := range l.about {
		if err := l.digests(ctx, b, sub); err != nil {
			return nil, err
		}
	}
	l.link()
	return l, nil
}

// sort picks the leaves that the rules have something to say about, by whether it is known whom they are about.
func (l *Look) sort(leaves []flow.Leaf, terms []flow.LeafTerms, values []Value) (known, unknown []item) {
	for i := range values {
		v := &values[i]
		leaf, t := &leaves[v.Leaf], &terms[v.Leaf]
		role := l.s.Rules.roleOf(leaf.Label)
		if role == nil || t.Level == flow.Dropped || t.Level == flow.Tokenized {
			continue
		}
		class := l.class(leaf.Label)
		shown := class.Resolve(t.Treatment)
		if shown.Level == flow.Masked && shown.Param == "" {
			continue // a placeholder
		}
		if nobody(v.Scalar.Text, deidentify.Placeholder(*class)) {
			continue // nor does a name that is not there say who the subject is
		}
		label := l.s.Rules.refined(leaf.Label, v.Scalar.Text)
		it := item{value: v, leaf: leaf, class: class, terms: t, fact: fact{label: label, shown: shown, about: leaf.Subject.Known()}}
		if leaf.Subject.Known() {
			if known == nil {
				known = make([]item, 0, len(values)-i)
			}
			known = append(known, it)
		} else if r := l.s.Rules.roleOf(label); r != nil && len(r.parts) > 0 {
			if unknown == nil {
				unknown = make([]item, 0, len(values)-i)
			}
			unknown = append(unknown, it)
		}
	}
	return known, unknown
}

// class is the class of a label. A message has many values of few labels, so that they are kept for the look.
func (l *Look) class(label flow.Label) *flow.Class {
	if c := l.classes[label]; c != nil {
		return c
	}
	if l.classes == nil {
		l.classes = map[flow.Label]*flow.Class{}
	}
	c, _ := l.s.Taxonomy.Class(label)
	l.classes[label] = &c
	return &c
}

// nobody reports whether a value is none: empty, a placeholder, or a word for that nothing is known.
func nobody(text, placeholder string) bool {
	if text == placeholder || !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
		return true
	}
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "unknown", "n/a", "na", "none", "null", "nil", "undefined", "anonymous", "redacted":
		return true
	}
	return false
}

func (l *Look) of(ref flow.SubjectRef) *subject {
	for _, s := range l.about[max(0, len(l.about)-4):] { // rows come one after another
		if s.ref == ref {
			return s
		}
	}
	for _, s := range l.about {
		if s.ref == ref {
			return s
		}
	}
	s := &subject{ref: ref}
	l.about = append(l.about, s)
	return s
}

func (s *subject) add(it item) { s.items = append(s.items, it) }

// unknown counts what is about somebody unknown for the task, for each subject that the task is about, and for each of this message.
func (l *Look) unknown(ctx context.Context, items []item) error {
	here := len(l.about)
	task := &subject{ref: l.m.taskRef(l.to.Task), task: true}
	l.about = append(l.about, task)
	if err := l.load(ctx); err != nil {
		return err
	}
	task.items = items // countFor makes copies for the others
	full := l.many
	for _, ref := range l.named {
		full = !task.join(ref) || full
	}
	task.crowd = full && !task.was.crowd
	if len(l.to.Named) == 0 && task.was.crowd {
		l.crowd = true
	}
	count := slices.Clone(l.named)
	if here <= maxMembers {
		for _, s := range l.about[:here] {
			task.join(s.ref)
			count = append(count, s.ref)
		}
		count = append(count, task.was.members...)
	}
	l.countFor(count, items)
	return nil
}

// join notes that a task is about a subject, and reports whether it is: not if it has been about as many others as count.
func (s *subject) join(ref flow.SubjectRef) bool {
	if slices.Contains(s.was.members, ref) || slices.Contains(s.joins, ref) {
		return true
	}
	if len(s.was.members)+len(s.joins) >= maxMembers {
		return false
	}
	s.joins = append(s.joins, ref)
	return true
}

// crowd stands among those whom a task is about for others whom its requests named, and for whom there was no room. What comes of them
// later, without a request of its own that names somebody, is kept back.
var crowd = flow.SubjectRef(bytes.Repeat([]byte{0xff}, len(flow.SubjectRef{})))

// countFor counts items for subjects, once for each.
func (l *Look) countFor(refs []flow.SubjectRef, items []item) {
	if len(items) == 0 {
		return
	}
	var done []flow.SubjectRef
	for _, ref := range refs {
		if !slices.Contains(done, ref) {
			done = append(done, ref)
			s := l.of(ref)
			s.items = append(s.items, items...)
		}
	}
}

// asked settles for whom what is about somebody unknown counts since the request named them: all, or of more than count only those of
// whom the message does not speak itself, or nobody where these are too many, too.
func (l *Look) asked() {
	all := map[flow.SubjectRef]bool{}
	for _, ref := range l.to.Named {
		if all[ref] || !ref.Known() {
			continue
		}
		all[ref] = true
		l.named = append(l.named, ref)
	}
	if l.many = len(l.named) > maxMembers || l.to.Crowd; !l.many {
		return
	}
	for _, s := range l.about {
		delete(all, s.ref)
	}
	l.named = slices.DeleteFunc(l.named, func(ref flow.SubjectRef) bool { return !all[ref] })
	if l.crowd = len(l.named) > maxMembers || l.to.Crowd; l.crowd {
		l.named = nil
	}
}

// keepBack masks what is new about somebody unknown, where that may be any of a crowd.
func (l *Look) keepBack(places *[]int) {
	for _, s := range l.about {
		for i := range s.items {
			if it := &s.items[i]; s.task && s.isNew(it) {
				l.lower(it, flow.Treatment{Level: flow.Masked}, places)
			}
		}
	}
}

// spread counts what is about somebody unknown for each subject of the message, and for one who is in this message alone.
func (l *Look) spread(items []item) {
	if len(items) == 0 {
		return
	}
	count := slices.Clone(l.named)
	if len(l.about) <= maxMembers {
		for _, s := range l.about {
			count = append(count, s.ref)
		}
	}
	l.countFor(count, items)
	l.about = append(l.about, &subject{task: true, passing: true, was: &entry{}, items: items})
}

// digests makes the digests of a subject's items.
func (l *Look) digests(ctx context.Context, b *vault.Batch, s *subject) error {
	if len(s.items) == 0 {
		return nil
	}
	mac := l.m.tasks
	if !s.task {
		var err error
		if mac, err = b.SubjectMAC(ctx, "exposure", s.ref); err != nil {
			return err
		}
	}
	var room [256]byte
	for i := range s.items {
		it := &s.items[i]
		text, shown := normal(*it.class, it.value.Scalar, it.fact.shown)
		it.fact.shown = shown
		msg := append(room[:0], s.ref[:]...)
		msg = append(append(msg, it.fact.label...), 0)
		msg = append(msg, text...)
		var sum [32]byte
		it.fact.digest = digest(mac.MAC(sum[:0], msg)[:16])
	}
	return nil
}

// normal is the form by which two values are told to be one, and how much showing the value really tells: of a date that says the year
// alone, raw tells the year.
func normal(c flow.Class, v deidentify.Scalar, shown flow.Treatment) (string, flow.Treatment) {
	if c.Kind == flow.Date && v.Kind != deidentify.Null {
		day, err := deidentify.Apply(c, flow.Treatment{Level: flow.Generalized, Param: "day"}, v, deidentify.Hierarchies{})
		if err == nil && day.Kind == v.Kind && day.Text != deidentify.Placeholder(c) {
			if shown.Level == flow.Raw && day.Text == v.Text {
				switch len(strings.TrimSpace(day.Text)) {
				case len("2006"):
					shown = flow.Treatment{Level: flow.Generalized, Param: "year"}
				case len("2006-01"):
					shown = flow.Treatment{Level: flow.Generalized, Param: "month"}
				}
			}
			return day.Text, shown
		}
	}
	return deidentify.Normal(c, v.Text), shown
}

// link adds what the task showed of somebody unknown to what is held about each subject that the task turns out to be about.
func (l *Look) link() {
	var task *subject
	for _, s := range l.about {
		s.base = s.was.facts
		if s.task {
			task = s
		}
	}
	if task == nil || len(task.was.facts) == 0 {
		return
	}
	for _, ref := range task.joins {
		s := l.of(ref)
		s.base = slices.Clone(s.was.facts)
		for _, f := range task.was.facts {
			if len(s.base) < maxFacts && s.was.find(f.label, f.digest) < 0 { // the digest is under another key, so it counts as another value
				s.base, s.link = append(s.base, f), true
			}
		}
	}
}

// Coarsen makes terms coarser where an audience would hold more than the rules allow, and returns the places of the leaves whose terms
// it changed.
func (l *Look) Coarsen() []int {
	if l.s.Observe {
		return nil
	}
	var places []int
	if l.crowd {
		l.keepBack(&places)
	}
	for _, s := range l.about {
		l.settle(s, &places)
	}
	for _, s := range l.about { // a later subject may have made coarser what an earlier one was counted for
		if !s.task {
			l.fresh += l.count(s)
		}
	}
	if l.added+l.fresh > l.s.daily() && l.fresh > 0 {
		l.over = true
		for _, s := range l.about {
			for i := range s.items {
				if it := &s.items[i]; s.isNew(it) {
					l.lower(it, flow.Treatment{Level: flow.Masked}, &places)
				}
			}
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// Before returns the terms that a leaf had before [Look.Coarsen] changed them. It is for the places that Coarsen returned.
func (l *Look) Before(leaf int) flow.LeafTerms { return l.was[leaf] }

// lower makes an item's terms no finer than a level.
func (l *Look) lower(it *item, to flow.Treatment, places *[]int) {
	out := less(*it.class, it.current(), to)
	if out == it.current() {
		it.bottom = true
		return
	}
	if _, ok := l.was[it.value.Leaf]; !ok {
		if l.was == nil {
			l.was = map[int]flow.LeafTerms{}
		}
		l.was[it.value.Leaf] = *it.terms
	}
	it.terms.Treatment, it.terms.By = out, flow.ByExposure
	l.lowered++
	*places = append(*places, it.value.Leaf)
}

// current is what the item's terms show: another subject's rules may have made them coarser.
func (it *item) current() flow.Treatment {
	shown := it.class.Resolve(it.terms.Treatment)
	if it.fact.shown.Level == flow.Generalized && shown.Level == flow.Raw {
		return it.fact.shown
	}
	return shown
}

// isNew reports whether the item tells the audience something that it does not hold.
func (s *subject) isNew(it *item) bool {
	shown := it.current()
	if shown.Level == flow.Dropped || shown.Level == flow.Tokenized || shown.Level == flow.Masked && shown.Param == "" {
		return false
	}
	i := slices.IndexFunc(s.base, func(f fact) bool { return f.digest == it.fact.digest && f.label == it.fact.label })
	if i < 0 {
		return true
	}
	held := s.base[i].shown
	return Join(it.class.Family, held, shown) != held || it.fact.about && !s.base[i].about
}

// count is how many facts of a subject would be added or change.
func (l *Look) count(s *subject) (n int64) {
	for i := range s.items {
		if s.isNew(&s.items[i]) {
			n++
		}
	}
	return n
}

// Lowered is how many places the look made coarser.
func (l *Look) Lowered() int { return l.lowered }

// Over reports whether the agent had added all that it may on this day.
func (l *Look) Over() bool { return l.over }

// Commit writes what the message shows, by its terms as they are now, in the transaction that records it. It returns [vault.ErrConflict]
// if another message, an erasure or a reset came in between: the message must then be changed anew.
func (l *Look) Commit(tx store.Tx) error {
	n, err := removals(tx)
	if err != nil {
		return err
	}
	if n != l.removals {
		l.m.stale(l, n)
		return vault.ErrConflict
	}
	l.fresh = 0
	now := l.m.now().Unix()
	for _, s := range l.about {
		s.next = nil
		if err := l.write(tx, s, now); err != nil {
			return err
		}
	}
	return l.charge(tx)
}

// Keep says that the transaction is durable.
func (l *Look) Keep() { l.m.keep(l) }
