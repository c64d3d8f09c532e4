package deidentify

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// step is how much of a date is known or shown, finest first.
type step uint8

const (
	day step = iota
	month
	quarter
	year
	decade
)

var steps = map[string]step{"day": day, "month": month, "quarter": quarter, "year": year, "decade": decade}

// date is a calendar date known to a step; what is finer than that step is zero.
type date struct {
	year, month, day int // for a quarter, month is its first
	known            step
}

// maxDate bounds the work on one value; the longest form read is "Wednesday, 24 September 1980 10:00:00.000000000 +00:00".
const maxDate = 64

func shortenDate(s Scalar, to step) (string, bool) {
	switch s.Kind {
	case String:
		d, ok := parseDate(strings.TrimSpace(s.Text))
		return d.text(to), ok
	case Number:
		return shortenNumericDate(s.Text, to)
	}
	return "", false
}

// text writes the date as ISO 8601 does, no finer than the step nor than what is known.
func (d date) text(to step) string {
	switch max(to, d.known) {
	case day:
		return fmt.Sprintf("%04d-%02d-%02d", d.year, d.month, d.day)
	case month:
		return fmt.Sprintf("%04d-%02d", d.year, d.month)
	case quarter:
		return fmt.Sprintf("%04d-Q%d", d.year, (d.month+2)/3)
	case year:
		return fmt.Sprintf("%04d", d.year)
	default:
		return fmt.Sprintf("%04ds", d.year/10*10)
	}
}

var (
	clock = regexp.MustCompile(`(?i)[t, ] *[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)? *([ap]\.?m\.?)? *(z|utc|gmt|[+-][0-9]{2}:?[0-9]{2})?$`)

	yearFirst = regexp.MustCompile(`^([0-9]{4})(?:([-/.])([0-9]{1,2})(?:([-/.])([0-9]{1,2}))?)?$`)
	yearLast  = regexp.MustCompile(`^([0-9]{1,2})([-/.])([0-9]{1,2})([-/.])([0-9]{4})$`)
	compact   = regexp.MustCompile(`^([0-9]{4})([0-9]{2})([0-9]{2})$`)
	quarterly = regexp.MustCompile(`^(?i:([0-9]{4})[- ]?q([1-4])|q([1-4])[- ]?([0-9]{4}))$`)
	decades   = regexp.MustCompile(`^([0-9]{3})0s$`)
)

// parseDate reads one date, with or without a time of day, and false if the text is anything else.
func parseDate(text string) (date, bool) {
	if len(text) > maxDate {
		return date{}, false
	}
	if at := clock.FindStringIndex(text); at != nil {
		text = strings.TrimRight(text[:at[0]], " ,")
		d, ok := parseDay(text)
		return d, ok && d.known == day || ok && yearLast.MatchString(text) // a time of day belongs to a day
	}
	return parseDay(text)
}

func parseDay(text string) (date, bool) {
	if m := yearFirst.FindStringSubmatch(text); m != nil && m[2] != "." && (m[4] == "" || m[2] == m[4]) {
		return newDate(m[1], m[3], m[5])
	}
	if m := yearFirst.FindStringSubmatch(text); m != nil && m[2] == "." && m[4] == "." {
		return newDate(m[1], m[3], m[5])
	}
	if m := yearLast.FindStringSubmatch(text); m != nil && m[2] == m[4] {
		return dayOrMonthFirst(m[1], m[3], m[5], m[2] == ".")
	}
	if m := compact.FindStringSubmatch(text); m != nil {
		return newDate(m[1], m[2], m[3])
	}
	if m := quarterly.FindStringSubmatch(text); m != nil {
		y, q := atoi(m[1]+m[4]), atoi(m[2]+m[3])
		return date{year: y, month: 3*q - 2, known: quarter}, true
	}
	if m := decades.FindStringSubmatch(text); m != nil {
		return date{year: 10 * atoi(m[1]), known: decade}, true
	}
	return parseWords(text)
}

// newDate checks a date whose month and day may be absent.
func newDate(y, m, d string) (date, bool) {
	switch {
	case m == "":
		return date{year: atoi(y), known: year}, true
	case d == "":
		mm := atoi(m)
		return date{year: atoi(y), month: mm, known: month}, 1 <= mm && mm <= 12
	}
	out := date{year: atoi(y), month: atoi(m), day: atoi(d)}
	t := time.Date(out.year, time.Month(out.month), out.day, 0, 0, 0, 0, time.UTC)
	return out, t.Year() == out.year && int(t.Month()) == out.month && t.Day() == out.day
}

