package column

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/privacy/detect/tag"
)

// shape is something that a value looks like.
type shape uint8

const (
	sInt      shape = iota // a whole number
	sDecimal               // a number with a fraction
	sDate                  // a date, with a time or without
	sTime                  // a date with a time
	sMidnight              // whose time is 00:00
	sEpoch                 // seconds or milliseconds since 1970
	sYear                  // four digits from 1900 to 2100
	sUUID
	sHex     // 16 hexadecimal digits or more, some letters
	sRandom  // 16 letters and digits or more that spell nothing
	sLong    // 40 digits and letters or more without a space
	sPhone   // 7 to 15 digits in groups or with a plus, as telephone numbers are written
	sDialed  // 9 to 15 digits alone, no leading nought but for one
	sLuhn    // 12 to 19 digits that pass
	sLat     // a decimal with four places, of at most 90
	sLon     // of at most 180
	sPair    // two such
	sEmail   // something with an @ between words
	sWeb     // scheme://
	sPath    // begins with / or has a file's ending
	sImage   // ends as pictures do
	sAgent   // product/version, as browsers say who they are
	sCode    // capitals and digits mixed, no space
	sICD     // a letter, two digits and perhaps a dot with more: ICD-10
	sDose    // ends with a dose
	sBP      // 120/80
	sPostal  // as postal codes
	sStreet  // a word of streets and a house number
	sHouse   // begins or ends with a house number
	sWord    // one word of letters
	sWords   // two to five words of letters
	sProse   // four words or more, half of them in small letters
	sCapital // each word begins with a capital
	sInitials
	sGiven    // a word out of the lists of given names
	sFamily   // of family names
	sFull     // two words or more, one a given and one a family name
	sComma    // "Family, Given"
	sCity     // out of the lists of places
	sCountry  // of countries
	sRegion   // of regions
	sOrg      // with a legal form of companies
	sTrade    // with a word of professions
	sNational // a nationality
	sCommon   // all words are ordinary ones
	sBIC      // ISO 9362
	sUser     // small letters and digits with a mark, as user names
	sCrypt    // a password's hash: $2b$…
	sHandle   // @name
	sNumbered // a word with a number behind it
	sOther    // brackets, slashes and codes in words, as places in a warehouse
	sMeasure  // a number with its unit: "72 kg", "23.1%"
	sPassword // letters of both cases, digits and marks, no space
	shapes
)

var shapeNames = [shapes]string{"integer", "decimal", "date", "date and time", "midnight", "seconds since 1970", "year", "uuid", "hexadecimal", "random", "long",
	"telephone number", "digits", "luhn", "latitude", "longitude", "coordinates", "email", "web address", "path", "picture", "user agent", "code", "icd-10", "dose", "pressure",
	"postal code", "street", "house number", "word", "words", "prose", "capitals", "initials", "given names", "family names", "full names", "family, given", "places", "countries",
	"regions", "legal forms", "professions", "nationalities", "ordinary words", "bank code", "user name", "password hash", "handle", "numbered word", "mixed code", "measure", "password"}

// seen is what one value looks like.
type seen struct {
	shapes [shapes]shape
	n      int
	words  int
	number bool
	value  float64
	year   int // of a date
}

func (s *seen) add(shape shape, is bool) {
	if is {
		s.shapes[s.n] = shape
		s.n++
	}
}

// chars counts what a value is made of.
type chars struct {
	digits, letters, upper, lower, marks, spaces, hex, high int
}

func count(v string) (c chars) {
	for _, r := range v {
		switch {
		case '0' <= r && r <= '9':
			c.digits++
			c.hex++
		case r == ' ' || r == '\t' || r == '\n':
			c.spaces++
		case r < utf8.RuneSelf && ('a' <= r|0x20 && r|0x20 <= 'z') || r >= utf8.RuneSelf && unicode.IsLetter(r):
			c.letters++
			if r|0x20 >= 'a' && r|0x20 <= 'f' {
				c.hex++
			}
			if unicode.IsUpper(r) {
				c.upper++
			} else {
				c.lower++
			}
			if r >= utf8.RuneSelf {
				c.high++
			}
		case unicode.IsMark(r):
		default:
			c.marks++
		}
	}
	return c
}

