package patients

import (
	"embed"
	"strings"
)

//go:embed names/*.txt
var nameFiles embed.FS

// names are read once; the files start with a line of credit.
var names = struct{ female, male, family []string }{
	female: readNames("names/female.txt"), male: readNames("names/male.txt"), family: readNames("names/family.txt"),
}

func readNames(file string) []string {
	raw, err := nameFiles.ReadFile(file)
	if err != nil {
		panic(err) // it is embedded
	}
	var out []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	return out
}

var accents = strings.NewReplacer(
	"á", "a", "à", "a", "â", "a", "ã", "a", "ä", "a", "å", "a", "ç", "c", "é", "e", "è", "e", "ê", "e", "ë", "e",
	"í", "i", "ì", "i", "î", "i", "ï", "i", "ñ", "n", "ó", "o", "ò", "o", "ô", "o", "õ", "o", "ö", "o", "ø", "o",
	"ú", "u", "ù", "u", "û", "u", "ü", "u", "ý", "y", "æ", "ae", "'", "", " ", "",
)

// plain writes a name as an e-mail address would.
func plain(name string) string { return accents.Replace(strings.ToLower(name)) }

type city struct {
	name, state, postal string // postal: the first three digits
	areas               []string
	weight              int
}

var cities = []city{
	{"Bend", "OR", "977", []string{"541", "458"}, 30},
	{"Redmond", "OR", "977", []string{"541", "458"}, 12},
	{"Portland", "OR", "972", []string{"503", "971"}, 16},
	{"Salem", "OR", "973", []string{"503", "971"}, 8},
	{"Eugene", "OR", "974", []string{"541", "458"}, 8},
	{"Medford", "OR", "975", []string{"541", "458"}, 6},
	{"Klamath Falls", "OR", "976", []string{"541"}, 4},
	{"Pendleton", "OR", "978", []string{"541"}, 3},
	{"Boise", "ID", "837", []string{"208", "986"}, 6},
	{"Vancouver", "WA", "986", []string{"360", "564"}, 5},
	{"Spokane", "WA", "992", []string{"509"}, 3},
	{"Sacramento", "CA", "958", []string{"916", "279"}, 3},
	{"Reno", "NV", "895", []string{"775"}, 2},
}

var streets = []string{
	"Juniper", "Cedar", "Maple", "Alder", "Hawthorne", "Lakeview", "Canyon", "Mill", "Division", "Franklin", "Lincoln",
	"Washington", "Jefferson", "Riverside", "Orchard", "Meadow", "Prairie", "Summit", "Sunset", "Pine", "Aspen", "Willow",
	"Columbia", "Galveston", "Newport", "Portland", "Colorado", "Century", "Skyline", "Bluff",
}

var streetKinds = []string{"Street", "Avenue", "Road", "Drive", "Lane", "Court"}

type insurer struct {
	name, letters string
	plans         []string
	from, weight  int // from: the youngest age insured
}

var insurers = []insurer{
	{"Harbor Mutual", "HM", []string{"HM-GOLD", "HM-SILVER", "HM-BRONZE"}, 0, 45},
	{"Cascade Health Plan", "CH", []string{"CH-CHOICE", "CH-VALUE"}, 0, 30},
	{"Union Prairie", "UP", []string{"UP-STANDARD"}, 0, 15},
	{"Medicare", "MC", []string{"MC-PART-B"}, 65, 120},
}

func payers(age int) []insurer {
	var out []insurer
	for _, i := range insurers {
		if age >= i.from {
			out = append(out, i)
		}
	}
	return out
}

type ageBand struct{ from, to, weight int }

var ageBands = []ageBand{{0, 5, 6}, {5, 18, 9}, {18, 35, 17}, {35, 50, 18}, {50, 65, 22}, {65, 80, 20}, {80, 96, 8}}

type visitKind struct {
	name   string
	weight int
}

var visitKinds = []visitKind{{"office visit", 70}, {"telehealth", 15}, {"emergency", 9}, {"inpatient", 6}}

var clinicians = []string{
	"Dr. Samuel Adeyemi", "Dr. Ingrid Halvorsen", "Dr. Priya Raman", "Dr. Tomás Villanueva", "Dr. Hannah Oyelaran",
	"Dr. Wei-Ling Chou", "Dr. Marcus Feld", "Dr. Amara Nwosu",
}
