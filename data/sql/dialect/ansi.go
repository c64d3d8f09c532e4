package dialect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// ansi is what DuckDB, Trino, Spark, BigQuery and Snowflake have in common: typed columns, casts that give NULL instead of failing, and exact
// numbers of 38 digits in which sums of 2^64 values of 62 bits have room (2^126 < 10^38).
type ansi struct {
	name       string
	identifier func(string) (string, error)
	parts      int // of a table's name
	text       func(string) string
	bigint     string // types
	varchar    string
	bare       func(x string) string // text without the collation of its column, by which texts that differ could be alike; nil: there are none
	wide       string                // of 38 digits, whole
	parameter  func(n, use int) string
	byNumber   bool
	words      int
	nulls      bool // LEAST and GREATEST are NULL where an argument is
	quo, rem   func(l, r string) string
	wideQuo    func(l, r string) string // exact, towards zero; r is not zero
	decimal    func(x string) string    // text as an exact number with 18 places, or NULL
	double     func(x string) string    // text as a binary fraction, or NULL
	isNaN      func(x string) string
	let        func(x string, f func(string) string) string
	like       func(x string, pattern []relation.LikePart) string
	length     string // the function
	lower      string
	upper      string
	part       func(of relation.DatePart, day string) string
	first      func(of relation.DatePart, day string) string
	days       func(c string) string // of a date
	micros     func(c string, native Native) string
	date       func(text string) string                               // or NULL
	moment     func(text string) string                               // as a Timestamp, or NULL
	bounds     func(c string, native Native, f relation.Field) string // of a moment whose microseconds may leave 64 bits; nil: none does
	sum        func(x string) string                                  // of 64 bits, wide
	hash       func(seed []string, of []Hashed) string
	boolMin    string // functions
	boolMax    string
	with       func(keep, fence bool) (string, string)
}

// Name implements [Dialect].
func (d *ansi) Name() string { return d.name }

// Identifier implements [Dialect].
func (d *ansi) Identifier(name string) (string, error) { return d.identifier(name) }

// Table implements [Dialect].
func (d *ansi) Table(name string) (string, error) { return table(d, name, d.parts) }

// Number implements [Dialect].
func (d *ansi) Number(v int64) string {
	return "CAST(" + strconv.FormatInt(v, 10) + " AS " + d.bigint + ")"
}

// Text implements [Dialect].
func (d *ansi) Text(s string) string { return d.text(s) }

// Truth implements [Dialect].
func (*ansi) Truth(v bool) string { return strings.ToUpper(strconv.FormatBool(v)) }

// Null implements [Dialect].
func (d *ansi) Null(k relation.Kind) string {
	switch k {
	case relation.Text:
		return "CAST(NULL AS " + d.varchar + ")"
	case relation.Truth:
		return "CAST(NULL AS " + boolType(d.name) + ")"
	}
	return "CAST(NULL AS " + d.bigint + ")"
}

func boolType(name string) string {
	if name == "bigquery" {
		return "BOOL"
	}
	return "BOOLEAN"
}

// Words implements [Dialect].
func (d *ansi) Words() int { return d.words }

// Parameter implements [Dialect].
func (d *ansi) Parameter(n, use int) string { return d.parameter(n, use) }

// ByNumber implements [Dialect].
func (d *ansi) ByNumber() bool { return d.byNumber }

// divisor is NULL instead of 0. Constants are known not to be.
func (d *ansi) divisor(r string) string {
	if strings.HasPrefix(r, "CAST(") && strings.Trim(strings.TrimSuffix(r[5:], " AS "+d.bigint+")"), "0123456789") == "" && r != d.Number(0) {
		return r
	}
	return "NULLIF(" + r + ", " + d.Number(0) + ")"
}

// Quo implements [Dialect].
func (d *ansi) Quo(l, r string) string { return d.quo(l, d.divisor(r)) }

// Rem implements [Dialect].
func (d *ansi) Rem(l, r string) string { return d.rem(l, d.divisor(r)) }

