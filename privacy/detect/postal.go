package detect

// whole takes an address whose first part ends at end, and with it units, postal code, place and country that follow over
// commas and line ends.
func (c *scanner) whole(q, end int) (hit, bool) {
	const (
		street = iota
		place
		code
	)
	i, last := end, street
	for range 9 {
		j := c.between(i)
		if j == i {
			break
		}
		if u, _ := c.unit(j); u > 0 {
			i, end, last = u, u, street
			continue
		}
		if p := c.postcode(j); p > 0 && (last == place || c.at(p) == ' ' && c.placeName(c.blank(p)) > 0 || last == code || c.ends(p)) && !(c.isYear(j, p) && last == street) {
			i, end, last = p, p, code
			continue
		}
		w := c.word(j)
		if w.end == 0 {
			break
		}
		if w.upper && w.is&sState != 0 && w.end-j <= 3 && isUpper(c.at(j+1)) {
			k := c.between(w.end)
			if p := c.postcode(k); p > 0 {
				i, end, last = p, p, code
				continue
			}
			if last == place {
				i, end, last = w.end, w.end, place
				continue
			}
		}
		if w.is&sCountry != 0 && (w.upper || last != street) && (w.end-j > 3 || isUpper(c.at(j+1))) {
			e := w.end
			if n := c.word(c.blank(e)); n.end > 0 && n.upper && e-j == 6 && (n.end-e < 10) && c.s[j+1] == 'n' { // United Kingdom, States
				e = n.end
			}
			i, end, last = e, e, place
			continue
		}
		p := c.placeName(j)
		if p == 0 {
			break
		}
		if last == code && onlySpaces(c.s[i:j]) {
			end = p
		}
		i, last = p, place
	}
	return hit{end, &byAddress}, true
}

// onlySpaces reports whether a postal code and the place after it stand on one line.
func onlySpaces(x string) bool { return x == " " || x == "  " || x == "\u00a0" }

// between skips the comma, spaces, quote marks and at most two line ends that separate the parts of an address at i.
func (c *scanner) between(i int) int {
	lines, commas := 0, 0
	for j := i; j < i+28; j++ {
		switch b := c.at(j); b {
		case ' ', '\t', '\r':
		case '>':
			if lines == 0 {
				return i
			}
		case ',':
			if commas++; commas > 1 {
				return i
			}
		case '\n':
			if lines++; lines > 2 {
				return i
			}
		default:
			return j
		}
	}
	return i
}

// placeName reads up to four words that may name a place at i, and returns the end, or 0.
func (c *scanner) placeName(i int) int {
	last := 0
	for range 4 {
		w, _, end := c.nameWord(i)
		if end == 0 || w.end == 0 || w.is&(sMonth|sWeekday) != 0 {
			break
		}
		if w.upper {
			last = end
		}
		if c.at(end) == '.' && end-i <= 3 {
			end++
		}
		if c.at(end) != ' ' {
			break
		}
		i = end + 1
		if n := c.word(i); n.end == i+2 && isUpper(c.at(i)) && isUpper(c.at(i+1)) && last > 0 { // a state follows
			break
		}
	}
	return last
}

// postcode reads a postal code by its form at i, and returns its end, or 0.
func (c *scanner) postcode(i int) int {
	if isUpper(c.at(i)) {
		if e := c.british(i); e > 0 {
			return e
		}
		if e := c.canadian(i); e > 0 {
			return e
		}
		j := i + 1 // "D-10115", "SE-123 45"
		if isUpper(c.at(j)) {
			j++
		}
		if c.at(j) != '-' {
			return 0
		}
		i = j + 1
	}
	_, n, more := c.small(i, 6)
	e := i + n
	if more || n < 3 {
		if n == 2 && c.at(e) == '-' { // "00-950"
			if _, m, more := c.small(e+1, 3); m == 3 && !more && !c.wordAt(e+4) {
				return e + 4
			}
		}
		return 0
	}
	switch b := c.at(e); {
	case n == 3 && b == ' ':
		if _, m, more := c.small(e+1, 2); m == 2 && !more && !c.wordAt(e+3) {
			return e + 3
		}
		return 0
	case n == 3:
		return 0
	case n == 5 && b == '-', n == 4 && b == '-':
		_, m, more := c.small(e+1, 4)
		if m >= 3 && !more && !c.wordAt(e+1+m) {
			return e + 1 + m
		}
		return 0
	case n == 4 && b == ' ' && isUpper(c.at(e+1)) && isUpper(c.at(e+2)) && !c.wordAt(e+3):
		return e + 3
	}
	if c.wordAt(e) || c.at(e) == '/' || (c.at(e) == '.' || c.at(e) == ',' || c.at(e) == ':') && isDigit(c.at(e+1)) {
		return 0
	}
	return e
}

