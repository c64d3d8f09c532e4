package detect

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// sense says what a word can be in the forms of dates, ages, amounts and addresses. A word may have several.
type sense uint64

const (
	sMonth      sense = 1 << iota // the name of a month
	sEnglish                      // a month whose name is an English word or abbreviation too: alone with a day it needs a capital
	sRare                         // a short form of a month that counts only with a day and a year
	sWeekday                      // the full name of a weekday
	sDayShort                     // a short form of one, which counts only before a date
	sSeason                       // of a year
	sYearCue                      // "in", "since": a year may follow
	sAgeCue                       // "aged": an age follows
	sAgeVerb                      // "turned": an age may follow
	sPerson                       // "man": "of 63" may follow
	sUnit                         // of time, days and longer
	sShortUnit                    // of time, hours and shorter
	sOld                          // "old": after a unit it makes an age
	sOldWord                      // "jähriger": after a number it makes an age
	sCount                        // a number in letters
	sJoin                         // "to", "and": joins two numbers
	sOf                           // "of", "de": joins a day, a month and a year
	sAtCue                        // "at": a clock time may follow
	sClock                        // "Uhr": stands after a clock time
	sMoney                        // a currency
	sScale                        // "million"
	sStreet                       // a street word that stands before the name: "rue"
	sStreetWeak                   // the same, but a word of other things too: counts with a capital and a number
	sStreetEnd                    // a street word that stands after the name and whose number stands before: "Road"
	sStreetTail                   // a street word that stands after the name and whose number follows: "utca"
	sParticle                     // "de", "der": within the name of a street or place
	sPart                         // of a building: "Apt"
	sDirection                    // "NW"
	sCountry                      // a country's name
	sState                        // the abbreviation of a state or province
	sBox                          // "box": a post office's
)

// maxWord is the longest word that is looked up, in bytes.
const maxWord = 32

// lexicon is read through word and wordBefore. Its keys are in lower case.
var lexicon = func() map[string]sense {
	m := map[string]sense{}
	for _, l := range [][]entry{timeWords, ageWords, moneyWords, streetWords, placeWords} {
		for _, e := range l {
			for w := range strings.FieldsSeq(e.words) {
				m[strings.ReplaceAll(w, "_", " ")] |= e.is
			}
		}
	}
	return m
}()

type entry struct {
	is    sense
	words string
}

// Words that begin a form by themselves. The filter stops at the strong ones whatever follows, at the weak ones only before what
// [weakly] wants.
const (
	strongStarts = sMonth | sWeekday | sDayShort | sStreet
	weakStarts   = sCount | sStreetWeak | sPart | sBox | sSeason
)

// startsOf is what a word can begin by itself. Of a month it may be nothing: a rare short form counts only after a day.
func startsOf(is sense) sense {
	if is&(sMonth|sRare|sEnglish) == sMonth|sRare {
		return 0
	}
	return is & (strongStarts | weakStarts)
}

// word is a word of the text and what it can be.
type word struct {
	end   int // 0: there is none, or one longer than any in the lexicon
	is    sense
	upper bool // it begins with a capital
	high  bool // it has letters beyond ASCII
}

// word reads the word of letters at i.
func (c *scanner) word(i int) (w word) {
	var buf [maxWord + utf8.UTFMax]byte
	n, e := 0, i
	for n <= maxWord {
		b := c.at(e)
		if isLetter(b) {
			buf[n] = b | 0x20
			n++
			e++
			continue
		}
		if b < utf8.RuneSelf {
			break
		}
		r, size := c.rune(e)
		if size == 0 || !letterRune(r) {
			break
		}
		w.high = true
		n += utf8.EncodeRune(buf[n:], unicode.ToLower(r))
		e += size
	}
	if n == 0 || n > maxWord || isDigit(c.at(e)) {
		return word{}
	}
	if b := c.at(i); b < utf8.RuneSelf {
		w.upper = isUpper(b)
	} else {
		r, _ := c.rune(i)
		w.upper = unicode.IsUpper(r)
	}
	w.end, w.is = e, lexicon[string(buf[:n])]
	return w
}

// before is the last word of what stands to the left of a place.
type before struct {
	text string // the word
	gap  string // what stands between it and the place
	rest string // what stands before it
	is   sense
}

// wordBefore reads backwards over at most six marks and then a word that is there as a whole.
func wordBefore(left string) (b before) {
	i := len(left)
	for i > 0 && classes[left[i-1]]&cWord == 0 {
		if i--; len(left)-i > 6 {
			return before{}
		}
	}
	end := i
	for i > 0 && classes[left[i-1]]&cWord != 0 {
		if i--; end-i > maxWord {
			return before{}
		}
	}
	if i == end || i == 0 && len(left) == behind {
		return before{}
	}
	b = before{text: left[i:end], gap: left[end:], rest: left[:i]}
	var buf [maxWord + utf8.UTFMax]byte
	n := 0
	for _, r := range b.text {
		if n > maxWord {
			return b
		}
		n += utf8.EncodeRune(buf[n:], unicode.ToLower(r))
	}
	b.is = lexicon[string(buf[:n])]
	return b
}

// spaced reports whether only spaces, or one line end, stand between the word and the place.
func (b before) spaced() bool {
	return b.gap != "" && strings.Trim(b.gap, " \n\r\t\u00a0") == "" && strings.Count(b.gap, "\n") < 2
}

// marked reports whether spaces and marks such as ":" do, as in forms and in data.
func (b before) marked() bool {
	return b.gap != "" && strings.Trim(b.gap, " \n\t\"':=") == "" && strings.Count(b.gap, "\n") < 2
}

// oneOf reports whether the word is one of the list, which has spaces around each.
func (b before) oneOf(list string) bool {
	return b.text != "" && strings.Contains(list, " "+strings.ToLower(b.text)+" ")
}

// skip moves over the byte if it stands at i.
func (c *scanner) skip(i int, b byte) int {
	if c.at(i) == b {
		return i + 1
	}
	return i
}

// blank returns the end of one space or no-break space at i, or i.
func (c *scanner) blank(i int) int {
	switch b := c.at(i); {
	case b == ' ':
		return i + 1
	case b == 0xC2 && c.at(i+1) == 0xA0:
		return i + 2
	case b == 0xE2 && c.at(i+1) == 0x80 && (c.at(i+2) == 0xAF || c.at(i+2) == 0x89): // narrow and thin space
		return i + 3
	}
	return i
}

// dash returns the end of a hyphen or dash at i, or i.
func (c *scanner) dash(i int) int {
	switch b := c.at(i); {
	case b == '-':
		return i + 1
	case b == 0xE2 && c.at(i+1) == 0x80 && c.at(i+2) >= 0x90 && c.at(i+2) <= 0x94:
		return i + 3
	}
	return i
}

// join reads what joins two numbers at i, such as "-" or " to ", and returns where the second begins, or 0.
func (c *scanner) join(i int) int {
	j := c.blank(i)
	k := c.dash(j)
	if k == j {
		switch b := c.at(j); {
		case b == '&', b == '/' && j == i:
			k++
		case b == ',' && j == i && c.at(j+1) == ' ':
			k++
		case j > i:
			w := c.word(j)
			if w.end == 0 || w.is&sJoin == 0 {
				return 0
			}
			if k = w.end; c.blank(k) == k {
				return 0
			}
		}
	}
	if k == j {
		return 0
	}
	if k = c.blank(k); isDigit(c.at(k)) {
		return k
	}
	return 0
}
