package query

import (
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/syntax"
)

func moments(v value) bool {
	return !v.null && !v.literal && (v.kind() == relation.Date || v.kind() == relation.Time)
}

// span is a constant span of time.
func (b *binder) span(at syntax.Pos, days, micros int64) (value, error) {
	if days > 4_000_000 || days < -4_000_000 || micros > 4_000_000*dayMicros || micros < -4_000_000*dayMicros {
		return value{}, b.refuse(at, ruleLiteral, "", "this interval is longer than the calendar")
	}
	v, err := b.number(at, days*dayMicros+micros, 0)
	v.span, v.domain, v.total = true, nil, false
	return v, err
}

func (b *binder) asTime(at syntax.Pos, v value) (value, error) {
	if c, ok := v.constant(); ok && !c.Null {
		return b.constant(at, relation.Value{Kind: relation.Time, Int: c.Int * dayMicros}, 0)
	}
	t, err := relation.NewAsTime(v.expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out := b.made(t, v)
	out.low, out.high = v.low, v.high
	return out, nil
}

// asDate is the day of a time.
func (b *binder) asDate(at syntax.Pos, v value) (value, error) {
	switch {
	case v.literal:
		return b.as(at, v, relation.Date)
	case v.null:
		v.expr, v.null = relation.NewNull(relation.Widest(relation.Date, 0)), false
		return v, nil
	case v.kind() == relation.Date:
		return v, nil
	case v.kind() != relation.Time:
		return value{}, b.refuse(at, ruleType, "declare the column as a date", "the date of %v", v.kind())
	}
	if c, ok := v.constant(); ok && !c.Null {
		return b.constant(at, relation.Value{Kind: relation.Date, Int: (c.Int - floorMod(c.Int, dayMicros)) / dayMicros}, 0)
	}
	d, err := relation.NewAsDate(v.expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out := b.made(d, v)
	out.low, out.high = v.low, v.high
	return b.steps(out, relation.Day), nil
}

// arithTime is + and − of dates, times, spans, and whole numbers of days.
func (b *binder) arithTime(at syntax.Pos, op string, l, r value) (value, error) {
	if op != "+" && op != "-" {
		return value{}, b.refuse(at, ruleType, "", "dates, times and spans are added and subtracted alone")
	}
	if op == "+" && moments(r) && !moments(l) {
		l, r = r, l
	}
	if l.null || r.null {
		return value{}, b.refuse(at, ruleType, "", "NULL beside a date, time or span")
	}
	if moments(l) && r.literal && op == "-" {
		var err error
		if r, err = b.as(at, r, l.kind()); err != nil {
			return value{}, err
		}
	}
	switch {
	case moments(l) && moments(r):
		return b.difference(at, op, l, r)
	case moments(l) && r.span:
		return b.shift(at, op, l, r)
	case l.kind() == relation.Date && r.kind() == relation.Number && r.typ().Places == 0:
		return b.shiftBy(at, op, l, r)
	case l.span && r.span:
		if l.months != 0 || r.months != 0 {
			return value{}, b.refuse(at, ruleType, "add them to a constant date", "months have no fixed length")
		}
		l.span, r.span = false, false
		out, err := b.arith(at, op, l, r)
		out.span, out.domain, out.total = true, nil, false
		return out, err
	case op == "-" && r.span && l.kind() == relation.Number: // the negative of a span
		r.span = false
		out, err := b.arith(at, op, l, r)
		out.span = true
		return out, err
	}
	return value{}, b.refuse(at, ruleType, "a date and a number of days, a date or time and an INTERVAL, or two of one kind", "%v and %v cannot be added or subtracted",
		named(l.kind(), l.span), named(r.kind(), r.span))
}

// difference of two dates is a number of days, of two times a span.
func (b *binder) difference(at syntax.Pos, op string, l, r value) (value, error) {
	if op != "-" {
		return value{}, b.refuse(at, ruleType, "", "two dates cannot be added")
	}
	l, r, err := b.meet(at, l, r)
	if err != nil {
		return value{}, err
	}
	d, err := relation.NewBetween(l.expr, r.expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out := b.made(d, l, r)
	out.low, out.high = l.low && r.high, l.high && r.low
	out.span = l.kind() == relation.Time
	if !out.span {
		out = b.natural(out, 1)
	}
	return out, nil
}

// shift moves a date or time by a span. Months are added to constants alone.
func (b *binder) shift(at syntax.Pos, op string, x, by value) (value, error) {
	if by.months != 0 {
		c, ok := x.constant()
		n, ok2 := by.constant()
		if !ok || !ok2 || c.Null {
			return value{}, b.refuse(at, ruleType, "use days, or DATE_TRUNC", "months have no fixed length and are added to constant dates alone")
		}
		return b.shiftMonths(at, op, c, by.months, n.Int)
	}
	if x.kind() == relation.Date {
		n, ok := by.constant()
		if !ok || n.Int%dayMicros != 0 {
			var err error
			if x, err = b.asTime(at, x); err != nil {
				return value{}, err
			}
		} else {
			var err error
			if by, err = b.number(at, n.Int/dayMicros, 0); err != nil {
				return value{}, err
			}
		}
	}
	by.span = false
	return b.shiftBy(at, op, x, by)
}

func (b *binder) shiftBy(at syntax.Pos, op string, x, by value) (value, error) {
	if op == "-" {
		var err error
		if by, err = b.negative(at, by); err != nil {
			return value{}, err
		}
	}
	s, err := relation.NewShift(x.expr, by.expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	return b.made(s, x, by), nil
}

// shiftMonths adds months as PostgreSQL does: where the month is shorter, to its last day.
func (b *binder) shiftMonths(at syntax.Pos, op string, c relation.Value, months, micros int64) (value, error) {
	if op == "-" {
		months, micros = -months, -micros
	}
	if months > 120_000 || months < -120_000 {
		return value{}, b.refuse(at, ruleLiteral, "", "this interval is longer than the calendar")
	}
	t := time.UnixMicro(c.Int).UTC()
	if c.Kind == relation.Date {
		t = time.Unix(c.Int*86400, 0).UTC()
	}
	first := time.Date(t.Year(), t.Month()+time.Month(months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	t = first.AddDate(0, 0, min(t.Day(), last)-1)
	if t.Year() < 1 || t.Year() > 9999 {
		return value{}, b.refuse(at, ruleLiteral, "", "this date leaves the calendar")
	}
	if c.Kind == relation.Date && micros%dayMicros == 0 {
		return b.constant(at, relation.Value{Kind: relation.Date, Int: dayOf(t) + micros/dayMicros}, 0)
	}
	return b.constant(at, relation.Value{Kind: relation.Time, Int: t.UnixMicro() + micros}, 0)
}

var partNames = map[string]relation.DatePart{
	"year": relation.Year, "years": relation.Year, "quarter": relation.Quarter, "month": relation.Month, "months": relation.Month,
	"week": relation.Week, "day": relation.Day, "days": relation.Day, "isodow": relation.DayOfWeek, "dow": relation.DayOfWeek,
	"hour": relation.Hour, "hours": relation.Hour, "minute": relation.Minute, "minutes": relation.Minute,
}

// extract is a part of a date or time: a number that has a public domain by nature.
func (b *binder) extract(at syntax.Pos, part string, x value) (value, error) {
	if part == "epoch" {
		return b.epoch(at, x)
	}
	p, ok := partNames[part]
	if !ok || p == relation.Week {
		return value{}, b.refuse(at, ruleFunction, "there are year, quarter, month, day, dow, isodow, hour, minute and epoch", "EXTRACT has no such part")
	}
	if x.span {
		return value{}, b.refuse(at, ruleFunction, "EXTRACT(epoch FROM …) is its seconds", "a span of time has no such part")
	}
	e, err := relation.NewPart(p, x.expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out := b.made(e, x)
	out.low, out.high = true, true
	if p == relation.Year {
		out.low, out.high = x.low, x.high
	}
	out = b.natural(out, 1)
	if part == "dow" { // from Sunday, 0
		seven, err := b.number(at, 7, 0)
		if err != nil {
			return value{}, err
		}
		return b.arith(at, "%", out, seven)
	}
	return out, nil
}

// epoch is whole seconds since 1970, or of a span.
func (b *binder) epoch(at syntax.Pos, x value) (value, error) {
	if !x.span {
		zero, err := b.constant(at, relation.Value{Kind: relation.Time}, 0)
		if err != nil {
			return value{}, err
		}
		if !moments(x) {
			return value{}, b.refuse(at, ruleType, "", "EXTRACT is for dates and times")
		}
		if x, err = b.difference(at, "-", x, zero); err != nil {
			return value{}, err
		}
	}
	x.span = false
	million, err := b.number(at, 1_000_000, 0)
	if err != nil {
		return value{}, err
	}
	return b.arith(at, "/", x, million)
}

// truncated is DATE_TRUNC.
func (b *binder) truncated(at syntax.Pos, part string, x value) (value, error) {
	p, ok := partNames[part]
	if !ok || p == relation.DayOfWeek {
		return value{}, b.refuse(at, ruleFunction, "there are year, quarter, month, week, day, hour and minute", "DATE_TRUNC has no such part")
	}
	if x.kind() == relation.Date && p >= relation.Hour {
		return x, nil
	}
	e, err := relation.NewTrunc(p, x.expr)
	if err != nil {
		return value{}, b.wrap(at, err)
	}
	out := b.made(e, x)
	out.low, out.high = x.low, x.high
	return b.steps(out, p), nil
}

// steps gives a truncated date or time its public domain: each beginning of the part between the bounds.
func (b *binder) steps(v value, p relation.DatePart) value {
	if v.domain != nil || !v.bounded() {
		return v
	}
	t := v.typ()
	unit := int64(1)
	if t.Kind == relation.Time {
		unit = dayMicros
	}
	length := map[relation.DatePart]int64{relation.Year: 365 * unit, relation.Quarter: 90 * unit, relation.Month: 28 * unit, relation.Week: 7 * unit,
		relation.Day: unit, relation.Hour: unit / 24, relation.Minute: unit / 24 / 60}[p]
	if length == 0 || (t.Max-t.Min)/length >= int64(b.limits.MostCells) {
		return v
	}
	var list []relation.Value
	// From one beginning the next lies in the truncation of a bit more than one length further on.
	for at := t.Min; at <= t.Max; {
		if b.domains++; b.domains > maxMade {
			return v
		}
		list = append(list, relation.Value{Kind: t.Kind, Int: at})
		next, ok := truncate(p, t.Kind, at+length+slack(p)*unit)
		if !ok || next <= at {
			break
		}
		at = next
	}
	v.domain, v.total, v.nokey = list, true, false
	return v
}

// slack is how many days the longest year, quarter or month may be longer than the least.
func slack(p relation.DatePart) int64 {
	switch p {
	case relation.Year:
		return 1
	case relation.Quarter, relation.Month:
		return 3
	}
	return 0
}

// truncate is DATE_TRUNC of a constant, by the bounds of one.
func truncate(p relation.DatePart, k relation.Kind, n int64) (int64, bool) {
	c, err := relation.NewConst(relation.Value{Kind: k, Int: n}, 0)
	if err != nil {
		return 0, false
	}
	t, err := relation.NewTrunc(p, c)
	if err != nil {
		return 0, false
	}
	return t.Type().Min, true
}
