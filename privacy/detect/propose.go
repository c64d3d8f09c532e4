package detect

import "unicode/utf8"

// structured tries what has a form of its own, the longest and surest forms first.
func (c *scanner) structured(q, we int, acc class, may bool) (hit, bool) {
	b := c.s[q]
	switch {
	case isDigit(b):
		return c.digits(q, we, acc)
	case isLetter(b):
		return c.letters(q, we, acc, may)
	case b >= utf8.RuneSelf:
		if acc&cAt != 0 {
			if h, ok := c.email(q); ok {
				return h, true
			}
		}
		if i := c.currencySign(q); i > q {
			return c.signed(q, i)
		}
		if c.starts {
			return c.words(q, we)
		}
	case b == '$':
		return c.signed(q, q+1)
	case b == '+' || b == '(':
		return c.phone(q)
	case b == ':':
		return c.ipv6(q)
	case b == '-':
		return c.privateKey(q)
	}
	return hit{}, false
}

func (c *scanner) digits(q, we int, acc class) (hit, bool) {
	if acc&cAt != 0 {
		if h, ok := c.email(q); ok {
			return h, true
		}
	}
	if h, ok := c.document(q); ok {
		return h, true
	}
	if c.s[q] == '1' && c.at(we) == '/' {
		if h, ok := c.secret(q); ok {
			return h, true
		}
	}
	if h, ok := c.credential(q); ok {
		return h, true
	}
	if h, ok := c.wallet(q, we); ok {
		return h, true
	}
	switch b := c.at(we); {
	case we-q > 4:
	case b == '-' || b == '/' || b == '.':
		if h, ok := c.numericDate(q); ok {
			return h, true
		}
		if h, ok := c.ipv4(q); ok {
			return h, true
		}
		fallthrough
	case b == ' ' || b >= utf8.RuneSelf:
		if h, ok := c.dayNamed(q); ok {
			return h, true
		}
	}
	if acc&cColon != 0 {
		if h, ok := c.ipv6(q); ok {
			return h, true
		}
	}
	if h, ok := c.mac(q, we); ok {
		return h, true
	}
	if c.s[q] == '8' && c.at(q+1) == '9' { // an ICCID, which in groups begins as other numbers do
		if h, ok := c.device(q); ok {
			return h, true
		}
	}
	if h, ok := c.official(q); ok {
		return h, true
	}
	if h, ok := c.number(q); ok {
		return h, true
	}
	if h, ok := c.cued(q, we); ok {
		return h, true
	}
	if h, ok := c.device(q); ok {
		return h, true
	}
	return c.figures(q, we)
}

func (c *scanner) letters(q, we int, acc class, may bool) (hit, bool) {
	if acc&cColon != 0 || c.s[q]|0x20 == 'w' {
		if h, ok := c.url(q); ok {
			return h, true
		}
	}
	if acc&cAt != 0 {
		if h, ok := c.email(q); ok {
			return h, true
		}
	}
	if c.starts {
		if h, ok := c.words(q, we); ok {
			return h, true
		}
	}
	if acc&cDigit == 0 && acc&cColon == 0 {
		if c.end-q > minSecretBody {
			if h, ok := c.secret(q); ok {
				return h, true
			}
		}
		if twoCapitals(c.s[q:we]) && c.at(we) == ' ' && isDigit(c.at(we+1)) {
			if h, ok := c.document(q); ok {
				return h, true
			}
			if h, ok := c.official(q); ok {
				return h, true
			}
			return c.plate(q)
		}
		return hit{}, false
	}
	if h, ok := c.secret(q); ok {
		return h, true
	}
	if h, ok := c.credential(q); ok {
		return h, true
	}
	if h, ok := c.wallet(q, we); ok {
		return h, true
	}
	if h, ok := c.iban(q); ok {
		return h, true
	}
	if h, ok := c.document(q); ok {
		return h, true
	}
	if h, ok := c.official(q); ok {
		return h, true
	}
	if acc&cColon != 0 {
		if h, ok := c.ipv6(q); ok {
			return h, true
		}
	}
	if h, ok := c.mac(q, we); ok {
		return h, true
	}
	if h, ok := c.cued(q, we); ok {
		return h, true
	}
	if h, ok := c.device(q); ok {
		return h, true
	}
	return c.mixed(q, we)
}