// dayOrMonthFirst reads 31/12/1980 and 12/31/1980, and of 03/04/1980 only the year. With dots the day comes first.
func dayOrMonthFirst(a, b, y string, dots bool) (date, bool) {
	european, okE := newDate(y, b, a)
	american, okA := newDate(y, a, b)
	switch {
	case okE && (dots || !okA || european == american):
		return european, true
	case dots:
		return date{}, false
	case okA && !okE:
		return american, true
	case okA && okE:
		return date{year: atoi(y), known: year}, true
	}
	return date{}, false
}

// parseWords reads forms with the month in words: "3 March 1980", "Mar 3rd, 1980", "03-Mar-1980", "März 1980".
func parseWords(text string) (date, bool) {
	var y, m, d int
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(" ,.-/", r) }) {
		switch n, isMonth := monthNames[word]; {
		case isMonth && m == 0:
			m = n
		case fillers[word]:
		case len(word) == 4 && isDigits(word) && y == 0:
			y = atoi(word)
		default:
			word = trimOrdinal(word)
			if len(word) > 2 || !isDigits(word) || d != 0 {
				return date{}, false
			}
			if d = atoi(word); d == 0 {
				return date{}, false
			}
		}
	}
	switch {
	case y == 0 || m == 0:
		return date{}, false
	case d == 0:
		return date{year: y, month: m, known: month}, true
	}
	return newDate(strconv.Itoa(y), strconv.Itoa(m), strconv.Itoa(d))
}

func trimOrdinal(word string) string {
	for _, suffix := range []string{"st", "nd", "rd", "th", "er"} {
		if cut, ok := strings.CutSuffix(word, suffix); ok {
			return cut
		}
	}
	return word
}

var fillers = wordSet("of the de del le den am " +
	"monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun " +
	"montag dienstag mittwoch donnerstag freitag samstag sonntag lundi mardi mercredi jeudi vendredi samedi dimanche " +
	"lunes martes miércoles jueves viernes sábado domingo")

// monthNames: English, German, French, Spanish, Italian. No name stands for two months.
var monthNames = monthTable(
	"january jan januar jänner janvier enero gennaio",
	"february feb februar février fevrier febrero febbraio",
	"march mar märz maerz mars marzo",
	"april apr avril abril aprile",
	"may mai mayo maggio",
	"june jun juni juin junio giugno",
	"july jul juli juillet julio luglio",
	"august aug août aout agosto",
	"september sep sept septembre septiembre settembre",
	"october oct oktober okt octobre octubre ottobre",
	"november nov novembre noviembre",
	"december dec dezember dez décembre decembre diciembre dicembre",
)

func monthTable(months ...string) map[string]int {
	table := make(map[string]int)
	for i, names := range months {
		for name := range strings.FieldsSeq(names) {
			table[name] = i + 1
		}
	}
	return table
}

func wordSet(words string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// atoi is for digits that a pattern has checked.
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// year2000 is where numbers begin to be read as seconds since 1970. It is the beginning of a day, month, quarter, year and
// decade, so that a number from there on, made coarser, is still one.
const year2000 = 946_684_800

// shortenNumericDate keeps numbers numbers: a year (4 digits), YYYYMMDD (8), or seconds (up to 10 digits) or milliseconds
// (up to 13) from the year 2000 on, which go to the beginning of their day, month, quarter, year or decade in UTC.
func shortenNumericDate(literal string, to step) (string, bool) {
	if !isDigits(literal) || literal[0] == '0' {
		return "", false
	}
	switch len(literal) {
	case 4:
		y := atoi(literal)
		if to == decade {
			y = y / 10 * 10
		}
		return strconv.Itoa(y), true
	case 8:
		return shortenCompact(literal, to)
	case 9, 10:
		n := int64(atoi(literal))
		return strconv.FormatInt(floorTime(time.Unix(n, 0).UTC(), to).Unix(), 10), n >= year2000
	case 12, 13:
		n := int64(atoi(literal))
		return strconv.FormatInt(floorTime(time.UnixMilli(n).UTC(), to).UnixMilli(), 10), n >= year2000*1000
	}
	return "", false
}

// shortenCompact goes to the first day of the step, since 198003 would be read as another number.
func shortenCompact(literal string, to step) (string, bool) {
	d, ok := newDate(literal[:4], literal[4:6], literal[6:])
	if !ok {
		return "", false
	}
	t := floorTime(time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC), to)
	return t.Format("20060102"), true
}

func floorTime(t time.Time, to step) time.Time {
	y, m, d := t.Date()
	if to >= month {
		d = 1
	}
	if to >= quarter {
		m = (m-1)/3*3 + 1
	}
	if to >= year {
		m = 1
	}
	if to >= decade {
		y = y / 10 * 10
	}
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
