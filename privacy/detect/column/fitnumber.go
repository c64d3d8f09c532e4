package column

import (
	"math"

	"github.com/scrimhq/scrim/flow"
)

// official holds values against the checks of official numbers. A check counts if values with one digit changed fail it.
func (f *fits) official(l flow.Label) fit {
	p := f.p
	kind, n := p.kind(l)
	s := p.part(n)
	checked := n > 0 && p.control[kind]*4 < n
	if n > 0 {
		what := "form "
		if checked {
			what = "check "
		}
		f.note(what+kind, n)
	}
	if l == "government-id/ssn" {
		s, checked = max(s, f.found(l)), false
		if s >= .7 {
			return fit{weight: 3, alone: 4.4}
		}
		if p.same && p.size == 4 && p.share(sInt) > .9 {
			return fit{}
		}
	}
	switch {
	case checked && s >= .9:
		return fit{weight: 3.5, alone: 4.4}
	case checked && s >= .6:
		return fit{weight: 2, alone: 3.2}
	case p.share(sWord)+p.share(sWords)+p.share(sProse)+p.share(sDate)+p.share(sDecimal) > .5:
		return fit{weight: -6}
	case p.distinct <= 8 && p.n >= 40:
		return fit{weight: -4}
	case s >= .7:
		return fit{weight: 1}
	}
	return fit{weight: -.3}
}

func (f *fits) number(l flow.Label) fit {
	p := f.p
	ints, decs := p.share(sInt), p.share(sDecimal)+p.share(sMeasure)
	num := ints + decs
	whole := p.hi-math.Trunc(p.hi) == 0
	switch l {
	case "finance/card":
		s := max(f.found(l), p.share(sLuhn))
		f.sees(sLuhn, "check")
		if p.same && p.size == 4 && ints > .9 {
			return fit{weight: -2.2} // the last digits, if the name says so
		}
		out := fit{weight: surely(s)}
		if f.p.form(l) >= .8 {
			out.alone = 5
		}
		return out
	case "finance/iban":
		s := f.found(l)
		return fit{weight: surely(s), alone: 1 + surely(s)}
	case "finance/swift":
		s := f.sees(sBIC, "form")
		out := fit{weight: perhaps(s, .6, 2, -2)}
		if _, n := p.kind(l); p.part(n) > .9 && p.distinct > 8 {
			out.alone = 3.4
		}
		return out
	case "finance/crypto":
		s := f.found(l)
		return fit{weight: surely(s), alone: 1 + surely(s)}
	case "finance/account":
		return f.identifier(l)
	}
	if num < .5 {
		switch {
		case l == "health/vital" && f.sees(sBP, "form") > .6:
			return fit{weight: 2.5, alone: 3.4}
		case l == "health/lab-result" && p.alpha() > .5, l == "person/family", l == "finance":
			return fit{weight: -.5}
		}
		return fit{weight: -7}
	}
	f.note("form number", p.shapes[sInt]+p.shapes[sDecimal]+p.shapes[sMeasure])
	switch l {
	case "person/age":
		if p.lo < 0 || p.hi > 125 || !whole {
			return fit{weight: -6}
		}
		return fit{weight: .8}
	case "finance/credit-score":
		return fit{weight: either(p.lo >= 200 && p.hi <= 1000 && whole, 1, -4)}
	case "finance/income":
		return fit{weight: either(p.hi >= 200, 1, -3)}
	case "finance/amount", "finance/debt":
		return fit{weight: .8}
	case "person/family":
		return fit{weight: either(p.hi <= 30 && p.lo >= 0, .8, -4)}
	case "business/quantity":
		out := fit{weight: .8, alone: 2}
		if decs > .3 {
			out.alone = 2.1
		}
		if ints > .9 && (p.rising || p.same && p.size > 5) {
			out = fit{weight: -.5}
		}
		return out
	}
	return fit{weight: .6}
}

func either(is bool, yes, no float64) float64 {
	if is {
		return yes
	}
	return no
}

