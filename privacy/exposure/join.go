package exposure

import (
	"slices"
	"strconv"

	"github.com/scrimhq/scrim/flow"
)

// Join is how much is known of a value that was shown at both treatments: no less than each, and, where two generalisations
// cut the values up in different places, what their intersection tells. It is an upper bound: what is not known to be less is raw.
func Join(f flow.Family, a, b flow.Treatment) flow.Treatment {
	switch {
	case a == b, !f.Reveals(b, a):
		return a
	case !f.Reveals(a, b):
		return b
	case a.Level == flow.Generalized && b.Level == flow.Generalized:
		return joinParams(a.Param, b.Param)
	}
	return flow.Treatment{Level: flow.Raw}
}

// joinParams joins two generalisations of which neither is a function of the other.
func joinParams(a, b flow.Param) flow.Treatment {
	ka, na := a.Split()
	kb, nb := b.Split()
	if ka == "bucket" && kb == "bucket" {
		for nb != 0 {
			na, nb = nb, na%nb
		}
		return flow.Treatment{Level: flow.Generalized, Param: flow.Param("bucket:" + strconv.FormatInt(na, 10))} // both are functions of it
	}
	return flow.Treatment{Level: flow.Raw}
}

// finer reports whether what was shown tells more than a level that a rule states. A stand-in tells nothing of the value.
func finer(f flow.Family, shown, to flow.Treatment) bool {
	switch {
	case shown.Level == flow.Raw:
		return to.Level != flow.Raw
	case shown.Level == flow.Tokenized, shown.Level == flow.Dropped:
		return false
	case shown.Level == flow.Generalized && to.Level == flow.Generalized:
		if kind, days := shown.Param.Split(); kind == "shift" {
			span, ok := spans[to.Param]
			return !ok || days < span // a date that was moved by up to so many days is no nearer than that
		}
	}
	return f.Reveals(shown, to)
}

// spans are the days of the longest of each step of dates.
var spans = map[flow.Param]int64{"day": 1, "month": 31, "quarter": 92, "year": 366, "decade": 3653}

// dateSteps are from fine to coarse.
var dateSteps = []flow.Param{"day", "month", "quarter", "year", "decade"}

// less is the most revealing treatment that is no finer than either.
func less(c flow.Class, shown, to flow.Treatment) flow.Treatment {
	if shown.Level == flow.Generalized && to.Level == flow.Generalized && slices.Contains(dateSteps, to.Param) {
		if kind, _ := shown.Param.Split(); kind == "shift" && !finer(c.Family, shown, to) {
			return shown
		}
	}
	return c.Family.Meet(shown, c.Resolve(to))
}
