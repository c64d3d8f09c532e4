package detect

// cluster is a sequence of digit groups with separators between them, as card, telephone and social security numbers are written.
type cluster struct {
	n      int      // digits in all
	d      [24]byte // their values
	groups int
	size   [8]int  // digits of each group
	end    [8]int  // where each group ends in the text
	sep    [8]byte // before each group: 0, one of "-./ ", or 'm' for several, among them a parenthesis or a space
	tight  bool    // more digits follow than a cluster can hold
}

// digitsTo returns how many digits the groups up to g have.
func (k *cluster) digitsTo(g int) (n int) {
	for _, size := range k.size[:g+1] {
		n += size
	}
	return n
}

// loose reports whether the cluster may be cut after group g.
func (k *cluster) loose(g int) bool {
	if g == k.groups-1 && !k.tight {
		return true
	}
	return g+1 < len(k.sep) && (k.sep[g+1] == ' ' || k.sep[g+1] == 'm' || k.sep[g+1] == '/')
}

// uniform reports whether the separators up to group g are all the same.
func (k *cluster) uniform(g int) bool {
	for i := 2; i <= g; i++ {
		if k.sep[i] != k.sep[1] {
			return false
		}
	}
	return true
}

func (k *cluster) sizes(want ...int) bool {
	if k.groups < len(want) {
		return false
	}
	for i, w := range want {
		if k.size[i] != w {
			return false
		}
	}
	return true
}

// read fills the cluster from the digit at i, where the separator before it is sep.
func (k *cluster) read(c *scanner, i int) {
	*k = cluster{}
	for sep := byte(0); k.groups < len(k.size); k.groups++ {
		start := i
		for ; isDigit(c.at(i)); i++ {
			if k.n == len(k.d) {
				k.tight, k.sep[k.groups] = true, sep
				return
			}
			k.d[k.n] = c.at(i) - '0'
			k.n++
		}
		k.size[k.groups], k.end[k.groups], k.sep[k.groups] = i-start, i, sep
		sep, i = c.separator(i)
		if sep == 0 {
			k.groups++
			return
		}
	}
	k.tight = true
}

// separator reads what stands between two groups at i: up to three marks with a digit after them. It returns 0 if nothing does.
func (c *scanner) separator(i int) (sep byte, next int) {
	for n := 0; n < 4; n++ {
		b := c.at(i)
		size := 1
		switch {
		case isDigit(b) && n > 0:
			return sep, i
		case b == 0xC2 && c.at(i+1) == 0xA0: // no-break space
			b, size = ' ', 2
		case b != ' ' && b != '-' && b != '.' && b != '/' && b != '(' && b != ')':
			return 0, i
		}
		if n == 0 && b != '(' && b != ')' {
			sep = b
		} else {
			sep = 'm'
		}
		i += size
	}
	return 0, i
}

// wordAt reports whether a letter or digit of a spaced script stands at i.
func (c *scanner) wordAt(i int) bool {
	b := c.at(i)
	if b < 0x80 {
		return isAlnum(b)
	}
	r, n := c.rune(i)
	return n > 0 && letterRune(r)
}

// closes reports whether a number may end at i: neither a word nor a mark that ties it to more of the same follows.
func (c *scanner) closes(i int) bool {
	switch b := c.at(i); b {
	case '-', ':', '+':
		return !c.wordAt(i + 1)
	case '/':
		return true
	case '.':
		return !isDigit(c.at(i + 1))
	case '_', '@', '%':
		return false
	}
	return !c.wordAt(i)
}

// opens reports whether a number may begin at q. Strict also refuses what is tied to a word before it, as parts of
// identifiers, paths and prices are.
func (c *scanner) opens(q int, strict bool) bool {
	b, before := c.prev(q, 1), c.prev(q, 2)
	switch b {
	case '-', '.', '_', '+':
		return !isDigit(before) && (!strict || !isAlnum(before))
	case '/':
		return !strict || isDigit(before) || !isAlnum(before)
	case ':', '=':
		return !isDigit(before)
	case '%', '~':
		return false
	case '$', '#':
		return !strict
	}
	return true
}

// number decides what the digits at q are: card, social security or telephone number.
func (c *scanner) number(q int) (hit, bool) {
	if b := c.prev(q, 1); (b == '-' || b == '.' || b == '_') && isAlnum(c.prev(q, 2)) && c.cue(q).kind < cueSSN {
		return hit{}, false // the rest of an identifier, unless a cue such as "SSN-" stands there
	}
	var k cluster
	k.read(c, q)
	if k.n < 7 {
		return hit{}, false
	}
	if f, ok := c.card(q, &k); ok {
		return f, true
	}
	if f, ok := c.ssn(q, &k); ok {
		return f, true
	}
	return c.national(q, &k)
}

// ssn takes AAA-GG-SSSS, and nine digits in one piece where a cue says so.
func (c *scanner) ssn(q int, k *cluster) (hit, bool) {
	g := 2
	cued := c.cue(q).kind == cueSSN
	switch {
	case k.sizes(3, 2, 4) && k.uniform(2) && (k.sep[1] == '-' || k.sep[1] == ' ' || k.sep[1] == '.' && cued):
	case k.sizes(9) && cued:
		g = 0
	default:
		return hit{}, false
	}
	if !k.loose(g) || !c.closes(k.end[g]) || !cued && (!c.opens(q, true) || c.cue(q).kind == cueOther) {
		return hit{}, false
	}
	if !validSSN(k.d[:9]) {
		return hit{}, false
	}
	return hit{k.end[g], &bySSN}, true
}

// validSSN applies what the Social Security Administration never issued: area 000, 666 and 900 to 999, group 00, serial 0000.
func validSSN(d []byte) bool {
	area := int(d[0])*100 + int(d[1])*10 + int(d[2])
	return area != 0 && area != 666 && area < 900 && d[3]|d[4] != 0 && d[5]|d[6]|d[7]|d[8] != 0
}

// cued takes a number that says nothing by itself, where a cue word before it says what it is.
func (c *scanner) cued(q, we int) (hit, bool) {
	digits, n, i := 0, 0, q
	for ; n <= 24; i++ {
		b := c.at(i)
		switch {
		case isDigit(b):
			digits++
			n++
			continue
		case isAlnum(b):
			n++
			continue
		case (b == '-' || b == '/' || b == '.') && isAlnum(c.at(i+1)):
			continue
		}
		break
	}
	if digits < 4 || n > 24 || c.wordAt(i) || !c.opens(q, false) {
		return hit{}, false
	}
	cue := c.cue(q)
	t := cueTypes[cue.kind]
	if t.rule == nil || t.named && !cue.named && (digits == n || digits < 5) || n < t.min || n > t.max || !cue.named && digits == 4 && n == 4 {
		return hit{}, false
	}
	return hit{i, t.rule}, true
}

// cueType says what a cue makes of a number.
type cueType struct {
	rule     *rule
	min, max int  // characters, separators apart
	named    bool // the cue needs "number", "id", "#" or ":" after it, unless the number has letters in it
}

var cueTypes = [cueKinds]cueType{
	cueRecord:   {&byRecord, 4, 20, false},
	cuePatient:  {&byRecord, 4, 20, true},
	cueMember:   {&byMember, 4, 20, true},
	cueClaim:    {&byClaim, 4, 24, false},
	cueAccount:  {&byAccount, 6, 20, true},
	cuePassport: {&byPassport, 6, 10, false},
	cueLicence:  {&byLicence, 5, 18, true},
}
