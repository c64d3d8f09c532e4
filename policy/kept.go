package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// Kept is all that a set decides by, as text: its decisions can be made again when the files and the configuration that it came
// from have changed. It is for JSON.
type Kept struct {
	Hash     string                  `json:"hash"`
	Files    map[string]string       `json:"files"` // policies, by name
	Classes  []flow.Class            `json:"classes"`
	Entities Entities                `json:"entities"`
	Outside  []Outside               `json:"outside,omitempty"`
	Carried  map[string][]flow.Label `json:"carried,omitempty"` // see [Set.Carrying]
}

// ErrKept is the error of what was kept and is not what its hash says.
var ErrKept = errors.New("the rules that were kept are not those of their hash")

// Keep returns what [Restore] makes the set of again.
func (s *Set) Keep() Kept {
	k := Kept{Hash: s.hash, Files: make(map[string]string, len(s.files)), Classes: s.snap.tax.All(), Entities: s.snap.entities, Outside: s.snap.outside, Carried: s.Carried()}
	for _, f := range s.files {
		k.Files[f.name] = f.text
	}
	return k
}

// Carried returns what fields of the set carry, see [Set.Carrying]; nil: nothing.
func (s *Set) Carried() map[string][]flow.Label {
	if len(s.carried) == 0 {
		return nil
	}
	out := make(map[string][]flow.Label, len(s.carried))
	for field, labels := range s.carried {
		out[field] = slices.Clone(labels)
	}
	return out
}

// Taxonomy returns the classes that the set knows.
func (s *Set) Taxonomy() *flow.Taxonomy { return s.snap.tax }

// Entities returns what the set's policies may name. It is shared with the set and must not be changed.
func (s *Set) Entities() Entities { return s.snap.entities }

// FieldLabel returns the label that the catalog gives a field.
func (s *Set) FieldLabel(name string) (flow.Label, bool) {
	f, ok := s.snap.fields[name]
	return f.Label, ok
}

// Use returns what its data contract says a field may be used for: one that the dataset's contract does not know is under what is said of the dataset.
func (s *Set) Use(field string) Use {
	if f, ok := s.snap.fields[field]; ok {
		return f.Use
	}
	dataset, _, _ := strings.Cut(field, "/")
	return s.snap.uses[dataset]
}

// Files returns the policies by the names of their files.
func (s *Set) Files() map[string]string { return s.Keep().Files }

// Restore makes a set again. Its error is [ErrKept], or what [Load] says, if that does not give the very same one: it was changed, or this
// program decides otherwise.
func Restore(k Kept, cacheSize int) (*Set, error) {
	tax, err := flow.NewTaxonomy(k.Classes)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKept, err)
	}
	snap, err := newSnapshot(Options{Taxonomy: tax, Entities: k.Entities, Outside: k.Outside})
	if err != nil {
		return nil, err
	}
	var files []source
	for _, name := range slices.Sorted(maps.Keys(k.Files)) {
		if text := k.Files[name]; !strings.HasSuffix(name, policySuffix) || len(text) > maxFile || !utf8.ValidString(text) {
			return nil, ErrKept
		}
		files = append(files, source{name, k.Files[name]})
	}
	s, err := snap.loadFiles(files, nil, cacheSize)
	if err != nil {
		return nil, err
	}
	if s = s.Carrying(k.Carried); s.hash != k.Hash {
		return nil, ErrKept
	}
	return s, nil
}

// copied returns entities that share nothing which a caller may change.
func (e Entities) copied() Entities {
	e.Agents, e.Fields, e.Datasets = slices.Clone(e.Agents), slices.Clone(e.Fields), slices.Clone(e.Datasets)
	for i := range e.Agents {
		e.Agents[i].Roles = slices.Clone(e.Agents[i].Roles)
	}
	e.Purposes, e.RoleParents = copiedParents(e.Purposes), copiedParents(e.RoleParents)
	return e
}

func copiedParents[N ~string](m map[N][]N) map[N][]N {
	m = maps.Clone(m)
	for n := range m {
		m[n] = slices.Clone(m[n])
	}
	return m
}

// Texts returns every policy as it is written, comments apart, by name: shadow policies too.
func (s *Set) Texts() map[flow.PolicyID]string {
	out := map[flow.PolicyID]string{}
	for _, x := range []*index{s.shadowed, s.enforced} {
		if x == nil {
			continue
		}
		for _, r := range x.rules {
			out[r.id] = r.text
		}
	}
	return out
}

// Key is the same for two questions only if the set decides leaves alike for both.
func (s *Set) Key(q *Query) string { return s.flowKey(q) }

// Apart returns a set that decides alike and keeps decisions of its own, so that who asks very much does not push out those of the set.
func (s *Set) Apart(cacheSize int) *Set {
	next := *s
	next.cache = newCache(cacheSize)
	return &next
}
