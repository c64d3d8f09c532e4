package dialect

import (
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// bounds writes what is below and above the relation: rows → partials of (unit, group) → at most Groups of them for each unit, by keyed hash
// → sums for each group.
//
// The choice among groups is a total order, by hash and then by the keys, so that it is a function of the unit's own rows whatever the
// engine does with ties, or another unit's rows.
type bounds struct {
	*emitter
	q     *relation.Bounded
	base  string // rows: unit u…, keys k…, values v…
	types map[string]relation.Type
	units []Hashed
	keys  []Hashed
	cols  map[string]string // column → v…
}

func (e *emitter) bounded(q *relation.Bounded, s *Statement) error {
	in, err := e.rel(q.In)
	if err != nil {
		return err
	}
	b := &bounds{emitter: e, q: q, types: map[string]relation.Type{}, cols: map[string]string{}}
	for _, c := range in.columns {
		b.types[c.Name] = c.Type
	}
	if err := b.rows(in); err != nil {
		return err
	}
	for _, k := range b.keys {
		s.Keys = append(s.Keys, k.Kind)
	}
	for _, n := range q.Bins {
		if n.Count < 1 || n.Width < 1 {
			return fmt.Errorf("bins without width: %w", ErrShape)
		}
		s.Bins = append(s.Bins, n.Count)
	}
	partials, err := b.partials()
	if err != nil {
		return err
	}
	kept := b.kept(partials)
	arms := []string{b.sums(kept)}
	for i, n := range q.Bins {
		arm, err := b.bins(i, n, kept)
		if err != nil {
			return err
		}
		arms = append(arms, arm)
	}
	e.last = strings.Join(arms, "\nUNION ALL\n") + b.ordered()
	return nil
}

// ordered puts the rows of a group beside each other where there are several, so that no more than one group is held by whoever reads them. Any
// order does by which equal keys are neighbours.
func (b *bounds) ordered() string {
	if len(b.q.Bins) == 0 || len(b.keys) == 0 {
		return ""
	}
	names := make([]string, len(b.keys))
	for i := range names {
		names[i] = fmt.Sprintf("key%d", i+1)
	}
	return "\nORDER BY " + strings.Join(names, ", ")
}

// rows writes the subquery that names units, keys and values.
func (b *bounds) rows(in *rel) error {
	var list, where []string
	take := func(name, as string, nullable bool) (Hashed, error) {
		sql, ok := in.sql[name]
		if !ok {
			return Hashed{}, fmt.Errorf("a column that is not there: %w", ErrShape)
		}
		list = append(list, sql+" AS "+as)
		return Hashed{as, b.types[name].Kind, nullable}, nil
	}
	for i, u := range b.q.Unit {
		h, err := take(u, fmt.Sprintf("u%d", i+1), false)
		if err != nil {
			return err
		}
		b.units = append(b.units, h)
		where = append(where, in.sql[u]+" IS NOT NULL")
	}
	if len(where) == 0 {
		return fmt.Errorf("rows without a unit: %w", ErrShape)
	}
	for i, k := range b.q.Keys {
		h, err := take(k, fmt.Sprintf("k%d", i+1), true)
		if err != nil {
			return err
		}
		b.keys = append(b.keys, h)
	}
	value := func(name string) error {
		if name == "" || b.cols[name] != "" {
			return nil
		}
		h, err := take(name, fmt.Sprintf("v%d", len(b.cols)+1), true)
		b.cols[name] = h.SQL
		return err
	}
	for _, s := range b.q.Sums {
		if err := value(s.Col); err != nil {
			return err
		}
	}
	for _, n := range b.q.Bins {
		if err := value(n.Col); err != nil {
			return err
		}
	}
	at := b.add("b", "SELECT "+strings.Join(list, ", ")+" FROM "+in.name+" WHERE "+strings.Join(where, " AND "))
	b.base = b.ctes[at].name
	b.ctes[at].keep = len(b.q.Bins) > 0
	return nil
}

func names(of ...[]Hashed) []string {
	var out []string
	for _, hs := range of {
		for _, h := range hs {
			out = append(out, h.SQL)
		}
	}
	return out
}

// partials writes what each unit adds to each group.
func (b *bounds) partials() (string, error) {
	list := names(b.units, b.keys)
	for i, s := range b.q.Sums {
		sql, err := b.partial(s)
		if err != nil {
			return "", err
		}
		list = append(list, fmt.Sprintf("%s AS s%d", sql, i+1))
	}
	at := b.add("p", "SELECT "+strings.Join(list, ", ")+" FROM "+b.base+" GROUP BY "+strings.Join(names(b.units, b.keys), ", "))
	return b.ctes[at].name, nil
}

func (b *bounds) partial(s relation.Sum) (string, error) {
	if s.Low > s.High || s.Low < -relation.MaxSum || s.High > relation.MaxSum {
		return "", fmt.Errorf("bounds of a sum: %w", ErrShape)
	}
	x := b.cols[s.Col]
	switch s.Op {
	case relation.Units:
		return b.d.Number(min(max(1, s.Low), s.High)), nil
	case relation.Count:
		// max(low, min(n, rows, high))
		high := max(s.Low, min(s.High, b.q.Rows))
		if s.Col == "" {
			return b.d.Clamp("COUNT(*)", s.Low, high, false), nil
		}
		return b.d.Clamp("COUNT("+x+")", s.Low, high, false), nil
	case relation.Total:
		return b.d.Sum(x, most(b.types[s.Col]), s.Low, s.High), nil
	case relation.Share:
		return b.d.Share(x, most(b.types[s.Col]), b.q.Rows, s.Low, s.High), nil
	}
	return "", fmt.Errorf("a sum of unknown form: %w", ErrShape)
}

// hash writes a keyed hash of unit and group, and what is given besides.
func (b *bounds) hash(cell ...Hashed) string {
	seed := make([]string, max(b.d.Words(), 1))
	for n := range seed {
		word := n
		if b.d.Words() == 0 {
			word = -1
		}
		if !b.d.ByNumber() || len(b.words) <= n {
			b.words = append(b.words, word)
		}
		seed[n] = b.d.Parameter(n, len(b.words))
	}
	return b.d.Hash(seed, b.units, b.keys, cell)
}

// kept writes which partials count.
func (b *bounds) kept(partials string) string {
	if b.q.Groups == 0 || len(b.keys) == 0 {
		b.keep(partials)
		return partials
	}
	list := names(b.units, b.keys)
	for i := range b.q.Sums {
		list = append(list, fmt.Sprintf("s%d", i+1))
	}
	columns := strings.Join(list, ", ")
	order := append([]string{b.hash()}, names(b.keys)...)
	at := b.add("n", "SELECT "+columns+", ROW_NUMBER() OVER (PARTITION BY "+strings.Join(names(b.units), ", ")+" ORDER BY "+strings.Join(order, ", ")+") AS n FROM "+partials)
	at = b.add("q", "SELECT "+columns+" FROM "+b.ctes[at].name+" WHERE n <= "+b.d.Number(b.q.Groups))
	b.ctes[at].keep = len(b.q.Bins) > 0
	return b.ctes[at].name
}

// keep marks a subquery that is used more than once.
func (b *bounds) keep(name string) {
	for i := range b.ctes {
		if b.ctes[i].name == name {
			b.ctes[i].keep = b.ctes[i].keep || len(b.q.Bins) > 0
		}
	}
}

// results are the keys as they are answered.
func (b *bounds) results() []string {
	out := make([]string, len(b.keys))
	for i, k := range b.keys {
		out[i] = k.SQL
		if k.Kind == relation.Truth {
			out[i] = "CASE WHEN " + k.SQL + " THEN 1 WHEN NOT " + k.SQL + " THEN 0 END"
		}
		out[i] += fmt.Sprintf(" AS key%d", i+1)
	}
	return out
}

// group is GROUP BY the keys and more.
func (b *bounds) group(more ...string) string {
	of := append(names(b.keys), more...)
	if len(of) == 0 {
		return ""
	}
	return " GROUP BY " + strings.Join(of, ", ")
}

// sums writes the first arm: the groups.
func (b *bounds) sums(kept string) string {
	list := append([]string{"0 AS part", "0 AS cell"}, b.results()...)
	list = append(list, "COUNT(*) AS units")
	for i, s := range b.q.Sums {
		x := fmt.Sprintf("s%d", i+1)
		sql := b.d.Sum(x, max(s.High, -s.Low, 0), -relation.MaxSum, relation.MaxSum)
		if s.Op == relation.Units && s.Low <= 1 && s.High >= 1 {
			sql = "COUNT(*)"
		}
		list = append(list, fmt.Sprintf("%s AS sum%d", sql, i+1))
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + kept + b.group()
}

// bins writes an arm of cells: of a unit's values in a group those with the least keyed hash of (unit, group, cell, number in the cell).
// Values of one cell are alike, so that it does not matter which of them has which number.
func (b *bounds) bins(i int, n relation.Bins, kept string) (string, error) {
	x := b.cols[n.Col]
	t := b.types[n.Col]
	last := n.Low + n.Width*int64(n.Count) - 1 // which fits, as does its distance from Low, since Check holds that the width of all does
	if t.Kind == relation.Text || t.Kind == relation.Truth || last < n.Low {
		return "", fmt.Errorf("bins of what has no order: %w", ErrShape)
	}
	from := b.base + " AS b"
	x, alias := "b."+x, "b."
	if b.q.Groups > 0 && len(b.keys) > 0 {
		from += " INNER JOIN " + kept + " AS q ON " + b.same()
	}
	var unit, group []string
	for _, h := range append(append([]Hashed{}, b.units...), b.keys...) {
		unit = append(unit, alias+h.SQL+" AS "+h.SQL)
		group = append(group, h.SQL)
	}
	cell := b.d.Quo("("+b.d.Clamp(x, n.Low, last, true)+" - "+b.d.Number(n.Low)+")", b.d.Number(n.Width))
	at := b.add("c", "SELECT "+strings.Join(unit, ", ")+", "+cell+" AS cell FROM "+from+" WHERE "+x+" IS NOT NULL")
	columns := strings.Join(group, ", ")
	at = b.add("i", "SELECT "+columns+", cell, ROW_NUMBER() OVER (PARTITION BY "+columns+", cell ORDER BY cell) - 1 AS i FROM "+b.ctes[at].name)
	hash := b.hash(Hashed{"cell", relation.Number, false}, Hashed{"i", relation.Number, false})
	at = b.add("o", "SELECT "+strings.Join(append(names(b.keys), "cell"), ", ")+", ROW_NUMBER() OVER (PARTITION BY "+columns+" ORDER BY "+hash+", cell, i) AS n FROM "+b.ctes[at].name)
	list := append([]string{fmt.Sprintf("%d AS part", i+1), "cell"}, b.results()...)
	list = append(list, "COUNT(*) AS units")
	for j := range b.q.Sums {
		list = append(list, fmt.Sprintf("0 AS sum%d", j+1))
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM " + b.ctes[at].name + " WHERE n <= " + b.d.Number(b.q.Rows) + b.group("cell"), nil
}

// same is whether a row is of a partial that counts. Keys may be NULL, and engines join by equality only: a stand-in and whether it is one.
func (b *bounds) same() string {
	var on []string
	for _, u := range b.units {
		on = append(on, "b."+u.SQL+" = q."+u.SQL)
	}
	for _, k := range b.keys {
		zero := b.d.Number(0)
		switch k.Kind {
		case relation.Text:
			zero = b.d.Text("")
		case relation.Truth:
			zero = b.d.Truth(false)
		}
		on = append(on, "COALESCE(b."+k.SQL+", "+zero+") = COALESCE(q."+k.SQL+", "+zero+")",
			"CASE WHEN b."+k.SQL+" IS NULL THEN 1 ELSE 0 END = CASE WHEN q."+k.SQL+" IS NULL THEN 1 ELSE 0 END")
	}
	return strings.Join(on, " AND ")
}