func (f *fits) technical(l flow.Label) fit {
	p := f.p
	random := p.share(sHex) + p.share(sUUID) + p.share(sRandom) - min(p.share(sHex), p.share(sRandom))
	switch l {
	case "technical/ip", "technical/mac":
		s := f.found(l)
		return fit{weight: surely(s), alone: 1 + surely(s)}
	case "technical/url":
		s := max(f.sees(sWeb, "form"), f.found(l))
		out := fit{weight: perhaps(s, .5, 3, -3)}
		if s >= .8 {
			out.alone = 4.4
		}
		if p.share(sPath) > .6 {
			out.weight = 0
		}
		return out
	case "person/photo":
		s := max(f.sees(sImage, "form"), p.share(sWeb))
		return fit{weight: perhaps(s, .5, 2, 0) - 6*either(p.share(sInt)+p.share(sDate) > .8, 1, 0)}
	case "file/name":
		if s := f.sees(sImage, "form"); s > .8 && p.share(sWeb) < .2 {
			return fit{alone: 3.4}
		}
		return fit{weight: either(p.share(sInt)+p.share(sDate) > .5, -6, 0)}
	case "technical/user-agent":
		s := f.sees(sAgent, "form")
		out := fit{weight: perhaps(s, .6, 2.5, -3)}
		if s >= .9 && p.length > 30 {
			out.alone = 4
		}
		return out
	case "secret/password":
		c := f.sees(sCrypt, "form")
		if c >= .5 {
			return fit{weight: 4, alone: 5}
		}
		if p.share(sProse)+p.share(sDate)+p.list(lBoolean) > .6 {
			return fit{weight: -7}
		}
		return fit{weight: .3}
	case "secret/private-key", "secret/api-key":
		s := f.found("secret/api-key", "secret/private-key", "secret/password")
		switch {
		case s >= .5:
			return fit{weight: 4, alone: either(s >= .8, 5, 3)}
		case random > .5 || p.share(sLong) > .5:
			return fit{weight: 1.5}
		case p.share(sInt) > .8 && (!p.same || p.size < 3 || p.size > 10) || p.share(sDate)+p.share(sDecimal)+p.share(sProse)+p.list(lBoolean) > .5:
			return fit{weight: -5}
		}
		return fit{}
	case "technical/session":
		return fit{weight: perhaps(random, .5, 2, -2)}
	case "technical/device-id":
		if p.size == 15 && p.same && f.sees(sLuhn, "check") >= .95 {
			return fit{weight: 2.5, alone: 4.2}
		}
		if p.share(sProse)+p.share(sDate)+p.share(sDecimal) > .5 || p.distinct <= 8 && p.n > 40 {
			return fit{weight: -5}
		}
		return fit{weight: perhaps(random+p.share(sCode)+p.share(sDialed), .5, 1, -.5)}
	case "technical/record-id":
		return f.record(random)
	}
	return fit{}
}

// record are keys that say nothing by themselves.
func (f *fits) record(random float64) fit {
	p := f.p
	switch {
	case p.share(sProse)+p.share(sDate)+p.share(sDecimal)+p.share(sEmail)+p.share(sWords) > .4:
		return fit{weight: -6}
	case f.sees(sUUID, "form") > .8:
		return fit{weight: 2, alone: 4.2}
	case p.rising && p.n > 5:
		f.note("rising integers", p.n)
		return fit{weight: 1.5, alone: 2.2}
	case random > .8 && p.repeats < 3:
		f.sees(sRandom, "form")
		return fit{weight: 1, alone: 2.2}
	case p.share(sInt)+p.share(sCode) > .8 && p.repeats < 1.5:
		f.sees(sInt, "form")
		f.sees(sCode, "form")
		if p.share(sInt) > .8 && !p.same {
			return fit{weight: 1, alone: 2} // a measure as well as may be
		}
		return fit{weight: 1, alone: 2.1}
	case f.sees(sCode, "form") > .8:
		return fit{weight: .5, alone: 2}
	}
	return fit{}
}

// identifier are numbers and codes that name somebody or something.
func (f *fits) identifier(l flow.Label) fit {
	p := f.p
	s := f.sees(sInt, "form") + f.sees(sCode, "form") + f.sees(sUUID, "form")
	switch {
	case p.share(sDate)+p.share(sDecimal)+p.share(sProse)+p.share(sEmail) > .5 && p.share(sInt) < .5:
		return fit{weight: -6}
	case p.share(sWord)+p.share(sWords) > .5:
		return fit{weight: -5}
	case p.list(lBoolean) > .9 || p.distinct <= 3 && p.n > 40:
		return fit{weight: -4}
	case l == "finance/account" && f.found("finance/iban") > .5:
		return fit{weight: -1}
	case l == "finance/account" && p.same && p.size >= 6:
		return fit{weight: 1.2}
	case p.share(sUUID) > .8:
		return fit{weight: 2}
	case s > .7:
		return fit{weight: .6}
	}
	return fit{}
}
