package detect

import "strings"

// phoneEnds takes the number if it may end at i or an extension follows.
func (c *scanner) phoneEnds(i int, by *rule) (hit, bool) {
	if end := c.extension(i); end > i {
		return hit{end, by}, true
	}
	if !c.closes(i) && !c.after(i) {
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
	if k.sizes(3, 3, 4) && k.sep[1] == 'm' && nanp(k.d[:]) && k.cut(c, 2) {
		return c.phoneEnds(k.end[2], &byNANP)
	}
	if k.size[0] >= 2 && k.sep[1] == 'm' && k.size[0] <= 5 && c.at(k.end[0]) == ')' {
		if f, ok := c.announced(&k, c.cue(q).kind == cuePhone); ok {
			return f, true
		}
		// Brazil, and others that write so: "(11) 91234-5678"
		if k.groups > 2 && k.size[0] == 2 && (k.size[1] == 4 || k.size[1] == 5) && k.size[2] == 4 && k.d[0] > 0 && k.sep[2] == '-' && k.cut(c, 2) {
			return c.phoneEnds(k.end[2], &byTrunk)
		}
	}
	if k.groups > 1 && k.sep[1] == 'm' && k.d[0] == 0 { // "(020) 7946 0958"
		if h, ok := c.trunk(&k); ok {
			return h, true
		}
	}
	if k.groups > 1 && c.cue(q).kind == cuePhone { // "(2) 2123 4567", "(0-612) 34567"
		return c.announced(&k, true)
	}
	return hit{}, false
}

// international takes a country code and a number, 7 to 15 digits and a trunk prefix (ITU-T E.164), skip of them a prefix.
func (c *scanner) international(k *cluster, skip int) (hit, bool) {
	for g := k.groups - 1; g >= 0; g-- {
		n := k.digitsTo(g) - skip
		if n < 7 || n > 16 || !k.cut(c, g) {
			continue
		}
		if !planned(k.d[skip : skip+n]) {
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
		if h, ok := c.international(k, 2); ok {
			return h, true
		}
	}
	if k.d[0] == 0 && k.groups > 1 {
		if h, ok := c.trunk(k); ok {
			return h, true
		}
	}
	if k.sizes(1, 3, 3, 2, 2) && k.d[0] == 8 && k.d[1] >= 3 && k.sep[1] == 'm' && c.at(k.end[1]) == ')' { // "8 (495) 123-45-67"
		if f, ok := c.phoneEnds(k.end[4], &byTrunk); ok {
			return f, true
		}
	}
	return c.announced(k, cued)
}

// announced takes seven to fifteen digits where a word before them, or one after them, says that they are a telephone number.
func (c *scanner) announced(k *cluster, cued bool) (hit, bool) {
	for g := k.groups - 1; g >= 0; g-- {
		if n := k.digitsTo(g); n < 7 || n > 15 || !k.cut(c, g) || !cued && !c.after(k.end[g]) {
			continue
		}
		if f, ok := c.phoneEnds(k.end[g], &byPhoneCue); ok {
			return f, true
		}
	}
	return hit{}, false
}

// cut reports whether a telephone number may end after group g of the cluster.
func (k *cluster) cut(c *scanner, g int) bool { return k.loose(g) || c.after(k.end[g]) }

// afterWords say of the number before them that it is a telephone number: "555 0100 (office)", "555 0100-Fax".
var afterWords = [...]string{"office", "fax", "mobile", "cell", "desk", "phone", "tel", "landline", "cellphone", "telephone"}

// after reports whether at i, after at most a space and another mark, one of the afterWords stands in the same line.
func (c *scanner) after(i int) bool {
	for range 2 {
		if b := c.at(i); b == ' ' || b == '-' || b == '(' || b == '/' {
			i++
		}
	}
	if strings.IndexByte("ofmcdptl", c.at(i)|0x20) < 0 {
		return false
	}
next:
	for _, w := range afterWords {
		for j := range len(w) {
			if c.at(i+j)|0x20 != w[j] {
				continue next
			}
		}
		// "555 0100 fax: 555 0101": the word belongs to what follows.
		if !c.wordAt(i+len(w)) && c.at(i+len(w)) != ':' && c.at(i+len(w)) != '=' {
			return true
		}
	}
	return false
}

// trunk takes a number with a trunk prefix 0, nine to eleven digits in groups.
func (c *scanner) trunk(k *cluster) (hit, bool) {
	for g := k.groups - 1; g >= 1; g-- {
		n := k.digitsTo(g)
		if n < 9 || n > 12 || k.d[1] == 0 || k.size[0] < 2 || k.size[0] > 5 || !k.cut(c, g) || !c.closes(k.end[g]) && !c.after(k.end[g]) {
			continue
		}
		if g > 1 && k.size[1] < 2 || !k.evenly(g) || g == 1 && k.sep[1] == '.' { // with one point it is a decimal number
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