// Clamp implements [Dialect].
func (d *ansi) Clamp(x string, low, high int64, nullable bool) string {
	bound := func(v string) string {
		return "LEAST(GREATEST(" + v + ", " + d.Number(low) + "), " + d.Number(high) + ")"
	}
	if d.nulls || !nullable {
		return bound(x)
	}
	return d.Let(x, func(v string) string { return "CASE WHEN " + v + " IS NOT NULL THEN " + bound(v) + " END" })
}

// Lesser implements [Dialect].
func (d *ansi) Lesser(l, r string) string { return d.pick("LEAST", l, r) }

// Greater implements [Dialect].
func (d *ansi) Greater(l, r string) string { return d.pick("GREATEST", l, r) }

func (d *ansi) pick(function, l, r string) string {
	if d.nulls {
		return function + "(" + l + ", " + r + ")"
	}
	return "CASE WHEN " + l + " IS NOT NULL AND " + r + " IS NOT NULL THEN " + function + "(" + l + ", " + r + ") END"
}

// Let implements [Dialect].
func (d *ansi) Let(x string, f func(string) string) string { return twice(x, f, d.let) }

// Like implements [Dialect].
func (d *ansi) Like(x string, pattern []relation.LikePart) string { return d.like(x, pattern) }

// Letters implements [Dialect].
func (d *ansi) Letters(op relation.LettersOp, x string) string {
	switch op {
	case relation.Lower:
		return d.ascii(x, 'A', 'Z')
	case relation.Upper:
		return d.ascii(x, 'a', 'z')
	}
	return "CAST(" + d.length + "(" + x + ") AS " + d.bigint + ")"
}

// ascii changes ASCII letters alone, where the engine's own functions change all.
func (d *ansi) ascii(x string, from, to byte) string {
	var a, b []byte
	for c := from; c <= to; c++ {
		a, b = append(a, c), append(b, c^0x20)
	}
	return "TRANSLATE(" + x + ", '" + string(a) + "', '" + string(b) + "')"
}

// Part implements [Dialect].
func (d *ansi) Part(of relation.DatePart, day string) string {
	return "CAST(" + d.part(of, day) + " AS " + d.bigint + ")"
}

// First implements [Dialect].
func (d *ansi) First(of relation.DatePart, day string) string { return d.first(of, day) }

// bring clamps a wide number.
func (d *ansi) bring(x string, low, high int64) string {
	wide := func(v int64) string { return "CAST(" + strconv.FormatInt(v, 10) + " AS " + d.wide + ")" }
	return "CAST(LEAST(GREATEST(" + x + ", " + wide(low) + "), " + wide(high) + ") AS " + d.bigint + ")"
}

func (d *ansi) total(x string) string {
	return "COALESCE(" + d.sum(x) + ", CAST(0 AS " + d.wide + "))"
}

// Sum implements [Dialect].
func (d *ansi) Sum(x string, _, low, high int64) string { return d.bring(d.total(x), low, high) }

// mean is trunc(sum · up / n) without a product that is wider than the sum: with q = sum quo n and r = sum rem n it is q·up + trunc(r·up / n), since r
// has the sign of the sum. |q| < 2^63 and |r| < n < 2^64, and up is at most 2^30.
func (d *ansi) mean(x string, up int64) string {
	n := "CAST(NULLIF(COUNT(" + x + "), 0) AS " + d.wide + ")"
	q := d.wideQuo(d.total(x), n)
	by := "CAST(" + strconv.FormatInt(up, 10) + " AS " + d.wide + ")"
	r := "CAST(" + d.total(x) + " - " + q + " * " + n + " AS " + d.wide + ")"
	return "CAST(" + q + " * " + by + " + " + d.wideQuo("CAST("+r+" * "+by+" AS "+d.wide+")", n) + " AS " + d.wide + ")"
}

