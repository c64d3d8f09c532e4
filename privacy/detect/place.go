package detect

// decimal reads a decimal number with at least so many decimals at i and returns its whole part and its end, 0 if there is none.
func (c *scanner) decimal(i, least int) (v, end int) {
	i = c.skip(i, '-')
	v, n, more := c.small(i, 3)
	if n == 0 || more || c.at(i+n) != '.' {
		return 0, 0
	}
	i += n + 1
	_, n, more = c.small(i, 15)
	if n < least || more {
		return 0, 0
	}
	return v, i + n
}

// hemisphere skips a degree sign and a letter of the compass at i, and reports whether either was there.
func (c *scanner) hemisphere(i int) (int, bool) {
	j := i
	if c.at(j) == 0xC2 && c.at(j+1) == 0xB0 {
		j += 2
	}
	k := c.blank(j)
	switch c.at(k) {
	case 'N', 'S', 'E', 'W', 'O':
		if !c.wordAt(k + 1) {
			return k + 1, true
		}
	}
	return j, false
}

// coordinates takes a latitude and longitude, or one of them, where a word before it or a compass letter after it says so, and
// degrees with minutes.
func (c *scanner) coordinates(q int) (hit, bool) {
	if !c.opens(q, true) {
		return hit{}, false
	}
	if end := c.degrees(q); end > 0 {
		if e := c.degrees(c.apart(end)); e > 0 {
			end = e
		}
		return hit{end, &byPlace}, true
	}
	v, end := c.decimal(q, 2)
	if end == 0 || v > 180 || c.at(end) == '%' {
		return hit{}, false
	}
	e, compass := c.hemisphere(end)
	if !compass && c.cue(q).kind != cuePlace || c.wordAt(e) {
		return hit{}, false
	}
	if w, second := c.decimal(c.apart(e), 2); second > 0 && w <= 180 {
		if f, _ := c.hemisphere(second); !c.wordAt(f) && c.at(f) != '%' {
			return hit{f, &byPlace}, true
		}
	}
	if !compass && c.at(end) == '.' && isDigit(c.at(end+1)) {
		return hit{}, false
	}
	return hit{e, &byPlace}, true
}

// apart skips what stands between a latitude and a longitude at i.
func (c *scanner) apart(i int) int {
	for range 3 {
		if b := c.at(i); b == ',' || b == ';' || b == '/' || b == ' ' || b == '"' {
			i++
		}
	}
	if b := c.at(i); b|0x20 == 'l' || b == '"' {
		w := c.word(c.skip(i, '"'))
		if w.end == 0 {
			return i
		}
		switch string(lowerASCII(c.s[i:w.end])) {
		case "lon", "lng", "long", "longitude", "\"lon", "\"lng", "\"longitude":
		default:
			return i
		}
		i = w.end
		for range 4 {
			if b := c.at(i); b == ':' || b == '=' || b == ' ' || b == '"' {
				i++
			}
		}
	}
	return i
}

func lowerASCII(s string) []byte {
	out := []byte(s)
	for i := range out {
		if isUpper(out[i]) {
			out[i] |= 0x20
		}
	}
	return out
}

// degrees reads `52°31'12.5"N` at i and returns its end, or 0. Minutes or the compass letter must be there.
func (c *scanner) degrees(i int) int {
	v, n, more := c.small(i, 3)
	i += n
	if n == 0 || more || v > 180 || c.at(i) != 0xC2 || c.at(i+1) != 0xB0 {
		return 0
	}
	i = c.blank(i + 2)
	parts := 0
	for range 2 {
		_, n, more := c.small(i, 2)
		if n == 0 || more {
			break
		}
		j := i + n
		if b := c.at(j); (b == '.' || b == ',') && isDigit(c.at(j+1)) {
			_, n, _ := c.small(j+1, 6)
			j += 1 + n
		}
		switch b := c.at(j); {
		case b == '\'' || b == '"':
			j++
			if c.at(j) == '\'' {
				j++
			}
		case b == 0xE2 && c.at(j+1) == 0x80:
			j += 3
		default:
			return 0
		}
		parts++
		i = c.blank(j)
	}
	switch c.at(i) {
	case 'N', 'S', 'E', 'W', 'O':
		if !c.wordAt(i + 1) {
			return i + 1
		}
	}
	if parts == 0 {
		return 0
	}
	if c.prev(i, 1) == ' ' {
		i--
	}
	return i
}