// see looks at one value, which is valid text of at most MaxValue bytes. It takes linear time.
func see(v string, tagger *tag.Tagger) (s seen) {
	c := count(v)
	if c.letters == 0 || c.letters == 1 && strings.ContainsRune("TZ", rune(v[min(len(v)-1, 10)])) || c.letters == 2 {
		s.numeric(v, c)
	}
	if s.year > 0 {
		return s
	}
	s.add(sMeasure, measured(v, c))
	s.coded(v, c)
	s.worded(v, c, tagger)
	return s
}

// numeric sees numbers and dates.
func (s *seen) numeric(v string, c chars) {
	if d, ok := parseDate(v); ok {
		s.year = d.year
		s.add(sDate, true)
		s.add(sTime, d.timed)
		s.add(sMidnight, d.timed && d.midnight)
		if len(v) == 8 && c.digits == 8 {
			s.add(sInt, true)
		}
		return
	}
	if c.letters > 0 || c.spaces > 0 && c.marks == 0 {
		return
	}
	whole := c.digits == len(v) || c.digits == len(v)-1 && (v[0] == '-' || v[0] == '+')
	f, err := strconv.ParseFloat(plainNumber(v), 64)
	if err != nil || c.digits == 0 {
		return
	}
	s.number, s.value = true, f
	if whole {
		s.add(sInt, true)
		s.add(sYear, len(v) == 4 && f >= 1900 && f <= 2100)
		s.add(sEpoch, len(v) == 10 && f > 9e8 && f < 2.2e9 || len(v) == 13 && f > 9e11 && f < 2.2e12)
		s.add(sDialed, len(v) >= 9 && len(v) <= 15 && v[0] != '-' && (v[0] != '0' || v[1] != '0' || len(v) > 10))
		s.add(sLuhn, len(v) >= 12 && len(v) <= 19 && luhn(v))
		return
	}
	s.add(sDecimal, true)
	if dot := strings.IndexByte(v, '.'); dot >= 0 && len(v)-dot-1 >= 4 {
		s.add(sLat, f >= -90 && f <= 90)
		s.add(sLon, f >= -180 && f <= 180)
	}
}

// plainNumber writes "1,234.50", "1.234,50" and "12,5" as ParseFloat reads them.
func plainNumber(v string) string {
	comma, dot := strings.LastIndexByte(v, ','), strings.LastIndexByte(v, '.')
	switch {
	case comma < 0:
		return v
	case dot > comma:
		return strings.ReplaceAll(v, ",", "")
	}
	return strings.Replace(strings.ReplaceAll(v, ".", ""), ",", ".", 1)
}

