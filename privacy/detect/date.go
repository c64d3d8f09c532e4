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
	if b := c.at(i); b != 'T' && b != 't' && b != ' ' {
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

var monthNames = [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
	"jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"}

// months has every beginning of a name, and true for the whole names: a word that begins otherwise is not waited for.
var months = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range monthNames {
		for n := range len(name) {
			if !m[name[:n]] {
				m[name[:n]] = false
			}
		}
		m[name] = true
	}
	return m
}()

// month reads the name of a month at i. Upper reports whether it begins with a capital.
func (c *scanner) month(i int) (end int, upper, ok bool) {
	const first = 1<<('j'-'a') | 1<<('f'-'a') | 1<<('m'-'a') | 1 /* a */ | 1<<('s'-'a') | 1<<('o'-'a') | 1<<('n'-'a') | 1<<('d'-'a')
	if x := c.at(i) | 0x20 - 'a'; x >= 26 || first>>x&1 == 0 {
		return 0, false, false
	}
	var buf [10]byte
	n := 0
	for ; n < len(buf) && isLetter(c.at(i+n)); n++ {
		buf[n] = c.at(i+n) | 0x20
		if _, ok := months[string(buf[:n+1])]; !ok {
			return 0, false, false
		}
	}
	if n < 3 || !months[string(buf[:n])] || c.wordAt(i+n) {
		return 0, false, false
	}
	end = i + n
	if n <= 4 && c.at(end) == '.' {
		end++
	}
	return end, isUpper(c.at(i)), true
}

// year reads a year at i with what joins it to a day or month before it.
func (c *scanner) year(i int) (int, bool) {
	switch b := c.at(i); {
	case b == ',' && c.at(i+1) == ' ':
		i += 2
	case b == ' ' || b == '-' || b == ',' || b == '/' || b == '.':
		i++
	default:
		return 0, false
	}
	if c.at(i) == 'o' && c.at(i+1) == 'f' && c.at(i+2) == ' ' {
		i += 3
	}
	y, n, more := c.small(i, 4)
	if n != 4 || more || !yearLike(y) || c.wordAt(i+n) {
		return 0, false
	}
	return i + n, true
}

// ordinal skips "st", "nd", "rd" or "th" at i.
func (c *scanner) ordinal(i int) int {
	switch a, b := c.at(i)|0x20, c.at(i+1)|0x20; {
	case a == 's' && b == 't', a == 'n' && b == 'd', a == 'r' && b == 'd', a == 't' && b == 'h':
		return i + 2
	}
	return i
}

// dayMonth takes "12 March 2024", "12th of March", "12-Mar-2024".
func (c *scanner) dayMonth(q int) (hit, bool) {
	d, n, more := c.small(q, 2)
	if more || n == 0 || !dayLike(d) || !c.opens(q, true) {
		return hit{}, false
	}
	i := c.ordinal(q + n)
	if b := c.at(i); b != ' ' && b != '-' && b != '.' && b != '/' {
		return hit{}, false
	}
	if i++; c.at(i-1) == '.' && c.at(i) == ' ' {
		i++
	}
	if c.at(i) == 'o' && c.at(i+1) == 'f' && c.at(i+2) == ' ' {
		i += 3
	}
	end, upper, ok := c.month(i)
	if !ok {
		return hit{}, false
	}
	if y, ok := c.year(end); ok {
		return c.dated(q, y, &byMonth)
	}
	if !upper {
		return hit{}, false
	}
	return c.dated(q, end, &byMonth)
}

// monthDay takes "March 12, 2024", "Mar 12th" and "March 2024".
func (c *scanner) monthDay(q, we int) (hit, bool) {
	if we-q < 3 || we-q > 9 || c.prev(q, 1) == '@' {
		return hit{}, false
	}
	end, upper, ok := c.month(q)
	if !ok {
		return hit{}, false
	}
	if y, ok := c.year(end); ok {
		return c.dated(q, y, &byMonth)
	}
	if b := c.at(end); b != ' ' && b != '-' {
		return hit{}, false
	}
	d, n, more := c.small(end+1, 2)
	if n == 0 || more || !dayLike(d) {
		return hit{}, false
	}
	end = c.ordinal(end + 1 + n)
	if y, ok := c.year(end); ok {
		return c.dated(q, y, &byMonth)
	}
	if !upper {
		return hit{}, false
	}
	return c.dateEnds(q, end, &byMonth)
}
