package policy

import (
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// dutiesOf returns what the recipient of a leaf takes on: everything that any determining permit asks for, and the
// shortest time. A permit without @retain means the time of the task, which is the shortest there is.
func dutiesOf(permits []*rule) (d flow.Duties) {
	for i, p := range permits {
		one := flow.Duties{Retain: p.retain, Notify: p.notify, Basis: p.basis}
		if i == 0 {
			d = one
		} else {
			d = mergeDuties(d, one)
		}
	}
	return d
}

// mergeDuties returns duties that fulfil both.
func mergeDuties(a, b flow.Duties) flow.Duties {
	return flow.Duties{Retain: min(a.Retain, b.Retain), Notify: union(a.Notify, b.Notify), Basis: union(a.Basis, b.Basis)}
}

// union returns the words of both lists, ordered, each once. It changes neither.
func union(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

// dutySum adds up the duties of a message's leaves.
type dutySum struct {
	sum flow.Duties
	any bool
}

func (s *dutySum) add(v *verdict, shown flow.Treatment) {
	if shown.Level == flow.Dropped || v.class.Tier == flow.Public {
		return // nothing shown, or nothing to take on
	}
	if !s.any {
		s.sum, s.any = v.duties, true
		return
	}
	s.sum = mergeDuties(s.sum, v.duties)
}

func (s *dutySum) duties() flow.Duties {
	d := s.sum
	d.Retain = max(d.Retain, time.Duration(0))
	return d
}
