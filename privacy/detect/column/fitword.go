package column

import (
	"strings"

	"github.com/scrimhq/scrim/flow"
)

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
		out := fit{weight: perhaps(s, .35, 2, -1.2), unlisted: s < .2}
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
		return fit{weight: 1, alone: 2.1}
	case p.distinct > 60 && p.repeats < 3:
		return fit{weight: -3}
	}
	return fit{}
}
