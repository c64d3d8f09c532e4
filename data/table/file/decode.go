package file

import (
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// ErrEncoding is the fault of a piece behind which there are bytes that are not of the file's encoding.
var ErrEncoding = errors.New("bytes that are not of the file's encoding")

// ErrNoEncoding is returned for the name of an encoding that is not known.
var ErrNoEncoding = errors.New("encoding is not known")

// Encoding is how a file writes its text. Made by [Named], never changed.
type Encoding struct {
	Name  string
	wide  int           // 2 for UTF-16
	big   bool          // UTF-16, the high byte first
	table *[256]rune    // of one byte each; -1 where there is none
	back  map[rune]byte // the other way
}

// UTF8 is the encoding of a file of which nothing is said.
var UTF8 = &Encoding{Name: "utf-8"}

var (
	utf16le = &Encoding{Name: "utf-16le", wide: 2}
	utf16be = &Encoding{Name: "utf-16be", wide: 2, big: true}
)

var charmaps = map[string]*charmap.Charmap{
	"iso-8859-1": charmap.ISO8859_1, "iso-8859-2": charmap.ISO8859_2, "iso-8859-3": charmap.ISO8859_3, "iso-8859-4": charmap.ISO8859_4,
	"iso-8859-5": charmap.ISO8859_5, "iso-8859-6": charmap.ISO8859_6, "iso-8859-7": charmap.ISO8859_7, "iso-8859-8": charmap.ISO8859_8,
	"iso-8859-9": charmap.ISO8859_9, "iso-8859-10": charmap.ISO8859_10, "iso-8859-13": charmap.ISO8859_13,
	"iso-8859-14": charmap.ISO8859_14, "iso-8859-15": charmap.ISO8859_15, "iso-8859-16": charmap.ISO8859_16,
	"windows-1250": charmap.Windows1250, "windows-1251": charmap.Windows1251, "windows-1252": charmap.Windows1252,
	"windows-1253": charmap.Windows1253, "windows-1254": charmap.Windows1254, "windows-1255": charmap.Windows1255,
	"windows-1256": charmap.Windows1256, "windows-1257": charmap.Windows1257, "windows-1258": charmap.Windows1258,
	"ibm437": charmap.CodePage437, "ibm850": charmap.CodePage850, "ibm852": charmap.CodePage852, "koi8-r": charmap.KOI8R,
	"koi8-u": charmap.KOI8U, "macintosh": charmap.Macintosh,
}

var otherNames = map[string]string{
	"utf8": "utf-8", "utf16le": "utf-16le", "utf16be": "utf-16be", "utf16": "utf-16",
	"latin1": "iso-8859-1", "latin-1": "iso-8859-1", "latin9": "iso-8859-15", "latin-9": "iso-8859-15", "cp437": "ibm437",
	"cp850": "ibm850", "cp852": "ibm852", "cp1250": "windows-1250", "cp1251": "windows-1251", "cp1252": "windows-1252",
}

// Named returns the encoding of that name, in any case. "" is nil: what the file's mark says, or UTF-8. So is "utf-16", which asks
// for a mark. The error is [ErrNoEncoding].
func Named(name string) (e *Encoding, err error) {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	if other, ok := otherNames[name]; ok {
		name = other
	}
	switch name {
	case "", "utf-16":
		return nil, nil
	case "utf-8":
		return UTF8, nil
	case "utf-16le":
		return utf16le, nil
	case "utf-16be":
		return utf16be, nil
	}
	m, ok := charmaps[name]
	if !ok {
		return nil, ErrNoEncoding
	}
	e = &Encoding{Name: name, table: new([256]rune), back: map[rune]byte{}}
	for b := range e.table {
		r := m.DecodeByte(byte(b))
		// Where Windows defines nothing, browsers read control characters; a table that has such bytes has another encoding.
		if r == utf8.RuneError || strings.HasPrefix(name, "windows-") && r >= 0x80 && r < 0xa0 {
			e.table[b] = -1
			continue
		}
		e.table[b] = r
		if _, taken := e.back[r]; !taken {
			e.back[r] = byte(b)
		}
	}
	return e, nil
}

// Append appends text, which is UTF-8, as the encoding writes it; not ok says that it cannot.
func (e *Encoding) Append(dst, text []byte) (b []byte, ok bool) {
	if e == UTF8 {
		return append(dst, text...), true
	}
	for _, r := range string(text) {
		switch {
		case e.table != nil:
			b, ok := e.back[r]
			if !ok {
				return dst, false
			}
			dst = append(dst, b)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = e.unit(e.unit(dst, uint16(high)), uint16(low))
		default:
			dst = e.unit(dst, uint16(r))
		}
	}
	return dst, true
}

func (e *Encoding) unit(dst []byte, u uint16) []byte {
	if e.big {
		return append(dst, byte(u>>8), byte(u))
	}
	return append(dst, byte(u), byte(u>>8))
}

// Mark returns the byte order mark of the encoding, or nil.
func (e *Encoding) Mark() []byte {
	switch {
	case e == UTF8:
		return []byte("\xef\xbb\xbf")
	case e.wide == 2:
		return e.unit(nil, 0xfeff)
	}
	return nil
}

// Decode returns what r holds as UTF-8, without byte order mark, the encoding it is in, and whether it had a mark. Said is what was
// said of it, or nil: then a mark decides, and without one it is UTF-8, which is given as it comes, unchecked. Bytes of other
// encodings that say nothing are [ErrEncoding], in their place. Need asks for a mark.
func Decode(r io.Reader, said *Encoding, need bool) (text io.Reader, e *Encoding, marked bool, err error) {
	head := make([]byte, 3)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, nil, false, err
	}
	head = head[:n]
	rest := io.Reader(&prefixed{head: head, r: r, err: err})
	for _, e = range []*Encoding{UTF8, utf16le, utf16be} {
		mark := e.Mark()
		if len(head) >= len(mark) && string(head[:len(mark)]) == string(mark) && (said == nil || said == e) {
			rest.(*prefixed).head = head[len(mark):]
			marked = true
			break
		}
	}
	if !marked {
		e = UTF8
	}
	if said != nil {
		e = said
	}
	if need && !marked {
		return nil, nil, false, ErrEncoding
	}
	if e != UTF8 {
		rest = &decoder{r: rest, e: e}
	}
	return rest, e, marked, nil
}

