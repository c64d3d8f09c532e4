package detect

import "strings"

// timeOfDay takes "10:30" and "10.30" where a word before or after says that it is a time of day, "10:30 pm", "10 a.m." and "14h30".
func (c *scanner) timeOfDay(q int) (hit, bool) {
	h, n, more := c.small(q, 2)
	if n == 0 || more || h > 24 || !c.opens(q, true) {
		return hit{}, false
	}
	i, minutes, dotted := q+n, false, false
	if b := c.at(i); b == ':' || b == '.' || b == 'h' {
		m, nm, more := c.small(i+1, 2)
		switch {
		case nm == 2 && !more && m < 60:
			minutes, dotted = true, b == '.'
			if i += 3; b == ':' && c.at(i) == ':' {
				if s, ns, more := c.small(i+1, 2); ns == 2 && !more && s <= 60 {
					i += 3
				}
			}
			if b == 'h' && !c.wordAt(i) {
				return hit{i, &byClock}, true
			}
		case b != 'h':
			return hit{}, false
		}
	}
	if end := c.meridian(i); end > 0 {
		return hit{end, &byClock}, true
	}
	if j := c.blank(i); j > i {
		if w := c.word(j); w.end > 0 && w.is&sClock != 0 && (minutes || c.s[j:w.end] == "Uhr") {
			return hit{w.end, &byClock}, true
		}
	}
	if !minutes || c.wordAt(i) || c.at(i) == '%' || (c.at(i) == ':' || c.at(i) == '.' || c.at(i) == '-') && isDigit(c.at(i+1)) {
		return hit{}, false
	}
	p := wordBefore(c.left(q))
	if p.spaced() && (p.is&sAtCue != 0 && !dotted || p.oneOf(" kl klo kello ")) || strings.Trim(p.gap, ". ") == "" && p.oneOf(" kl godz hod ") {
		return hit{i, &byClock}, true
	}
	return hit{}, false
}

// meridian returns the end of "am", "p.m." or "o'clock" at i, or 0.
func (c *scanner) meridian(i int) int {
	i = c.blank(i)
	b := c.at(i) | 0x20
	switch {
	case b == 'o' && c.at(i+1) == '\'' && c.at(i+2)|0x20 == 'c':
		if w := c.word(i + 2); w.end == i+7 {
			return w.end
		}
		return 0
	case b != 'a' && b != 'p':
		return 0
	}
	if c.at(i+1)|0x20 == 'm' && !c.wordAt(i+2) {
		return i + 2
	}
	if c.at(i+1) == '.' && c.at(i+2)|0x20 == 'm' && c.at(i+3) == '.' {
		return i + 4
	}
	return 0
}

// count reads a number of at most three digits, or one in letters, at i and returns its end, or 0.
func (c *scanner) count(i int) int {
	if isDigit(c.at(i)) {
		_, n, more := c.small(i, 3)
		if more {
			return 0
		}
		if b := c.at(i + n); (b == '.' || b == ',') && isDigit(c.at(i+n+1)) && !isDigit(c.at(i+n+2)) {
			n += 2
		}
		return i + n
	}
	w := c.word(i)
	if w.end == 0 || w.is&sCount == 0 {
		return 0
	}
	if b := c.at(w.end); b == '-' || b == ' ' {
		if next := c.word(w.end + 1); next.end > 0 && next.is&sCount != 0 {
			return next.end
		}
	}
	return w.end
}

// span takes an age or a duration: a number with a unit of time, and what comes after.
func (c *scanner) span(q int) (hit, bool) {
	n := c.count(q)
	if n == 0 || !c.opens(q, true) {
		return hit{}, false
	}
	i := n
	switch b := c.at(i); {
	case b == ' ' || b == '-':
		i++
	case b == 0xC2:
		i = c.blank(i)
	case isLetter(b):
	default:
		return hit{}, false
	}
	if h, ok := c.yearsOld(q, n, i); ok {
		return h, true
	}
	w := c.word(i)
	if i == n || w.end == 0 || w.is&(sUnit|sShortUnit) == 0 {
		return hit{}, false
	}
	end := w.end
	old := c.oldAfter(end)
	for parts := 0; parts < 3 && old == 0; parts++ {
		j := c.skip(end, ',')
		if j = c.blank(j); j == end {
			break
		}
		if a := c.word(j); a.end > 0 && a.is&sJoin != 0 && c.at(a.end) == ' ' {
			j = a.end + 1
		}
		k := c.count(j)
		if k == 0 || c.at(k) != ' ' && c.at(k) != '-' {
			break
		}
		u := c.word(k + 1)
		if u.end == 0 || u.is&(sUnit|sShortUnit) == 0 {
			break
		}
		end = u.end
		old = c.oldAfter(end)
	}
	if old > 0 && w.is&sUnit != 0 {
		return hit{old, &byAge}, true
	}
	if c.agedBefore(q) {
		return hit{end, &byAge}, true
	}
	if w.is&sUnit == 0 || c.wordAt(end) {
		return hit{}, false
	}
	return hit{end, &byDuration}, true
}

