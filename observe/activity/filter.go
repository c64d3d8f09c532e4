package activity

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Filter chooses flows. What is "" lets all through.
type Filter struct {
	Domain  flow.DomainID // sender's or recipient's
	From    flow.DomainID
	To      flow.DomainID
	Agent   flow.AgentID // sender or recipient
	Purpose flow.Purpose
	Outcome flow.Outcome
	Rule    string
	Level   string     // the highest at which something was shown
	Label   flow.Label // it, or one below it
}

// longest is how long a name in a filter may be.
const longest = 256

// keys are the names of a filter's fields in an address, in order, with the fields.
func (f *Filter) keys() []struct {
	name string
	at   *string
} {
	return []struct {
		name string
		at   *string
	}{
		{"domain", (*string)(&f.Domain)}, {"from", (*string)(&f.From)}, {"to", (*string)(&f.To)}, {"agent", (*string)(&f.Agent)}, {"purpose", (*string)(&f.Purpose)},
		{"outcome", (*string)(&f.Outcome)}, {"rule", &f.Rule}, {"level", &f.Level}, {"label", (*string)(&f.Label)},
	}
}

// ParseFilter reads a filter from an address. Other parameters are left alone.
func ParseFilter(v url.Values) (Filter, error) {
	var f Filter
	for _, k := range f.keys() {
		if *k.at = v.Get(k.name); len(*k.at) > longest {
			return Filter{}, fmt.Errorf("%s is longer than %d bytes", k.name, longest)
		}
	}
	if f.Level != "" && !slices.Contains(levelNames(), f.Level) {
		return Filter{}, fmt.Errorf("level is not one of %s", strings.Join(levelNames(), ", "))
	}
	return f, nil
}

func levelNames() (all []string) {
	for l := flow.Dropped; l <= flow.Raw; l++ {
		all = append(all, l.String())
	}
	return all
}

// Values returns the filter as an address carries it.
func (f Filter) Values() url.Values {
	v := url.Values{}
	for _, k := range f.keys() {
		if *k.at != "" {
			v.Set(k.name, *k.at)
		}
	}
	return v
}

// IsZero reports whether the filter lets everything through.
func (f Filter) IsZero() bool { return f == Filter{} }

// Match reports whether the filter lets an event through.
func (f *Filter) Match(ev *flow.Event) bool {
	if *f == (Filter{}) {
		return true
	}
	fl := &ev.Flow
	switch {
	case f.Domain != "" && fl.From.Domain != f.Domain && fl.To.Domain != f.Domain,
		f.From != "" && fl.From.Domain != f.From,
		f.To != "" && fl.To.Domain != f.To,
		f.Agent != "" && fl.From.Agent != f.Agent && fl.To.Agent != f.Agent,
		f.Purpose != "" && fl.Purpose != f.Purpose,
		f.Outcome != "" && ev.Outcome != f.Outcome,
		f.Rule != "" && Rule(ev) != f.Rule:
		return false
	}
	if f.Level != "" {
		if h := Highest(ev); h < 0 || flow.Level(h).String() != f.Level {
			return false
		}
	}
	return f.Label == "" || slices.ContainsFunc(ev.Levels, func(l flow.LevelCount) bool {
		return l.Label == f.Label || strings.HasPrefix(string(l.Label), string(f.Label)+"/")
	})
}
