package inventory

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/data/table"
)

const (
	maxMembers  = 300 // different members of one object that are told apart; an object with more is a map
	maxNested   = 8   // levels of objects within a column
	maxElements = 16  // of one array that are looked at
	mapWhy      = "its members' names look like values, or differ from row to row as those do"
)

// member is what was found at a place within JSON.
type member struct {
	name    string
	times   int // how many objects had it
	objects int // how many objects are there
	kinds   [json.Object + 1]int
	values  []string // scalars
	keys    []string // names of members, once for each object that had one
	kids    []*member
	byName  map[string]*member
	asMap   bool
}

// add takes a value of the document in.
func (m *member) add(d *json.Doc, n, depth int) {
	m.times++
	m.value(d, n, depth)
}

func (m *member) value(d *json.Doc, n, depth int) {
	kind := d.Nodes[n].Kind
	m.kinds[kind]++
	switch kind {
	case json.Null:
	case json.Object:
		m.objects++
		for k := range d.Children(n) {
			name := string(d.Key(k))
			m.keys = append(m.keys, name)
			m.kid(name, depth).add(d, k, depth+1)
		}
	case json.Array:
		i := 0
		for k := range d.Children(n) {
			if i++; i > maxElements {
				break
			}
			m.value(d, k, depth)
		}
	case json.String:
		m.values = append(m.values, beginning([]byte(d.Text(n)), false))
	default:
		m.values = append(m.values, string(d.Raw(n)))
	}
}

// kid returns the member of the name, or m itself if there are too many or they lie too deep: what is in them is then m's own.
func (m *member) kid(name string, depth int) *member {
	if k := m.byName[name]; k != nil {
		return k
	}
	if len(m.kids) >= maxMembers || depth >= maxNested {
		m.asMap = true
		return m
	}
	k := &member{name: name}
	if m.byName == nil {
		m.byName = map[string]*member{}
	}
	m.kids, m.byName[name] = append(m.kids, k), k
	return k
}

// isMap reports whether the members' names are values: one looks like one, there are too many, most come but once among many
// objects, or they stand for people.
func (m *member) isMap(j *judge) bool {
	once := 0
	var names []string
	for _, k := range m.kids {
		names = append(names, k.name)
		if !plausible(k.name) {
			return true
		}
		if k.times == 1 {
			once++
		}
	}
	return m.asMap || fleeting(m.objects, len(m.kids), once) || j.members(names)
}

// fleeting reports whether most members come but once among many objects.
func fleeting(objects, members, once int) bool {
	return objects >= 10 && members >= 4 && 2*once > members
}

// areValues reports whether the columns of a file of objects are a map's keys.
func (d *draft) areValues(rows []kept) bool {
	once := 0
	var names []string
	for i, c := range d.Columns {
		names = append(names, c.Name)
		if !plausible(c.Name) {
			return true
		}
		times := 0
		for _, r := range rows {
			if r.cells[i].kind != table.Null {
				times++
			}
		}
		if times <= 1 {
			once++
		}
	}
	return fleeting(len(rows), len(d.Columns), once) || d.judge.members(names)
}

// collapse makes one column of all that the objects hold, the names of their members too.
func (d *draft) collapse(rows []kept) {
	var all []string
	for _, c := range d.Columns {
		all = append(all, c.Name)
	}
	doc := json.Borrow()
	defer doc.Return()
	within := &member{}
	for _, r := range rows {
		for _, v := range r.cells {
			switch {
			case v.kind == table.Null:
			case v.kind == table.Nested && doc.Parse([]byte(v.text), nil, json.Limits{}) == nil:
				within.add(doc, 0, 0)
			default:
				all = append(all, beginning([]byte(v.text), false))
			}
		}
	}
	d.Sampled = len(rows)
	d.Columns = []Column{{Name: "*", Type: "json", Logical: "object", Why: mapWhy}}
	d.values = [][]string{append(all, within.all()...)}
	d.at, d.distinct = nil, nil
}

// all returns every value at the place and within.
func (m *member) all() []string {
	out := append(slices.Clone(m.values), m.keys...)
	for _, k := range m.kids {
		out = append(out, k.all()...)
	}
	return out
}

func (m *member) logical() string {
	scalars := 0
	for k := json.False; k <= json.String; k++ {
		scalars += m.kinds[k]
	}
	switch {
	case m.kinds[json.Array] > 0 && m.kinds[json.Array]+m.kinds[json.Null] >= m.times:
		return "array"
	case m.kinds[json.Object] > 0 && scalars == 0:
		return "object"
	case scalars == 0:
		return ""
	case m.kinds[json.String] == scalars:
		return "string"
	case m.kinds[json.Number] == scalars:
		return "number"
	case m.kinds[json.True]+m.kinds[json.False] == scalars:
		return "boolean"
	}
	return ""
}

// columns appends the place and what lies within it.
func (m *member) columns(d *draft, of Column) {
	if m.isMap(d.judge) {
		of.Why = mapWhy
		d.Columns, d.values = append(d.Columns, of), append(d.values, m.all())
		return
	}
	if len(m.kids) > 0 {
		of.Logical = m.logical()
	}
	d.Columns, d.values = append(d.Columns, of), append(d.values, m.values)
	for _, k := range m.kids {
		name := of.Name + "." + strings.ReplaceAll(k.name, ".", "_")
		k.columns(d, Column{Name: name, Type: "json", Logical: k.logical(), Nulls: int64(k.kinds[json.Null])})
	}
}

// fill puts the values of a sample into the draft's columns, and adds columns for what lies within JSON.
func (d *draft) fill(rows []kept) {
	columns := d.Columns
	d.Columns, d.values = nil, nil
	distinct := d.distinct
	d.distinct = nil
	d.Sampled = len(rows)
	for i, c := range columns {
		at := i
		if d.at != nil {
			at = d.at[i]
		}
		if at < 0 { // it was not read
			d.Columns, d.values, d.distinct = append(d.Columns, c), append(d.values, nil), append(d.distinct, 0)
			continue
		}
		var values []string
		within := &member{name: c.Name}
		doc := json.Borrow()
		for _, r := range rows {
			v := r.cells[at]
			switch {
			case v.kind == table.Null:
				c.Nulls++
			case v.kind != table.Nested || doc.Parse([]byte(v.text), nil, json.Limits{}) != nil:
				values = append(values, beginning([]byte(v.text), false))
			default:
				within.add(doc, 0, 0)
			}
		}
		doc.Return()
		first := len(d.Columns)
		within.values = append(within.values, values...)
		within.columns(d, c)
		for range len(d.Columns) - first {
			d.distinct = append(d.distinct, 0)
		}
		if distinct != nil {
			d.distinct[first] = distinct[i]
		}
	}
}
