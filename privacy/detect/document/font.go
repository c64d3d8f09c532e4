package document

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// font says which letters codes are, and how wide.
type font struct {
	wide   bool // codes have two bytes
	tells  map[int]string
	coded  map[int]string // by its encoding
	widths map[int]float64
	width  float64 // where widths has none
}

// letters returns what a code says. A code that is said to be two things, or none, cannot be read.
func (f *font) letters(code int) string {
	a, told := f.tells[code]
	b, coded := f.coded[code]
	switch {
	case told && coded && norm.NFKC.String(a) != norm.NFKC.String(b) && strings.TrimSpace(a)+strings.TrimSpace(b) != "":
		fail("a font calls a letter by two names")
	case told:
		return visible(a)
	case coded:
		return visible(b)
	}
	fail("a font does not say which letters it draws")
	return ""
}

func visible(s string) string {
	for _, r := range s {
		if unicode.Is(unicode.Co, r) || unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r' || r == unicode.ReplacementChar {
			fail("a font does not say which letters it draws")
		}
	}
	if s == "" {
		fail("a font does not say which letters it draws")
	}
	return s
}

func (r *reader) font(v any) *font {
	id, shared := v.(ref)
	if f := r.fonts[int(id)]; shared && f != nil {
		return f
	}
	d := r.dict(v)
	f := &font{width: 500, widths: map[int]float64{}}
	if d["ToUnicode"] != nil {
		s, ok := r.get(d["ToUnicode"]).(*stream)
		if !ok {
			fail("a font does not say which letters it draws")
		}
		s.used = true
		f.tells = map[int]string{}
		r.toUnicode(f, r.decode(s))
	}
	switch r.get(d["Subtype"]) {
	case name("Type0"):
		r.composite(f, d)
	case name("Type1"), name("TrueType"):
		r.simple(f, d)
	default:
		fail("a font is drawn by hand")
	}
	if shared {
		r.fonts[int(id)] = f
	}
	return f
}

// descriptor reads a font's program, and reports whether there is one and whether its letters are its own.
func (r *reader) descriptor(d dict) (embedded, symbolic bool) {
	desc := r.dict(d["FontDescriptor"])
	if desc["FontFile"] != nil || desc["FontFile3"] != nil {
		fail("a font's program is not read")
	}
	if desc["FontFile2"] == nil {
		return false, false
	}
	s, ok := r.get(desc["FontFile2"]).(*stream)
	if !ok {
		fail("a font's program is broken")
	}
	if !s.used {
		s.used = true
		r.program(r.decode(s))
	}
	flags := 0
	if desc["Flags"] != nil {
		flags = r.int(desc["Flags"])
	}
	return true, flags&4 != 0
}

func (r *reader) composite(f *font, d dict) {
	f.wide, f.width = true, 1000
	if r.get(d["Encoding"]) != name("Identity-H") || f.tells == nil {
		fail("a font does not say which letters it draws")
	}
	below := r.list(d["DescendantFonts"])
	if len(below) != 1 {
		fail("a font is broken")
	}
	c := r.dict(below[0])
	r.descriptor(c)
	if c["DW"] != nil {
		f.width = r.number(c["DW"])
	}
	list := r.list(c["W"])
	for len(list) > 0 {
		if len(list) < 2 {
			fail("a font is broken")
		}
		first := r.int(list[0])
		if each, ok := r.get(list[1]).(array); ok {
			for i, w := range each {
				f.widths[first+i] = r.number(w)
			}
			list = list[2:]
			continue
		}
		if len(list) < 3 {
			fail("a font is broken")
		}
		last, w := r.int(list[1]), r.number(list[2])
		if last < first || last > 1<<16 {
			fail("a font is broken")
		}
		for r.step(last - first + 1); first <= last; first++ {
			f.widths[first] = w
		}
		list = list[3:]
	}
}

func (r *reader) number(v any) float64 {
	n, ok := r.get(v).(float64)
	if !ok {
		fail("something else stands where a number must")
	}
	return n
}

