package deidentify

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Given and family names: the commonest of each country in the popular-names-by-country data set (sigpwned, CC0).
//
//go:embed words.txt
var wordList string

// words of one locale.
type words struct {
	given, family, cities, streets []string
	address                        string // house number and street as verbs 1 and 2
	phones                         []string
}

// Telephone numbers in ranges that are set aside for fiction, a # for each free digit: NANPA 555-0100 to 555-0199, Ofcom's numbers
// for drama, ARCEP's for audiovisual works, the Bundesnetzagentur's for media. No such range is known for Spain and Italy.
var places = map[string]words{
	"en-US": {
		cities:  strings.Fields("Springfield Franklin Clinton Georgetown Madison Salem Greenville Fairview Bristol Ashland Burlington Manchester Oakland Riverside Milton"),
		streets: []string{"Maple Street", "Oak Avenue", "Cedar Lane", "Elm Street", "Willow Drive", "Hill Road", "Lake Avenue", "Park Lane", "Sunset Drive", "River Road"},
		address: "%[1]d %[2]s", phones: phonesOf("+1 %s 555 01##", "201 212 213 305 312 404 415 503 512 602 617 702 713 718 801 808 816 904 917 949"),
	},
	"en-GB": {
		cities:  strings.Fields("Ashford Newport Wells Durham Lincoln Chester Oxford Derby Lancaster Exeter Hereford Truro Carlisle Ripon Ely"),
		streets: []string{"High Street", "Station Road", "Church Lane", "Mill Road", "Victoria Road", "Green Lane", "Manor Road", "Kings Road", "Park Avenue", "Orchard Close"},
		address: "%[1]d %[2]s", phones: phonesOf("+44 %s###", "7700_900 20_7946_0 113_496_0 114_496_0 115_496_0 116_496_0 117_496_0 118_496_0 121_496_0 131_496_0 141_496_0 151_496_0 161_496_0 1632_960"),
	},
	"de": {
		cities:  strings.Fields("Neustadt Altenburg Friedberg Lindau Weimar Marburg Celle Gotha Hameln Landshut Wismar Passau Fulda Soest Amberg"),
		streets: []string{"Hauptstraße", "Bahnhofstraße", "Gartenweg", "Lindenallee", "Schulstraße", "Bergstraße", "Mühlenweg", "Kirchgasse", "Ringstraße", "Birkenweg"},
		address: "%[2]s %[1]d", phones: phonesOf("+49 %s###", "30_23125 69_90009 40_66969 221_4710 89_99998"),
	},
	"fr": {
		cities:  strings.Fields("Villeneuve Montreuil Auxerre Chartres Albi Gap Dole Beaune Sens Blois Saintes Cahors Laon Troyes Nevers"),
		streets: []string{"rue des Lilas", "rue de la Gare", "avenue du Parc", "place du Marché", "rue des Écoles", "chemin des Vignes", "rue du Moulin", "allée des Tilleuls", "rue Neuve", "impasse du Puits"},
		address: "%[1]d %[2]s", phones: phonesOf("+33 %s ## ##", "1_99_00 2_61_91 3_53_01 4_65_71 5_36_49 6_39_98"),
	},
	"es": {
		cities:  strings.Fields("Alcañiz Ronda Tudela Lorca Baeza Estella Vic Teruel Soria Zafra Morella Jaca Almagro Haro Lugo"),
		streets: []string{"calle Mayor", "calle de la Fuente", "avenida del Parque", "calle Nueva", "paseo del Río", "calle del Molino", "plaza Vieja", "calle Real", "camino Alto", "calle del Sol"},
		address: "%[2]s, %[1]d",
	},
	"it": {
		cities:  strings.Fields("Arezzo Lucca Siena Mantova Ferrara Cuneo Asti Biella Rieti Matera Urbino Orvieto Todi Spoleto Trani"),
		streets: []string{"via Roma", "via Garibaldi", "via dei Mille", "viale Verdi", "piazza Dante", "via del Mulino", "via Nuova", "corso Umberto", "via della Fonte", "vicolo Stretto"},
		address: "%[2]s, %[1]d",
	},
}

func phonesOf(form, codes string) []string {
	var all []string
	for code := range strings.FieldsSeq(codes) {
		all = append(all, fmt.Sprintf(form, strings.ReplaceAll(code, "_", " ")))
	}
	return all
}

// locales is what there is, with the names put in.
var locales = sync.OnceValue(func() map[string]words {
	all := map[string]words{}
	for line := range strings.Lines(wordList) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		w, ok := all[f[0]]
		if !ok {
			w = places[f[0]]
		}
		if f[1] == "given" {
			w.given = f[2:]
		} else {
			w.family = f[2:]
		}
		all[f[0]] = w
	}
	return all
})

// Locales names the locales of realistic stand-ins.
func Locales() []string {
	var all []string
	for l := range locales() {
		all = append(all, l)
	}
	slices.Sort(all)
	return all
}

