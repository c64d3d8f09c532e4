package report

import (
	"cmp"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// fill writes what was counted, in an order that stays.
func (b *breach) fill(out *Breach) {
	out.Subjects, out.Bounds, out.Recipients = len(b.people), b.bounds, []Recipient{}
	for _, r := range b.of {
		one := r.Recipient
		one.Subjects = len(r.people)
		slices.Sort(one.Purposes)
		one.Shown = []Shown{}
		for _, s := range r.shown {
			s.Subjects = len(s.people)
			slices.Sort(s.Policies)
			one.Shown = append(one.Shown, s.Shown)
		}
		slices.SortFunc(one.Shown, func(x, y Shown) int {
			return cmp.Or(strings.Compare(string(x.Label), string(y.Label)), cmp.Compare(y.Level, x.Level), cmp.Compare(x.Param, y.Param), strings.Compare(x.Hash, y.Hash))
		})
		for _, name := range slices.Sorted(maps.Keys(r.answers)) {
			one.Answers = append(one.Answers, *r.answers[name])
		}
		out.Recipients = append(out.Recipients, one)
	}
	slices.SortFunc(out.Recipients, func(x, y Recipient) int {
		return cmp.Or(strings.Compare(string(x.Domain), string(y.Domain)), strings.Compare(string(x.Agent), string(y.Agent)))
	})
	if b.q.Subjects {
		out.Named = b.named()
	}
}

// named are people by their references, with the most revealing level of each label that each recipient was shown.
func (b *breach) named() []Named {
	refs := make([]string, len(b.people))
	for ref, n := range b.people {
		refs[n] = hex.EncodeToString(ref[:])
	}
	seen := make([]map[NamedShown]struct{}, len(refs))
	for _, r := range b.of {
		for key, s := range r.shown {
			for n := range s.people {
				if seen[n] == nil {
					seen[n] = map[NamedShown]struct{}{}
				}
				seen[n][NamedShown{r.Domain, r.Agent, key.label, key.level}] = struct{}{}
			}
		}
	}
	all := []Named{}
	for n, ref := range refs {
		one := Named{Subject: ref}
		for s := range seen[n] {
			one.Seen = append(one.Seen, s)
		}
		slices.SortFunc(one.Seen, func(x, y NamedShown) int {
			return cmp.Or(strings.Compare(string(x.Domain), string(y.Domain)), strings.Compare(string(x.Agent), string(y.Agent)), strings.Compare(string(x.Label), string(y.Label)), cmp.Compare(y.Level, x.Level))
		})
		all = append(all, one)
	}
	slices.SortFunc(all, func(x, y Named) int { return strings.Compare(x.Subject, y.Subject) })
	return all
}