// geo takes "geo:52.52,13.40" and its parameters (RFC 5870).
func (c *scanner) geo(q, we int) (hit, bool) {
	if we-q != 3 || c.at(we) != ':' || c.at(q)|0x20 != 'g' || c.at(q+1)|0x20 != 'e' || c.at(q+2)|0x20 != 'o' {
		return hit{}, false
	}
	_, a := c.decimal(we+1, 1)
	if a == 0 || c.at(a) != ',' {
		return hit{}, false
	}
	_, b := c.decimal(a+1, 1)
	return hit{b, &byPlace}, b > 0 && !c.wordAt(b)
}

// file takes the number of a case that a word before it announces: "application no. 36244/06", "Case C-131/12",
// "docket 1:19-cv-01234". Numbers after the first, joined by "and" or a comma, belong to it.
func (c *scanner) file(q, we int) (hit, bool) {
	if !c.opens(q, false) {
		return hit{}, false
	}
	cue := c.cue(q)
	if cue.kind == cueNone {
		if p := wordBefore(c.left(q)); p.is&sJoin != 0 && p.spaced() || p.gap == ", " {
			cue = c.listed(q, p)
		}
	}
	if cue.kind != cueCase {
		return hit{}, false
	}
	end, digits, marks := c.fileToken(q)
	for range 4 { // "2 U 123/05"
		j := end + 1
		if end == 0 || c.at(end) != ' ' || marks > 0 || end-q > 6 || !isUpper(c.at(j)) && !isDigit(c.at(j)) {
			break
		}
		e, d, m := c.fileToken(j)
		if e == 0 || e-j > 12 || d == 0 && e-j > 4 {
			break
		}
		end, digits, marks = e, digits+d, marks+m
	}
	if end == 0 || digits < 3 || marks == 0 && (digits < 4 || !cue.named) || c.wordAt(end) || c.at(end) == '%' {
		return hit{}, false
	}
	return hit{end, &byCase}, true
}

// fileToken reads letters and digits with marks between them at i.
func (c *scanner) fileToken(i int) (end, digits, marks int) {
	for end = i; end < i+32; end++ {
		switch b := c.at(end); {
		case isDigit(b):
			digits++
			continue
		case isAlnum(b):
			continue
		case (b == '/' || b == '-' || b == '.' || b == ':') && isAlnum(c.at(end+1)) && end > i:
			marks++
			continue
		}
		break
	}
	if end == i || end == i+32 {
		return 0, 0, 0
	}
	return end, digits, marks
}

// listed reads back over numbers in a list, as in "applications nos. 1234/05, 2345/06 and 3456/07".
func (c *scanner) listed(q int, p before) cue {
	left := c.left(q)
	i := len(left)
	if p.is&sJoin != 0 {
		i = len(p.rest)
	}
	for i > 0 {
		b := left[i-1]
		if !isDigit(b) && b != '/' && b != ' ' && b != ',' {
			break
		}
		i--
	}
	if i == len(left) || i == 0 {
		return cue{}
	}
	return readCue(left[:i], len(left) == behind)
}

// plate takes a vehicle's plate that a word before it announces.
func (c *scanner) plate(q int) (hit, bool) {
	if c.cue(q).kind != cuePlate || !c.opens(q, false) {
		return hit{}, false
	}
	letters, digits, end := 0, 0, q
	for i := q; i < q+16; i++ {
		b := c.at(i)
		if isDigit(b) {
			digits++
		} else if isLetter(b) && (isUpper(b) || i == end) {
			letters++
		} else if (b == '-' || b == ' ' || b == '.') && (isUpper(c.at(i+1)) && !isLower(c.at(i+2)) || isDigit(c.at(i+1))) && i > q {
			continue
		} else {
			break
		}
		end = i + 1
	}
	if digits < 1 || letters+digits < 4 || letters+digits > 10 || digits == letters+digits && !c.cue(q).named || c.wordAt(end) {
		return hit{}, false
	}
	return hit{end, &byPlate}, true
}

func isLower(b byte) bool { return b-'a' < 26 }
