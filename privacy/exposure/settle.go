package exposure

import (
	"slices"

	"github.com/scrimhq/scrim/flow"
)

// standing is how far an audience is with the pieces of the rules about one subject.
type standing struct {
	held [][]int // by rule and element: how many different values are held finer than stated
	moot []bool  // by rule: so that the rule is silent
}

// settle makes items coarser until no rule is broken by them.
func (l *Look) settle(s *subject, places *[]int) {
	any := false
	for i := range s.items {
		any = any || s.isNew(&s.items[i])
	}
	if !any && !s.link {
		return
	}
	if room := maxFacts - len(s.base); room < len(s.items) {
		l.fill(s, room, places)
	}
	before := l.stand(s, false)
	for range 8 * (len(s.items) + 1) {
		after := l.stand(s, true)
		broken := l.broken(before, after)
		if len(broken) == 0 {
			return
		}
		l.giveUp(s, before, after, broken, places)
	}
	for i := range s.items { // not reached: each turn makes an item coarser, and there are few steps
		if it := &s.items[i]; s.isNew(it) {
			l.lower(it, flow.Treatment{}, places)
		}
	}
}

// fill masks what there is no room to remember.
func (l *Look) fill(s *subject, room int, places *[]int) {
	for i := range s.items {
		it := &s.items[i]
		if !s.isNew(it) {
			continue
		}
		if room--; room < 0 {
			l.lower(it, flow.Treatment{Level: flow.Masked}, places)
		}
	}
}

// stand counts the pieces that are held, with or without the message's own.
func (l *Look) stand(s *subject, with bool) *standing {
	rules := l.s.Rules.rules
	st := &standing{held: make([][]int, len(rules)), moot: make([]bool, len(rules))}
	all := make([]int, l.s.Rules.pieces)
	for i := range rules {
		st.held[i], all = all[:len(rules[i].Of)], all[len(rules[i].Of):]
	}
	facts := s.base
	if with {
		facts = s.with()
	}
	for i := range facts {
		f := &facts[i]
		role := l.s.Rules.roleOf(f.label)
		if role == nil {
			continue
		}
		class := l.class(f.label)
		counts := l.s.Rules.counting(role, class.Family, f.label, f.shown)
		for k, p := range role.parts {
			if counts[k] {
				st.held[p.rule][p.element]++
			} else if l.s.Rules.rules[p.rule].Of[p.element].count() == 1 && crossed(class.Family, facts, i, p.to) {
				st.held[p.rule][p.element]++
			}
		}
		if role.known && f.about && f.shown.Level == flow.Raw && !s.task {
			for r := range rules {
				for _, k := range rules[r].Known {
					st.moot[r] = st.moot[r] || f.label.Within(k)
				}
			}
		}
	}
	return st
}

// crossed reports whether a fact and an earlier one of its label, which may be the same value in another form, together tell more than
// a level that each keeps. Two functions of what the level shows tell no more than it; a moved date is none.
func crossed(fam flow.Family, facts []fact, i int, to flow.Treatment) bool {
	if facts[i].shown.Level != flow.Generalized {
		return false
	}
	for j := range i {
		a, b := facts[j].shown, facts[i].shown
		if facts[j].label == facts[i].label && a.Level == flow.Generalized && b.Level == flow.Generalized && a != b && finer(fam, Join(fam, a, b), to) {
			return true
		}
	}
	return false
}

// with is what is held, and what the items' terms add to it.
func (s *subject) with() []fact {
	out := append(make([]fact, 0, len(s.base)+len(s.items)), s.base...)
	for i := range s.items {
		it := &s.items[i]
		if s.isNew(it) {
			out = merge(out, it)
		}
	}
	return out
}

// merge puts what an item tells to the facts.
func merge(facts []fact, it *item) []fact {
	f := it.fact
	f.shown = it.current()
	for i := range facts {
		if facts[i].digest == f.digest && facts[i].label == f.label {
			facts[i].shown = Join(it.class.Family, facts[i].shown, f.shown)
			facts[i].about = facts[i].about || f.about
			return facts
		}
	}
	return append(facts, f)
}

// pieces is how many pieces of a rule are held.
func (st *standing) pieces(r *Rule, i int) (n int) {
	for j := range r.Of {
		if st.held[i][j] >= r.Of[j].count() {
			n++
		}
	}
	return n
}

// broken lists the rules of which the audience would hold more than allowed, and to which the message adds.
func (l *Look) broken(before, after *standing) (out []int) {
	for i := range l.s.Rules.rules {
		r := &l.s.Rules.rules[i]
		if after.moot[i] || after.pieces(r, i) <= r.allowed() {
			continue
		}
		for j := range r.Of {
			if after.held[i][j] > before.held[i][j] {
				out = append(out, i)
				break
			}
		}
	}
	return out
}

// choice is one piece that could be given up.
type choice struct {
	rule, element int
	loss          loss
	items         []int // to be made coarser
}

// loss orders choices: by the worst that happens to a value, by how many rules stay broken, and by how many values it happens to.
type loss struct{ worst, left, values int }

func (a loss) less(b loss) bool {
	switch {
	case a.worst != b.worst:
		return a.worst < b.worst
	case a.left != b.left:
		return a.left < b.left
	}
	return a.values < b.values
}

