package detect

// year reads a year at i with what joins it to a day or month before it.
func (c *scanner) year(i int) (int, bool) {
	switch b := c.at(i); {
	case (b == ',' || b == '.') && c.at(i+1) == ' ':
		i += 2
	case b == ' ' || b == '-' || b == ',' || b == '/' || b == '.':
		i++
	default:
		j := c.blank(i)
		if j == i {
			return 0, false
		}
		i = j
	}
	i = c.particle(i)
	y, n, more := c.small(i, 4)
	if n != 4 || more || !yearLike(y) || c.wordAt(i+n) {
		return 0, false
	}
	return i + n, true
}

// particle skips "of", "de", "del" and a space at i.
func (c *scanner) particle(i int) int {
	b := c.at(i)
	if b != 'o' && b != 'd' && b != 'v' && b != 'l' {
		return i
	}
	if c.at(i+1) == '\'' && b == 'd' {
		return i + 2
	}
	if w := c.word(i); w.end > 0 && w.is&sOf != 0 && c.at(w.end) == ' ' {
		return w.end + 1
	}
	return i
}

// ordinal skips "st", "er" and the like after a number that ends at i.
func (c *scanner) ordinal(i int) int {
	switch a, b := c.at(i)|0x20, c.at(i+1)|0x20; {
	case a == 's' && b == 't', a == 'n' && b == 'd', a == 'r' && b == 'd', a == 't' && b == 'h', a == 'e' && (b == 'r' || b == 'n'), a == ':' && (b == 'a' || b == 'e'):
		return i + 2
	case c.at(i) == 0xC2 && (c.at(i+1) == 0xBA || c.at(i+1) == 0xAA || c.at(i+1) == 0xB0): // º ª °
		return i + 2
	}
	return i
}

// dayMonth takes "12 March 2024", "12th of March", "12-Mar-2024", "3 to 4 mai 1998" and "24, 25 et 26 décembre".
func (c *scanner) dayMonth(q int) (hit, bool) {
	d, n, more := c.small(q, 2)
	if more || n == 0 || !dayLike(d) || !c.opens(q, true) {
		return hit{}, false
	}
	i := c.ordinal(q + n)
	if h, ok := c.dayToMonth(q, i); ok {
		return h, true
	}
	for range 4 {
		j := i
		if c.at(j) == '.' {
			j++
		}
		if j = c.join(j); j == 0 {
			break
		}
		next, n, more := c.small(j, 2)
		if n == 0 || more || next <= d || next > 31 {
			break
		}
		d, i = next, c.ordinal(j+n)
		if h, ok := c.dayToMonth(q, i); ok {
			return h, true
		}
	}
	return hit{}, false
}

// dayToMonth takes what comes after the last day of dayMonth, which ends at i.
func (c *scanner) dayToMonth(q, i int) (hit, bool) {
	switch b := c.at(i); {
	case b == ' ' || b == '-' || b == '/':
		i++
	case b == '.':
		i = c.blank(i + 1)
	default:
		j := c.blank(i)
		if j == i {
			return hit{}, false
		}
		i = j
	}
	w := c.word(c.particle(i))
	if w.end == 0 || w.is&sMonth == 0 {
		return hit{}, false
	}
	end := w.end
	if w.is&(sEnglish|sRare) != 0 && c.at(end) == '.' && end-c.particle(i) <= 3 {
		end++
	}
	if y, ok := c.year(end); ok {
		return c.dated(q, c.yearTail(y), &byMonth)
	}
	if w.is&sRare != 0 && w.is&sEnglish == 0 || w.is&sEnglish != 0 && !w.upper {
		return hit{}, false
	}
	return c.dated(q, end, &byMonth)
}

// yearTail takes the time of day, or a word for year, after a date that ends at i.
func (c *scanner) yearTail(i int) int {
	if t, ok := c.clock(i); ok {
		return t
	}
	return i
}

// monthDay takes "March 12, 2024", "Mar 12th", "March 3 to 5" and "March 2024".
func (c *scanner) monthDay(q int, w word) (hit, bool) {
	if c.prev(q, 1) == '@' || w.is&sRare != 0 && w.is&sEnglish == 0 {
		return hit{}, false
	}
	end := w.end
	if w.is&sEnglish != 0 && end-q <= 4 && c.at(end) == '.' {
		end++
	}
	if y, ok := c.year(end); ok {
		return c.dated(q, y, &byMonth)
	}
	if h, ok := c.monthToMonth(q, end); ok {
		return h, true
	}
	b := c.at(end)
	if b == ' ' || b == '-' {
		d, n, more := c.small(end+1, 2)
		if n > 0 && !more && dayLike(d) {
			return c.monthThenDay(q, c.ordinal(end+1+n), d, w)
		}
	}
	if !w.upper || w.end-q < 3 || isAlnum(b) || b == '-' || b == '_' || b == '@' || b == '=' || b == '(' {
		return hit{}, false
	}
	if p := wordBefore(c.left(q)); p.spaced() && p.oneOf(" in since until during early late mid seit im en depuis w v i ") {
		return hit{w.end, &byMonthAlone}, true
	}
	return hit{}, false
}

