package csv

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// parser goes through rows cell by cell.
type parser struct {
	data      []byte
	delimiter byte
	at        int   // the next cell
	bad       int   // of the first byte that is no text; behind data if all are
	end       uint8 // of the last row: 0: none, else the length of its line end
	cutShort  bool  // the fault is that the data end
	fault     int   // where the fault is
}

// field is a cell as the file spells it.
type field struct {
	src     []byte
	quoted  bool
	doubled bool // has quotes within
}

// text returns the content; if there are doubled quotes in it, it is appended to arena.
func (f field) text(arena []byte) []byte {
	if !f.quoted {
		return f.src
	}
	in := f.src[1 : len(f.src)-1]
	if !f.doubled {
		return in
	}
	from := len(arena)
	arena = undouble(arena, in)
	return arena[from:]
}

func undouble(dst, in []byte) []byte {
	for {
		q := bytes.IndexByte(in, '"')
		if q < 0 {
			return append(dst, in...)
		}
		dst = append(dst, in[:q+1]...)
		in = in[q+2:]
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain returns the index from i on of the first byte that may end a cell without quotes or must not be in one: delimiter, quote,
// line feed, carriage return.
func plain(b []byte, i int, delimiters uint64) int {
	for ; i <= len(b)-8; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		d, q, n, r := x^delimiters, x^'"'*ones, x^'\n'*ones, x^'\r'*ones
		m := ((d-ones)&^d | (q-ones)&^q | (n-ones)&^n | (r-ones)&^r) & highs
		if m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == byte(delimiters) || c == '"' || c == '\n' || c == '\r' {
			break
		}
	}
	return i
}

// field reads the next cell. Last says that it is its row's last one; why, if not empty, what is wrong at p.fault.
func (p *parser) field() (f field, last bool, why string) {
	start := p.at
	b := p.data
	j := start
	if j < len(b) && b[j] == '"' {
		f.quoted = true
		j++
		for {
			q := bytes.IndexByte(b[j:], '"')
			if q < 0 {
				p.fault, p.cutShort = start, true
				return f, false, "a quote is opened and never closed"
			}
			if j += q + 1; j == len(b) || b[j] != '"' {
				break
			}
			f.doubled = true
			j++
		}
	} else {
		j = plain(b, j, uint64(p.delimiter)*ones)
	}
	f.src = b[start:j:j]
	if j > p.bad {
		p.fault = p.bad
		return f, false, wrongText
	}
	if j == len(b) {
		p.at, p.end = j, 0
		return f, true, ""
	}
	p.fault = j
	switch c := b[j]; {
	case c == p.delimiter:
		p.at = j + 1
		return f, false, ""
	case c == '\n':
		p.at, p.end = j+1, 1
		return f, true, ""
	case c == '\r' && j+1 < len(b) && b[j+1] == '\n':
		p.at, p.end = j+2, 2
		return f, true, ""
	case c == '\r':
		return f, false, "a carriage return without a line feed, outside quotes"
	case f.quoted:
		return f, false, "text behind a closing quote"
	}
	return f, false, "a quote in a cell that has none around it"
}

const wrongText = "bytes that are not of the encoding that the file is read in, or NUL"
