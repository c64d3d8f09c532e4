package detect

// house reads a house number at i, with what may stand before it and after, and returns its end, or 0.
func (c *scanner) house(i int) int {
	switch b := c.at(i); {
	case b == '#':
		i++
	case b|0x20 == 'n':
		j := i + 1
		switch {
		case c.at(j) == '.', c.at(j)|0x20 == 'o', c.at(j)|0x20 == 'r':
			j++
		case c.at(j) == 0xC2 && (c.at(j+1) == 0xBA || c.at(j+1) == 0xB0):
			j += 2
		default:
			return 0
		}
		j = c.skip(j, '.')
		i = c.blank(c.skip(j, ':'))
	}
	_, n, more := c.small(i, 5)
	if n == 0 || more {
		return 0
	}
	i += n
	for range 3 {
		j := i
		switch b := c.at(j); {
		case b == '-' || b == '/' || b == ' ':
			j++
		case isLetter(b):
		default:
			return i
		}
		spaced := c.at(i) == ' '
		switch b := c.at(j); {
		case isDigit(b) && !spaced:
			_, n, more := c.small(j, 4)
			if more {
				return i
			}
			j += n
		case isUpper(b) && !c.wordAt(j+1), isLetter(b) && !spaced && !c.wordAt(j+1):
			if j++; spaced && isDigit(c.at(j+1)) && c.at(j) == ' ' { // "7 A 3"
				if _, n, more := c.small(j+1, 3); !more && !c.wordAt(j+1+n) {
					j += 1 + n
				}
			}
		case b == 'I' && !spaced:
			for c.at(j) == 'I' || c.at(j) == 'V' {
				j++
			}
		case b == 'b' && c.at(j+1) == 'i' && c.at(j+2) == 's':
			j += 3
		default:
			return i
		}
		if c.wordAt(j) {
			return i
		}
		i = j
	}
	return i
}

// nameWord reads a word that may be in the name of a street or place at i, and returns its end, or 0. Besides words with a
// capital there are particles, ordinals such as "42nd" and initials. Of words with hyphens it is the last, which begins at begin.
func (c *scanner) nameWord(i int) (w word, begin, end int) {
	if isDigit(c.at(i)) {
		_, n, more := c.small(i, 3)
		if e := c.ordinal(i + n); !more && e > i+n && !c.wordAt(e) {
			return word{}, i, e
		}
		return word{}, i, 0
	}
	w = c.word(i)
	if w.end == 0 || !w.upper && w.is&sParticle == 0 {
		return w, i, 0
	}
	begin = i
	for range 3 { // "O'Brien", "l'Église", "Saint-Denis"
		j := w.end
		switch b := c.at(j); {
		case b == '-' || b == '\'':
			j++
		case b == 0xE2 && c.at(j+1) == 0x80 && c.at(j+2) == 0x99:
			j += 3
		default:
			return w, begin, w.end
		}
		next := c.word(j)
		if next.end == 0 {
			return w, begin, w.end
		}
		next.upper = next.upper || w.upper
		w, begin = next, j
	}
	return w, begin, w.end
}

// dotted skips the point of an abbreviation, or the slash of "C/", at i.
func (c *scanner) dotted(w word, begin, i int) int {
	if b := c.at(i); b == '.' && w.end-begin <= 5 && !isDigit(c.at(i+1)) || b == '/' && w.end-begin == 1 {
		return i + 1
	}
	return i
}

// namesStreet reads up to six words that name a street at i and returns the end of the last street word among them, 0 if there is
// none. Tail says that it is of those that a number follows.
func (c *scanner) namesStreet(i int) (street int, tail bool) {
	for n := range 6 {
		w, begin, end := c.nameWord(i)
		if end == 0 && n > 0 && w.end > 0 && w.is&sStreetTail != 0 { // "Karl Johans gate"
			end = w.end
		}
		if end == 0 {
			break
		}
		switch {
		case w.is&(sStreetEnd|sStreetTail) != 0 && (n > 0 || w.is&sStreetEnd == 0):
			street, tail = c.dotted(w, begin, end), w.is&sStreetEnd == 0
		case w.end > 0 && streetEnds(c.s[begin:end]):
			street, tail = end, true
		}
		if w.upper && c.at(end) == '.' && end-i <= 4 { // "N.", "St."
			end++
		}
		if c.at(end) != ' ' {
			break
		}
		i = end + 1
	}
	return street, tail
}

// numberFirst takes an address that begins with a house number: "12 High Street", "5, rue de la Paix".
func (c *scanner) numberFirst(q int) (hit, bool) {
	if !c.opens(q, true) {
		return hit{}, false
	}
	i := c.house(q)
	if i == 0 {
		return hit{}, false
	}
	i = c.skip(i, ',')
	if c.at(i) != ' ' {
		return hit{}, false
	}
	i++
	if end, ok := c.streetLine(i, true); ok {
		return c.whole(q, end)
	}
	if isDigit(c.at(i)) { // a flat or building, then the house
		if j := c.house(i); j > 0 && c.at(j) == ' ' && !c.wordBeforeYear(q) {
			if end, ok := c.streetLine(j+1, true); ok {
				return c.whole(q, end)
			}
		}
	}
	return hit{}, false
}

