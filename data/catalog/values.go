package catalog

import (
	"iter"

	"github.com/scrimhq/scrim/data/json"
)

// Values returns the places that the schema declares for values of their own, not for objects or arrays alone, each
// once as it is reached, with whether no document is valid without it. The order is not fixed.
func (s *Schema) Values() iter.Seq2[*Info, bool] {
	type visit struct {
		at   json.State
		must bool
	}
	return func(yield func(*Info, bool) bool) {
		seen, queue := map[visit]bool{}, []visit{{firstDeclared, true}}
		for len(queue) > 0 {
			v := queue[0]
			queue = queue[1:]
			if seen[v] || int(v.at) >= len(s.states) {
				continue
			}
			seen[v] = true
			st := &s.states[v.at]
			if !st.info.Declared {
				continue
			}
			scalar := st.info.Types == 0 || st.info.Types&^(ArrayType|ObjectType) != 0
			if len(st.members) == 0 && scalar && !yield(&st.info, v.must) {
				return
			}
			for _, next := range st.members {
				queue = append(queue, visit{next, v.must && s.states[next].info.Required})
			}
			for _, list := range [][]json.State{st.byMask, st.prefix, {st.items}} {
				for _, next := range list {
					queue = append(queue, visit{next, false})
				}
			}
		}
	}
}
