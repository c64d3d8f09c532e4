package detect

// phoneEnds takes the number if it may end at i or an extension follows.
func (c *scanner) phoneEnds(i int, by *rule) (hit, bool) {
	if end := c.extension(i); end > i {
		return hit{end, by}, true
	}
	if !c.closes(i) {
		return hit{}, false
	}
	return hit{i, by}, true
}

// phone takes a number that begins with + or a parenthesis.
func (c *scanner) phone(q int) (hit, bool) {
	plus := c.s[q] == '+'
	if plus && !c.opens(q, true) || isAlnum(c.prev(q, 1)) {
		return hit{}, false
	}
	i := q + 1
	if c.at(i) == '+' && !plus { // "(+44) 20 …"
		plus = true
		i++
	} else if plus && c.at(i) == '(' { // "+(44) 20 …"
		i++
	}
	if !isDigit(c.at(i)) {
		return hit{}, false
	}
	var k cluster
	k.read(c, i)
	if plus {
		return c.international(&k, 0)
	}
	if k.sizes(3, 3, 4) && k.sep[1] == 'm' && nanp(k.d[:]) && k.loose(2) {
		return c.phoneEnds(k.end[2], &byNANP)
	}
	if k.groups > 1 && k.sep[1] == 'm' && k.d[0] == 0 { // "(020) 7946 0958"
		return c.trunk(&k)
	}
	return hit{}, false
}

// international takes a country code and a number, 8 to 15 digits (ITU-T E.164), skip of them a prefix.
func (c *scanner) international(k *cluster, skip int) (hit, bool) {
	for g := k.groups - 1; g >= 0; g-- {
		n := k.digitsTo(g) - skip
		if n < 8 || n > 15 || !k.loose(g) {
			continue
		}
		d := k.d[skip : skip+n]
		code := countryCode(d)
		if code == 0 || code == 1 && (n != 11 || !nanp(d[1:])) {
			continue
		}
		if f, ok := c.phoneEnds(k.end[g], &byPlus); ok {
			return f, true
		}
	}
	return hit{}, false
}

// national takes a number as written within a country.
func (c *scanner) national(q int, k *cluster) (hit, bool) {
	cue := c.cue(q).kind
	cued := cue == cuePhone
	if cue == cueOther || !c.opens(q, !cued) {
		return hit{}, false
	}
	skip := 0
	if k.groups > 1 && k.size[0] == 1 && k.d[0] == 1 { // "1-415-555-0100"
		skip = 1
	}
	if g := skip + 2; k.groups > g && k.size[skip] == 3 && k.size[skip+1] == 3 && k.size[g] == 4 && k.loose(g) &&
		nanp(k.d[skip:]) && k.sep[g] != '/' {
		if f, ok := c.phoneEnds(k.end[g], &byNANP); ok {
			return f, true
		}
	}
	if k.d[0] == 0 && k.d[1] == 0 && (k.groups > 1 && !isDigit(c.prev(q, 2)) || cued) {
		return c.international(k, 2)
	}
	if k.d[0] == 0 && k.groups > 1 {
		return c.trunk(k)
	}
	if !cued {
		return hit{}, false
	}
	for g := k.groups - 1; g >= 0; g-- {
		if n := k.digitsTo(g); n < 7 || n > 15 || !k.loose(g) {
			continue
		}
		if f, ok := c.phoneEnds(k.end[g], &byPhoneCue); ok {
			return f, true
		}
	}
	return hit{}, false
}

// trunk takes a number with a trunk prefix 0, nine to eleven digits in groups.
func (c *scanner) trunk(k *cluster) (hit, bool) {
	for g := k.groups - 1; g >= 1; g-- {
		n := k.digitsTo(g)
		if n < 9 || n > 12 || k.d[1] == 0 || k.size[0] < 2 || k.size[0] > 5 || !k.loose(g) || !c.closes(k.end[g]) {
			continue
		}
		if g > 1 && k.size[1] < 2 || !k.evenly(g) {
			continue
		}
		return hit{k.end[g], &byTrunk}, true
	}
	return hit{}, false
}

// evenly reports whether the groups after the first have two digits or more, or the cluster has one separator only.
func (k *cluster) evenly(g int) bool {
	for _, size := range k.size[1 : g+1] {
		if size < 2 {
			return false
		}
	}
	return true
}

// nanp reports whether ten digits follow the North American plan: area and exchange from 200, neither of them N11.
func nanp(d []byte) bool {
	return d[0] >= 2 && d[3] >= 2 && !(d[1] == 1 && d[2] == 1) && !(d[4] == 1 && d[5] == 1)
}

// extension returns the end of an extension such as "x12" or "ext. 123" at i, or i.
func (c *scanner) extension(i int) int {
	j := i
	if c.at(j) == ' ' {
		j++
	}
	if c.at(j)|0x20 == 'e' && c.at(j+1)|0x20 == 'x' && c.at(j+2)|0x20 == 't' {
		j += 3
		if c.at(j) == '.' {
			j++
		}
		if c.at(j) == ' ' {
			j++
		}
	} else if c.at(j) == 'x' {
		j++
	} else {
		return i
	}
	n := 0
	for isDigit(c.at(j)) && n < 7 {
		j++
		n++
	}
	if n == 0 || n > 6 || c.wordAt(j) {
		return i
	}
	return j
}

// countryCode returns the calling code that the digits begin with (ITU-T E.164, assigned ones only), or 0.
func countryCode(d []byte) int {
	one, two, three := int(d[0]), int(d[0])*10+int(d[1]), int(d[0])*100+int(d[1])*10+int(d[2])
	switch {
	case one == 1 || one == 7:
		return one
	case codes2[two]:
		return two
	case codes3(three):
		return three
	}
	return 0
}

var codes2 = func() (t [100]bool) {
	for _, c := range []int{20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
		60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98} {
		t[c] = true
	}
	return t
}()

func codes3(c int) bool {
	switch {
	case c >= 211 && c <= 269:
		return c != 214 && c != 215 && c != 217 && c != 219 && c != 259
	case c >= 290 && c <= 299:
		return c == 290 || c == 291 || c >= 297
	case c >= 350 && c <= 389:
		return c != 384 && c != 388
	case c >= 420 && c <= 423:
		return c != 422
	case c >= 500 && c <= 509, c >= 590 && c <= 599, c >= 670 && c <= 692:
		return c != 671 && c != 684
	case c >= 850 && c <= 886:
		return c == 850 || c == 852 || c == 853 || c == 855 || c == 856 || c == 880 || c == 886
	case c >= 960 && c <= 998:
		return c != 969 && c != 978 && c != 990 && c != 991 && c != 997 && !(c >= 980 && c <= 989)
	}
	return c == 800 || c == 808 || c == 870 || c == 878 || c == 881 || c == 882 || c == 883 || c == 888
}
