package detect

import "strings"

// streetWords are what addresses are made of.
var streetWords = []entry{
	{sStreet, `rue avenue boulevard calle avenida avda ulica aleja allée impasse chemin rua travessa carrer carretera ctra paseo plaza piazza viale
		vicolo piazzale strada bulevardul calea улица ул проспект переулок вулиця вул οδός λεωφόρος rúa quai jalan ul`},
	{sStreetWeak, `via place route cours largo trg corso square av al str bd bld c praça praca cesta nám náměstí loc passage allee jl rr hc`},
	{sStreetEnd, `street st road rd avenue ave lane ln drive dr court ct circle cir boulevard blvd way place pl terrace square sq close crescent cres
		gardens grove hill parkway pkwy highway hwy trail trl pike turnpike loop row walk mews alley plaza point ridge path crossing
		expressway broadway causeway streets green park rise view mount meadows knoll junction bypass quay wharf`},
	{sStreetTail, `straße strasse str weg platz gasse gata gatan gate gade vej väg vägen veien vei katu tér tere út utca körút straat laan plein gracht
		caddesi sokak sokağı bulvarı cad sok náměstí namesti třída ulice cesta trg ulica street road avenue u rkp krt körtér sétány köz kapu terrasse plass`},
	{sParticle, `de del des du da do dos das della delle dei di la le les los las l d der den dem des am an im zum zur von van het 't ter ten of the
		y e et und och na pod nad saint st ste san santa sur sous en upon`},
	{sPart, `apt apartment suite ste unit flat floor fl room rm building bldg box door stock lokal lok m byt piso esc planta étage bâtiment interno
		scala lejl daire kat appartement wohnung hus apto depto block`},
	{sDirection, `n s e w ne nw se sw north south east west`},
	{sBox, `postfach apartado postbus pobox postbox box p po psc cmr apo fpo dpo uss usns usnv usnss usscg`},
}

// placeWords are countries, and the states and provinces that stand before a postal code.
var placeWords = []entry{
	{sCountry, `usa us uk gb germany deutschland france spain españa italy italia netherlands nederland belgium belgië belgique austria österreich
		switzerland schweiz suisse sweden sverige norway norge denmark danmark finland suomi poland polska portugal greece ireland hungary
		magyarország romania românia bulgaria croatia hrvatska slovenia slovenija slovakia slovensko czechia czech iceland ísland estonia latvia
		lithuania luxembourg malta cyprus turkey türkiye russia ukraine brazil brasil mexico méxico canada australia zealand japan china india
		singapore israel argentina chile colombia peru uruguay africa kenya nigeria egypt morocco tunisia greenland serbia england scotland wales
		united`},
	{sState, `al ak az ar ca co ct de fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj nm ny nc nd oh ok or pa ri sc sd tn tx ut vt
		va wa wv wi wy dc pr vi gu aa ae ap ab bc mb nb nl ns nt nu on pe qc sk yt nsw vic qld tas act sa`},
}

// streetEndings end the name of a street that is one word, and whose number follows.
var streetEndings = [...]string{"straße", "strasse", "straat", "weg", "platz", "allee", "gasse", "damm", "steig", "ufer", "gatan", "gata", "gaten", "gade",
	"vej", "vejen", "vägen", "vägen", "veien", "vegen", "vei", "katu", "ntie", "kuja", "polku", "laan", "plein", "gracht", "kade", "dijk", "singel",
	"steeg", "dreef", "utca", "braut", "vegur", "stræde", "stræti", "straeti", "vænge", "vænget", "toften", "bakken", "parken", "stien", "haven", "løkken", "gränd", "str", "tänav", "backen", "kroken"}

// streetEnds reports whether the word can be a street's name by its ending.
func streetEnds(w string) bool {
	if len(w) < 6 {
		return false
	}
	for _, e := range streetEndings {
		if len(w) > len(e)+2 && strings.HasSuffix(w, e) {
			return !notStreets[w]
		}
	}
	return false
}

var notStreets = wordSet("Brigade Blockade Renegade Norweg Conveien brigade Stockade")
