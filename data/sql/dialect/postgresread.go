package dialect

import (
	"fmt"
	"strconv"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// Read implements [Dialect]. A CASE over a column is evaluated branch by branch, so that a cast is applied to what was looked at before; what is
// evaluated early is constant expressions alone, and no cast here is of a constant.
func (d Postgres) Read(c string, native Native, f relation.Field) (string, error) {
	switch f.Type.Kind {
	case relation.Number:
		switch native {
		case Integer:
			return scaled(d, c, c+"::int8", f), nil
		case Decimal:
			return d.numeric(c, f), nil
		case Float:
			return "CASE WHEN " + c + " = 'NaN' THEN NULL ELSE " + d.numericOf(c+"::text::numeric", f) + " END", nil
		case Text:
			return d.number(trimmed(c), f), nil
		}
	case relation.Text:
		if native == Truth {
			return "CASE WHEN " + c + " THEN 'true' WHEN NOT " + c + ` THEN 'false' END::text COLLATE "C"`, nil
		}
		return "(" + c + `)::text COLLATE "C"`, nil
	case relation.Truth:
		switch native {
		case Truth:
			return c, nil
		case Integer:
			return "CASE " + c + " WHEN 1 THEN TRUE WHEN 0 THEN FALSE END", nil
		case Text:
			return "CASE WHEN lower(" + trimmed(c) + ") IN ('true', 't', '1') THEN TRUE WHEN lower(" + trimmed(c) + ") IN ('false', 'f', '0') THEN FALSE END", nil
		}
	case relation.Date, relation.Time:
		return d.moment(c, native, f)
	}
	return "", refuse(d.Name(), "a column of one kind is declared to be of another")
}

// numeric reads an exact number. Infinite ones are at the bounds; NaN is greater than all numbers in PostgreSQL, and NULL here.
func (d Postgres) numeric(c string, f relation.Field) string {
	return "CASE WHEN " + c + " = 'NaN' THEN NULL ELSE " + d.numericOf(c, f) + " END"
}

// numericOf reads a numeric that is no NaN. It is multiplied within the bounds alone, where it cannot overflow.
func (d Postgres) numericOf(x string, f relation.Field) string {
	t := f.Type
	low, high, p := decimal(t.Min, t.Places), decimal(t.Max, t.Places), strconv.FormatInt(pow10(t.Places), 10)
	if f.Exact {
		return d.Let(x, func(v string) string {
			return "CASE WHEN " + v + " >= " + low + " AND " + v + " <= " + high + " THEN CASE WHEN " + v + " = round(" + v + ", " + strconv.Itoa(t.Places) + ") THEN (" + v + " * " + p + ")::int8 END END"
		})
	}
	return "CASE WHEN " + x + " IS NOT NULL THEN floor(LEAST(GREATEST(" + x + ", " + low + "), " + high + ") * " + p + ")::int8 END"
}

// Decimal text is cast while it is neither long nor far from one: numeric holds 131072 digits before its point and 16383 after it. What has more than
// 400 characters, or an exponent of more than three digits, is NULL.
const pgDecimal = `'^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$'`

func (d Postgres) number(c string, f relation.Field) string {
	return "CASE WHEN length(" + c + ") <= 400 AND " + c + " ~ " + pgDecimal + " THEN " + d.numericOf(c+"::numeric", f) + " END"
}

// moment reads a date or time.
func (d Postgres) moment(c string, native Native, f relation.Field) (string, error) {
	t := f.Type
	date := t.Kind == relation.Date
	switch native {
	case Date:
		day := "(" + c + " - DATE '1970-01-01')::int8"
		if date {
			return within(d, c, "DATE '"+day1970(t.Min)+"'", "DATE '"+day1970(t.Max)+"'", day, f), nil
		}
		low, high := -floorDiv(-t.Min, dayMicros), floorDiv(t.Max, dayMicros)
		return within(d, c, "DATE '"+day1970(low)+"'", "DATE '"+day1970(high)+"'", day+" * "+d.Number(dayMicros), f), nil
	case Timestamp, Instant:
		if native == Instant {
			c = "(" + c + " AT TIME ZONE 'UTC')"
		}
		if date {
			return within(d, c, "TIMESTAMP '"+day1970(t.Min)+"'", "TIMESTAMP '"+day1970(t.Max)+" 23:59:59.999999'", "("+c+"::date - DATE '1970-01-01')::int8", f), nil
		}
		return within(d, c, "TIMESTAMP '"+time1970(t.Min)+"'", "TIMESTAMP '"+time1970(t.Max)+"'", "(EXTRACT(EPOCH FROM "+c+") * 1000000)::int8", f), nil
	case Text:
		return d.moments(trimmed(c), f), nil
	}
	return "", refuse(d.Name(), "a column of one kind is declared to be a date or time")
}

// pgMoment is a date, or a date and time of day, perhaps with a zone.
const pgMoment = `'^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])` +
	`([Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?( *[Zz]| *[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?)?$'`

// moments reads text as [relation.ParseTime] does. The pattern holds that every part of it is a number in its range; of the day this is seen when it is
// counted from the first of its month. Nothing here can fail, since each part is cast after the pattern held.
func (d Postgres) moments(c string, f relation.Field) string {
	part := func(from, length int) string {
		return fmt.Sprintf("NULLIF(substr(s, %d, %d), '')::int8", from, length)
	}
	first := "make_date(substr(s, 1, 4)::int4, substr(s, 6, 2)::int4, 1)"
	// The parts after the day; what is not there is zero.
	clock := "(COALESCE(" + part(12, 2) + ", 0) * 60 + COALESCE(" + part(15, 2) + ", 0)) * 60 + COALESCE(substring(substr(s, 17) from '^:([0-9]{2})')::int8, 0)"
	fraction := "COALESCE(rpad(left(substring(substr(s, 20) from '^[.]([0-9]+)'), 6), 6, '0')::int8, 0)"
	digits := "replace(substring(substr(s, 17) from '[+-]([0-9:]+)$'), ':', '')"
	zone := "CASE WHEN substr(s, 17) ~ '[+-][0-9:]+$' THEN CASE WHEN substr(s, 17) ~ '-[0-9:]+$' THEN -1 ELSE 1 END * (left(" + digits + ", 2)::int8 * 60 + COALESCE(NULLIF(substr(" + digits + ", 3, 2), '')::int8, 0)) ELSE 0 END"
	micros := "((" + first + " - DATE '1970-01-01')::int8 + substr(s, 9, 2)::int8 - 1) * " + d.Number(dayMicros) + " + (" + clock + " - (" + zone + ") * 60) * 1000000 + " + fraction
	valid := "CASE WHEN s ~ " + pgMoment + " THEN CASE WHEN EXTRACT(MONTH FROM " + first + " + (substr(s, 9, 2)::int4 - 1)) = substr(s, 6, 2)::int8 THEN " + micros + " END END"
	value, low, high := "m", f.Type.Min, f.Type.Max
	if f.Type.Kind == relation.Date {
		value, low, high = "(m + "+d.Number(origin*dayMicros)+") / "+d.Number(dayMicros)+" - "+d.Number(origin), low*dayMicros, (high+1)*dayMicros-1
	}
	read := within(d, "m", d.Number(low), d.Number(high), value, f)
	return "(SELECT CASE WHEN m >= " + d.Number(relation.MinTime) + " AND m <= " + d.Number(relation.MaxTime) + " THEN " + read + " END FROM (SELECT " + valid + " AS m FROM (SELECT " + c + " AS s OFFSET 0) let OFFSET 0) let)"
}

// trimmed is text without the spaces around it.
func trimmed(c string) string { return "btrim((" + c + `)::text COLLATE "C", E' \t\r\n')` }

// within is value while c is within bounds, which are literals in c's own type, so that infinite ones are beyond.
func within(d Dialect, c, low, high, value string, f relation.Field) string {
	if f.Exact {
		return "CASE WHEN " + c + " >= " + low + " AND " + c + " <= " + high + " THEN " + value + " END"
	}
	return "CASE WHEN " + c + " < " + low + " THEN " + d.Number(f.Type.Min) + " WHEN " + c + " > " + high + " THEN " + d.Number(f.Type.Max) + " ELSE " + value + " END"
}

// day1970 writes a day's number, of a year from 1 to 9999.
func day1970(day int64) string {
	y, m, d := civil(day)
	return fmt.Sprintf("%04d-%02d-%02d", y, m, d)
}

func time1970(micros int64) string {
	day := floorDiv(micros, dayMicros)
	rest := micros - day*dayMicros
	return day1970(day) + fmt.Sprintf(" %02d:%02d:%02d.%06d", rest/hourMicros, rest/60_000_000%60, rest/1_000_000%60, rest%1_000_000)
}

// civil is the year, month and day of a day's number that is in the year 1 or later.
func civil(day int64) (y, m, d int64) {
	day += 719468 // since 0000-03-01
	era := floorDiv(day, 146097)
	of := day - era*146097
	year := (of - of/1460 + of/36524 - of/146096) / 365
	rest := of - (365*year + year/4 - year/100)
	month := (5*rest + 2) / 153
	d, m, y = rest-(153*month+2)/5+1, month+3, year+era*400
	if m > 12 {
		m, y = m-12, y+1
	}
	return y, m, d
}
