package query_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

func dayText(day int64) string { return time.Unix(day*86400, 0).UTC().Format(time.DateOnly) }
func stamp(us int64) string    { return time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.999999Z") }
func dec(v int64, places int) string {
	s := fmt.Sprintf("%0*d", places+1, v)
	return s[:len(s)-places] + "." + s[len(s)-places:]
}

// wording writes random questions that both PostgreSQL and this language know.
type wording struct{ *rand.Rand }

func (w *wording) one(of ...string) string { return of[w.IntN(len(of))] }

func (w *wording) question() string {
	where := ""
	if w.IntN(2) == 0 {
		where = " WHERE " + w.truth(2)
	}
	aggregates := fmt.Sprintf("count(*) FILTER (WHERE %s), sum(%s), count(%s)", w.truth(3), w.number(3), w.one(w.text(2), w.number(2), w.date(2)))
	if w.IntN(3) == 0 {
		return fmt.Sprintf("SELECT %s FROM %s%s", aggregates, w.rows(), where)
	}
	key := w.one(w.text(2), w.truth(2), w.whole(1), w.date(1))
	return fmt.Sprintf("SELECT %s AS k, %s FROM %s%s GROUP BY 1", key, aggregates, w.rows(), where)
}

// rows is a relation with the columns of stays.
func (w *wording) rows() string {
	const all = "patient_id, admitted, left_on, ward, diagnosis, age, cost"
	switch w.IntN(5) {
	case 0:
		return fmt.Sprintf("(SELECT %s FROM stays WHERE %s) s", all, w.truth(1))
	case 1:
		return fmt.Sprintf("(SELECT %s FROM stays UNION ALL SELECT %s FROM stays WHERE %s) s", all, all, w.truth(1))
	case 2:
		return "(SELECT patient_id, max(admitted) AS admitted, min(left_on) AS left_on, ward, diagnosis, max(age) AS age, min(cost) AS cost FROM stays GROUP BY patient_id, ward, diagnosis) s"
	}
	return "stays"
}

func (w *wording) truth(depth int) string {
	if depth == 0 {
		return w.one("age > 40", "ward = 'icu'", "diagnosis IS NULL", "left_on >= DATE '2022-05-05'", "cost < 777.77")
	}
	d := depth - 1
	switch w.IntN(10) {
	case 0:
		return "(" + w.truth(d) + w.one(" AND ", " OR ") + w.truth(d) + ")"
	case 1:
		return "NOT (" + w.truth(d) + ")"
	case 2:
		return "(" + w.text(d) + ") " + w.one("= ", "<> ", "IS DISTINCT FROM ", "IS NOT DISTINCT FROM ") + w.text(d)
	case 3:
		return "(" + w.date(d) + w.one(" < ", " >= ", " = ") + w.date(d) + ")"
	case 4:
		return "(" + w.number(d) + ") " + w.one("", "NOT ") + "BETWEEN " + w.number(0) + " AND " + w.number(d)
	case 5:
		return "(" + w.text(d) + ") " + w.one("", "NOT ") + "IN ('J10', 'icu', 'er', '')"
	case 6:
		return "(" + w.text(d) + ") " + w.one("", "NOT ") + "LIKE " + w.one("'J%'", "'%0'", "'_c_'", "'%1%'", "''")
	case 7:
		return "(" + w.one(w.number(d), w.text(d), w.date(d)) + ") IS " + w.one("", "NOT ") + "NULL"
	case 8:
		return "(" + w.truth(d) + ") IS " + w.one("", "NOT ") + w.one("TRUE", "FALSE", "UNKNOWN")
	}
	return "(" + w.number(d) + w.one(" < ", " <= ", " > ", " >= ", " = ", " <> ") + w.number(d) + ")"
}

func (w *wording) whole(depth int) string {
	if depth == 0 {
		return w.one("age", "3", "-2", "length(ward)")
	}
	d := depth - 1
	switch w.IntN(8) {
	case 0:
		return "(" + w.whole(d) + " / nullif(" + w.whole(d) + ", 0))"
	case 1:
		return "(" + w.whole(d) + " % nullif(" + w.whole(d) + ", 0))"
	case 2:
		return "(" + w.date(d) + " - " + w.date(d) + ")"
	case 3:
		return "extract(" + w.one("year", "quarter", "month", "day", "dow", "isodow") + " FROM " + w.date(d) + ")::int"
	case 4:
		return "floor(" + w.number(d) + ")::int"
	case 5:
		return "(" + w.truth(d) + ")::int"
	case 6:
		return "(" + w.whole(d) + w.one(" + ", " - ", " * ") + w.whole(d) + ")"
	}
	return w.whole(0)
}

func (w *wording) number(depth int) string {
	if depth == 0 {
		return w.one("age", "cost", "7", "-1.25", "0.5", "10000")
	}
	d := depth - 1
	switch w.IntN(12) {
	case 0, 1:
		return "(" + w.number(d) + w.one(" + ", " - ") + w.number(d) + ")"
	case 2:
		return "(" + w.number(d) + " * " + w.one("2", "0.5", "-3", w.whole(0)) + ")"
	case 3:
		return w.one("abs", "floor", "ceil", "trunc", "sign", "round") + "((" + w.number(d) + ")::numeric)"
	case 4:
		return "round((" + w.number(d) + ")::numeric, 1)"
	case 5:
		return "coalesce(" + w.number(d) + ", " + w.number(0) + ")"
	case 6:
		return "nullif(" + w.number(d) + ", " + w.number(0) + ")"
	case 7:
		return w.one("greatest", "least") + "(" + w.number(d) + ", " + w.number(d) + ", " + w.number(0) + ")"
	case 8:
		return "CASE WHEN " + w.truth(d) + " THEN " + w.number(d) + w.one("", " ELSE "+w.number(d)) + " END"
	case 9:
		return "(-(" + w.number(d) + "))"
	}
	return w.whole(depth)
}

func (w *wording) text(depth int) string {
	if depth == 0 {
		return w.one("ward", "diagnosis", "'J10'", "'er'")
	}
	d := depth - 1
	switch w.IntN(6) {
	case 0:
		return w.one("lower", "upper") + "(" + w.text(d) + ")"
	case 1:
		return "coalesce(" + w.text(d) + ", " + w.text(0) + ")"
	case 2:
		return "nullif(" + w.text(d) + ", " + w.text(0) + ")"
	case 3:
		return "CASE WHEN " + w.truth(d) + " THEN " + w.text(d) + w.one("", " ELSE "+w.text(0)) + " END"
	case 4:
		var arms []string
		for i := range 1 + w.IntN(3) {
			arms = append(arms, fmt.Sprintf("WHEN %s THEN 'arm %d'", w.truth(d), i))
		}
		return "CASE " + strings.Join(arms, " ") + " ELSE 'none' END"
	}
	return w.text(0)
}

func (w *wording) date(depth int) string {
	if depth == 0 {
		return w.one("left_on", "admitted::date", "DATE '2023-02-28'")
	}
	d := depth - 1
	switch w.IntN(6) {
	case 0:
		return "(" + w.date(d) + w.one(" + ", " - ") + w.one("1", "30", w.whole(0)) + ")"
	case 1:
		return "date_trunc('" + w.one("year", "quarter", "month", "week", "day") + "', " + w.date(d) + ")::date"
	case 2:
		return "coalesce(" + w.date(d) + ", " + w.date(0) + ")"
	case 3:
		return w.one("greatest", "least") + "(" + w.date(d) + ", " + w.date(0) + ")"
	case 4:
		return "CASE WHEN " + w.truth(d) + " THEN " + w.date(d) + " ELSE " + w.date(0) + " END"
	}
	return w.date(0)
}
