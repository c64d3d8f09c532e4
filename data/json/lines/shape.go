package lines

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/data/table"
)

// place is a member that a column is or lies within.
type place struct {
	name   string
	key    []byte // the name as JSON, with a colon
	column int    // -1: of an object that has columns within it; -2: of a column that is not given
	id     int    // of an object: its number in the shape
	kids   []*place
	byName map[string]*place
}

const (
	within   = -1
	withheld = -2
)

func (p *place) find(name string) *place { return p.byName[name] }

// shape is where columns are in an object. It is not changed once made.
type shape struct {
	columns []table.Column
	root    *place
	objects []*place // by id
	leaves  []*place // by column
	paths   [][]string
}

// newShape places columns by their names.
func newShape(name string, columns []string) (*shape, error) {
	s := &shape{root: &place{column: within}}
	s.objects = []*place{s.root}
	for _, c := range columns {
		fail := func(why string) error { return &table.Error{Table: name, Column: c, Why: why} }
		path, ok := parsePointer(c)
		if !ok {
			return nil, fail("is not the name of a member or a JSON Pointer")
		}
		at := s.root
		for i, step := range path {
			next := at.find(step)
			last := i == len(path)-1
			switch {
			case next != nil && last && next.column >= 0:
				return nil, fail("is named twice")
			case next != nil && (last || next.column >= 0):
				return nil, fail("lies within another column, or holds one")
			case next == nil:
				next = &place{name: step, key: append(json.AppendString(nil, step), ':'), column: within}
				if at.byName == nil {
					at.byName = map[string]*place{}
				}
				at.kids, at.byName[step] = append(at.kids, next), next
				if last {
					next.column = len(s.columns)
				} else {
					next.id = len(s.objects)
					s.objects = append(s.objects, next)
				}
			}
			at = next
		}
		s.leaves = append(s.leaves, at)
		s.paths = append(s.paths, path)
		s.columns = append(s.columns, table.Column{Name: c})
	}
	return s, nil
}

// parsePointer returns the names of members on the way to a column.
func parsePointer(name string) (path []string, ok bool) {
	if !utf8.ValidString(name) || name == "" {
		return nil, false
	}
	if name[0] != '/' {
		return []string{name}, true
	}
	for _, step := range strings.Split(name[1:], "/") {
		for i := range len(step) {
			if step[i] == '~' && (i+1 == len(step) || step[i+1] != '0' && step[i+1] != '1') {
				return nil, false
			}
		}
		path = append(path, strings.NewReplacer("~1", "/", "~0", "~").Replace(step))
	}
	return path, true
}

// only returns a shape of the same places in which only these columns are given.
func (s *shape) only(table string, names []string) (*shape, error) {
	all := make([]string, len(s.columns))
	for i, c := range s.columns {
		all[i] = c.Name
	}
	n, err := newShape(table, all)
	if err != nil {
		return nil, err
	}
	for _, leaf := range n.leaves {
		leaf.column = withheld
	}
	leaves, paths := n.leaves, n.paths
	n.columns, n.leaves, n.paths = nil, nil, nil
	for _, name := range names {
		at := slices.Index(all, name)
		if at < 0 || leaves[at].column != withheld {
			return nil, fault(table, name, "is not a column of the table, or is named twice")
		}
		leaves[at].column = len(n.columns)
		n.columns = append(n.columns, s.columns[at])
		n.leaves, n.paths = append(n.leaves, leaves[at]), append(n.paths, paths[at])
	}
	return n, nil
}

func fault(name, column, why string) error {
	return &table.Error{Table: name, Column: column, Why: why}
}

// at returns the place at the end of a path, or nil.
func (s *shape) at(path []string) *place {
	p := s.root
	for _, step := range path {
		if p = p.find(step); p == nil {
			return nil
		}
	}
	return p
}