func luhn(v string) bool {
	sum := 0
	for i := range len(v) {
		d := int(v[len(v)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// coded sees what is written without words.
func (s *seen) coded(v string, c chars) {
	bare := c.spaces == 0
	s.add(sPhone, phoneLike(v, c))
	s.add(sPair, pairLike(v, c))
	s.add(sUUID, len(v) == 36 && c.hex == 32 && c.marks == 4 && v[8] == '-' && v[13] == '-' && v[18] == '-' && v[23] == '-')
	s.add(sHex, bare && (len(v) >= 16 && c.hex == len(v) && c.letters > 0 || len(v) > 4 && v[:2] == "0x" && c.hex == len(v)-1))
	s.add(sRandom, bare && len(v) >= 16 && c.digits >= 2 && c.letters >= 4 && c.high == 0 && c.marks <= 6 && !strings.ContainsAny(v, "/@."))
	s.add(sLong, bare && len(v) >= 40 && c.high == 0)
	s.add(sWeb, strings.Contains(cut(v, 12), "://") || strings.HasPrefix(v, "www."))
	s.add(sPath, bare && (v[0] == '/' || strings.Contains(v, `:\`)))
	s.add(sImage, bare && slices.ContainsFunc([]string{".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".heic"}, func(e string) bool { return strings.HasSuffix(strings.ToLower(v), e) }))
	s.add(sAgent, agentLike(v))
	s.add(sCode, bare && c.digits > 0 && c.letters > 0 && c.lower == 0 && len(v) <= 32)
	s.add(sICD, icdLike(v))
	s.add(sDose, doseLike(v))
	s.add(sBP, bare && c.marks == 1 && c.digits == len(v)-1 && len(v) >= 5 && len(v) <= 7 && strings.IndexByte(v, '/') >= 2)
	s.add(sPostal, postalLike(v, c))
	s.add(sInitials, c.letters > 0 && c.letters <= 4 && c.upper == c.letters && strings.Count(v, ".") == c.letters)
	s.add(sBIC, (len(v) == 8 || len(v) == 11) && c.upper >= 6 && c.lower+c.marks+c.spaces == 0 && count(v[:6]).upper == 6)
	s.add(sEmail, bare && emailLike(v))
	s.add(sHandle, bare && len(v) > 2 && v[0] == '@' && c.letters > 0)
	s.add(sUser, bare && c.letters >= 3 && c.high == 0 && c.upper == 0 && len(v) >= 3 && len(v) <= 32 && strings.Trim(v, "abcdefghijklmnopqrstuvwxyz0123456789._-") == "" && v[0] >= 'a')
	s.add(sCrypt, cryptLike(v))
	s.add(sNumbered, bare && c.digits > 0 && c.letters >= 2 && c.marks == 0 && numberedWord(v))
	s.add(sOther, bare && c.digits > 0 && c.letters > 0 && c.marks > 0)
	s.add(sPassword, bare && len(v) >= 6 && len(v) <= 40 && c.digits > 0 && c.lower > 0 && c.upper > 0 && c.marks > 0 && !strings.ContainsAny(v, "@/:"))
}

// worded sees words and what lists say of them.
func (s *seen) worded(v string, c chars, tagger *tag.Tagger) {
	if c.letters == 0 {
		return
	}
	words := wordsOf(v, tagger)
	s.words = words.n
	lettersOnly := c.digits == 0 && !strings.ContainsAny(v, "@_/\\:;<>{}[]=+#&%!?")
	s.add(sWord, lettersOnly && words.n == 1 && c.spaces == 0)
	s.add(sWords, lettersOnly && words.n >= 2 && words.n <= 5 && len(v) <= 60)
	s.add(sProse, words.n >= 4 && c.spaces >= 3 && 2*words.small >= words.n && len(v) > 15)
	s.add(sCapital, words.n > 0 && words.capital == words.n)
	s.add(sOrg, words.forms > 0 && words.n >= 2)
	numbered := c.digits > 0 && houseNumber(v)
	s.add(sHouse, numbered)
	s.add(sStreet, numbered && (words.street > 0 || streetLike(v)) || streetLike(v) && words.n <= 6)
	if words.n == 0 || words.n > 6 {
		return
	}
	s.add(sTrade, 3*words.trade >= 2*words.n && c.digits == 0)
	s.add(sNational, words.national == words.n && words.n <= 2)
	s.add(sCity, words.city > 0 && words.n <= 4 && c.digits == 0)
	s.add(sCountry, words.country > 0 && c.digits == 0)
	s.add(sRegion, words.region > 0 && c.digits == 0)
	s.add(sCommon, words.common == words.n)
	person := lettersOnly && words.forms == 0 && words.capital+words.links == words.n
	s.add(sGiven, person && words.n <= 2 && words.given > 0)
	s.add(sFamily, person && words.n <= 3 && words.family > 0)
	comma := strings.Count(v, ",") == 1
	s.add(sFull, person && words.n >= 2 && words.given > 0 && words.family > 0 && words.given+words.family >= 3)
	s.add(sComma, person && comma && words.n >= 2 && words.n <= 5)
}
