package detect

// dated takes a date, and looks for words before it that make it one of birth.
func (c *scanner) dated(q, end int, by *rule) (hit, bool) {
	if c.cue(q).kind == cueBirth {
		by = &byBirth
	}
	return hit{end, by}, true
}

// small reads a number of at most max digits at i and returns it, its length, and whether a digit follows.
func (c *scanner) small(i, limit int) (v, n int, more bool) {
	for n < limit && isDigit(c.at(i+n)) {
		v = v*10 + int(c.at(i+n)-'0')
		n++
	}
	return v, n, n == limit && isDigit(c.at(i+n))
}

func yearLike(y int) bool { return y >= 1800 && y < 2200 }

func monthLike(m int) bool { return m >= 1 && m <= 12 }

func dayLike(d int) bool { return d >= 1 && d <= 31 }

// numericDate takes year, month and day in ISO order with an optional time, or day, month and year in either order.
func (c *scanner) numericDate(q int) (hit, bool) {
	a, na, more := c.small(q, 4)
	sep := c.at(q + na)
	if more || sep != '-' && sep != '/' && sep != '.' {
		return hit{}, false
	}
	i := q + na + 1
	b, nb, more := c.small(i, 2)
	if more || nb == 0 || c.at(i+nb) != sep || !c.opens(q, false) || c.prev(q, 1) == '.' && isAlnum(c.prev(q, 2)) {
		return hit{}, false
	}
	i += nb + 1
	y, ny, more := c.small(i, 4)
	end := i + ny
	if more {
		return hit{}, false
	}
	switch {
	case na == 4 && yearLike(a) && monthLike(b) && ny >= 1 && ny <= 2 && dayLike(y):
		if t, ok := c.clock(end); ok {
			return c.dated(q, t, &byISO)
		}
		return c.dateEnds(q, end, &byISO)
	case na > 2 || !(dayLike(a) && monthLike(b) || monthLike(a) && dayLike(b)):
		return hit{}, false
	case ny == 4 && yearLike(y), ny == 2 && (sep == '/' || c.cue(q).kind == cueBirth):
		if t, ok := c.clock(end); ok {
			return c.dated(q, t, &byNumbers)
		}
		return c.dateEnds(q, end, &byNumbers)
	}
	return hit{}, false
}

func (c *scanner) dateEnds(q, end int, by *rule) (hit, bool) {
	switch b := c.at(end); b {
	case '/':
		if by != &byISO && isDigit(c.at(end+1)) { // intervals are written with a slash, by ISO 8601
			return hit{}, false
		}
	case '.', ':', '-':
		if isDigit(c.at(end + 1)) {
			return hit{}, false
		}
	case '%', '@':
		return hit{}, false
	default:
		if c.wordAt(end) {
			return hit{}, false
		}
	}
	return c.dated(q, end, by)
}

// clock reads "T10:30", " 10:30:05.123Z" or "T10:30:05+01:00" at i and returns its end.
func (c *scanner) clock(i int) (int, bool) {
	switch b := c.at(i); b {
	case 'T', 't', ' ':
	case ',':
		if i++; c.at(i) != ' ' {
			return 0, false
		}
	default:
		return 0, false
	}
	h, nh, more := c.small(i+1, 2)
	i += 1 + nh
	if nh != 2 || more || h > 24 || c.at(i) != ':' {
		return 0, false
	}
	m, nm, more := c.small(i+1, 2)
	i += 1 + nm
	if nm != 2 || more || m > 59 {
		return 0, false
	}
	if s, ns, _ := c.small(i+1, 2); c.at(i) == ':' && ns == 2 && s <= 60 {
		i += 3
		if b := c.at(i); (b == '.' || b == ',') && isDigit(c.at(i+1)) {
			_, n, _ := c.small(i+1, 9)
			i += 1 + n
		}
	}
	switch b := c.at(i); {
	case b == 'Z' || b == 'z':
		i++
	case (b == '+' || b == '-') && isDigit(c.at(i+1)):
		_, n, _ := c.small(i+1, 2)
		i += 1 + n
		if c.at(i) == ':' {
			i++
		}
		_, n, _ = c.small(i, 2)
		i += n
	}
	return i, !c.wordAt(i)
}