// wordBeforeYear reports whether the number at q is a year by the word before it.
func (c *scanner) wordBeforeYear(q int) bool {
	y, n, _ := c.small(q, 4)
	p := wordBefore(c.left(q))
	return n == 4 && yearLike(y) && p.spaced() && p.is&sYearCue != 0
}

// streetLine reads a street at i: a street word and a name, or a name and a street word. Numbered says that its number stood
// before; if not it must follow.
func (c *scanner) streetLine(i int, numbered bool) (end int, ok bool) {
	w := c.word(i)
	if w.end == 0 {
		return 0, false
	}
	if w.is&(sStreet|sStreetWeak) != 0 && (w.upper || w.is&sStreet != 0) {
		if end, ok := c.streetFirst(i, w, numbered); ok {
			return end, true
		}
	}
	street, tail := c.namesStreet(i)
	if street == 0 {
		if numbered {
			return c.placed(i)
		}
		return 0, false
	}
	j := c.blank(c.skip(street, ','))
	if j > street {
		if h := c.house(j); h > 0 && (tail || c.ends(h)) && !c.isYear(j, h) {
			return h, true
		}
	}
	if !numbered {
		return 0, false
	}
	if d := c.word(c.blank(street)); d.end > 0 && d.upper && d.is&sDirection != 0 {
		return d.end, true
	}
	return street, true
}

// isYear reports whether what stands at [i, end) is a year.
func (c *scanner) isYear(i, end int) bool {
	y, n, _ := c.small(i, 4)
	return end-i == 4 && n == 4 && yearLike(y)
}

// ends reports whether a sentence, line or item ends at i.
func (c *scanner) ends(i int) bool {
	b := c.at(i)
	return b == 0 || b == ',' || b == '\n' || b == '\r' || b == ';' || b == '"' || b == ')' || b == '.' && !isDigit(c.at(i+1))
}

// streetFirst reads "rue de la Paix 5", "Calle Mayor 12" and "ul. Polna 3/5"; the street word w begins at i.
func (c *scanner) streetFirst(i int, w word, numbered bool) (int, bool) {
	j := c.dotted(w, i, w.end)
	if c.at(j) == ' ' {
		j++
	} else if j == w.end {
		return 0, false
	}
	last, capital := 0, false
	for range 6 {
		if last > 0 {
			if h := c.house(j); h > 0 && !isLetter(c.at(h)) {
				return h, true
			}
		}
		name, _, end := c.nameWord(j)
		if end == 0 {
			break
		}
		if name.upper || name.end == 0 {
			last, capital = end, true
		}
		j = end
		if c.at(j) == '.' && end-j < 4 && c.at(j+1) == ' ' {
			j++
		}
		if c.at(j) == ',' && c.at(j+1) == ' ' {
			if h := c.house(j + 2); h > 0 && last > 0 && !numbered {
				return h, true
			}
			break
		}
		if c.at(j) != ' ' {
			break
		}
		j++
	}
	if last > 0 {
		if j = c.blank(last); j > last {
			if h := c.house(j); h > 0 {
				return h, true
			}
		}
	}
	return last, capital && (numbered || w.is&sStreet != 0 && w.is&sStreetEnd == 0)
}

// nameFirst takes an address that begins with its street's name, whose number follows: "Lindenstraße 5a", "rue de la Paix 5".
func (c *scanner) nameFirst(q int) (hit, bool) {
	if b := c.prev(q, 1); b == '@' || b == '/' || b == '.' || b == '_' || b == '#' {
		return hit{}, false
	}
	end, ok := c.streetLine(q, false)
	if !ok {
		end, ok = c.placed(q)
	}
	if !ok {
		return hit{}, false
	}
	return c.whole(q, end)
}

// placed reads a name and a number that only what comes after makes an address, a postal code and place or a part of a building:
// "Poljane 12, 1000 Ljubljana", "Poljane 12 Apt. 3".
func (c *scanner) placed(i int) (end int, ok bool) {
	for range 3 {
		w, _, e := c.nameWord(i)
		if e == 0 || w.is&(sMonth|sWeekday|sPart|sBox|sMoney) != 0 {
			return 0, false
		}
		if c.at(e) != ' ' {
			return 0, false
		}
		if i = e + 1; isDigit(c.at(i)) {
			break
		}
	}
	h := c.house(i)
	if h == 0 || c.isYear(i, h) {
		return 0, false
	}
	j := c.between(h)
	if w := c.word(j); j > h && w.end > 0 && w.upper && w.is&sPart != 0 {
		if u, _ := c.unit(j); u > 0 {
			return h, true
		}
	}
	if c.at(h) != ',' && c.at(h) != '\n' {
		return 0, false
	}
	code := c.postcode(j)
	if code == 0 || c.isYear(j, code) || c.at(code) != ' ' || c.placeName(code+1) == 0 {
		return 0, false
	}
	return h, true
}

