package column

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/privacy/detect/tag"
)

// wordCount is what lists say of the words of a value.
type wordCount struct {
	n, small, capital, links                                                     int
	given, family, city, country, region, national, trade, forms, street, common int
}

var linking = map[string]bool{"de": true, "van": true, "der": true, "den": true, "von": true, "la": true, "le": true, "del": true, "di": true, "da": true, "dos": true, "al": true, "el": true, "bin": true, "y": true}

func wordsOf(v string, tagger *tag.Tagger) (w wordCount) {
	tagger.Words(v, func(start, end int, in tag.Lists) bool {
		word := v[start:end]
		w.n++
		r, _ := utf8.DecodeRuneInString(word)
		switch {
		case linking[word]:
			w.links++
		case unicode.IsLower(r):
			w.small++
		default:
			w.capital++
		}
		for _, l := range []struct {
			list tag.Lists
			n    *int
		}{{tag.InGiven, &w.given}, {tag.InFamily, &w.family}, {tag.InCities, &w.city}, {tag.InCountry, &w.country}, {tag.InRegion, &w.region},
			{tag.InNational, &w.national}, {tag.InTrade, &w.trade}, {tag.InOrgForm, &w.forms}, {tag.InStreet, &w.street}, {tag.InCommon, &w.common}} {
			if in&l.list != 0 {
				*l.n++
			}
		}
		return w.n < 64
	})
	return w
}

// day is a date as written.
type day struct {
	year            int
	timed, midnight bool
}

// parseDate reads a date in figures: year first with any mark or none, or last with a mark.
func parseDate(v string) (d day, ok bool) {
	head, rest := v, ""
	if len(v) > 10 {
		head, rest = v[:10], v[10:]
		if rest[0] != ' ' && rest[0] != 'T' || len(rest) < 6 || rest[3] != ':' {
			return d, false
		}
		d.timed, d.midnight = true, strings.HasPrefix(rest[1:], "00:00") && (len(rest) < 9 || rest[6:9] == ":00" || rest[7:9] == "00")
	}
	layouts := []string{"2006-01-02", "2006/01/02", "2006.01.02"}
	switch {
	case len(head) == 8 && strings.Trim(head, "0123456789") == "":
		layouts = []string{"20060102"}
	case len(head) == 10 && (head[2] == '.' || head[2] == '/' || head[2] == '-'):
		sep := head[2:3]
		layouts = []string{"02" + sep + "01" + sep + "2006", "01" + sep + "02" + sep + "2006"}
	case len(head) >= 8 && len(head) <= 9 && strings.ContainsAny(head, "./-"):
		sep := head[strings.IndexAny(head, "./-"):][:1]
		layouts = []string{"2" + sep + "1" + sep + "2006", "1" + sep + "2" + sep + "2006", "02" + sep + "01" + sep + "06", "01" + sep + "02" + sep + "06"}
	case len(head) != 10:
		return d, false
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, head); err == nil && t.Year() >= 1850 && t.Year() <= 2150 {
			d.year = t.Year()
			return d, true
		}
	}
	return d, false
}

// span is from when to when dates are, but for one in fifty at each end.
func span(years []int) [2]int {
	if len(years) == 0 {
		return [2]int{}
	}
	var n [2151]int
	for _, y := range years {
		n[y]++
	}
	edge := func(y, step int) int {
		for left := len(years) / 50; y > 0 && y < len(n); y += step {
			if left -= n[y]; left < 0 {
				return y
			}
		}
		return 0
	}
	return [2]int{edge(1850, 1), edge(2150, -1)}
}

func phoneLike(v string, c chars) bool {
	if c.digits < 7 || c.digits > 15 || c.letters > 0 || len(v) > 24 || strings.Trim(v, "0123456789+()-./ ") != "" || c.marks+c.spaces == 0 {
		return false
	}
	if v[0] == '+' {
		return true
	}
	if v[0] == '-' || c.spaces == 0 && c.marks == 1 && strings.IndexByte(v, '.') > 0 {
		return false // a number
	}
	_, date := parseDate(v)
	return !date && strings.Count(v, ".") != 3 && (v[0] == '(' || v[0] == '0' || c.marks+c.spaces >= 2)
}

func pairLike(v string, c chars) bool {
	a, b, ok := strings.Cut(v, ",")
	if !ok || c.letters > 0 || strings.Count(v, ".") != 2 || len(v) > 44 {
		return false
	}
	dec := func(s string) bool {
		s = strings.TrimLeft(strings.TrimSpace(strings.Trim(s, "() ")), "-+")
		i := strings.IndexByte(s, '.')
		return i > 0 && i <= 3 && len(s)-i > 2 && strings.Trim(s, "0123456789.") == ""
	}
	return dec(a) && dec(b)
}

func agentLike(v string) bool {
	i := strings.IndexByte(v, '/')
	return i > 2 && i+1 < len(v) && v[i+1]-'0' < 10 && strings.IndexByte(v[:i], ' ') < 0 && v[0] != '/' && count(v[:i]).digits == 0
}

func icdLike(v string) bool {
	if len(v) < 3 || len(v) > 8 || v[0] < 'A' || v[0] > 'Z' || v[1]-'0' >= 10 {
		return false
	}
	for i := 2; i < len(v); i++ {
		b := v[i]
		switch {
		case i == 3:
			if b != '.' {
				return false
			}
		case b-'0' < 10, b >= 'A' && b <= 'Z':
		default:
			return false
		}
	}
	return len(v) != 4
}

