package detect

import "github.com/scrimhq/scrim/flow"

// proposals are what may begin at one place: something of a form of its own, a known value, something of the user's own rules.
type proposals struct {
	form   hit
	formed bool
	known  hit
	val    *Known
	own    Finding
	owned  bool
}

// end is where the longest ends.
func (p *proposals) end() int { return max(p.form.end, p.known.end, p.own.End) }

// try decides what begins at q, where the word or mark [q, we) stands. May is what the filter says of it.
func (c *scanner) try(q, we int, acc class, may bool) verdict {
	c.open(q)
	c.place = q
	var p proposals
	p.form, p.formed = c.structured(q, we, acc, may)
	if may {
		p.known, p.val = c.known.match(c, q)
	}
	if c.rules != nil {
		p.own, p.owned = c.rules.match(c, q)
	}
	if !c.plain && (c.disguised(q) || may && c.haltDisguised(q)) && c.startsWord(q) {
		if v := c.unmask(q, p.end()); v != done {
			return v
		}
	}
	var in hit
	var label flow.Label
	if acc&cAmp != 0 || (!p.formed || p.form.end < c.end) && (c.end-q >= minEncoded || acc&cPercent != 0) { // an address is looked into by itself
		in, label = c.encoded(q, acc)
	}
	if v, bad := c.stuck(q); bad {
		c.sw = swallower{mode: swallowURL, rule: &byLength}
		return v
	}
	switch {
	case in.end > p.end():
		c.takeEncoded(q, in, label, &p)
		return found
	case p.val != nil && p.known.end >= max(p.form.end, p.own.End):
		label = p.val.Label
		if p.owned {
			label = c.tax.Stricter(label, p.own.Label)
		}
		if p.formed { // a value that is known under a mild label is still what it looks like
			label = c.tax.Stricter(label, c.labelOf(p.form))
		}
		if c.rules != nil {
			label, _ = c.rules.raise(label, c.s[q:p.known.end])
		}
		c.take(q, p.known, label, p.val.Text)
		return found
	case p.formed && p.form.rule == &byArmour:
		c.sw = swallower{mode: swallowKey, rule: p.form.rule}
		return long
	case p.formed:
		c.take(q, p.form, c.labelOf(p.form), "")
	}
	if c.rules != nil {
		return c.settled(p.formed, p.own, p.owned)
	}
	if !p.formed {
		return done
	}
	return found
}

// takeEncoded lets f be the encoded run that begins at q, as strict and as sure as what else may begin there.
func (c *scanner) takeEncoded(q int, in hit, label flow.Label, p *proposals) {
	if p.formed {
		label = c.tax.Stricter(label, c.labelOf(p.form))
	}
	if p.val != nil {
		label = c.tax.Stricter(label, p.val.Label)
	}
	if p.owned {
		label = c.tax.Stricter(label, p.own.Label)
	}
	c.take(q, in, label, "")
	if p.val != nil {
		c.f.Score = 1
	}
	if p.owned {
		c.f.Score = max(c.f.Score, p.own.Score)
	}
}

// take lets f be the hit that begins at q.
func (c *scanner) take(q int, h hit, label flow.Label, known string) {
	c.f = h.rule.finding(q, h.end)
	c.f.Label, c.f.Known = label, known
}

// unmask takes what is disguised at q, if it is longer than what ends at end.
func (c *scanner) unmask(q, end int) verdict {
	d, ok := c.undisguise(q)
	if !ok || d.end <= end {
		return done
	}
	if v, bad := c.stuck(q); bad {
		c.sw = swallower{mode: swallowURL, rule: &byLength}
		return v
	}
	known := ""
	if d.known != nil {
		known = d.known.Text
	}
	c.take(q, d.hit, d.label, known)
	return found
}

// settled decides between what was found by form, in f if ok, and by a rule of the user's own. The longer counts, the user's
// own of two alike, under the stricter label: to name a thing otherwise does not make it milder.
func (c *scanner) settled(ok bool, own Finding, hasOwn bool) verdict {
	if ok {
		stays, gone := c.rules.settle(&c.f, c.s[c.f.Start:c.f.End])
		if gone && !hasOwn {
			return skip
		}
		ok = stays
	}
	switch {
	case !ok && !hasOwn:
		return done
	case !ok:
		c.f = own
		c.f.Score = c.surest(own)
	case hasOwn && own.End >= c.f.End:
		own.Label, own.Score = c.tax.Stricter(own.Label, c.f.Label), max(c.surest(own), c.f.Score)
		c.f = own
	case hasOwn:
		c.f.Label, c.f.Score = c.tax.Stricter(c.f.Label, own.Label), max(c.f.Score, own.Score)
	}
	return found
}

// surest is the score of a finding of the user's own, or that of something surer within it: a vague pattern makes nothing vague.
func (c *scanner) surest(own Finding) float64 {
	if own.Score >= 1 {
		return own.Score
	}
	score, text := own.Score, c.s[own.Start:own.End]
	inner := scanner{s: text, final: true, tax: c.tax, known: c.known, inner: true}
	for f, long := range inner.all {
		if long {
			return 1
		}
		score = max(score, f.Score)
	}
	return score
}

// labelOf is the label of what structured just took.
func (c *scanner) labelOf(h hit) flow.Label {
	if h.rule == &byURL {
		return c.label
	}
	return h.rule.label
}
