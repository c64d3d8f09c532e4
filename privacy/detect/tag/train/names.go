package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// names are lists of names of people and places.
type names struct {
	given, family       map[string][]string // by country, the frequent ones; "" is everybody
	allGiven, allFamily []string
	cities              map[string][]string // by country, "" is everywhere
	regions             map[string][]string
	countries           []string
	nationalities       []string
	peoples             []string
	companies           []string
	inventGiven         *chain
	inventFamily        *chain
}

// countriesOf are where a language is spoken, as the lists of people's names and of places write countries.
var countriesOf = map[string]struct{ codes, names string }{
	"en": {"US GB IE AU NZ CA ZA", "United States,United Kingdom,Ireland,Australia,New Zealand,Canada,South Africa,India,Nigeria"},
	"de": {"DE AT CH LI", "Germany,Austria,Switzerland"},
	"fr": {"FR BE CH LU MC", "France,Belgium,Switzerland"},
	"es": {"ES MX AR CL CO PE UY", "Spain,Mexico,Argentina,Chile,Colombia,Peru"},
	"it": {"IT SM", "Italy"},
	"nl": {"NL BE", "Netherlands,Belgium"},
	"pt": {"PT BR", "Portugal,Brazil"},
	"pl": {"PL", "Poland"}, "sv": {"SE FI", "Sweden"}, "da": {"DK", "Denmark"}, "no": {"NO", "Norway"}, "fi": {"FI", "Finland"},
	"tr": {"TR", "Turkey"}, "cs": {"CZ SK", "Czech Republic,Czechia"}, "ro": {"RO MD", "Romania"}, "hu": {"HU", "Hungary"},
}

func readCSV(dir, file string) (rows []map[string]string, err error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(b), "\ufeff")))
	r.FieldsPerRecord = -1
	all, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, line := range all[1:] {
		row := map[string]string{}
		for i, v := range line {
			if i < len(all[0]) {
				row[all[0][i]] = strings.TrimSpace(v)
			}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func readLines(dir, file string) ([]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(strings.TrimPrefix(string(b), "\ufeff")) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out, nil
}

func readNames(dir string) (*names, error) {
	n := &names{given: map[string][]string{}, family: map[string][]string{}, cities: map[string][]string{}, regions: map[string][]string{}}
	for _, kind := range []struct {
		file string
		to   map[string][]string
	}{{"forenames-by-country.csv", n.given}, {"surnames-by-country.csv", n.family}} {
		rows, err := readCSV(dir, kind.file)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			for _, name := range []string{row["Localized Name"], row["Romanized Name"]} {
				if name == "" || !latin(name) || slices.Contains(kind.to[row["Country"]], name) {
					continue
				}
				kind.to[row["Country"]] = append(kind.to[row["Country"]], name)
				kind.to[""] = append(kind.to[""], name)
			}
		}
	}
	var err error
	if n.allGiven, err = readLines(dir, "first-names.txt"); err != nil {
		return nil, err
	}
	if n.allFamily, err = readLines(dir, "surnames.txt"); err != nil {
		return nil, err
	}
	cities, err := readCSV(dir, "world-cities.csv")
	if err != nil {
		return nil, err
	}
	for _, row := range cities {
		c := row["country"]
		n.cities[c] = append(n.cities[c], row["name"])
		n.cities[""] = append(n.cities[""], row["name"])
		if s := row["subcountry"]; s != "" && !slices.Contains(n.regions[c], s) {
			n.regions[c] = append(n.regions[c], s)
			n.regions[""] = append(n.regions[""], s)
		}
		if !slices.Contains(n.countries, c) {
			n.countries = append(n.countries, c)
		}
	}
	nations, err := readCSV(dir, "nationalities.csv")
	if err != nil {
		return nil, err
	}
	for _, row := range nations {
		if c := capitalised(row["country"]); c != "" && !slices.Contains(n.countries, c) {
			n.countries = append(n.countries, c)
		}
		n.nationalities = append(n.nationalities, capitalised(row["nationality"]))
		for _, k := range []string{"man", "woman", "plural"} {
			n.peoples = append(n.peoples, capitalised(row[k]))
		}
	}
	if n.companies, err = readLines(dir, "organizations.csv"); err != nil {
		return nil, err
	}
	n.companies = n.companies[1:]
	n.inventGiven, n.inventFamily = newChain(n.given[""], n.allGiven), newChain(n.family[""], n.allFamily)
	return n, nil
}

// latin reports whether a name is written in Latin letters.
func latin(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) && !unicode.Is(unicode.Latin, r) })
}