// prefixed gives back what was read ahead.
type prefixed struct {
	head []byte
	r    io.Reader
	err  error // of reading ahead: the end
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.head) > 0 {
		n := copy(b, p.head)
		p.head = p.head[n:]
		return n, nil
	}
	if p.err != nil {
		return 0, io.EOF
	}
	return p.r.Read(b)
}

// decoder makes UTF-8 of another encoding.
type decoder struct {
	r    io.Reader
	e    *Encoding
	in   [8 << 10]byte
	left int    // in[:left] is a piece of a character
	out  []byte // decoded and not yet given
	room []byte
	err  error
}

func (d *decoder) Read(b []byte) (int, error) {
	for len(d.out) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		n, err := d.r.Read(d.in[d.left:])
		d.err = err
		n += d.left
		var used int
		var good bool
		d.room, used, good = d.e.decode(d.room[:0], d.in[:n], err == io.EOF)
		d.out = d.room
		d.left = copy(d.in[:], d.in[used:n])
		if !good {
			d.err = ErrEncoding
		}
	}
	n := copy(b, d.out)
	d.out = d.out[n:]
	return n, nil
}

// decode appends what in says as UTF-8, and returns how much of it was whole characters; not good says that what follows is none.
func (e *Encoding) decode(dst, in []byte, last bool) (out []byte, used int, good bool) {
	if e.table != nil {
		for i, c := range in {
			r := e.table[c]
			if r < 0 {
				return dst, i, false
			}
			dst = utf8.AppendRune(dst, r)
		}
		return dst, len(in), true
	}
	unit := func(i int) rune {
		if e.big {
			return rune(in[i])<<8 | rune(in[i+1])
		}
		return rune(in[i+1])<<8 | rune(in[i])
	}
	i := 0
	for i+1 < len(in) {
		r, size := unit(i), 2
		if utf16.IsSurrogate(r) {
			if i+3 >= len(in) {
				return dst, i, !last
			}
			if r = utf16.DecodeRune(r, unit(i+2)); r == utf8.RuneError {
				return dst, i, false
			}
			size = 4
		}
		dst = utf8.AppendRune(dst, r)
		i += size
	}
	return dst, i, !last || i == len(in)
}