// Inventions are the kinds of realistic stand-in.
var inventions = map[string]func(w words, taken uint64) string{
	"given":  func(w words, taken uint64) string { return some(w.given, taken, " ") },
	"family": func(w words, taken uint64) string { return some(w.family, taken, "-") },
	"name": func(w words, taken uint64) string {
		extra := uint64(0)
		if n := uint64(len(w.given) * len(w.family)); 4*taken > n {
			extra = 4 * taken / n * uint64(len(w.given))
		}
		return some(w.given, extra, " ") + " " + one(w.family)
	},
	"email": func(w words, taken uint64) string {
		number := ""
		if n := uint64(len(w.given) * len(w.family)); 4*taken > n {
			number = fmt.Sprint(1 + below(8*taken))
		}
		return plainASCII(one(w.given)) + "." + plainASCII(one(w.family)) + number + "@example." + one([]string{"com", "net", "org"})
	},
	"phone": func(w words, _ uint64) string {
		if len(w.phones) == 0 {
			return ""
		}
		number := []byte(one(w.phones))
		for i := range number {
			if number[i] == '#' {
				number[i] = byte('0' + below(10))
			}
		}
		return string(number)
	},
	"address": func(w words, taken uint64) string {
		return fmt.Sprintf(w.address, 1+below(200+taken), one(w.streets)) + ", " + one(w.cities)
	},
	"city": func(w words, _ uint64) string { return one(w.cities) },
	"date": func(words, uint64) string {
		return time.Date(1930, 1, 1+int(below(29_000)), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
	},
}

func one(of []string) string { return of[below(uint64(len(of)))] }

// some is one word, or several once a quarter of the shorter ones is taken.
func some(of []string, taken uint64, between string) string {
	text := one(of)
	for n := uint64(len(of)); 4*taken > n; n *= uint64(len(of)) {
		text += between + one(of)
	}
	return text
}

// plainASCII is a word as it stands in an e-mail address.
func plainASCII(word string) string {
	word = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss").Replace(strings.ToLower(word))
	var b strings.Builder
	for _, r := range NormalMarks(word) {
		if 'a' <= r && r <= 'z' {
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 {
		return "x"
	}
	return b.String()
}

// InventionOf returns the kind of realistic stand-in that fits the class, and "" where there is none.
func InventionOf(c flow.Class) string {
	switch {
	case c.Label.Within("person/name/given"):
		return "given"
	case c.Label.Within("person/name/family"):
		return "family"
	case c.Label.Within("person/name"):
		return "name"
	case c.Label.Within("person/contact/email"):
		return "email"
	case c.Label.Within("person/contact/phone"):
		return "phone"
	case c.Label.Within("person/contact/address"):
		return "address"
	case c.Label.Within("location/city"):
		return "city"
	case c.Kind == flow.Date:
		return "date"
	}
	return ""
}

// Invent draws a value of the kind (given, family, name, email, phone, address, city, date) at random; taken is how many there are already.
// It is "" for a kind or locale that there is not. Nobody's value is drawn on purpose; that a person has the name cannot be excluded.
func Invent(kind, locale string, taken uint64) string {
	w, ok := locales()[locale]
	f := inventions[kind]
	if !ok || f == nil {
		return ""
	}
	return f(w, taken)
}

// RealisticOptions say what stand-ins look like.
type RealisticOptions struct {
	Kind   string // given, family, name, email, phone, address, city, date; "": what fits the class
	Locale string // one of [Locales]; "": en-US
}

// Realistic returns the technique that puts an invented value of the same kind in the place of one: drawn at random, not derived from the
// value, and never equal to it. E-mail addresses are at example domains, telephone numbers in ranges set aside for fiction.
func Realistic(m *Memory, c flow.Class, o RealisticOptions) (Technique, error) {
	if o.Kind == "" {
		o.Kind = InventionOf(c)
	}
	if o.Locale == "" {
		o.Locale = "en-US"
	}
	if Invent(o.Kind, o.Locale, 0) == "" {
		return nil, fmt.Errorf("%w: there are no realistic values of this kind in this locale", ErrOptions)
	}
	kind := "realistic " + o.Kind + " " + o.Locale
	return &simple{says: Says{
		Name: "realistic", Does: "an invented value of the same kind, the same for one value within one release", Treatment: flow.Treatment{Level: flow.Tokenized, Param: flow.TokenRealistic},
		Remembers: true, Random: true,
		Preserves: []string{"equality within one release", "what values of the kind look like, for software and people"},
		Reveals:   []string{"which rows have equal values, and how often each occurs", "that it is invented cannot be seen: say so to whoever gets the table, and expect that somebody really has the name"},
		Threat:    "stops everybody who looks for the value: nothing is derived from it. Not a guess by how often a value occurs, and not the harm of taking an invented name for a person's",
	}, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
		dst, err := m.standIn(dst, kind, Normal(c, string(v.Text)), func(taken uint64) string { return Invent(o.Kind, o.Locale, taken) })
		return dst, String, err
	}}, nil
}
