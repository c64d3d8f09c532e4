package column

import (
	"math"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// fit is how well the values of a column suit a label: above nought for, below against.
type fit struct {
	weight float64
	alone  float64 // the weight of the label for the values' sake if the name says nothing; 0: none

	unlisted bool // the values are words, and not those of the label's short list
	proof    []Evidence
}

// fits is one profile held against labels.
type fits struct {
	p     *profile
	proof []Evidence // of the label at hand
}

// sees returns the share of values with a shape and notes it as proof.
func (f *fits) sees(s shape, what string) float64 {
	n := f.p.shapes[s]
	if n > 0 {
		f.note(what+" "+shapeNames[s], n)
	}
	return f.p.part(n)
}

func (f *fits) lists(l list) float64 {
	for i := range lists {
		if n := f.p.lists[i]; l == 1<<i {
			if n > 0 {
				f.note("list "+listNames[i], n)
			}
			return f.p.part(n)
		}
	}
	return 0
}

func (f *fits) note(what string, n int) {
	f.proof = append(f.proof, Evidence{What: what, Matched: n, Of: f.p.n})
}

// found is the share of values that the engine finds a label in as a whole.
func (f *fits) found(labels ...flow.Label) float64 {
	n := 0
	for _, l := range labels {
		for k, m := range f.p.forms {
			if k.label == l {
				n += m
			}
		}
	}
	if n > 0 {
		f.note("found "+string(labels[0]), n)
	}
	return f.p.part(n)
}

// surely turns the share of a form that is a proof by itself into weight.
func surely(share float64) float64 {
	switch {
	case share >= .9:
		return 4.5
	case share >= .7:
		return 3.5
	case share >= .4:
		return 1.5
	case share <= .1:
		return -7
	}
	return -2
}

// perhaps is weight for a share that supports, and against for one that is missing.
func perhaps(share, enough, weight, against float64) float64 {
	switch {
	case share >= enough:
		return weight
	case share >= enough/2:
		return weight / 3
	case share <= .05:
		return against
	}
	return 0
}

// of says how well the values suit a label.
func (f *fits) of(l flow.Label) fit {
	f.proof = nil
	if f.p.n == 0 {
		return fit{}
	}
	out := f.judge(l)
	out.weight *= min(1, .4+float64(f.p.n)/10) // a few values prove little
	if f.p.n < 5 {
		out.alone -= 1.5
	}
	out.proof = f.proof
	return out
}

func (f *fits) judge(l flow.Label) fit {
	switch {
	case l == "time" || l.Within("time") || l == "person/birth-date" || l == "person/death-date" || l == "health/visit-date":
		return f.date(l)
	case l.Within("person/name"), l == "health/provider":
		return f.name(l)
	case l.Within("person/contact"), l == "person/username":
		return f.contact(l)
	case l.Within("location"), l == "person/birth-place":
		return f.location(l)
	case l.Within("government-id"), l.Within("vehicle"):
		return f.official(l)
	case l.Within("finance"), l == "business/quantity", l == "person/age", l == "person/family", l == "health/vital", l == "health/lab-result":
		return f.number(l)
	case l.Within("technical"), l.Within("secret"), l == "file/name", l == "person/photo":
		return f.technical(l)
	case l.Within("organization") && l != "organization", l == "health/record-number", l == "health/member-number", l == "health/claim-number":
		return f.identifier(l)
	}
	return f.words(l)
}

func (f *fits) date(l flow.Label) fit {
	p := f.p
	d := f.sees(sDate, "form") + p.share(sEpoch)
	if l != "person/birth-date" && p.share(sDate) == 0 {
		f.sees(sEpoch, "form")
	}
	engine := f.found("time", "person/birth-date")
	d = max(d, engine)
	if l == "person/birth-date" && p.share(sYear) > .8 {
		d = p.share(sYear)
	}
	out := fit{weight: perhaps(d, .7, 2, -8)}
	wide := p.years[0] > 0 && p.years[1]-p.years[0] >= 25 && p.years[0] < 1985
	switch {
	case d < .7:
	case l == "person/birth-date":
		if p.years[0] >= 2018 || p.share(sTime) > p.share(sMidnight)+.2 {
			out.weight -= 2
		}
		if wide && p.share(sDate) > .8 {
			f.note("span of birth years", p.shapes[sDate])
			out.weight += .5
		}
	case l == "time/event":
		out.alone = 3.6
		if p.share(sDate) < .7 {
			out.alone = 3.2
		}
	}
	return out
}

// alpha is the share of values of one to five words of letters.
func (p *profile) alpha() float64 { return p.share(sWord) + p.share(sWords) + p.share(sNumbered) }

func (f *fits) name(l flow.Label) fit {
	p := f.p
	if p.alpha() < .4 && p.share(sInitials) < .5 {
		if l == "health/provider" && p.share(sInt)+p.share(sCode)+p.share(sUUID) > .8 {
			return fit{} // its number
		}
		if f.sees(sFull, "list") < .5 {
			return fit{weight: -6}
		}
	}
	against := 0.0
	if p.share(sOrg) > .2 {
		against -= 3
	}
	if p.distinct <= 12 && p.n >= 60 {
		against -= 1.5 // a short list
	}
	if p.share(sCommon) > .5 {
		against -= 2
	}
	if p.share(sCapital) < .3 && p.share(sWord)+p.share(sWords) > .5 {
		against -= 1
	}
	switch l {
	case "person/name/given":
		g := f.sees(sGiven, "list")
		out := fit{weight: perhaps(g, .4, 2.2, -1.5) + against}
		if g >= .75 && p.share(sWord) > .7 && g > p.share(sFamily)+.05 && g > p.share(sCity)+.2 && p.distinct > 12 {
			out.alone = 3.4 + against
		}
		return out
	case "person/name/family":
		g := f.sees(sFamily, "list")
		out := fit{weight: perhaps(g, .4, 2.2, -1.5) + against}
		if g >= .75 && p.share(sWord) > .6 && g > p.share(sGiven)+.05 && g > p.share(sCity)+.1 && p.distinct > 12 {
			out.alone = 3.4 + against
		}
		return out
	}
	one := max(f.sees(sGiven, "list"), f.sees(sFamily, "list"))
	full := f.sees(sFull, "list")
	if one >= .6 && p.share(sCity) < .8 {
		full += f.sees(sComma, "form") / 2
	}
	out := fit{weight: max(perhaps(full, .45, 3.2, -2), perhaps(one, .7, 1, -2)) + against}
	if l == "person/name" && full >= .5 && p.share(sStreet) < .2 {
		out.alone = 4 + against
	}
	return out
}

func (f *fits) contact(l flow.Label) fit {
	p := f.p
	switch l {
	case "person/contact/email":
		s := max(f.found("person/contact/email"), f.sees(sEmail, "form"))
		return fit{weight: surely(s), alone: 1 + surely(s)}
	case "person/contact/phone":
		found, like := f.found("person/contact/phone"), f.sees(sPhone, "form")
		s := max(found, like)
		switch {
		case s >= .6:
			out := fit{weight: 3}
			if like >= .8 || found >= .8 {
				out.alone = 3.4 + found
			}
			return out
		case p.share(sDialed) >= .7:
			f.sees(sDialed, "form")
			return fit{weight: .8}
		case s < .2 && p.share(sInt) < .5:
			return fit{weight: -7}
		}
		return fit{weight: -2}
	case "person/contact/handle":
		h := f.sees(sHandle, "form")
		out := fit{weight: perhaps(h+p.share(sUser)+p.share(sWeb), .5, 1.5, -3)}
		if h > .8 {
			out.alone = 3.6
		}
		return out
	case "person/username":
		u := f.sees(sUser, "form")
		out := fit{weight: perhaps(u, .5, 1.5, -1)}
		if p.distinct <= 12 && p.n >= 60 {
			out.weight -= 1.5 // a short list
		}
		if p.share(sEmail) > .5 || p.share(sWeb) > .5 || p.share(sInt) > .8 || p.share(sProse) > .3 || p.share(sWords) > .6 {
			out.weight = -3
		}
		return out
	}
	return f.address()
}

func (f *fits) address() fit {
	p := f.p
	street, house := f.sees(sStreet, "form"), f.sees(sHouse, "form")
	found := f.found("person/contact/address")
	switch {
	case max(street, found) >= .45:
		out := fit{weight: 3.5}
		if max(street, found) >= .6 && house > .5 {
			out.alone = 4.2
		}
		return out
	case house >= .6:
		return fit{weight: 2}
	case p.share(sHex)+p.share(sUUID)+p.share(sEmail)+p.share(sWeb)+p.share(sDate)+p.share(sDecimal)+p.share(sCode) > .4:
		return fit{weight: -7}
	case p.share(sInt) > .8 && p.hi > 9999:
		return fit{weight: -6}
	case p.share(sInt) > .8:
		return fit{weight: -.8}
	case p.share(sOther) > .5:
		return fit{weight: -3}
	}
	return fit{weight: -1}
}

func (f *fits) location(l flow.Label) fit {
	p := f.p
	letters := p.alpha()
	switch l {
	case "location/postal":
		s := f.sees(sPostal, "form")
		out := fit{weight: perhaps(s, .7, 1.5, -6)}
		if s >= .85 && p.share(sInt) < .2 && p.n > 20 {
			out.alone = 3.4
		}
		return out
	case "location/coordinates":
		pair := f.sees(sPair, "form")
		s := max(pair, p.share(sLat), p.share(sLon), f.found("location/coordinates"))
		if pair < .5 {
			f.sees(sLon, "form")
		}
		out := fit{weight: perhaps(s, .6, 2, -1)}
		if p.share(sDecimal) < .5 && pair < .5 {
			out.weight = -5
		}
		if pair >= .8 {
			out.alone = 4.5
		}
		return out
	case "location/country":
		s := max(f.lists(lCountry), f.sees(sCountry, "list"))
		out := fit{weight: perhaps(s, .6, 2, -1.5)}
		if s >= .9 && p.share(sWord) > .5 && p.length > 3.5 && p.distinct >= 4 {
			out.alone = 3.4
		}
		if p.share(sDecimal)+p.share(sDate) > .5 || p.share(sInt) > .5 && p.distinct > 250 {
			out.weight = -5
		}
		return out
	case "location/region":
		s := max(f.lists(lState), f.sees(sRegion, "list"))
		if p.list(lStatus) > .2 {
			return fit{weight: -5}
		}
		out := fit{weight: perhaps(s, .5, 1.8, -1)}
		if letters < .5 {
			out.weight = -5
		}
		return out
	}
	s := f.sees(sCity, "list")
	out := fit{weight: perhaps(s, .4, 1.8, -.5)}
	if letters < .4 && p.share(sCity) < .4 {
		out.weight = -5
	}
	if l == "location/city" && s >= .8 && letters > .7 && s > p.share(sFamily)+.1 && s > p.share(sGiven)+.1 && p.distinct > 5 {
		out.alone = 3.4
	}
	return out
}

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
			return fit{}
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
		out := fit{weight: .8, alone: 2.7}
		if decs > .3 {
			out.alone = 2.9
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
		return fit{weight: 1.5, alone: 3.3}
	case random > .8 && p.repeats < 3:
		f.sees(sRandom, "form")
		return fit{weight: 1, alone: 3.3}
	case p.share(sInt)+p.share(sCode) > .8 && p.repeats < 1.5:
		f.sees(sInt, "form")
		f.sees(sCode, "form")
		if p.share(sInt) > .8 && !p.same {
			return fit{weight: 1, alone: 2.7} // a measure as well as may be
		}
		return fit{weight: 1, alone: 2.8}
	case f.sees(sCode, "form") > .8:
		return fit{weight: .5, alone: 2.6}
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
	case s > .7:
		return fit{weight: .6}
	}
	return fit{}
}