func capitalised(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		if w != "and" && w != "of" && w != "the" {
			r := []rune(w)
			words[i] = string(unicode.ToUpper(r[0])) + string(r[1:])
		}
	}
	return strings.Join(words, " ")
}

// chain invents words that look like those of a list: letters follow three others as they do there.
type chain struct{ next map[string][]byte }

func newChain(lists ...[]string) *chain {
	c := &chain{map[string][]byte{}}
	for _, list := range lists {
		for _, w := range list {
			w = strings.ToLower(w)
			if strings.ContainsFunc(w, func(r rune) bool { return r < 'a' || r > 'z' }) {
				continue
			}
			key := "^^^"
			for i := range len(w) {
				c.next[key] = append(c.next[key], w[i])
				key = key[1:] + w[i:i+1]
			}
			c.next[key] = append(c.next[key], '$')
		}
	}
	return c
}

func (c *chain) word(r *random) string {
	for {
		var b []byte
		key := "^^^"
		for len(b) < 14 {
			options := c.next[key]
			x := options[r.below(len(options))]
			if x == '$' {
				break
			}
			b = append(b, x)
			key = key[1:] + string(x)
		}
		if len(b) >= 3 {
			return capitalised(string(b))
		}
	}
}

// person is somebody in a text.
type person struct{ given, middle, family string }

func (n *names) person(lang string, r *random) person {
	var codes []string
	if c, ok := countriesOf[lang]; ok {
		codes = strings.Fields(c.codes)
	}
	var p person
	// Half are from where the language is spoken, the others from anywhere; one in six has a name that is in no list.
	country := ""
	if len(codes) > 0 && r.percent(55) {
		country = r.pick(codes)
	} else if r.percent(75) {
		keys := keysOf(n.family)
		country = r.pick(keys)
	}
	p.given = pickFrom(n.given[country], n.allGiven, r)
	p.family = pickFrom(n.family[country], n.allFamily, r)
	if lang == "en" && r.percent(35) {
		p.given, p.family = r.pick(n.allGiven), r.pick(n.allFamily)
	}
	if r.percent(16) {
		p.given = n.inventGiven.word(r)
	}
	if r.percent(22) {
		p.family = n.inventFamily.word(r)
	}
	switch r.below(14) {
	case 0:
		p.family += "-" + pickFrom(n.family[country], n.allFamily, r)
	case 1:
		p.given += r.pick([]string{"-", " "}) + pickFrom(n.given[country], n.allGiven, r)
	case 2:
		p.family += " " + pickFrom(n.family[country], n.allFamily, r)
	case 3:
		if r.one(2) {
			p.family = r.pick([]string{"van der ", "de ", "von ", "al-", "El ", "O'", "Mc", "Di ", "de la ", "dos ", "ben ", "van ", "Abu ", "D'", "da ", "Ó "}) + p.family
		}
	}
	if r.percent(18) {
		p.middle = pickFrom(n.given[country], n.allGiven, r)
		if r.percent(75) {
			p.middle = string([]rune(p.middle)[:1]) + "."
		}
	}
	return p
}

func pickFrom(first, other []string, r *random) string {
	if len(first) > 0 {
		return r.pick(first)
	}
	return r.pick(other)
}

// keysOf returns the keys of a map in order.
func keysOf(m map[string][]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		if k != "" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

func (p person) full(r *random) string {
	switch {
	case p.middle != "":
		return p.given + " " + p.middle + " " + p.family
	case r.one(25):
		return initial(p.given) + ". " + p.family
	}
	return p.given + " " + p.family
}

func initial(s string) string { return string([]rune(s)[:1]) }

// city is a place, mostly one of where the language is spoken.
func (n *names) city(lang string, r *random) string {
	if c, ok := countriesOf[lang]; ok && r.percent(55) {
		if list := n.cities[r.pick(strings.Split(c.names, ","))]; len(list) > 0 {
			return r.pick(list)
		}
	}
	if r.percent(8) {
		return n.inventFamily.word(r)
	}
	return r.pick(n.cities[""])
}

func (n *names) region(lang string, r *random) string {
	if c, ok := countriesOf[lang]; ok && r.percent(55) {
		if list := n.regions[r.pick(strings.Split(c.names, ","))]; len(list) > 0 {
			return r.pick(list)
		}
	}
	return r.pick(n.regions[""])
}
