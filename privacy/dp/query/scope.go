package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
	"github.com/scrimhq/scrim/flow"
)

// binder turns the tree of one question into relations. It lives as long as [Compile] runs.
type binder struct {
	d           *Dataset
	limits      Limits
	text        string
	rows        int64 // of a unit in a group
	groups      int64
	from, until *int64 // microseconds that rows are limited to: from ≤ time < until
	next        int    // of the names of columns
	scans       int
	functions   map[string]function
	domains     int // values of public domains that were made: computing has to end
}

// Limits of what one question may grow to. They depend on the question and the declaration alone.
const (
	maxScans   = 64
	maxSize    = 4000    // nodes of one expression
	maxMade    = 1 << 20 // values of public domains
	maxColumns = 1000    // of one SELECT list: what * stands for doubles with each subquery that says it twice
)

// name is a new column name. Names count up in the order in which things are bound, so that they do not depend on the asker's.
func (b *binder) name() string {
	b.next++
	return fmt.Sprintf("c%d", b.next)
}

// value is an expression over the columns of a row, with what is known of it besides its type.
type value struct {
	expr      relation.Expr
	low, high bool             // its bounds follow from declared ones and constants
	domain    []relation.Value // all that it can be but NULL, by declaration or by nature; NULL is in it where it is a group; nil: unknown
	total     bool             // what is not NULL is always in the domain
	nokey     bool             // it may not be a group
	unit      int              // which column of the unit it equals, or is NULL: from 1; 0: none
	origin    *Column          // the declared column that it is, where it is one
	literal   bool             // a text constant without a type, which takes that of what it meets
	null      bool             // a bare NULL, likewise
	span      bool             // a time span in microseconds
	months    int64            // of a constant span
	size      int
}

func (v value) kind() relation.Kind { return v.expr.Type().Kind }
func (v value) typ() relation.Type  { return v.expr.Type() }
func (v value) bounded() bool       { return v.low && v.high }

// constant is the constant that v is.
func (v value) constant() (relation.Value, bool) {
	c, ok := v.expr.(*relation.Const)
	if !ok {
		return relation.Value{}, false
	}
	return c.Value, true
}

// column is a column that a scope knows by name.
type column struct {
	name   string
	hidden bool // USING merged it into the one of the left side
	value
}

// source is what FROM calls by one name.
type source struct {
	alias string
	cols  []column
}

// rowset is a relation with what the asker calls its columns.
type rowset struct {
	rel     relation.Rel
	sources []source
	unit    []string // its columns that name the unit; nil: it is public
	window  bool     // the last of them is the window, which no column of the question is
	fan     fan
}

func (r *rowset) private() bool { return r.unit != nil }

// covered is whether columns of the unit, by their bits, are all that the asker can name.
func (r *rowset) covered(bits uint64) bool {
	n := len(r.unit)
	if r.window {
		n--
	}
	return r.unit != nil && bits == 1<<n-1
}

// scope is where names are looked up.
type scope struct {
	rows *rowset
	// group, if not nil, is asked before anything else: keys and aggregates of a fold.
	group func(e syntax.Expr) (value, bool, error)
}

func alike(a, b string) bool { return strings.EqualFold(a, b) }

// lookup finds a column.
func (b *binder) lookup(s *scope, c *syntax.Column) (value, error) {
	var found []value
	var names []string
	known := false
	for _, src := range s.rows.sources {
		if c.Table != "" && !alike(src.alias, c.Table) {
			continue
		}
		known = true
		for _, col := range src.cols {
			if col.hidden && c.Table == "" {
				continue
			}
			names = append(names, col.name)
			if alike(col.name, c.Name) {
				found = append(found, col.value)
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return value{}, b.refuse(c.At(), ruleColumn, "say of which table: table.column", "several columns are called %q", c.Name)
	case !known:
		return value{}, b.refuse(c.At(), ruleTable, "", "no table of FROM is called %q", c.Table)
	}
	if alike(c.Name, b.d.Unit) && c.Table == "" && s.rows.private() {
		// The unit by its own name.
		v := value{unit: allUnits, nokey: true, size: 1}
		ref, err := relation.NewRef(s.rows.rel, s.rows.unit[0])
		if err != nil {
			return value{}, b.wrap(c.At(), err)
		}
		v.expr = ref
		return v, nil
	}
	hint := ""
	if near, ok := flow.Nearest(c.Name, names); ok {
		hint = fmt.Sprintf("did you mean %q?", near)
	} else if slices.Sort(names); len(names) > 0 && len(names) <= 40 {
		hint = "there are " + strings.Join(slices.Compact(names), ", ")
	}
	return value{}, b.refuse(c.At(), ruleColumn, hint, "there is no column %q", c.Name)
}

// allUnits says of a value that it stands for the unit as a whole, by the name that the owner gave it.
const allUnits = -1

// bits are the columns of the unit that a value determines.
func (r *rowset) bits(v value) uint64 {
	n := len(r.unit)
	if r.window {
		n--
	}
	switch {
	case r.unit == nil || v.unit == 0:
		return 0
	case v.unit == allUnits:
		return 1<<n - 1
	}
	return 1 << (v.unit - 1)
}
