package query

import (
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// Check refuses a declaration by which no question could be answered soundly, and says what is missing. [Compile] calls it.
func (d *Dataset) Check() error {
	if d == nil {
		return refusal("", "there is no dataset")
	}
	if strings.TrimSpace(d.Unit) == "" {
		return refusal("name it, such as patient", "dataset %q declares no privacy unit", d.Name)
	}
	if d.Window < 0 || d.Window%time.Microsecond != 0 {
		return refusal("", "the window of dataset %q is negative or finer than a microsecond", d.Name)
	}
	if err := d.Limits.check(); err != nil {
		return err
	}
	if len(d.Tables) == 0 {
		return refusal("", "dataset %q declares no table", d.Name)
	}
	for i := range d.Tables {
		t := &d.Tables[i]
		for j := range i {
			if strings.EqualFold(d.Tables[j].Name, t.Name) {
				return refusal("", "table %q is declared twice", t.Name)
			}
		}
		if err := d.checkTable(t); err != nil {
			return err
		}
	}
	return d.checkUnits()
}

func (l Limits) check() error {
	if l.Rows < 0 || l.MostRows < 0 || l.Groups < 0 || l.MostGroups < 0 || l.MostCells < 0 {
		return refusal("", "a limit is negative")
	}
	l = l.filled()
	if l.Rows > l.MostRows || l.Groups > l.MostGroups {
		return refusal("", "what questions get is more than the most that they may ask for")
	}
	if l.MostRows > 1<<31 || l.MostGroups > 1<<31 || l.MostCells > 1<<20 {
		return refusal("", "a limit is too large")
	}
	return nil
}

// filled has the strict limits where none are given: one row, one group.
func (l Limits) filled() Limits {
	l.Rows = max(l.Rows, 1)
	l.Groups = max(l.Groups, 1)
	if l.MostRows == 0 {
		l.MostRows = l.Rows
	}
	if l.MostGroups == 0 {
		l.MostGroups = l.Groups
	}
	if l.MostCells == 0 {
		l.MostCells = 10_000
	}
	return l
}

func (d *Dataset) checkTable(t *Table) error {
	if t.Name == "" || len(t.Columns) == 0 {
		return refusal("", "table %q has no name or no columns", t.Name)
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Name == "" {
			return refusal("", "a column of table %q has no name", t.Name)
		}
		for j := range i {
			if strings.EqualFold(t.Columns[j].Name, c.Name) {
				return refusal("", "column %q of table %q is declared twice", c.Name, t.Name)
			}
		}
		if err := c.Type.Check(); err != nil {
			return refusal("", "column %q of table %q: %v", c.Name, t.Name, err)
		}
		seen := make(map[relation.Value]bool, len(c.Values))
		for _, v := range c.Values {
			if v.Kind != c.Type.Kind || !v.Null && ordered(v.Kind) && (v.Int < c.Type.Min || v.Int > c.Type.Max) {
				return refusal("", "a value of the public domain of column %q of table %q is not of its type", c.Name, t.Name)
			}
			if seen[v] {
				return refusal("", "the public domain of column %q of table %q has a value twice", c.Name, t.Name)
			}
			seen[v] = true
		}
	}
	switch time := t.column(t.Time); {
	case t.Time == "":
	case time == nil:
		return refusal("", "table %q has no column %q for its time", t.Name, t.Time)
	case time.Type.Kind != relation.Date && time.Type.Kind != relation.Time:
		return refusal("", "column %q of table %q is no date and no time", t.Time, t.Name)
	}
	return nil
}

// checkUnits holds that each private table says whose its rows are, all in the same kinds, so that units of two tables are the same.
func (d *Dataset) checkUnits() error {
	var first []relation.Type
	for i := range d.Tables {
		t := &d.Tables[i]
		if t.Public {
			if len(t.Unit) > 0 || t.Via != nil {
				return refusal("", "table %q is public and has a unit", t.Name)
			}
			continue
		}
		if d.Window > 0 && (t.Time == "" || t.Via != nil) {
			// By its own time a row would lie in another window than what it refers to, and belong to two units.
			return refusal("", "units of dataset %q are bounded in time: table %q needs its own unit and a time", d.Name, t.Name)
		}
		types, err := d.unitOf(t, len(d.Tables))
		if err != nil {
			return err
		}
		if first == nil {
			first = types
		}
		if !slices.EqualFunc(first, types, func(a, b relation.Type) bool { return a.Kind == b.Kind }) {
			return refusal("", "the unit of table %q is not of the same kind as that of other tables", t.Name)
		}
	}
	if first == nil {
		return refusal("", "dataset %q has public tables alone: nothing needs protection", d.Name)
	}
	return nil
}

// unitOf are the types of the columns that name the unit of a table's rows.
func (d *Dataset) unitOf(t *Table, depth int) ([]relation.Type, error) {
	if depth == 0 {
		return nil, refusal("", "the references of table %q go round in a circle", t.Name)
	}
	if t.Public {
		return nil, refusal("", "rows of a private table refer to the public table %q, which has no unit", t.Name)
	}
	if v := t.Via; v != nil {
		from, to := t.column(v.Column), (*Column)(nil)
		target := d.table(v.Table)
		if target != nil {
			to = target.column(v.To)
		}
		if from == nil || to == nil {
			return nil, refusal("", "table %q refers by a column, or to one, that is not declared", t.Name)
		}
		if from.Type.Kind != to.Type.Kind || !names(from.Type) || !names(to.Type) {
			return nil, refusal("declare both as text or as whole numbers", "the reference of table %q is between columns that are not alike", t.Name)
		}
		types, err := d.unitOf(target, depth-1)
		if err == nil && len(t.Unit) > 0 && !slices.Equal(t.Unit, target.Unit) {
			err = refusal("leave its own unit out", "table %q has a unit of its own and one that it refers to", t.Name)
		}
		return types, err
	}
	if len(t.Unit) == 0 {
		return nil, refusal("name the columns that say whose a row is", "table %q declares no unit and is not public", t.Name)
	}
	types := make([]relation.Type, len(t.Unit))
	for i, n := range t.Unit {
		c := t.column(n)
		if c == nil || slices.Contains(t.Unit[:i], n) {
			return nil, refusal("", "the unit of table %q names no column of it, or one twice", t.Name)
		}
		if !names(c.Type) {
			return nil, refusal("declare it as text or as a whole number", "column %q of table %q cannot name a unit", c.Name, t.Name)
		}
		types[i] = c.Type
	}
	return types, nil
}

// names is whether values of a type can name something: each is either as it is or NULL, and no two become one.
func names(t relation.Type) bool {
	return t.Kind == relation.Text || t.Kind == relation.Number && t.Places == 0
}

func ordered(k relation.Kind) bool {
	return k == relation.Number || k == relation.Date || k == relation.Time
}

// table is the table of that name, whatever its case, or nil.
func (d *Dataset) table(name string) *Table {
	for i := range d.Tables {
		if strings.EqualFold(d.Tables[i].Name, name) {
			return &d.Tables[i]
		}
	}
	return nil
}

// column is the column of that name, whatever its case, or nil.
func (t *Table) column(name string) *Column {
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return &t.Columns[i]
		}
	}
	return nil
}

func (t *Table) source() string {
	if t.Source != "" {
		return t.Source
	}
	return t.Name
}

func (c *Column) source() string {
	if c.Source != "" {
		return c.Source
	}
	return c.Name
}