// Share implements [Dialect].
func (d *ansi) Share(x string, _, rows, low, high int64) string {
	return d.bring("CASE WHEN COUNT("+x+") <= "+strconv.FormatInt(rows, 10)+" THEN "+d.total(x)+" ELSE "+d.mean(x, rows)+" END", low, high)
}

// Average implements [Dialect]: dividing by 10^k and rounding towards zero once more is the same as dividing once.
func (d *ansi) Average(x string, _, up, down, low, high int64) string {
	m := d.mean(x, up)
	if down > 1 {
		m = d.wideQuo(m, "CAST("+strconv.FormatInt(down, 10)+" AS "+d.wide+")")
	}
	return "CASE WHEN COUNT(" + x + ") > 0 THEN " + d.bring(m, low, high) + " END"
}

// Least implements [Dialect].
func (d *ansi) Least(k relation.Kind, x string) string {
	if k == relation.Truth {
		return d.boolMin + "(" + x + ")"
	}
	return "MIN(" + x + ")"
}

// Most implements [Dialect].
func (d *ansi) Most(k relation.Kind, x string) string {
	if k == relation.Truth {
		return d.boolMax + "(" + x + ")"
	}
	return "MAX(" + x + ")"
}

// Hash implements [Dialect].
func (d *ansi) Hash(seed []string, unit, group, cell []Hashed) string {
	return d.hash(seed, slices.Concat(unit, group, cell))
}

// With implements [Dialect].
func (d *ansi) With(keep, fence bool) (string, string) {
	if d.with == nil {
		return "", ""
	}
	return d.with(keep, fence)
}

// Prologue implements [Dialect].
func (*ansi) Prologue() string { return "" }

// Epilogue implements [Dialect].
func (*ansi) Epilogue() string { return "" }

// Read implements [Dialect].
func (d *ansi) Read(c string, native Native, f relation.Field) (string, error) {
	switch f.Type.Kind {
	case relation.Number:
		return d.number(c, native, f)
	case relation.Text:
		if native == Truth {
			return "CASE WHEN " + c + " THEN 'true' WHEN NOT " + c + " THEN 'false' END", nil
		}
		c = "CAST(" + c + " AS " + d.varchar + ")"
		if d.bare != nil {
			c = d.bare(c)
		}
		return c, nil
	case relation.Truth:
		switch native {
		case Truth:
			return c, nil
		case Integer:
			return "CASE WHEN " + c + " = 1 THEN TRUE WHEN " + c + " = 0 THEN FALSE END", nil
		case Text:
			v := d.lower + "(TRIM(" + c + "))"
			return "CASE WHEN " + v + " IN ('true', 't', '1') THEN TRUE WHEN " + v + " IN ('false', 'f', '0') THEN FALSE END", nil
		}
	case relation.Date, relation.Time:
		return d.when(c, native, f)
	}
	return "", refuse(d.name, "a column of one kind is declared to be of another")
}

