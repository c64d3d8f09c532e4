package hop

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Limits are the most that hops before this one let through. The zero value lets the task's time pass for retention, and
// bounds no label.
type Limits struct {
	Levels map[flow.Label]flow.Treatment // by label; a label under none of them is not bounded here
	Retain time.Duration                 // how long what was sent may be kept, to the second; 0: for the task
}

// Of returns the most that may show of a label, and whether there is a limit. Of several labels that it lies within, the
// longest counts.
func (l Limits) Of(label flow.Label) (flow.Treatment, bool) {
	if len(l.Levels) == 0 {
		return flow.Treatment{}, false
	}
	for a := range label.Ancestors() {
		if t, ok := l.Levels[a]; ok {
			return t, true
		}
	}
	return flow.Treatment{}, false
}

// Meet returns the limits that keep within both: of every label no more shows than either lets through
// (TestMeetOfLimits), and nothing is kept longer.
func (l Limits) Meet(o Limits, tax *flow.Taxonomy) Limits {
	out := Limits{Retain: min(l.Retain, o.Retain)}
	if len(l.Levels)+len(o.Levels) == 0 {
		return out
	}
	out.Levels = make(map[flow.Label]flow.Treatment, len(l.Levels)+len(o.Levels))
	for _, of := range []Limits{l, o} {
		for label := range of.Levels {
			a, inA := l.Of(label)
			b, inB := o.Of(label)
			switch {
			case !inA:
				a = b
			case inB:
				class, _ := tax.Class(label)
				a = class.Family.Meet(a, b)
			}
			out.Levels[label] = a
		}
	}
	return out
}

// Within returns limits of at most n labels that let through no more, and false if there are none. What is too much goes
// to the labels above, with the least of what lies under them.
func (l Limits) Within(n int, tax *flow.Taxonomy) (Limits, bool) {
	if len(l.Levels) <= n {
		return l, true
	}
	out := Limits{Levels: maps.Clone(l.Levels), Retain: l.Retain}
	for len(out.Levels) > n {
		labels := slices.SortedFunc(maps.Keys(out.Levels), func(a, b flow.Label) int {
			return cmpDepth(b, a)
		})
		deepest := labels[0]
		at := strings.LastIndexByte(string(deepest), '/')
		if at < 0 {
			return Limits{}, false
		}
		up := deepest[:at]
		least, bounded := out.Of(up)
		for _, label := range labels {
			if label == up || !label.Within(up) {
				continue
			}
			class, _ := tax.Class(label)
			if t := out.Levels[label]; !bounded {
				least, bounded = t, true
			} else {
				least = class.Family.Meet(least, t)
			}
			delete(out.Levels, label)
		}
		out.Levels[up] = least
	}
	return out, true
}

// cmpDepth orders labels by their number of words, then by their text.
func cmpDepth(a, b flow.Label) int {
	if d := strings.Count(string(a), "/") - strings.Count(string(b), "/"); d != 0 {
		return d
	}
	return strings.Compare(string(a), string(b))
}

// Trim returns the limits without those that bound nothing: raw, for a label that lies within no other that has a limit.
func (l Limits) Trim() Limits {
	out := Limits{Retain: l.Retain, Levels: map[flow.Label]flow.Treatment{}}
	for _, label := range slices.SortedFunc(maps.Keys(l.Levels), cmpDepth) {
		t := l.Levels[label]
		if above, bounded := out.Of(label); t.Level == flow.Raw && (!bounded || above == t) {
			continue
		}
		out.Levels[label] = t
	}
	return out
}