// monthThenDay takes what comes after the day of monthDay, which ends at end.
func (c *scanner) monthThenDay(q, end, d int, w word) (hit, bool) {
	if y, ok := c.year(end); ok {
		return c.dated(q, c.yearTail(y), &byMonth)
	}
	if j := c.join(end); j > 0 {
		next, n, more := c.small(j, 2)
		if e := c.ordinal(j + n); n > 0 && !more && next > d && next <= 31 && !c.wordAt(e) {
			if y, ok := c.year(e); ok {
				return c.dated(q, y, &byMonth)
			}
			if w.upper && c.at(j-1) != ' ' {
				return c.dateEnds(q, e, &byMonth)
			}
		}
	}
	if !w.upper && w.is&sEnglish != 0 || !w.upper && c.at(end) == ' ' {
		return hit{}, false
	}
	return c.dateEnds(q, end, &byMonth)
}

// monthToMonth takes "March to May 2003", the first month of which ends at end.
func (c *scanner) monthToMonth(q, end int) (hit, bool) {
	j := c.blank(end)
	k := c.dash(j)
	if k == j {
		w := c.word(j)
		if j == end || w.end == 0 || w.is&sJoin == 0 {
			return hit{}, false
		}
		k = w.end
	}
	w := c.word(c.blank(k))
	if w.end == 0 || w.is&sMonth == 0 {
		return hit{}, false
	}
	if y, ok := c.year(w.end); ok {
		return c.dated(q, y, &byMonth)
	}
	return hit{}, false
}

// yearMonth takes "2024. március 5." and "2024 March 5".
func (c *scanner) yearMonth(q int) (hit, bool) {
	y, n, more := c.small(q, 4)
	if n != 4 || more || !yearLike(y) || !c.opens(q, true) {
		return hit{}, false
	}
	i := c.skip(q+4, '.')
	if i = c.blank(i); i == q+4 {
		return hit{}, false
	}
	w := c.word(i)
	if w.end == 0 || w.is&sMonth == 0 || !w.upper && w.is&sEnglish != 0 {
		return hit{}, false
	}
	j := c.blank(w.end)
	d, n, more := c.small(j, 2)
	if j > w.end && n > 0 && !more && dayLike(d) && !c.wordAt(j+n) {
		return c.dated(q, j+n, &byMonth)
	}
	return hit{}, false
}

// weekday takes "Monday", and "Mon, 12 Mar 2024" or "Thursday the 3rd of May" as one.
func (c *scanner) weekday(q int, w word) (hit, bool) {
	i := w.end
	if w.is&sDayShort != 0 {
		i = c.skip(i, '.')
	}
	i = c.blank(c.skip(i, ','))
	if i > w.end {
		if p := c.word(i); p.end > 0 && (p.is&sOf != 0 || p.end-i == 3 && c.s[i:p.end] == "the") && c.at(p.end) == ' ' {
			i = p.end + 1
		}
		var h hit
		var ok bool
		if isDigit(c.at(i)) {
			if h, ok = c.numericDate(i); !ok {
				h, ok = c.dayMonth(i)
			}
		} else if m := c.word(i); m.end > 0 && m.is&sMonth != 0 && m.upper {
			h, ok = c.monthDay(i, m)
		}
		if ok {
			return h, true
		}
	}
	if w.is&sWeekday == 0 || c.at(w.end) == '@' || c.at(w.end) == '_' || isAlnum(c.at(w.end)) || c.prev(q, 1) == '@' {
		return hit{}, false
	}
	return hit{w.end, &byWeekday}, true
}

// season takes "summer 2003", "the winter of 1998" and "quarter of 2003".
func (c *scanner) season(q int, w word) (hit, bool) {
	if y, ok := c.year(w.end); ok && c.at(w.end) == ' ' {
		return c.dateEnds(q, y, &byYear)
	}
	return hit{}, false
}

