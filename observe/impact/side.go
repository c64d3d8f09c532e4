package impact

import (
	"cmp"
	"slices"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// Side is one set of rules. Policy is needed.
type Side struct {
	Policy   *policy.Set
	Taxonomy *flow.Taxonomy    // nil: that of Policy
	Catalog  *catalog.Catalog  // nil: nothing is known of contracts
	Settings map[string]string // all else that the configuration says, by path, and the digests of files it names; nil: not known
	Hash     string            // of policies and what they name; "": that of Policy
}

func (s *Side) hash() string { return cmp.Or(s.Hash, s.Policy.Hash()) }

func (s *Side) taxonomy() *flow.Taxonomy {
	if s.Taxonomy != nil {
		return s.Taxonomy
	}
	return s.Policy.Taxonomy()
}

// Difference is one place where two sides differ beside policies.
type Difference struct {
	Path string `json:"path"`
	Old  string `json:"old,omitempty"` // "" where it is absent, and for digests of files
	New  string `json:"new,omitempty"`
}

// settingsDiffer lists the paths at which settings differ, ordered.
func settingsDiffer(old, next map[string]string) (out []Difference) {
	for path, was := range old {
		if is, ok := next[path]; !ok || is != was {
			out = append(out, Difference{path, was, next[path]})
		}
	}
	for path, is := range next {
		if _, ok := old[path]; !ok {
			out = append(out, Difference{Path: path, New: is})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int { return cmp.Compare(a.Path, b.Path) })
	return out
}