var doses = []string{"mg", "mcg", "µg", "ml", "iu", "g", "tablet", "tablets", "capsule", "inhaler", "tab", "caps", "pen", "mg/ml"}

// stems end the international names of substances (WHO INN stems).
var stems = []string{"statin", "pril", "olol", "cillin", "prazole", "sartan", "formin", "mycin", "oxacin", "azepam", "tidine", "mab", "tinib", "profen", "cycline", "triptan", "gliptin", "floxacin", "dipine", "setron", "parin", "xaban", "tamol", "traline", "oxetine", "codone", "insulin", "aspirin", "salbutamol"}

func doseLike(v string) bool {
	if len(v) > 60 {
		return false
	}
	low := strings.ToLower(v)
	first, rest, _ := strings.Cut(low, " ")
	for _, s := range stems {
		if len(first) > 5 && strings.HasSuffix(first, s) {
			return true
		}
	}
	number := false
	for w := range strings.FieldsSeq(rest) {
		for _, d := range doses {
			if w == d && number || strings.HasSuffix(w, d) && len(w) > len(d) && w[0]-'0' < 10 && len(first) > 4 {
				return true
			}
		}
		number = w[0]-'0' < 10
	}
	return false
}

// postalLike holds for 4 to 6 digits, and for codes with letters as in Britain, Canada, the Netherlands, Poland and the United States.
func postalLike(v string, c chars) bool {
	if len(v) > 10 || c.digits == 0 || c.high > 0 {
		return false
	}
	switch {
	case c.digits == len(v):
		return len(v) >= 4 && len(v) <= 6
	case c.letters == 0 && c.marks == 1:
		i := strings.IndexByte(v, '-')
		return i == 2 && len(v) == 6 || i == 5 && len(v) >= 9 || i == 4 && len(v) == 8
	case c.spaces == 1 && c.upper == c.letters && c.marks == 0:
		i := strings.IndexByte(v, ' ')
		return i == 4 && c.digits == 4 && c.letters == 2 || len(v)-i == 4 && i >= 2 && i <= 4 && c.letters >= 3
	}
	return c.spaces == 1 && c.letters == 0 && len(v) == 6 && v[3] == ' '
}

func emailLike(v string) bool {
	at := strings.IndexByte(v, '@')
	return at > 0 && strings.IndexByte(v[at+1:], '@') < 0 && strings.IndexByte(v[at+1:], '.') > 0
}

func cryptLike(v string) bool {
	for _, p := range []string{"$2a$", "$2b$", "$2y$", "$argon2", "$5$", "$6$", "$1$", "$P$", "$H$", "pbkdf2", "{SSHA", "{bcrypt", "scrypt:", "sha256$", "sha1$"} {
		if strings.HasPrefix(v, p) && len(v) >= 20 {
			return true
		}
	}
	return false
}

// houseNumber reports whether a value begins or ends with a number, as addresses do.
func houseNumber(v string) bool {
	f := strings.Fields(v)
	if len(f) < 2 {
		return false
	}
	number := func(w string) bool { return w[0]-'0' < 10 && len(w) <= 7 }
	return number(f[0]) && count(f[1]).letters+count(f[len(f)-1]).letters > 0 || number(f[len(f)-1])
}

var streetWords = []string{"street", " st", " ave", "avenue", "road", " rd", "lane", "drive", "blvd", "boulevard", "court", "place", "way", "strasse", "straße", "str.", "weg", "gasse", "platz", "allee", "ring",
	"rue ", "chemin", "allée", "calle", "avenida", "plaza", "paseo", "c/", "via ", "corso", "piazza", "viale", "ul.", "al.", "straat", "laan", "plein", "gracht", "cad.", "caddesi", "sok.", "sokak", "mah.", "rua ", "travessa", "gatan", "vägen", "katu", "utca", "ulica", "p.o. box", "postfach"}

// streetLike reports whether a word of streets is in a value of few words.
func streetLike(v string) bool {
	if len(v) > 90 {
		return false
	}
	low := strings.ToLower(v)
	for _, w := range streetWords {
		if i := strings.Index(low, w); i >= 0 && (i+len(w) == len(low) || w[len(w)-1] == ' ' || w[len(w)-1] == '.' || !isLetterByte(low[i+len(w)])) {
			return true
		}
	}
	return false
}

func isLetterByte(b byte) bool { return 'a' <= b && b <= 'z' || b >= utf8.RuneSelf }

// numberedWord holds for "Maria307".
func numberedWord(v string) bool {
	word := strings.TrimRight(v, "0123456789")
	c := count(word)
	return len(v)-len(word) <= 4 && len(v) > len(word) && c.lower > 1 && c.digits == 0 && c.upper == 1
}

// measured holds for a number and a unit of a few letters behind it.
func measured(v string, c chars) bool {
	if v[0]-'0' >= 10 || len(v) > 20 || c.letters > 5 || c.letters == 0 && v[len(v)-1] != '%' {
		return false
	}
	number := strings.TrimRight(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ%°²³µ ")
	return len(number) < len(v) && strings.Trim(number, "0123456789.,") == "" && count(v[len(number):]).upper <= 2 && (c.letters < 3 || strings.Contains(v, " "))
}
