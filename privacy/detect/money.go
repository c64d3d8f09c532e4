package detect

// moneyWords are currencies. Codes count in capitals only.
var moneyWords = []entry{
	{sMoney, `usd eur gbp chf jpy sek nok dkk pln czk huf ron bgn uah inr cny krw brl mxn aud cad nzd sgd hkd zar ils aed sar thb rub dollar dollars
		euro euros pound sterling franc francs franken yen rupee rupees rubles roubles zloty zlotys złotych złote kr kronor kroner krona krone
		koruna korun kč forint lei leva lira liras pesos reais rand yuan zł cents рублей рубля руб грн гривень ευρώ lakhs`},
	{sScale, `thousand million millions billion trillion mio mrd millionen milliarden milliard milliards millones milioni milhões miljoen miljard
		milion milionów milionu млн млрд bn mn crore lakh`},
}

// currencySign returns the end of a sign such as "$" or "€" at i, or i.
func (c *scanner) currencySign(i int) int {
	switch b := c.at(i); {
	case b == '$':
		return i + 1
	case b == 0xC2 && (c.at(i+1) == 0xA3 || c.at(i+1) == 0xA5 || c.at(i+1) == 0xA2): // £ ¥ ¢
		return i + 2
	case b == 0xE2 && c.at(i+1) == 0x82 && c.at(i+2) >= 0xA0 && c.at(i+2) <= 0xBF: // U+20A0 to U+20BF
		return i + 3
	}
	return i
}

// figure reads a number with its thousands and decimals at i, in whatever style, and returns its end, or 0.
func (c *scanner) figure(i int) int {
	_, n, more := c.small(i, 12)
	if n == 0 || more {
		return 0
	}
	i += n
	for range 8 {
		size := 1
		switch b := c.at(i); b {
		case '.', ',', '\'':
		case ' ', 0xC2, 0xE2:
			if b == 0xE2 && c.at(i+2) == 0x99 { // ’
				size = 3
			} else if size = c.blank(i) - i; size == 0 {
				return i
			}
			if _, n, more := c.small(i+size, 3); n != 3 || more || c.wordAt(i+size+3) {
				return i
			}
		default:
			return i
		}
		_, n, more := c.small(i+size, 9)
		if n == 0 || more {
			return i
		}
		i += size + n
	}
	return i
}

// moneyAfter returns the end of a scale and a currency after a number that ends at i, or 0. Signed says that a currency came
// before, so that none need follow.
func (c *scanner) moneyAfter(i int, signed bool) int {
	end := 0
	if signed {
		end = i
	}
	if b := c.at(i) | 0x20; (b == 'k' || b == 'm' || b == 'b' && c.at(i+1)|0x20 == 'n') && isLetter(c.at(i)) {
		j := i + 1
		if b == 'b' || b == 'm' && c.at(j)|0x20 == 'n' {
			j++
		}
		if !c.wordAt(j) {
			if i = j; signed {
				end = i
			}
		}
	}
	if c.wordAt(i) && !signed || c.at(i) == ',' && c.at(i+1) != '-' {
		return end
	}
	if c.at(i) == ',' && c.at(i+1) == '-' { // "50,- kr"
		i += 2
	}
	j := c.blank(i)
	if s := c.currencySign(j); s > j && (s > j+1 || !isAlnum(c.at(s))) {
		return s
	}
	w := c.word(j)
	if w.end > 0 && j > i && w.is&sScale != 0 {
		if i = c.skip(w.end, '.'); signed {
			end = i
		}
		j = c.blank(i)
		if s := c.currencySign(j); s > j {
			return s
		}
		if w = c.word(j); w.end > 0 && w.is&sOf != 0 {
			j = c.blank(w.end)
			w = c.word(j)
		}
	}
	if w.end > 0 && w.is&sMoney != 0 && c.currencyWord(j, w) {
		return w.end
	}
	return end
}

// currencyWord reports whether the word at i names a currency as it is spelled: codes of three ASCII letters need capitals.
func (c *scanner) currencyWord(i int, w word) bool {
	if w.end-i != 3 || w.high || currencyNames[c.s[i:w.end]] {
		return true
	}
	return isUpper(c.at(i)) && isUpper(c.at(i+1)) && isUpper(c.at(i+2))
}

var currencyNames = wordSet("yen lei Lei")

// amount takes "12.50 EUR", "1.5 million dollars" and "5 €".
func (c *scanner) amount(q int) (hit, bool) {
	if !c.opens(q, true) || c.prev(q, 1) == '.' {
		return hit{}, false
	}
	i := c.figure(q)
	if i == 0 {
		return hit{}, false
	}
	end := c.moneyAfter(i, false)
	return hit{end, &byAmount}, end > 0 && !c.wordAt(end)
}

// signed takes an amount that a sign or a currency's code stands before: "$1,234.56", "EUR 20", "US$ 5m". The number may begin
// at i.
func (c *scanner) signed(q, i int) (hit, bool) {
	if isAlnum(c.prev(q, 1)) || c.prev(q, 1) == '$' { // a part of a word, or of a longer sign
		return hit{}, false
	}
	j := c.blank(i)
	if b := c.at(j); b == '-' || b == '+' {
		j++
	}
	if !isDigit(c.at(j)) {
		return hit{}, false
	}
	end := c.figure(j)
	if end == 0 {
		return hit{}, false
	}
	end = c.moneyAfter(end, true)
	if c.wordAt(end) || c.at(end) == '_' {
		return hit{}, false
	}
	return hit{end, &byAmount}, true
}

// code takes what a currency's code or name begins: "EUR 20", "US$5", "Rs. 300".
func (c *scanner) code(q, we int) (hit, bool) {
	if c.at(we) == '$' && we-q <= 3 && isUpper(c.s[q]) {
		return c.signed(q, we+1)
	}
	w := c.word(q)
	if w.end == 0 {
		if we-q > 3 && isUpper(c.s[q]) && isUpper(c.s[q+1]) && isUpper(c.s[q+2]) && isDigit(c.s[q+3]) && lexicon[string([]byte{c.s[q] | 0x20, c.s[q+1] | 0x20, c.s[q+2] | 0x20})]&sMoney != 0 {
			return c.signed(q, q+3)
		}
		return hit{}, false
	}
	if w.is&sMoney == 0 || w.end-q != 3 || !c.currencyWord(q, w) {
		return hit{}, false
	}
	return c.signed(q, w.end)
}