func (r *reader) simple(f *font, d dict) {
	embedded, symbolic := r.descriptor(d)
	base, _ := r.get(d["BaseFont"]).(name)
	own := embedded && symbolic || strings.Contains(string(base), "Symbol") || strings.Contains(string(base), "Dingbats") || strings.Contains(string(base), "Wingdings")
	if own && f.tells == nil {
		fail("a font does not say which letters it draws")
	}
	if !own {
		r.encoding(f, r.get(d["Encoding"]), embedded || r.get(d["Subtype"]) == name("TrueType"))
	}
	if d["Widths"] == nil {
		for code := 32; code < 127; code++ {
			if f.widths[code] = float64(helvetica[code-32]); strings.HasPrefix(string(base), "Courier") {
				f.widths[code] = 600
			}
		}
		return
	}
	first := r.int(d["FirstChar"])
	for i, w := range r.list(d["Widths"]) {
		r.step(1)
		f.widths[first+i] = r.number(w)
	}
}

// helvetica are widths of the standard font, from the space on. Other standard fonts are about as wide.
var helvetica = [95]int16{
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
	333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
}

func (r *reader) encoding(f *font, v any, builtin bool) {
	d, isDict := v.(dict)
	base := v
	if isDict {
		base = r.get(d["BaseEncoding"])
	}
	var page *charmap.Charmap
	switch base {
	case name("WinAnsiEncoding"):
		page = charmap.Windows1252
	case name("MacRomanEncoding"):
		page = charmap.Macintosh
	case nil, name("StandardEncoding"):
		if base == nil && builtin && f.tells == nil && !isDict {
			fail("a font does not say which letters it draws")
		}
	default:
		fail("a font has an encoding that is not read")
	}
	f.coded = map[int]string{}
	for code := ' '; code < 256; code++ {
		switch {
		case page != nil:
			if l := page.DecodeByte(byte(code)); l >= ' ' && l != unicode.ReplacementChar && l != 0x7f && (l < 0x80 || l > 0x9f) {
				f.coded[int(code)] = string(l)
			}
		case base == nil && builtin: // the program's own
		case code == '\'':
			f.coded[int(code)] = "’"
		case code == '`':
			f.coded[int(code)] = "‘"
		case code < 0x7f:
			f.coded[int(code)] = string(code)
		}
	}
	code := 0
	for _, x := range r.list(d["Differences"]) {
		r.step(1)
		switch x := r.get(x).(type) {
		case float64:
			code = r.int(x)
		case name:
			if delete(f.coded, code); code > 255 {
				fail("a font is broken")
			}
			if l := glyph(string(x)); l != "" {
				f.coded[code] = l
			}
			code++
		default:
			fail("a font is broken")
		}
	}
}

// named are glyphs whose names are no letters.
var named = func() map[string]string {
	m := map[string]string{}
	for i, n := range strings.Fields("space exclam quotedbl numbersign dollar percent ampersand quotesingle parenleft parenright asterisk plus comma hyphen period slash " +
		"zero one two three four five six seven eight nine colon semicolon less equal greater question at") {
		m[n] = string(rune(' ' + i))
	}
	for n, l := range map[string]string{
		"bracketleft": "[", "backslash": `\`, "bracketright": "]", "asciicircum": "^", "underscore": "_", "grave": "`", "braceleft": "{", "bar": "|", "braceright": "}",
		"asciitilde": "~", "quoteleft": "‘", "quoteright": "’", "quotedblleft": "“", "quotedblright": "”", "endash": "–", "emdash": "—", "bullet": "•", "fi": "fi", "fl": "fl",
		"ff": "ff", "ffi": "ffi", "ffl": "ffl", "germandbls": "ß", "oslash": "ø", "Oslash": "Ø", "lslash": "ł", "Lslash": "Ł", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ",
		"dotlessi": "ı", "eth": "ð", "Eth": "Ð", "thorn": "þ", "Thorn": "Þ", "Euro": "€", "sterling": "£", "yen": "¥", "cent": "¢", "section": "§", "copyright": "©",
		"registered": "®", "trademark": "™", "degree": "°", "ellipsis": "…", "minus": "−", "nbspace": "\u00a0", "periodcentered": "·", "exclamdown": "¡", "questiondown": "¿",
		"guillemotleft": "«", "guillemotright": "»", "dcroat": "đ", "Dcroat": "Đ", "plusminus": "±", "multiply": "×", "divide": "÷", "ordfeminine": "ª", "ordmasculine": "º",
	} {
		m[n] = l
	}
	return m
}()

