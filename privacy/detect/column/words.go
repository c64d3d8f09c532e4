package column

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/scrimhq/scrim/privacy/detect/tag"
)

//go:embed lexicon.txt
var lexiconText string

// meanings maps words of names to what they mean.
type meanings struct {
	of      map[string][]string
	whole   map[string]bool     // looked for only as a whole
	slips   map[string][]string // words of six letters and more by their cuts
	longest int
}

var lexicon = sync.OnceValue(func() *meanings {
	m := &meanings{of: map[string][]string{}, whole: map[string]bool{}}
	for line := range strings.Lines(lexiconText) {
		concept, words, ok := strings.Cut(line, ": ")
		if !ok || line[0] == '#' {
			continue
		}
		for w := range strings.FieldsSeq(words) {
			bare := strings.TrimPrefix(w, "+")
			if bare != w {
				m.whole[bare] = true
			}
			if !slices.Contains(m.of[bare], concept) {
				m.of[bare] = append(m.of[bare], concept)
			}
			m.longest = max(m.longest, len(bare))
		}
	}
	m.slips = map[string][]string{}
	for w := range m.of {
		if len(w) < 6 || m.whole[w] {
			continue
		}
		for _, cut := range cuts(w) {
			m.slips[cut] = append(m.slips[cut], w)
		}
	}
	return m
})

// concepts is a set of what the words of a name mean.
type concepts map[string]bool

func (c concepts) all(names ...string) bool {
	return !slices.ContainsFunc(names, func(n string) bool { return !c[n] })
}

func (c concepts) any(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return c[n] })
}

// reading is a name, read.
type reading struct {
	concepts
	words []string // small and without accents
	last  concepts // of the last word that means anything
	count bool     // "number of children", "numGuests"
}

// read splits a name into words and says what they mean. It looks at no more than [MaxName] bytes.
func read(name string) reading {
	r := reading{concepts: concepts{}, last: concepts{}}
	words := splitName(name)
	lex := lexicon()
	// Two or three words may be one: "maiden name", "last_4", "ip_address", "estado_civil".
	for i := 0; i < len(words); {
		n := 1
		for n = min(3, len(words)-i); n > 1; n-- {
			if joined := strings.Join(words[i:i+n], ""); len(joined) > 3 && lex.of[joined] != nil {
				break
			}
		}
		r.mean(strings.Join(words[i:i+n], ""))
		i += n
	}
	r.count = counts(words)
	return r
}

// counting are words that say how many there are of what follows.
var counting = map[string]bool{"num": true, "number": true, "no": true, "nb": true, "n": true, "count": true, "nr": true, "anzahl": true, "nombre": true, "cant": true,
	"cantidad": true, "numero": true, "liczba": true, "qtd": true, "aantal": true, "numbers": true, "total": true, "jumlah": true, "jml": true}

func counts(words []string) bool {
	if len(words) < 2 {
		return false
	}
	last := words[len(words)-1]
	if last == "count" || last == "cnt" || last == "anzahl" {
		return true
	}
	if !counting[words[0]] {
		return false
	}
	if words[0] == "jumlah" || words[0] == "jml" || words[0] == "liczba" || words[0] == "aantal" || words[0] == "anzahl" {
		return true // languages without this plural
	}
	plural := len(last) > 4 && last[len(last)-1] == 's' && !strings.HasSuffix(last, "ss") && !strings.HasSuffix(last, "us")
	return plural || len(words) > 2 && (words[1] == "of" || words[1] == "de" || words[1] == "di")
}

func (r *reading) mean(word string) {
	r.words = append(r.words, word)
	lex := lexicon()
	found := lex.of[word]
	if found == nil {
		bare := strings.TrimRight(word, "0123456789")
		if found = lex.of[bare]; found == nil && len(bare) > 3 {
			parts := lex.split(bare)
			if len(parts) == 0 {
				parts = lex.near(bare)
			}
			if len(parts) == 0 {
				parts = head(bare)
			}
			if len(parts) > 0 {
				clear(r.last)
			}
			for _, p := range parts {
				for _, c := range lex.of[p] {
					r.concepts[c], r.last[c] = true, true
				}
			}
			return
		}
	}
	if found == nil {
		return
	}
	clear(r.last)
	for _, c := range found {
		r.concepts[c], r.last[c] = true, true
	}
}

