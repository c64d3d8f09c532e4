package relation

// The calendar is the Gregorian one, also before it began, in UTC without leap seconds.

// floorDiv divides and rounds down; d is above zero.
func floorDiv(v, d int64) int64 {
	q := v / d
	if v%d < 0 {
		q--
	}
	return q
}

// civil is the year, month and day of a day since 1970-01-01, counted in eras of 400 years that begin in March.
func civil(day int64) (y, m, d int64) {
	day += 719468
	era := floorDiv(day, 146097)
	doe := day - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d = doy - (153*mp+2)/5 + 1
	m = mp + 3
	if m > 12 {
		m -= 12
	}
	y = yoe + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

// days is the reverse of civil.
func days(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return era*146097 + doe - 719468
}

// part is a part of a date or time.
func part(p DatePart, k Kind, v int64) int64 {
	day, micros := v, int64(0)
	if k == Time {
		day = floorDiv(v, dayMicros)
		micros = v - day*dayMicros
	}
	switch p {
	case DayOfWeek:
		return weekday(day) + 1
	case Hour:
		return micros / 3_600_000_000
	case Minute:
		return micros / 60_000_000 % 60
	}
	y, m, d := civil(day)
	switch p {
	case Year:
		return y
	case Quarter:
		return (m + 2) / 3
	case Month:
		return m
	}
	return d
}

// weekday is 0 on Mondays.
func weekday(day int64) int64 {
	d := day + 3 // 1970-01-01 was a Thursday
	return d - floorDiv(d, 7)*7
}

// trunc is the beginning of the part that a date or time lies in.
func trunc(p DatePart, k Kind, v int64) int64 {
	day := v
	if k == Time {
		switch p {
		case Hour:
			return floorDiv(v, 3_600_000_000) * 3_600_000_000
		case Minute:
			return floorDiv(v, 60_000_000) * 60_000_000
		}
		day = floorDiv(v, dayMicros)
	}
	switch p {
	case Week:
		day -= weekday(day)
	case Year, Quarter, Month:
		y, m, _ := civil(day)
		switch p {
		case Year:
			m = 1
		case Quarter:
			m = (m-1)/3*3 + 1
		}
		day = days(y, m, 1)
	}
	if k == Time {
		return day * dayMicros
	}
	return day
}