var accents = map[string]rune{
	"acute": 0x301, "grave": 0x300, "circumflex": 0x302, "dieresis": 0x308, "tilde": 0x303, "caron": 0x30c, "cedilla": 0x327, "ring": 0x30a,
	"ogonek": 0x328, "breve": 0x306, "macron": 0x304, "dotaccent": 0x307, "hungarumlaut": 0x30b, "commaaccent": 0x326,
}

// glyph returns the letters that a glyph's name says; "" if it says none.
func glyph(n string) string {
	if l, ok := named[n]; ok {
		return l
	}
	if len(n) == 1 && (n[0]|0x20 >= 'a' && n[0]|0x20 <= 'z') {
		return n
	}
	if len(n) > 1 {
		if a, ok := accents[n[1:]]; ok {
			return norm.NFC.String(n[:1] + string(a))
		}
	}
	if digits, ok := strings.CutPrefix(n, "uni"); ok && len(digits) == 4 {
		if v, err := strconv.ParseUint(digits, 16, 16); err == nil {
			return string(rune(v))
		}
	}
	return ""
}

// toUnicode reads a map from codes to letters.
func (r *reader) toUnicode(f *font, data []byte) {
	l := &lexer{r: r, b: data, drawn: true}
	var stack []any
	for {
		v, ok := l.next()
		if !ok {
			return
		}
		word, isWord := v.(keyword)
		if !isWord {
			if stack = append(stack, v); len(stack) > 1000 {
				fail("a font is broken")
			}
			continue
		}
		switch word {
		case "endbfchar":
			for ; len(stack) >= 2; stack = stack[2:] {
				f.tell(code(stack[0]), letters(stack[1]))
			}
		case "endbfrange":
			for ; len(stack) >= 3; stack = stack[3:] {
				r.tellRange(f, code(stack[0]), code(stack[1]), stack[2])
			}
		case "usecmap", "endcidrange", "endcidchar", "endnotdefrange", "endnotdefchar":
			fail("a font has an encoding that is not read")
		case "begincodespacerange", "endcodespacerange":
			stack = nil
		case "beginbfchar", "beginbfrange":
			r.sayAll(stack)
			stack = nil
			continue
		}
		r.sayAll(stack)
		stack = stack[:0]
	}
}

func code(v any) int {
	s, ok := v.(text)
	if !ok || len(s) < 1 || len(s) > 2 {
		fail("a font is broken")
	}
	return field([]byte(s))
}

func letters(v any) string {
	s, ok := v.(text)
	if !ok || len(s) > 64 || len(s)%2 != 0 {
		fail("a font is broken")
	}
	units := make([]uint16, len(s)/2)
	for i := range units {
		units[i] = uint16(s[2*i])<<8 | uint16(s[2*i+1])
	}
	return string(utf16.Decode(units))
}

func (f *font) tell(code int, s string) {
	if was, twice := f.tells[code]; twice && was != s {
		fail("a font calls a letter by two names")
	}
	f.tells[code] = s
}

func (r *reader) tellRange(f *font, first, last int, v any) {
	if last < first {
		fail("a font is broken")
	}
	r.step(last - first + 1)
	if list, ok := v.(array); ok {
		if len(list) != last-first+1 {
			fail("a font is broken")
		}
		for i, x := range list {
			f.tell(first+i, letters(x))
		}
		return
	}
	s := []rune(letters(v))
	if len(s) == 0 {
		fail("a font is broken")
	}
	for ; first <= last; first++ {
		f.tell(first, string(s))
		s[len(s)-1]++
	}
}