// split takes a word apart that is made of words of the lexicon ("geburtsdatum", "dateofbirth", "custname"), or returns nothing.
// It takes time linear in the word, which has at most [MaxName] bytes.
func (m *meanings) split(word string) []string {
	const worst = 1 << 20
	type step struct{ cost, from int }
	best := make([]step, len(word)+1)
	for i := 1; i <= len(word); i++ {
		best[i] = step{worst, -1}
		for from := max(0, i-m.longest); from < i; from++ {
			part := word[from:i]
			if best[from].cost >= worst {
				continue
			}
			cost := worst
			switch {
			case len(part) >= 3 && m.of[part] != nil && !m.whole[part], (part == "nr" || part == "id" || part == "no") && i == len(word):
				cost = 10
			case from > 0 && (part == "s" || part == "n" || part == "en" || part == "es" || part == "of" || part == "de" || part == "di" || part == "da"):
				cost = 2
			}
			if best[from].cost+cost < best[i].cost {
				best[i] = step{best[from].cost + cost, from}
			}
		}
	}
	if best[len(word)].cost >= worst {
		return nil
	}
	var parts []string
	for i := len(word); i > 0; i = best[i].from {
		if part := word[best[i].from:i]; m.of[part] != nil {
			parts = append(parts, part)
		}
	}
	slices.Reverse(parts)
	return parts
}

// heads end compounds whose other word nobody knows: "prisonername", "ofirstname".
var heads = []string{"firstname", "lastname", "surname", "birthdate", "address", "adresse", "nachname", "vorname", "password", "passwort", "telefon", "number", "nummer", "numero",
	"salary", "betrag", "amount", "datum", "phone", "email", "price", "count", "nombre", "name", "nome", "date", "time", "mail", "code"}

func head(word string) []string {
	for _, h := range heads {
		if strings.HasSuffix(word, h) && len(word) < len(h)+12 {
			return []string{h}
		}
	}
	return nil
}

// near returns the word of the lexicon that a long one is a slip of the pen away from: "adress", "passwrd", "custmer". Ordinary words are
// none: a contract is no contact.
func (m *meanings) near(word string) []string {
	if len(word) < 6 || len(word) > m.longest+1 {
		return nil
	}
	common := false
	tag.Default().Words(word, func(_, _ int, in tag.Lists) bool {
		common = in&tag.InCommon != 0
		return false
	})
	if common {
		return nil
	}
	best := ""
	for _, cut := range cuts(word) {
		for _, w := range m.slips[cut] {
			if oneSlip(word, w) && (best == "" || w < best) {
				best = w
			}
		}
	}
	if best == "" {
		return nil
	}
	return []string{best}
}

// cuts are a word and what is left of it with one letter taken out.
func cuts(word string) []string {
	all := []string{word}
	for i := range len(word) {
		all = append(all, word[:i]+word[i+1:])
	}
	return all
}

// oneSlip reports whether one letter too many, too few, wrong, or exchanged with the next makes one word of the other.
func oneSlip(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	switch x, y := a[i:], b[i:]; len(a) - len(b) {
	case 0:
		return len(x) == 0 || x[1:] == y[1:] || len(x) > 1 && x[0] == y[1] && x[1] == y[0] && x[2:] == y[2:]
	case 1:
		return x[1:] == y
	case -1:
		return x == y[1:]
	}
	return false
}

// splitName returns the words of a name: "patientHomePhone", "patient_home-phone" and "PATIENT HOME PHONE" have the same.
func splitName(name string) []string {
	name = cut(name, MaxName)
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, fold(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(strings.ToValidUTF8(name, " "))
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			flush()
			continue
		}
		if len(word) > 0 && unicode.IsUpper(r) {
			next := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if !unicode.IsUpper(runes[i-1]) || next && len(word) > 0 {
				flush()
			}
		}
		word = append(word, r)
	}
	flush()
	return words
}

// cut returns at most n bytes of s, whole runes if it is text.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// others are letters with no accent to take away.
var others = strings.NewReplacer("ß", "ss", "ł", "l", "ø", "o", "đ", "d", "ı", "i", "æ", "ae", "œ", "oe", "þ", "th")

// fold returns a word in small letters without accents.
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	s = strings.ToLower(s)
	if ascii {
		return s
	}
	return others.Replace(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(s)))
}
