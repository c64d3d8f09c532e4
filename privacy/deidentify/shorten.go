package deidentify

import (
	"strconv"
	"strings"
	"time"
)

// isoDay reads YYYY-MM-DD at the beginning of a text, and false for days that no calendar has. The rest begins a time of day, or is empty.
func isoDay(text []byte) (y, m, d int, rest []byte, ok bool) {
	if len(text) < 10 || text[4] != '-' || text[7] != '-' {
		return 0, 0, 0, nil, false
	}
	for i, c := range text[:10] {
		if i != 4 && i != 7 && (c < '0' || c > '9') {
			return 0, 0, 0, nil, false
		}
	}
	y = int(text[0]-'0')*1000 + int(text[1]-'0')*100 + int(text[2]-'0')*10 + int(text[3]-'0')
	m, d = int(text[5]-'0')*10+int(text[6]-'0'), int(text[8]-'0')*10+int(text[9]-'0')
	return y, m, d, text[10:], m >= 1 && m <= 12 && d >= 1 && d <= daysIn(y, m)
}

func daysIn(y, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// plainClock reports whether the text is a time of day as RFC 3339 writes it: "T15:04:05Z", " 15:04:05.123+01:00", "T15:04".
func plainClock(text []byte) bool {
	pair := func(at int) bool {
		return at+2 <= len(text) && '0' <= text[at] && text[at] <= '9' && '0' <= text[at+1] && text[at+1] <= '9'
	}
	if len(text) < 6 || text[0] != 'T' && text[0] != ' ' || !pair(1) || text[3] != ':' || !pair(4) {
		return false
	}
	i := 6
	if i < len(text) && text[i] == ':' {
		if !pair(i + 1) {
			return false
		}
		i += 3
		if i < len(text) && text[i] == '.' {
			from := i + 1
			for i++; i < len(text) && '0' <= text[i] && text[i] <= '9'; i++ {
			}
			if i == from || i-from > 9 {
				return false
			}
		}
	}
	switch {
	case i == len(text) || text[i] == 'Z' && i+1 == len(text):
		return true
	case (text[i] == '+' || text[i] == '-') && pair(i+1) && len(text) == i+6 && text[i+3] == ':':
		return pair(i + 4)
	}
	return false
}

// shortenBytes appends the date no finer than the step. Days in ISO form go without an allocation.
func shortenBytes(dst []byte, v Value, to step) ([]byte, Kind, error) {
	if v.Kind == String {
		if _, m, _, rest, ok := isoDay(v.Text); ok && (len(rest) == 0 || plainClock(rest)) {
			switch to {
			case day:
				return append(dst, v.Text[:10]...), String, nil
			case month:
				return append(dst, v.Text[:7]...), String, nil
			case quarter:
				return append(append(append(dst, v.Text[:5]...), 'Q'), byte('0'+(m+2)/3)), String, nil
			case year:
				return append(dst, v.Text[:4]...), String, nil
			case decade:
				return append(append(dst, v.Text[:3]...), '0', 's'), String, nil
			}
		}
	}
	text, ok := shortenDate(Scalar{v.Kind, string(v.Text)}, to)
	return appendIf(dst, text, v.Kind, ok)
}

// shiftBytes appends the date so many days later, with its time of day and zone as they were written. It takes whole days only: of a
// month or a year nobody knows where it would end. Days in words or in other orders come out in ISO form.
func shiftBytes(dst []byte, v Value, days int) ([]byte, Kind, error) {
	switch v.Kind {
	case String:
		if y, m, d, rest, ok := isoDay(v.Text); ok && (len(rest) == 0 || plainClock(rest)) {
			if y, m, d, ok = addDays(y, m, d, days); !ok {
				return nil, Null, ErrForm
			}
			return append(appendDay(dst, y, m, d), rest...), String, nil
		}
		text := strings.TrimSpace(string(v.Text))
		rest := ""
		if at := clock.FindStringIndex(text); at != nil && len(text) <= maxDate {
			text, rest = strings.TrimRight(text[:at[0]], " ,"), text[at[0]:]
		}
		date, ok := parseDate(text)
		if !ok || date.known != day {
			return nil, Null, ErrForm
		}
		y, m, d, ok := addDays(date.year, date.month, date.day, days)
		if !ok {
			return nil, Null, ErrForm
		}
		return append(appendDay(dst, y, m, d), rest...), String, nil
	case Number:
		return shiftNumber(dst, v.Text, days)
	}
	return nil, Null, ErrForm
}

// shiftNumber shifts YYYYMMDD, and seconds and milliseconds from the year 2000 on that stay there.
func shiftNumber(dst, literal []byte, days int) ([]byte, Kind, error) {
	if !isDigits(string(literal)) || literal[0] == '0' {
		return nil, Null, ErrForm
	}
	n, unit := int64(0), int64(86400)
	switch len(literal) {
	case 8:
		d, ok := newDate(string(literal[:4]), string(literal[4:6]), string(literal[6:]))
		if !ok {
			return nil, Null, ErrForm
		}
		y, m, dd, ok := addDays(d.year, d.month, d.day, days)
		if !ok || y < 1000 {
			return nil, Null, ErrForm
		}
		return strconv.AppendInt(dst, int64(y*10000+m*100+dd), 10), Number, nil
	case 9, 10:
	case 12, 13:
		unit *= 1000
	default:
		return nil, Null, ErrForm
	}
	n = int64(atoi(string(literal)))
	from := int64(year2000) * (unit / 86400)
	if n < from || n+int64(days)*unit < from {
		return nil, Null, ErrForm
	}
	return strconv.AppendInt(dst, n+int64(days)*unit, 10), Number, nil
}

func addDays(y, m, d, days int) (int, int, int, bool) {
	t := time.Date(y, time.Month(m), d+days, 0, 0, 0, 0, time.UTC)
	yy, mm, dd := t.Date()
	return yy, int(mm), dd, yy >= 0 && yy <= 9999
}

func appendDay(dst []byte, y, m, d int) []byte {
	return append(dst, byte('0'+y/1000), byte('0'+y/100%10), byte('0'+y/10%10), byte('0'+y%10), '-',
		byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10))
}
