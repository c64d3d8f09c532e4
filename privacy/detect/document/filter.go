package document

import (
	"bytes"
	"compress/zlib"
	"encoding/ascii85"
	"encoding/hex"
	"io"
)

// decode undoes the filters of a stream. All of its data must be theirs.
func (r *reader) decode(s *stream) []byte {
	if s.read {
		return s.data
	}
	filters, params := r.list(s.dict["Filter"]), r.list(s.dict["DecodeParms"])
	if len(filters) > 3 || len(params) > len(filters) {
		fail("a stream has too many filters")
	}
	data := s.raw
	for i, f := range filters {
		switch r.get(f) {
		case name("FlateDecode"):
			data = r.inflate(data)
			if i < len(params) {
				data = r.predicted(data, r.dict(params[i]))
			}
		case name("ASCII85Decode"):
			data = r.ascii85(data)
		case name("ASCIIHexDecode"):
			data = r.asciiHex(data)
		default:
			fail("a stream has a filter that is not read")
		}
	}
	if len(filters) == 0 {
		r.bytes(len(data))
	}
	s.data, s.read = data, true
	return data
}

func (r *reader) list(v any) array {
	switch v := r.get(v).(type) {
	case nil:
		return nil
	case array:
		return v
	default:
		return array{v}
	}
}

func (r *reader) bytes(n int) {
	if r.Bytes -= n; r.Bytes < 0 {
		fail("it is too large")
	}
	r.step(n / 64)
}

func (r *reader) inflate(data []byte) []byte {
	in := bytes.NewReader(data)
	z, err := zlib.NewReader(in)
	if err != nil {
		fail("a stream cannot be decompressed")
	}
	var out bytes.Buffer
	for {
		n, err := io.CopyN(&out, z, 64<<10)
		r.bytes(int(n))
		if err == io.EOF {
			break
		}
		if err != nil {
			fail("a stream cannot be decompressed")
		}
	}
	if rest := data[len(data)-in.Len():]; len(bytes.Trim(rest, "\r\n")) > 0 {
		fail("a stream holds more than its filter reads")
	}
	return out.Bytes()
}

func (r *reader) ascii85(data []byte) []byte {
	data = bytes.Trim(data, " \r\n\t")
	data, ok := bytes.CutSuffix(data, []byte("~>"))
	if !ok {
		fail("a stream has no end")
	}
	data = bytes.TrimPrefix(data, []byte("<~"))
	r.bytes(4*len(data) + 4) // z stands for four
	out := make([]byte, 4*len(data)+4)
	n, read, err := ascii85.Decode(out, data, true)
	if err != nil || read != len(data) {
		fail("a stream is not in base 85")
	}
	return out[:n]
}

func (r *reader) asciiHex(data []byte) []byte {
	data = bytes.Join(bytes.Fields(data), nil)
	data, ok := bytes.CutSuffix(data, []byte(">"))
	r.bytes(len(data))
	out := make([]byte, len(data)/2)
	if _, err := hex.Decode(out, data); err != nil || !ok {
		fail("a stream is not hexadecimal")
	}
	return out
}

// predicted undoes the predictors of PNG.
func (r *reader) predicted(data []byte, p dict) []byte {
	number := func(key name, otherwise int) int {
		if p[key] == nil {
			return otherwise
		}
		return r.int(p[key])
	}
	kind := number("Predictor", 1)
	if kind == 1 {
		return data
	}
	columns := number("Columns", 1)
	if kind < 10 || kind > 15 || number("Colors", 1) != 1 || number("BitsPerComponent", 8) != 8 || columns < 1 || columns > 1<<16 {
		fail("a stream has a predictor that is not read")
	}
	out := make([]byte, 0, len(data))
	up := make([]byte, columns)
	for ; len(data) > 0; data = data[columns+1:] {
		if len(data) < columns+1 {
			fail("a stream is cut")
		}
		row := append([]byte(nil), data[1:columns+1]...)
		r.step(columns/16 + 1)
		for i := range row {
			var left, corner byte
			if i > 0 {
				left, corner = row[i-1], up[i-1]
			}
			switch data[0] {
			case 0:
			case 1:
				row[i] += left
			case 2:
				row[i] += up[i]
			case 3:
				row[i] += byte((int(left) + int(up[i])) / 2)
			case 4:
				row[i] += paeth(left, up[i], corner)
			default:
				fail("a stream has a predictor that is not read")
			}
		}
		out = append(out, row...)
		up = row
	}
	return out
}

func paeth(a, b, c byte) byte {
	p := int(a) + int(b) - int(c)
	da, db, dc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	switch {
	case da <= db && da <= dc:
		return a
	case db <= dc:
		return b
	}
	return c
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