// oldAfter returns the end of "old", "-old", "of age" or "de edad" at i, or 0.
func (c *scanner) oldAfter(i int) int {
	if b := c.at(i); b != ' ' && b != '-' {
		return 0
	}
	w := c.word(i + 1)
	switch {
	case w.end == 0:
	case w.is&sOld != 0:
		return w.end
	case w.is&sOf != 0 && c.at(w.end) == ' ':
		if a := c.word(w.end + 1); a.end > 0 && a.is&sAgeCue != 0 {
			return a.end
		}
	}
	return 0
}

// yearsOld takes "42yo", "42 y/o", "42 y.o." and "42-jährige", the number of which ends at n and the word begins at i.
func (c *scanner) yearsOld(q, n, i int) (hit, bool) {
	if c.at(i)|0x20 == 'y' && (c.at(i+1) == '/' || c.at(i+1) == '.') && c.at(i+2)|0x20 == 'o' {
		end := c.skip(i+3, '.')
		if !c.wordAt(end) {
			return hit{end, &byAge}, true
		}
	}
	if b := c.at(i); b|0x20 != 'y' && b != 'j' && b != 'l' && b != 'v' && b < 0x80 {
		return hit{}, false
	}
	if w := c.word(i); w.end > 0 && w.is&sOldWord != 0 {
		return hit{w.end, &byAge}, true
	}
	return hit{}, false
}

// agedBefore reports whether words before q say that an age follows.
func (c *scanner) agedBefore(q int) bool {
	p := wordBefore(c.left(q))
	for range 3 {
		if !p.marked() {
			return false
		}
		if p.is&sAgeCue != 0 {
			return true
		}
		if !p.oneOf(" of is was about de at between around von over under år i ") {
			return false
		}
		p = wordBefore(p.rest)
	}
	return false
}

// age takes a bare number that words before it make an age.
func (c *scanner) age(q int) (hit, bool) {
	end := 0
	if isDigit(c.at(q)) {
		v, n, more := c.small(q, 3)
		if more || n == 0 || v > 125 {
			return hit{}, false
		}
		end = q + n
	} else if end = c.count(q); end == 0 {
		return hit{}, false
	}
	switch b := c.at(end); {
	case c.wordAt(end), b == '%', b == '_', b == '@', b == '/', b == 0xC2 && c.at(end+1) == 0xB0, (b == '.' || b == ',' || b == ':') && isDigit(c.at(end+1)):
		return hit{}, false
	}
	if c.agedBefore(q) {
		if j := c.join(end); j > 0 {
			if v, n, more := c.small(j, 3); n > 0 && !more && v <= 125 && !c.wordAt(j+n) && c.at(j+n) != '%' {
				end = j + n
			}
		}
		return hit{end, &byAge}, true
	}
	p := wordBefore(c.left(q))
	if !p.spaced() {
		return hit{}, false
	}
	switch {
	case p.is&sAgeVerb != 0:
		if b := c.at(end); b != ' ' && b != '-' || c.oneOfNext(end, "in on last this next today tomorrow yesterday and when before soon years recently") {
			return hit{end, &byAgeVerb}, true
		}
	case p.oneOf(" of "):
		if w := wordBefore(p.rest); w.spaced() && w.is&sPerson != 0 && c.at(end) != ' ' {
			return hit{end, &byAgeVerb}, true
		}
	case p.oneOf(" m am is was s "):
		w := wordBefore(p.rest)
		if p.oneOf(" m s ") {
			if w.gap != "'" && w.gap != "’" {
				return hit{}, false
			}
		} else if !w.spaced() {
			return hit{}, false
		}
		if b := c.at(end); w.oneOf(" i he she ") && (b == '.' || b == ',' || b == ';' || b == '!' || b == 0) {
			return hit{end, &byAgeVerb}, true
		}
	}
	return hit{}, false
}

// oneOfNext reports whether a space and one of the words follow at i.
func (c *scanner) oneOfNext(i int, list string) bool {
	if c.at(i) != ' ' {
		return false
	}
	w := c.word(i + 1)
	return w.end > 0 && strings.Contains(" "+list+" ", " "+c.s[i+1:w.end]+" ")
}
