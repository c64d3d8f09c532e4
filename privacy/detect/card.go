package detect

// card takes the longest number that has an issuer's prefix and length and passes the Luhn check. Where words before it speak
// of cards, every number of 12 to 19 digits that passes is one.
func (c *scanner) card(q int, k *cluster) (hit, bool) {
	if k.n < 12 || !c.opens(q, false) {
		return hit{}, false
	}
	for g := k.groups - 1; g >= 0; g-- {
		n := k.digitsTo(g)
		if n < 12 || n > 19 || !k.loose(g) || !k.uniform(g) || !luhn(k.d[:n]) || !c.closes(k.end[g]) || !k.cardGroups(g, n) {
			continue
		}
		sure := issuer(k.d[:n])
		kind := c.cue(q).kind
		switch {
		case g == 0 && kind == cueOther:
			continue
		case kind == cueCard:
		case sure == 2, sure == 1 && g > 0:
		case kind == cueNone && c.near(q, cueCard):
		default:
			continue
		}
		if same(k.d[:n]) {
			continue
		}
		return hit{k.end[g], &byCard}, true
	}
	return hit{}, false
}

// cardGroups reports whether the n digits up to group g stand in one piece, or as cards are embossed: in fours, or 4-6-5 and
// 4-6-4. The marks between them may be several where all groups have four digits: "4111 - 1111 - 1111 - 1111".
func (k *cluster) cardGroups(g, n int) bool {
	if g == 0 {
		return true
	}
	if k.size[0] != 4 || k.sep[1] == '/' {
		return false
	}
	if g == 2 && k.size[1] == 6 && (n == 14 || n == 15) {
		return k.sep[1] != 'm'
	}
	for i := 1; i < g; i++ {
		if k.size[i] != 4 {
			return false
		}
	}
	return k.size[g] <= 4
}

// same reports whether all digits are the same, as in a placeholder.
func same(d []byte) bool {
	for _, v := range d {
		if v != d[0] {
			return false
		}
	}
	return true
}

// near reports whether one of the whole words that may be seen before q is a cue of the kind.
func (c *scanner) near(q int, kind cueKind) bool {
	left := c.left(q)
	for end := len(left); end > 0; {
		for end > 0 && !isLetter(left[end-1]) {
			end--
		}
		i := end
		for i > 0 && isLetter(left[i-1]) {
			i--
		}
		if i == 0 && len(left) == behind {
			return false // the word may be cut
		}
		if end-i >= 2 && end-i < 16 && cueOf(left[i:end]) == kind {
			return true
		}
		end = i
	}
	return false
}

// luhn checks digits as ISO/IEC 7812-1 annex B has it.
func luhn(d []byte) bool {
	sum := 0
	for i, v := range d {
		x := int(v)
		if (len(d)-i)%2 == 0 {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	return sum%10 == 0
}

// issuerRange are the first six digits and the lengths that an issuer gives out (ISO/IEC 7812).
type issuerRange struct {
	low, high int32
	shortest  uint8
	longest   uint8
	sure      int8 // 2: prefix, length and check are enough; 1: a cue or the groups of a card must come with them
}

var issuerRanges = [...]issuerRange{
	{400000, 499999, 16, 16, 2},                              // Visa
	{510000, 559999, 16, 16, 2}, {222100, 272099, 16, 16, 2}, // Mastercard
	{340000, 349999, 15, 15, 2}, {370000, 379999, 15, 15, 2}, // American Express
	{601100, 601199, 16, 16, 2}, {644000, 659999, 16, 16, 2}, {601100, 601199, 19, 19, 2}, {644000, 659999, 19, 19, 2}, // Discover
	{620000, 629999, 16, 19, 2}, {810000, 817199, 16, 19, 1}, // UnionPay
	{300000, 305999, 14, 14, 2}, {309500, 309599, 14, 14, 2}, {360000, 369999, 14, 14, 2}, {380000, 399999, 14, 14, 2}, // Diners Club
	{300000, 305999, 16, 19, 1}, {360000, 369999, 15, 19, 1}, {380000, 399999, 16, 19, 1},
	{352800, 358999, 16, 19, 2}, {180000, 180099, 15, 15, 1}, {213100, 213199, 15, 15, 1}, {308800, 309499, 16, 16, 1}, // JCB
	{309600, 310299, 16, 16, 1}, {311200, 312099, 16, 16, 1}, {315800, 315999, 16, 16, 1}, {333700, 334999, 16, 16, 1},
	{220000, 220499, 16, 19, 2},                              // Mir
	{506099, 506198, 16, 16, 2}, {650002, 650027, 16, 16, 2}, // Verve
	{506699, 506778, 16, 16, 2}, {509000, 509999, 16, 16, 2}, {636297, 636297, 16, 16, 2}, {627780, 627780, 16, 16, 2}, // Elo
	{606282, 606282, 16, 19, 2},                              // Hipercard
	{508500, 508999, 16, 16, 2}, {606985, 607984, 16, 16, 2}, // RuPay
	{608001, 608500, 16, 16, 2}, {817200, 820199, 16, 16, 1},
	{979200, 979289, 16, 16, 1},                              // Troy
	{636700, 636799, 16, 16, 1}, {637095, 637095, 16, 16, 2}, // InstaPayment and Hiper
	{501900, 501999, 16, 16, 2}, {457100, 457199, 16, 16, 2}, // Dankort
	{503615, 503615, 16, 16, 2},                              // BelCard of old
	{400000, 499999, 13, 13, 1}, {400000, 499999, 19, 19, 1}, // Visa of old, and long ones
	{500000, 509999, 12, 19, 1}, {560000, 589999, 12, 19, 1}, {600000, 699999, 12, 19, 1}, // Maestro
	{100000, 199999, 15, 15, 1}, // UATP
}

// issuer reports whether a card issuer uses the prefix with the length: 2 for sure, 1 only where more says card, 0 for no.
func issuer(d []byte) (sure int) {
	var p int32
	for _, v := range d[:6] {
		p = p*10 + int32(v)
	}
	n := uint8(len(d))
	for i := range issuerRanges {
		r := &issuerRanges[i]
		if r.low <= p && p <= r.high && r.shortest <= n && n <= r.longest {
			sure = max(sure, int(r.sure))
		}
	}
	return sure
}