// british reads a postal code of the United Kingdom, "SW1A 1AA", at i.
func (c *scanner) british(i int) int {
	j := i + 1
	if isUpper(c.at(j)) {
		j++
	}
	if !isDigit(c.at(j)) {
		return 0
	}
	if j++; isDigit(c.at(j)) || isUpper(c.at(j)) {
		j++
	}
	if c.at(j) != ' ' || !isDigit(c.at(j+1)) || !inward(c.at(j+2)) || !inward(c.at(j+3)) || c.wordAt(j+4) {
		return 0
	}
	return j + 4
}

// inward reports whether the letter may stand in the second half of a code of the United Kingdom.
func inward(b byte) bool {
	switch b {
	case 'C', 'I', 'K', 'M', 'O', 'V':
		return false
	}
	return isUpper(b)
}

// canadian reads "K1A 0B1" at i.
func (c *scanner) canadian(i int) int {
	if !isUpper(c.at(i)) || !isDigit(c.at(i+1)) || !isUpper(c.at(i+2)) || c.at(i+3) != ' ' || !isDigit(c.at(i+4)) || !isUpper(c.at(i+5)) ||
		!isDigit(c.at(i+6)) || c.wordAt(i+7) {
		return 0
	}
	switch c.s[i] {
	case 'D', 'F', 'I', 'O', 'Q', 'U', 'W', 'Z':
		return 0
	}
	return i + 7
}

// postalAlone takes a postal code that is not part of an address: by a form that only such codes have, by a word before it, by
// the state before it, or by being a line with a place.
func (c *scanner) postalAlone(q int) (hit, bool) {
	if !c.opens(q, true) || c.prev(q, 1) == '$' {
		return hit{}, false
	}
	if isLetter(c.s[q]) {
		end := c.british(q)
		if end == 0 {
			end = c.canadian(q)
		}
		if end > 0 && c.cue(q).kind != cueOther && c.closes(end) {
			return hit{end, &byPostal}, true
		}
		if end = c.postcode(q); end == 0 || c.at(end) != ' ' || !isUpper(c.at(end+1)) || c.at(q+1) != '-' && c.at(q+2) != '-' || end-q > 9 || !c.countryPrefix(q) {
			return hit{}, false
		}
		return hit{end, &byPostal}, true
	}
	end := c.postcode(q)
	if c.cue(q).kind == cuePostal {
		if end == 0 {
			if _, n, more := c.small(q, 3); n == 3 && !more && !c.wordAt(q+3) {
				end = q + 3
			}
		}
		return hit{end, &byPostal}, end > 0
	}
	if end == 0 {
		return hit{}, false
	}
	left := c.left(q)
	p := wordBefore(left)
	if p.spaced() && p.is&sState != 0 && len(p.text) == 2 && isUpper(p.text[0]) && isUpper(p.text[1]) && end-q >= 5 && isDigit(c.s[q+4]) {
		if city := wordBefore(p.rest); city.text != "" && startsUpper(city.text) && (city.gap == ", " || city.gap == " " || city.gap == ",\n") && !allUpper(city.text, city.gap) {
			return hit{end, &byPostal}, true
		}
	}
	if b := c.prev(q, 1); (b == '\n' || b == ' ' && c.prev(q, 2) == ' ') && (c.at(q+2) == '-' || c.at(q+4) == '-') && (c.at(end) == '\n' || c.at(end) == 0) { // "00-950", "1000-205"
		return hit{end, &byPostal}, true
	} else if b == '\n' && c.at(end) == ' ' && !c.isYear(q, end) {
		if e := c.placeName(end + 1); e > 0 && (c.at(e) == '\n' || c.at(e) == '\r' || c.at(e) == 0 || c.at(e) == ',') {
			return hit{end, &byPostal}, true
		}
	}
	return hit{}, false
}

// allUpper reports whether a word of more than one letter is in capitals and only a space follows: a heading, perhaps.
func allUpper(w, gap string) bool {
	if gap != " " {
		return false
	}
	for i := range len(w) {
		if !isUpper(w[i]) {
			return false
		}
	}
	return true
}

// countryPrefix reports whether the letters at q are those that stand before postal codes on mail from abroad.
func (c *scanner) countryPrefix(q int) bool {
	switch c.s[q : q+2] {
	case "D-", "A-", "F-", "B-", "L-", "I-", "E-", "CH", "SE", "FI", "DK", "PL", "NO", "LT", "LV", "CZ", "SK", "SI", "HR", "RO", "NL", "BE", "AT", "DE", "FR":
		return true
	}
	return false
}
