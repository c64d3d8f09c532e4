package column

import (
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