// giveUp makes one piece of a broken rule coarser, the one that loses least.
func (l *Look) giveUp(s *subject, before, after *standing, broken []int, places *[]int) {
	var best *choice
	var all []choice
	for _, i := range broken {
		r := &l.s.Rules.rules[i]
		over := before.pieces(r, i) > r.allowed() // it was broken before: then nothing is added
		for j := range r.Of {
			if after.held[i][j] <= before.held[i][j] || !over && before.held[i][j] >= r.Of[j].count() || !over && after.held[i][j] < r.Of[j].count() {
				continue
			}
			c := l.choice(s, i, j, over, before, after)
			if len(c.items) == 0 {
				continue
			}
			all = append(all, c)
		}
	}
	for k := range all {
		c := &all[k]
		if slices.ContainsFunc(all, func(o choice) bool { return o.loss.worst < c.loss.worst }) {
			continue
		}
		if len(all) > 1 {
			c.loss.left = l.left(s, *c, before)
		}
		if best == nil || c.loss.less(best.loss) {
			best = c
		}
	}
	if best == nil { // nothing of it is finer than stated by itself: it is where two of them cross
		for i := range s.items {
			if it := &s.items[i]; s.isNew(it) && l.concerns(it, broken) {
				l.lower(it, flow.Treatment{Level: flow.Masked}, places)
			}
		}
		return
	}
	for _, i := range best.items {
		l.lowerTo(&s.items[i], l.stated(best, &s.items[i]), places)
	}
}

// lowerTo makes an item coarser to the stated level, or, where its place cannot take that, masked, or dropped.
func (l *Look) lowerTo(it *item, to flow.Treatment, places *[]int) {
	l.lower(it, fitting(it, to), places)
}

func fitting(it *item, to flow.Treatment) flow.Treatment {
	if it.value.Fits == nil || it.value.Fits(less(*it.class, it.current(), to)) {
		return to
	}
	if to.Level > flow.Masked && it.value.Fits(flow.Treatment{Level: flow.Masked}) {
		return flow.Treatment{Level: flow.Masked}
	}
	return flow.Treatment{}
}

// stated is the level that the choice's rule states for the item.
func (l *Look) stated(c *choice, it *item) flow.Treatment {
	for _, p := range l.s.Rules.roleOf(it.fact.label).parts {
		if p.rule == c.rule && p.element == c.element {
			return p.to
		}
	}
	return flow.Treatment{}
}

func (l *Look) concerns(it *item, rules []int) bool {
	for _, p := range l.s.Rules.roleOf(it.fact.label).parts {
		for _, i := range rules {
			if p.rule == i {
				return true
			}
		}
	}
	return false
}

// choice lists the items by which a piece is held, as many as must be coarser, the last first, and what that loses.
func (l *Look) choice(s *subject, rule, element int, over bool, before, after *standing) choice {
	c := choice{rule: rule, element: element}
	surplus := after.held[rule][element] - before.held[rule][element]
	if e := &l.s.Rules.rules[rule].Of[element]; !over && e.count() > 1 {
		surplus = after.held[rule][element] - (e.count() - 1)
	}
	var done []digest
	for i := len(s.items) - 1; i >= 0; i-- {
		it := &s.items[i]
		role := l.s.Rules.roleOf(it.fact.label)
		if role == nil || it.bottom || !s.isNew(it) {
			continue
		}
		for _, p := range role.parts {
			if p.rule != rule || p.element != element || !finer(it.class.Family, it.current(), p.to) {
				continue
			}
			seen := false
			for _, d := range done {
				seen = seen || d == it.fact.digest
			}
			if !seen { // a value in several places is coarser in all of them
				if surplus == 0 {
					continue
				}
				surplus--
				done = append(done, it.fact.digest)
			}
			c.items = append(c.items, i)
			c.loss.values++
			c.loss.worst = max(c.loss.worst, lossOf(it, p.to))
		}
	}
	return c
}

// lossOf says how bad it is for the recipient that an item becomes coarser: it needs no more anyway, it is of the same kind still and so
// many steps coarser, it is masked, it is gone.
func lossOf(it *item, to flow.Treatment) int {
	to = fitting(it, to)
	out := less(*it.class, it.current(), to)
	switch {
	case it.leaf.Need != nil && !it.class.Family.Reveals(it.class.Resolve(*it.leaf.Need), out):
		return 0
	case out.Level == flow.Generalized:
		return 1 + max(2, slices.Index(dateSteps, out.Param))
	case out.Level == flow.Masked:
		return 10
	}
	return 20
}

// left is how many rules stay broken by a choice.
func (l *Look) left(s *subject, c choice, before *standing) int {
	old := make([]flow.LeafTerms, len(c.items))
	bottoms := make([]bool, len(c.items))
	var places []int
	lowered := l.lowered
	for k, i := range c.items {
		old[k], bottoms[k] = *s.items[i].terms, s.items[i].bottom
	}
	for _, i := range c.items {
		l.lowerTo(&s.items[i], l.stated(&c, &s.items[i]), &places)
	}
	n := len(l.broken(before, l.stand(s, true)))
	for k, i := range c.items {
		*s.items[i].terms, s.items[i].bottom = old[k], bottoms[k]
	}
	l.lowered = lowered
	return n
}