// short lists of the labels that have one.
var listOf = map[flow.Label]list{
	"person/gender": lGender, "person/marital-status": lMarital, "special/religion": lReligion, "special/ethnicity": lEthnicity, "special/politics": lPolitics,
	"special/sexuality": lSexuality, "work/education": lEducation, "person/language": lLanguage, "business/decision": lDecision, "special/criminal": lCrime,
}

// unmistakable are lists whose values say what they are without a name.
var unmistakable = map[flow.Label]bool{"person/gender": true, "person/marital-status": true, "special/religion": true, "special/ethnicity": true, "special/sexuality": true, "business/decision": true, "special/criminal": true}

func (f *fits) words(l flow.Label) fit {
	p := f.p
	prose := p.share(sProse)
	if in, ok := listOf[l]; ok {
		s := f.lists(in)
		if l == "person/gender" && p.list(lHonorific) > s {
			if s = f.lists(lHonorific); s > .8 {
				return fit{weight: 2, alone: 3.5}
			}
		}
		out := fit{weight: perhaps(s, .7, 2, 0)}
		if p.share(sDate)+p.share(sDecimal) > .5 || p.share(sInt) > .5 && p.distinct > 60 {
			out.weight = -6
		}
		out.unlisted = s < .3 && p.alpha() > .5
		if prose > .5 {
			out.weight -= 2
		}
		if unmistakable[l] && s >= .85 && p.length >= 3 && p.distinct >= 2 && p.distinct <= 40 && p.part(p.single) < .1 {
			out.alone = 3.6
		}
		return out
	}
	switch l {
	case flow.FreeText, "health/note", "text", "work/performance":
		s := f.sees(sProse, "form")
		out := fit{weight: perhaps(s, .4, 2, -2.5)}
		if l == flow.FreeText && s >= .6 {
			out.alone = 3.6
		}
		return out
	case "health/diagnosis":
		s := f.sees(sICD, "form")
		out := fit{weight: perhaps(s, .6, 2.5, 0)}
		if s >= .8 && p.distinct >= 5 {
			out.alone = 3.8
		}
		if p.list(lBoolean) < .8 && p.share(sDecimal)+p.share(sDate) > .5 {
			out.weight = -5
		}
		return out
	case "health/medication":
		s := f.sees(sDose, "form")
		out := fit{weight: perhaps(s, .3, 2, 0)}
		if s >= .5 {
			out.alone = 3.9
		}
		return out
	case "health":
		s := f.lists(lBlood)
		out := fit{weight: perhaps(s, .7, 2, 0)}
		if s >= .9 && p.distinct >= 3 {
			out.alone = 4
		}
		return out
	case "work/title":
		s := f.sees(sTrade, "list")
		out := fit{weight: perhaps(s, .35, 2, -1.2)}
		if s >= .7 && p.share(sFull) < .3 && p.alpha() > .6 {
			out.alone = 3.6
		}
		if p.share(sInt)+p.share(sDate)+p.share(sCode) > .5 || p.list(lHonorific) > .6 {
			out.weight = -6
		}
		return out
	case "organization", "work/employer":
		s := f.sees(sOrg, "list")
		out := fit{weight: perhaps(s, .25, 2, -.5)}
		if l == "organization" && s >= .4 {
			out.alone = 3.8
		}
		if p.share(sInt)+p.share(sDate)+p.share(sDecimal) > .5 || p.list(lBoolean) > .8 {
			out.weight = -6
		}
		return out
	case "person/nationality":
		s := max(f.sees(sNational, "list"), f.lists(lCountry), p.share(sCountry))
		out := fit{weight: perhaps(s, .5, 1.5, 0)}
		if p.share(sNational) >= .8 && p.distinct >= 4 {
			out.alone = 3.4
		}
		return out
	case "business/category":
		return f.category()
	}
	if strings.HasPrefix(string(l), "health") || strings.HasPrefix(string(l), "special") {
		return fit{weight: either(p.share(sDate) > .5, -5, 0)}
	}
	return fit{}
}

func (f *fits) category() fit {
	p := f.p
	bound := 8 + p.n/40
	switch {
	case p.share(sProse) > .5, p.share(sDate)+p.share(sDecimal) > .5:
		return fit{weight: -4}
	case p.distinct <= min(bound, 60) && p.repeats >= 3:
		f.note("few different values", p.n)
		return fit{weight: 1, alone: 2.9}
	case p.distinct > 60 && p.repeats < 3:
		return fit{weight: -3}
	}
	return fit{}
}