// number reads numbers. A whole one is compared as it is, any other goes by its text: as an exact number with 18 places if it fits one, and else it is
// at the bound that it is beyond, or NULL. It is clamped before it is multiplied, so that no order of evaluation makes it leave 38 digits.
func (d *ansi) number(c string, native Native, f relation.Field) (string, error) {
	if native == Integer {
		return scaled(d, c, "CAST("+c+" AS "+d.bigint+")", f), nil
	}
	if native != Decimal && native != Float && native != Text {
		return "", refuse(d.name, "a column of one kind is declared to be a number")
	}
	if f.Exact && native == Decimal && f.Type.Places == 0 {
		low, high := d.Number(f.Type.Min), d.Number(f.Type.Max)
		return "CASE WHEN " + c + " >= " + low + " AND " + c + " <= " + high + " AND " + c + " = FLOOR(" + c + ") THEN CAST(LEAST(GREATEST(" + c + ", " + low + "), " + high + ") AS " + d.bigint + ") END", nil
	}
	if f.Exact {
		return "", refuse(d.name, "a column that names a unit, or refers to a row, has to hold whole numbers or be declared as text")
	}
	t := f.Type
	x := c
	if native != Text {
		x = "CAST(" + c + " AS " + d.varchar + ")"
	}
	bound := func(v int64) string {
		return "CAST(" + decimal(v, t.Places) + " AS " + strings.Replace(d.wide, "38,0", "38,18", 1) + ")"
	}
	if !strings.Contains(d.wide, "38,0") {
		bound = func(v int64) string { return d.decimal("'" + decimal(v, t.Places) + "'") }
	}
	exact, double := d.decimal(x), d.double(x)
	within := "CAST(FLOOR(LEAST(GREATEST(" + exact + ", " + bound(t.Min) + "), " + bound(t.Max) + ") * " + strconv.FormatInt(pow10(t.Places), 10) + ") AS " + d.bigint + ")"
	return "CASE WHEN " + exact + " IS NOT NULL THEN " + within + " WHEN " + d.isNaN(double) + " THEN NULL WHEN " + double + " >= " + decimal(t.Max, t.Places) + " THEN " + d.Number(t.Max) +
		" WHEN " + double + " <= " + decimal(t.Min, t.Places) + " THEN " + d.Number(t.Min) + " END", nil
}

// when reads dates and times.
func (d *ansi) when(c string, native Native, f relation.Field) (string, error) {
	t := f.Type
	date := t.Kind == relation.Date
	if native == Text {
		if date {
			c, native = d.date(c), Date
		} else {
			c, native = d.moment(c), Timestamp
		}
	}
	switch {
	case native == Date && date:
		return within(d, c, "DATE '"+day1970(t.Min)+"'", "DATE '"+day1970(t.Max)+"'", d.days(c), f), nil
	case native == Date:
		low, high := -floorDiv(-t.Min, dayMicros), floorDiv(t.Max, dayMicros)
		return within(d, c, "DATE '"+day1970(low)+"'", "DATE '"+day1970(high)+"'", d.days(c)+" * "+d.Number(dayMicros), f), nil
	case native != Timestamp && native != Instant:
		return "", refuse(d.name, "a column of one kind is declared to be a date or time")
	case d.bounds != nil:
		return d.bounds(c, native, f), nil
	}
	return d.micro(d.micros(c, native), f), nil
}

// micro reads a moment by its microseconds, which are compared with the bounds before anything is made of them.
func (d *ansi) micro(m string, f relation.Field) string {
	t := f.Type
	low, high, value := t.Min, t.Max, m
	if t.Kind == relation.Date {
		low, high = t.Min*dayMicros, (t.Max+1)*dayMicros-1
		value = d.Quo("("+m+" + "+d.Number(origin*dayMicros)+")", d.Number(dayMicros)) + " - " + d.Number(origin)
	}
	return within(d, m, d.Number(low), d.Number(high), value, f)
}

// escaped writes LIKE with a backslash to escape; literal quotes the pattern.
func escaped(literal func(string) string, escape string) func(string, []relation.LikePart) string {
	return func(x string, pattern []relation.LikePart) string {
		return x + " LIKE " + literal(likePattern(pattern, `\`)) + escape
	}
}

// positional writes each parameter as a question mark.
func positional(int, int) string { return "?" }

// texts are the seed and what is hashed as text. That different lists may have one text, and so one hash, matters to nobody: ties are ordered by the
// keys.
func texts(seed []string, of []Hashed, cast string) string {
	var out []string
	for _, s := range seed {
		out = append(out, "CAST("+s+" AS "+cast+")")
	}
	for _, h := range of {
		v := "CAST(" + h.SQL + " AS " + cast + ")"
		if h.Nullable {
			v = "COALESCE(" + v + ", '<NULL>')"
		}
		out = append(out, v)
	}
	return strings.Join(out, ", '|', ")
}

// dollar writes each parameter with its number.
func dollar(n, _ int) string { return fmt.Sprintf("$%d", n+1) }
