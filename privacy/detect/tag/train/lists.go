package main

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/privacy/detect/tag/internal/feature"
)

// gazetteer collects words and the lists that they are in.
type gazetteer map[uint32]feature.Gaz

// tokensOf returns the words of a name.
func tokensOf(name string) (words []feature.Token) {
	var t feature.Token
	for p := 0; feature.Next(name, p, true, &t); p = t.End {
		if t.Shape != feature.Mark && t.Shape < feature.Digit1 || t.Shape == feature.Alnum || t.Shape == feature.Caseless {
			words = append(words, t)
		}
	}
	return words
}

// words puts all words of the names into a list.
func (g gazetteer) words(as feature.Gaz, all []string) {
	for _, name := range all {
		for _, t := range tokensOf(name) {
			if t.End-t.Start > 1 {
				g[t.Hash] |= as
			}
		}
	}
}

// whole puts names of one word into a list, and of longer ones the word pairs, with their words as parts.
func (g gazetteer) whole(as, part feature.Gaz, all []string) {
	for _, name := range all {
		words := tokensOf(name)
		if len(words) == 1 && len(name) > 2 {
			g[words[0].Hash] |= as
		}
		for i := 1; i < len(words); i++ {
			g[words[i-1].Hash] |= part
			g[feature.Pair(words[i-1].Hash, words[i].Hash)] |= as
		}
	}
}

// frequent puts the words that occur so often in the names into a list.
func (g gazetteer) frequent(as feature.Gaz, least int, all []string) {
	count := map[string]int{}
	for _, name := range all {
		for w := range strings.FieldsSeq(name) {
			w = strings.ToLower(strings.Trim(w, ".,;:()'\""))
			if len(w) > 3 && !strings.ContainsAny(w, "{}") && !slices.Contains(links, w) {
				count[w]++
			}
		}
	}
	var words []string
	for w, n := range count {
		if n >= least {
			words = append(words, w)
		}
	}
	slices.Sort(words)
	g.words(as, words)
}

// links are words within names that say nothing.
var links = strings.Fields("della delle degli dello para dans with from voor onder över från ved under till and the auf bei zur zum des del der die das des les los las")

// forms are words for kinds of companies.
var forms = strings.Fields(`inc inc. incorporated corp corporation ltd limited llc llp plc lp gmbh ag kg ohg ug se sa sas sarl sasu eurl spa srl snc bv nv vof ab as asa aps oy oyj
	kft zrt sp.zoo spzoo sro spol doo ead eood ood pty co company cie gbr mbh ev sl slu slne ltda eireli kk pte bhd sdn holding holdings group gruppe groupe`)

// honorifics are words before a name.
var honorifics = strings.Fields(`mr mrs ms miss mx dr prof professor sir madam dame lord lady rev reverend father sister brother judge justice herr frau fräulein monsieur madame
	mademoiselle mme mlle señor señora señorita sr sra srta don doña signor signora sig dott dottore dottoressa avv ing mijnheer mevrouw dhr mevr senhor senhora pan pani
	bay bayan sayın hr fr fru herra rouva pan paní domnul doamna úr captain capt colonel col major sergeant sgt lieutenant lt general gen officer inspector detective
	constable sheikh imam rabbi hajji president senator governor minister ambassador`)

func (g *generator) gazetteer(texts []text) gazetteer {
	n, out := g.names, gazetteer{}
	out.words(feature.Given, n.allGiven)
	out.words(feature.Given|feature.GivenTop, n.given[""])
	out.words(feature.Family, n.allFamily)
	out.words(feature.Family|feature.FamilyTop, n.family[""])
	out.whole(feature.City, feature.PlacePart, n.cities[""])
	out.whole(feature.Country, feature.PlacePart, n.countries)
	out.whole(feature.Region, feature.PlacePart, n.regions[""])
	out.words(feature.National, n.nationalities)
	out.words(feature.National, n.peoples)
	out.frequent(feature.OrgWord, 6, n.companies)
	out.words(feature.OrgForm, forms)
	out.words(feature.Honorific, honorifics)
	byTag := map[feature.Tag][]string{}
	for _, slot := range keysOfLists(g.lists) {
		for _, l := range g.lists[slot] {
			byTag[l.tag] = append(byTag[l.tag], l.entries...)
		}
	}
	out.frequent(feature.OrgWord, 4, byTag[feature.Organisation])
	out.frequent(feature.Trade, 1, byTag[feature.Profession])
	out.frequent(feature.National, 1, byTag[feature.Nationality])
	out.frequent(feature.StreetWord, 3, byTag[feature.Address])
	out.whole(feature.Region, feature.PlacePart, byTag[feature.Place])
	out.words(feature.Common, byTag[feature.O])
	out.common(texts)
	return out
}

func keysOfLists(m map[string][]list) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// common marks words that texts have in small letters as no name.
func (g gazetteer) common(texts []text) {
	count := map[uint32]int{}
	for i := range texts {
		s := prepare(&texts[i], feature.Gazetteer{})
		for k, t := range s.tokens {
			if t.Shape == feature.Lower && t.End-t.Start > 1 && s.allowed[k]&only(feature.O) != 0 {
				count[t.Hash]++
			}
		}
	}
	for h, n := range count {
		if n >= 3 {
			g[h] |= feature.Common
		}
	}
}

func (g gazetteer) table() []byte {
	order := make([]uint32, 0, len(g))
	for h := range g {
		order = append(order, h)
	}
	slices.Sort(order)
	return feature.MakeGazetteer(g, order)
}
