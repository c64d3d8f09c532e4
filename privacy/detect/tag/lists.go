package tag

import "github.com/scrimhq/scrim/privacy/detect/tag/internal/feature"

// Lists says in which of the model's lists a word occurs. The lists keep no words: about one word in 2,000 that is in none of
// them is taken for one that is.
type Lists uint16

// The lists.
const (
	InGiven    = Lists(feature.Given)      // given names
	InFamily   = Lists(feature.Family)     // family names
	InCities   = Lists(feature.City)       // places by themselves, or word pairs that are one
	InCountry  = Lists(feature.Country)    // countries
	InRegion   = Lists(feature.Region)     // regions
	InNational = Lists(feature.National)   // nationalities, peoples, languages and religions
	InTrade    = Lists(feature.Trade)      // words of professions
	InOrgForm  = Lists(feature.OrgForm)    // legal forms
	InStreet   = Lists(feature.StreetWord) // words of streets' names
	InCommon   = Lists(feature.Common)     // ordinary words
)

// Words calls f for each word of the text with its place and the lists that it is in, by itself or with the word beside it, until f
// returns false. A word is a run of letters and digits with a letter in it. It takes linear time.
func (t *Tagger) Words(text string, f func(start, end int, in Lists) bool) {
	const persons = feature.Given | feature.GivenTop | feature.Family | feature.FamilyTop | feature.Common
	var tok, before feature.Token
	var held feature.Gaz
	have := false
	for p := 0; feature.Next(text, p, true, &tok); p = tok.End {
		if tok.Shape >= feature.Digit1 && tok.Shape <= feature.Digits || tok.Shape > feature.Caseless {
			continue
		}
		own := t.model.Gaz.Lookup(tok.Hash)
		if have {
			both := t.model.Gaz.Lookup(feature.Pair(before.Hash, tok.Hash)) &^ persons
			if held&feature.PlacePart == 0 {
				both = 0
			}
			own |= both
			if !f(before.Start, before.End, Lists(held|both)) {
				return
			}
		}
		before, held, have = tok, own, true
	}
	if have {
		f(before.Start, before.End, Lists(held))
	}
}
