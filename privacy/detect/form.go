package detect

// formReach is how many bytes from its beginning a form of words may look at: what comes after is left to stand by itself.
const formReach = 200

// view is how far a candidate may look, and whether it wanted to look further.
type view struct {
	lim     int
	touched bool
}

// narrow lets a form see formReach bytes from q, as if the text ended there. It returns what widen needs.
func (c *scanner) narrow(q int) view {
	v := view{c.lim, c.touched}
	c.lim = min(c.lim, q+formReach)
	return v
}

func (c *scanner) widen(v view) {
	if c.lim < v.lim {
		c.lim, c.touched = v.lim, v.touched
	}
}

// dayNamed takes a date that begins with a number and has the name of a month.
func (c *scanner) dayNamed(q int) (hit, bool) {
	v := c.narrow(q)
	defer c.widen(v)
	if h, ok := c.dayMonth(q); ok {
		return h, true
	}
	return c.yearMonth(q)
}

// figures takes what digits begin whose form is made of words: addresses, ages, spans of time, amounts, years, places, files.
func (c *scanner) figures(q, we int) (hit, bool) {
	v := c.narrow(q)
	h, ok := c.figuresWithin(q, we)
	c.widen(v)
	return h, ok
}

func (c *scanner) figuresWithin(q, we int) (hit, bool) {
	switch c.cue(q).kind {
	case cuePlate:
		if h, ok := c.plate(q); ok {
			return h, true
		}
	case cueOther:
		return hit{}, false
	}
	b := c.at(we)
	if h, ok := c.coordinates(q); ok {
		return h, true
	}
	if b != '%' {
		if h, ok := c.numberFirst(q); ok {
			return h, true
		}
		if h, ok := c.span(q); ok {
			return h, true
		}
		if h, ok := c.age(q); ok {
			return h, true
		}
	}
	if h, ok := c.amount(q); ok {
		return h, true
	}
	if h, ok := c.timeOfDay(q); ok {
		return h, true
	}
	if h, ok := c.bareYear(q, we); ok {
		return h, true
	}
	if h, ok := c.compactISO(q, we); ok {
		return h, true
	}
	if h, ok := c.postalAlone(q); ok {
		return h, true
	}
	return c.file(q, we)
}

// words takes what the word [q, we) begins whose form is made of words.
func (c *scanner) words(q, we int) (hit, bool) {
	v := c.narrow(q)
	h, ok := c.wordsWithin(q, we)
	c.widen(v)
	return h, ok
}

// startsAsWell is what [scanner.begins] says of forms, without the filter, which takes other words for those of the lexicon now
// and then.
func (c *scanner) startsAsWell(q, we int, w word) bool {
	is := startsOf(w.is)
	if is&strongStarts != 0 {
		return true
	}
	if startsUpper(c.s[q:we]) {
		return is != 0 || c.at(we) == '$' || beforeName(c.at(we), c.at(we+1), c.at(we+2)) || isDigit(c.s[we-1])
	}
	return is != 0 && (afterAged(c.left(q)) || beforeUnit(c.at(we), c.at(we+1), c.at(we+2)))
}

func (c *scanner) wordsWithin(q, we int) (h hit, ok bool) {
	w := c.word(q)
	if !c.startsAsWell(q, we, w) {
		return hit{}, false
	}
	if w.end == 0 {
		return c.code(q, we)
	}
	if w.is&sMonth != 0 {
		if h, ok = c.monthDay(q, w); ok {
			return h, true
		}
	}
	if w.is&(sWeekday|sDayShort) != 0 {
		if h, ok = c.weekday(q, w); ok {
			return h, true
		}
	}
	if w.is&sSeason != 0 {
		if h, ok = c.season(q, w); ok {
			return h, true
		}
	}
	if w.is&sCount != 0 {
		if h, ok = c.span(q); !ok {
			h, ok = c.age(q)
		}
		if ok {
			return h, true
		}
	}
	if w.is&(sPart|sBox) != 0 || w.end == q+1 {
		if h, ok = c.part(q, w); ok {
			return h, true
		}
	}
	if w.is&sMoney != 0 || c.at(we) == '$' {
		if h, ok = c.code(q, we); ok {
			return h, true
		}
	}
	if w.upper || w.is&(sStreet|sStreetWeak) != 0 {
		return c.nameFirst(q)
	}
	return hit{}, false
}

// mixed takes what a word with digits in it, or in the run that it begins, is: a quarter, a postal code, a file, a plate.
func (c *scanner) mixed(q, we int) (hit, bool) {
	v := c.narrow(q)
	h, ok := c.mixedWithin(q, we)
	c.widen(v)
	return h, ok
}

func (c *scanner) mixedWithin(q, we int) (hit, bool) {
	if c.s[q]|0x20 == 'q' && we == q+2 {
		if h, ok := c.quarter(q); ok {
			return h, true
		}
	}
	if h, ok := c.geo(q, we); ok {
		return h, true
	}
	if isUpper(c.s[q]) {
		if h, ok := c.code(q, we); ok {
			return h, true
		}
		if h, ok := c.postalAlone(q); ok {
			return h, true
		}
		if h, ok := c.plate(q); ok {
			return h, true
		}
	}
	return c.file(q, we)
}