// part takes an address that begins with a part of a building or a post-office box.
func (c *scanner) part(q int, w word) (hit, bool) {
	end, box := c.unit(q)
	if end == 0 {
		return hit{}, false
	}
	if j := c.between(end); j > end && isDigit(c.at(j)) {
		if h := c.house(j); h > 0 && c.at(h) == ' ' {
			if e, ok := c.streetLine(h+1, true); ok {
				return c.whole(q, e)
			}
		}
	}
	h, _ := c.whole(q, end)
	if box || h.end > end || w.is&sPart != 0 && c.at(w.end) == '.' || w.upper && (w.end-q == 5 || w.end-q == 3) && c.s[q+1]|0x20 != 'n' && c.s[q+1]|0x20 != 'l' {
		return h, true
	}
	return hit{}, false
}

// unit reads "Apt. 3B", "Suite 200", "#4", "3º B", "PO Box 12", "PSC 12, Box 34" at i and returns its end, or 0. Box says that
// it is a place for mail by itself.
func (c *scanner) unit(i int) (end int, box bool) {
	if c.at(i) == '#' {
		return c.house(i), false
	}
	if isDigit(c.at(i)) { // "3º B", "2nd floor"
		_, n, _ := c.small(i, 3)
		e := c.ordinal(i + n)
		if e == i+n {
			return 0, false
		}
		j := c.blank(e)
		switch w := c.word(j); {
		case w.end == 0 || j == e:
			return e, false
		case w.is&sPart != 0, w.upper && w.end == j+1:
			return w.end, false
		}
		return 0, false
	}
	w := c.word(i)
	if w.end == 0 {
		return 0, false
	}
	if c.at(i)|0x20 == 'p' && c.at(i+1) == '.' && c.at(c.blank(i+2))|0x20 == 'o' {
		return c.poBox(c.blank(i + 2)), true
	}
	if w.is&sBox != 0 {
		return c.mail(i, w)
	}
	if w.is&sPart == 0 {
		return 0, false
	}
	j := c.skip(w.end, '.')
	if j = c.blank(j); j == w.end {
		return 0, false
	}
	j = c.skip(j, '#')
	if h := c.house(j); h > 0 {
		if k := c.blank(h); c.at(k)|0x20 == 'b' && c.at(k+1)|0x20 == 'o' && c.at(k+2)|0x20 == 'x' { // "Unit 1234 Box 5678"
			if b := c.house(c.blank(k + 3)); b > 0 {
				return b, true
			}
		}
		return h, false
	}
	if isUpper(c.at(j)) { // "Flat B2"
		if isDigit(c.at(j + 1)) {
			if h := c.house(j + 1); h > 0 {
				return h, false
			}
		} else if !c.wordAt(j + 1) {
			return j + 1, false
		}
	}
	return 0, false
}

// poBox reads "o. Box 12" at i.
func (c *scanner) poBox(i int) int {
	i = c.blank(c.skip(i+1, '.'))
	w := c.word(i)
	if w.end == 0 || w.is&sBox == 0 {
		return 0
	}
	return c.house(c.blank(w.end))
}

// mail reads a post-office box or a military address; its first word w begins at i.
func (c *scanner) mail(i int, w word) (int, bool) {
	if w.end == i+1 {
		return 0, false
	}
	j := c.blank(w.end)
	switch c.at(i) | 0x20 {
	case 'p':
		if w.end-i > 4 { // "Postfach"
			return c.house(j), true
		}
		if w.end-i == 2 { // "PO Box"
			b := c.word(j)
			if b.end == 0 || b.is&sBox == 0 {
				return 0, false
			}
			return c.house(c.blank(b.end)), true
		}
		fallthrough
	case 'c':
		h := c.house(j)
		if h == 0 {
			return 0, false
		}
		k := c.between(h)
		if b := c.word(k); b.end > 0 && b.is&sBox != 0 {
			if e := c.house(c.blank(b.end)); e > 0 {
				return e, true
			}
		}
		return h, c.military(k) > 0
	case 'a', 'f', 'd':
		if w.end-i > 4 { // "Apartado"
			return c.house(j), true
		}
		return c.military(i), true
	case 'u': // a ship
		n, _, e := c.nameWord(j)
		if e == 0 || !n.upper {
			return 0, false
		}
		for range 2 {
			if m := c.military(c.between(e)); m > 0 {
				return m, true
			}
			if _, _, e = c.nameWord(c.blank(e)); e == 0 {
				break
			}
		}
	case 'b':
		return c.house(j), false
	}
	return 0, false
}

// military reads "APO AE 09123" at i.
func (c *scanner) military(i int) int {
	if b := c.at(i) | 0x20; b != 'a' && b != 'f' && b != 'd' || c.at(i+1)|0x20 != 'p' || c.at(i+2)|0x20 != 'o' {
		return 0
	}
	j := c.skip(i+3, ',')
	if j = c.blank(j); c.at(j)|0x20 != 'a' || c.wordAt(j+2) {
		return 0
	}
	j = c.blank(j + 2)
	_, n, more := c.small(j, 5)
	if n != 5 || more {
		return 0
	}
	return j + 5
}