// quarter takes "Q3 2024" and "Q3/2024".
func (c *scanner) quarter(q int) (hit, bool) {
	if n := c.at(q + 1); n < '1' || n > '4' || !c.opens(q, true) {
		return hit{}, false
	}
	i := q + 2
	if b := c.at(i); b == ' ' || b == '-' || b == '/' {
		i++
	}
	y, n, more := c.small(i, 4)
	if n != 4 || more || !yearLike(y) || c.wordAt(i+4) {
		return hit{}, false
	}
	return c.dateEnds(q, i+4, &byYear)
}

// bareYear takes a year that a word or a parenthesis says is one, and two years with a dash or word between them. A decade, such as
// "the 1990s", is as coarse as a date made general and is left alone.
func (c *scanner) bareYear(q, we int) (hit, bool) {
	y, n, more := c.small(q, 4)
	if n != 4 || more || y < 1500 || y >= 2200 || !c.opens(q, true) {
		return hit{}, false
	}
	end := q + 4
	if we != end {
		return hit{}, false
	}
	p := wordBefore(c.left(q))
	spaced := p.spaced() || p.gap == " ("
	if next, ok := c.yearRange(end, y); ok {
		if spaced && p.is&sYearCue != 0 || c.prev(q, 1) == '(' && c.at(next) == ')' || c.at(c.blank(end)) != '-' && c.blank(end) > end && p.is&sYearCue != 0 {
			return c.dateEnds(q, next, &byYear)
		}
		return hit{}, false
	}
	switch b := c.prev(q, 1); {
	case b == '(' && (c.at(end) == ')' || c.at(end) == ';'):
	case spaced && p.is&sYearCue != 0:
		if c.measured(end, y) {
			return hit{}, false
		}
	case spaced && p.oneOf(" a the ") && y%100 != 0 && c.at(end) == ' ' && isUpper(c.at(end+1)): // "a 1998 Bordeaux"
	case b == ' ' && c.prev(q, 2) == 0xA9: // ©
	default:
		if w := c.word(c.blank(end)); c.blank(end) == end || w.end == 0 || w.is&sUnit == 0 || !yearWords[c.s[c.blank(end):w.end]] {
			return hit{}, false
		}
	}
	return c.dateEnds(q, end, &byYear)
}

// yearWords stand after a year.
var yearWords = wordSet("году года год роке року рік roku yılında")

// yearRange reads a dash or word and a later year, or its last two digits, after a year that ends at i.
func (c *scanner) yearRange(i, y int) (int, bool) {
	j := c.join(i)
	if j == 0 || c.at(i) == ',' {
		return 0, false
	}
	z, n, more := c.small(j, 4)
	switch {
	case more || c.wordAt(j+n):
	case n == 4 && z > y && z < 2200, n == 2 && z == (y+1)%100:
		return j + n, true
	}
	return 0, false
}

// measured reports whether what follows a year-like number at i makes it a count of things, as in "in 2000 cases".
func (c *scanner) measured(i, y int) bool {
	switch c.at(i) {
	case '%', ':', '$':
		return true
	case ',':
		return isDigit(c.at(i + 1))
	}
	j := c.blank(i)
	if j == i {
		return false
	}
	w := c.word(j)
	if w.end == 0 {
		b := c.at(j)
		return b == '%' || b == 0xE2 && c.at(j+1) == 0x82
	}
	if w.is&(sMoney|sScale|sUnit|sShortUnit) != 0 && !yearWords[c.s[j:w.end]] {
		return true
	}
	if w.upper {
		return false
	}
	return y%100 == 0 && w.end-j > 3 && c.s[w.end-1] == 's' || measures[c.s[j:w.end]]
}

var measures = wordSet(`km kg mg ml cm mm m g l kw kwh mb gb kb ms rpm hp ft lb lbs oz miles metres meters people persons times points items pages
	units cases words users calories kcal tokens bytes lines rows copies feet pounds requests employees`)

// compactISO takes "20240115T103000Z".
func (c *scanner) compactISO(q, we int) (hit, bool) {
	if c.at(q+8)|0x20 != 't' || we-q < 13 || !c.opens(q, true) {
		return hit{}, false
	}
	y, n, _ := c.small(q, 4)
	m, _, _ := c.small(q+4, 2)
	d, _, _ := c.small(q+6, 2)
	h, nh, _ := c.small(q+9, 2)
	if n != 4 || !yearLike(y) || !monthLike(m) || !dayLike(d) || nh != 2 || h > 24 {
		return hit{}, false
	}
	_, n, more := c.small(q+9, 6)
	end := q + 9 + n
	if more || n != 4 && n != 6 {
		return hit{}, false
	}
	if c.at(end)|0x20 == 'z' {
		end++
	}
	if end != we || !c.closes(end) {
		return hit{}, false
	}
	return c.dated(q, end, &byISO)
}
