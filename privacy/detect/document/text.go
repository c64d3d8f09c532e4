package document

import (
	"bytes"
	"encoding/binary"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// latin reads bytes that are no text by themselves.
func latin(b []byte) string {
	out := make([]byte, 0, len(b))
	for _, x := range b {
		if r := charmap.Windows1252.DecodeByte(x); r >= ' ' && r != utf8.RuneError {
			out = utf8.AppendRune(out, r)
		} else if x == '\n' || x == '\t' || x == '\r' {
			out = append(out, ' ')
		}
	}
	return string(out)
}

// textString reads a string of the document's own.
func textString(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return fromUTF16(b[2:], binary.BigEndian)
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return fromUTF16(b[2:], binary.LittleEndian)
	case utf8.Valid(b) && bytes.IndexByte(b, 0) < 0:
		return strings.TrimPrefix(string(b), "\ufeff")
	}
	return latin(b)
}

func fromUTF16(b []byte, order binary.ByteOrder) string {
	if len(b)%2 != 0 {
		fail("a string is cut")
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = order.Uint16(b[2*i:])
	}
	return string(utf16.Decode(units))
}

var tag = regexp.MustCompile(`<[^>]*>`)

// markup returns XML as it is spelled, and what stands between its tags.
func markup(b []byte) string {
	if !utf8.Valid(b) || bytes.Contains(b, []byte("<!DOCTYPE")) || bytes.Contains(b, []byte("<!ENTITY")) {
		fail("markup is not read")
	}
	s := string(b)
	return html.UnescapeString(s) + "\n" + html.UnescapeString(tag.ReplaceAllString(s, "\n"))
}

// tables are parts of a TrueType font that are read or only draw.
var tables = []string{"OS/2", "cmap", "cvt ", "fpgm", "gasp", "glyf", "head", "hhea", "hmtx", "loca", "maxp", "name", "post", "prep", "vhea", "vmtx", "GDEF", "GPOS", "GSUB", "kern", "hdmx", "LTSH", "VDMX"}

// program looks at a TrueType font: it is what it says, all of it, and what can be read in it counts.
func (r *reader) program(b []byte) {
	if len(b) < 12 || !bytes.HasPrefix(b, []byte("\x00\x01\x00\x00")) && !bytes.HasPrefix(b, []byte("true")) {
		fail("a font's program is not read")
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n == 0 || n > 64 || len(b) < 12+16*n {
		fail("a font's program is broken")
	}
	parts := [][2]int{{0, 12 + 16*n}}
	for i := range n {
		entry := b[12+16*i:]
		at, size := int(binary.BigEndian.Uint32(entry[8:])), int(binary.BigEndian.Uint32(entry[12:]))
		if !slices.Contains(tables, string(entry[:4])) || at > len(b) || size > len(b)-at {
			fail("a font's program is not read")
		}
		parts = append(parts, [2]int{at, at + size})
	}
	slices.SortFunc(parts, func(a, b [2]int) int { return a[0] - b[0] })
	end := 0
	for _, p := range append(parts, [2]int{len(b), len(b)}) {
		if p[0] < end || p[0] > end+3 {
			fail("a font's program holds more than a font")
		}
		end = p[1]
	}
	r.printable(bytes.ReplaceAll(b, []byte{0}, nil)) // in UTF-16, too
}

// printable takes note of runs of letters in bytes.
func (r *reader) printable(b []byte) {
	r.step(len(b) / 8)
	start := 0
	for i := 0; i <= len(b); i++ {
		if i < len(b) && b[i] >= ' ' && b[i] < 0x7f {
			continue
		}
		if i-start >= 8 {
			r.term(string(b[start:i]))
		}
		start = i + 1
	}
}
