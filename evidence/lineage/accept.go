package lineage

import (
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Allow holds an event to the namespaces that its reporter may tell of: whatever it writes, and every other name that it gives to
// data, must lie in one of them. One that ends in "*" stands for all that begin like it. What an event reads may lie anywhere, but what it says of that
// beside its name is taken away unless it lies in one of them too. The own namespace is nobody's to tell of, whatever is listed. It returns a
// [*Refused], and changes the event.
func (e *Event) Allow(namespaces []string, own string) error {
	may := func(n Name) bool { return n.Namespace != own && inside(n.Namespace, namespaces) }
	for i := range e.Inputs {
		if in := &e.Inputs[i]; !may(in.Name) || beyond(in, may) >= 0 {
			*in = Dataset{Name: in.Name}
		}
		e.Inputs[i].Columns = nil // what was read was made by another run
	}
	for i := range e.Outputs {
		if err := allowed(&e.Outputs[i], fmt.Sprintf("/outputs/%d", i), may); err != nil {
			return err
		}
	}
	if e.Dataset != nil {
		return allowed(e.Dataset, "/dataset", may)
	}
	return nil
}

func inside(namespace string, all []string) bool {
	for _, a := range all {
		if prefix, some := strings.CutSuffix(a, "*"); some && strings.HasPrefix(namespace, prefix) || a == namespace {
			return true
		}
	}
	return false
}

// beyond returns the index of another name of the dataset that lies outside; -1: there is none.
func beyond(d *Dataset, may func(Name) bool) int {
	for i, n := range d.Symlinks {
		if !may(n) {
			return i
		}
	}
	if d.Previous != nil && !may(*d.Previous) {
		return len(d.Symlinks)
	}
	return -1
}

func allowed(d *Dataset, at string, may func(Name) bool) error {
	const reason = "the reporter may not tell of this namespace"
	if !may(d.Name) {
		return &Refused{Place: flow.Path(at + "/namespace"), Reason: reason}
	}
	switch i := beyond(d, may); {
	case i < 0:
		return nil
	case i < len(d.Symlinks):
		return &Refused{Place: flow.Path(fmt.Sprintf("%s/facets/symlinks/identifiers/%d/namespace", at, i)), Reason: reason}
	default:
		return &Refused{Place: flow.Path(at + "/facets/lifecycleStateChange/previousIdentifier/namespace"), Reason: reason}
	}
}
