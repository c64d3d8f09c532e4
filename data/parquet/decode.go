package parquet

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/parquet-go/parquet-go/format"
)

// errPage is the fault of a page whose content is not what its header says.
var errPage = errors.New("is damaged: a page does not hold what it says")

// values gives the values of a page one by one. None reads ahead or allocates for what a page says it holds: memory is bounded by
// the page's own bytes.
type values interface {
	next() (raw, error)
	skip(n int64) error
}

// pass skips values by reading them.
func pass(v values, n int64) error {
	for range n {
		if _, err := v.next(); err != nil {
			return err
		}
	}
	return nil
}

// valuesOf decodes what a data page holds. Dictionary pages and their indexes are elsewhere.
func valuesOf(c *column, enc format.Encoding, b []byte) (values, error) {
	switch enc {
	case format.Plain:
		return plainOf(c, b), nil
	case format.RLE:
		if c.kind == format.Boolean && len(b) >= 4 {
			if n := binary.LittleEndian.Uint32(b); uint64(n) <= uint64(len(b)-4) {
				return &runs{b: b[4 : 4+n], width: 1}, nil
			}
			return nil, errPage
		}
	case format.DeltaBinaryPacked:
		if c.kind == format.Int32 || c.kind == format.Int64 {
			return newDelta(b)
		}
	case format.DeltaLengthByteArray:
		if c.kind == format.ByteArray {
			return newLengths(b)
		}
	case format.DeltaByteArray:
		if c.kind == format.ByteArray || c.kind == format.FixedLenByteArray {
			return newPrefixes(b, c)
		}
	case format.ByteStreamSplit:
		if w := widthOf(c); w > 0 {
			if len(b)%w != 0 {
				return nil, errPage
			}
			return &split{b: b, n: len(b) / w, plain: plainOf(c, make([]byte, w)).(*plain)}, nil
		}
	}
	return nil, errors.New("has a page in an encoding that is not known")
}

// widthOf is how many bytes a value takes; 0: not fixed.
func widthOf(c *column) int {
	switch c.kind {
	case format.Int32, format.Float:
		return 4
	case format.Int64, format.Double:
		return 8
	case format.Int96:
		return 12
	case format.FixedLenByteArray:
		return c.length
	}
	return 0
}

func plainOf(c *column, b []byte) values {
	switch w := widthOf(c); {
	case c.kind == format.Boolean:
		return &bools{b: b}
	case w > 0:
		return &plain{b: b, width: w, number: w == 4 && c.kind != format.FixedLenByteArray || w == 8 && c.kind != format.FixedLenByteArray}
	}
	return &strings{b: b}
}

type bools struct {
	b  []byte
	at int
}

func (p *bools) next() (raw, error) {
	if p.at >= 8*len(p.b) {
		return raw{}, errPage
	}
	v := p.b[p.at/8] >> (p.at % 8) & 1
	p.at++
	return raw{n: uint64(v)}, nil
}

func (p *bools) skip(n int64) error {
	if n > int64(8*len(p.b)-p.at) {
		return errPage
	}
	p.at += int(n)
	return nil
}

type plain struct {
	b      []byte
	width  int
	number bool
}

func (p *plain) next() (raw, error) {
	if len(p.b) < p.width {
		return raw{}, errPage
	}
	b := p.b[:p.width:p.width]
	p.b = p.b[p.width:]
	if !p.number {
		return raw{b: b}, nil
	}
	if p.width == 4 {
		return raw{n: uint64(binary.LittleEndian.Uint32(b))}, nil
	}
	return raw{n: binary.LittleEndian.Uint64(b)}, nil
}

func (p *plain) skip(n int64) error {
	if n > int64(len(p.b)/p.width) {
		return errPage
	}
	p.b = p.b[int(n)*p.width:]
	return nil
}

// strings are byte arrays, each behind its length.
type strings struct{ b []byte }

func (p *strings) next() (raw, error) {
	if len(p.b) < 4 {
		return raw{}, errPage
	}
	n := binary.LittleEndian.Uint32(p.b)
	if uint64(n) > uint64(len(p.b)-4) {
		return raw{}, errPage
	}
	b := p.b[4 : 4+n : 4+n]
	p.b = p.b[4+n:]
	return raw{b: b}, nil
}

func (p *strings) skip(n int64) error { return pass(p, n) }

// split has the first bytes of all values, then the second ones, and so on.
type split struct {
	b     []byte
	n, at int
	plain *plain
}

func (s *split) next() (raw, error) {
	if s.at >= s.n {
		return raw{}, errPage
	}
	v := make([]byte, s.plain.width)
	for i := range v {
		v[i] = s.b[i*s.n+s.at]
	}
	s.at++
	p := plain{b: v, width: s.plain.width, number: s.plain.number}
	return p.next()
}

func (s *split) skip(n int64) error {
	if n > int64(s.n-s.at) {
		return errPage
	}
	s.at += int(n)
	return nil
}

// runs is the hybrid of run lengths and packed bits that levels, truths and dictionary indexes are in.
type runs struct {
	b      []byte
	width  int
	left   uint64 // values of the run at hand
	same   bool
	value  uint64
	packed []byte
	bit    int
}

func (r *runs) next() (raw, error) {
	for r.left == 0 {
		if err := r.run(); err != nil {
			return raw{}, err
		}
	}
	r.left--
	if r.same {
		return raw{n: r.value}, nil
	}
	v, err := take(r.packed, r.bit, r.width)
	r.bit += r.width
	return raw{n: v}, err
}

func (r *runs) skip(n int64) error {
	for n > 0 {
		if r.left == 0 {
			if err := r.run(); err != nil {
				return err
			}
			continue
		}
		k := min(uint64(n), r.left)
		if !r.same {
			if uint64(r.bit)+k*uint64(r.width) > 8*uint64(len(r.packed)) {
				return errPage
			}
			r.bit += int(k) * r.width
		}
		r.left -= k
		n -= int64(k)
	}
	return nil
}

// count takes n values and returns how many of them are v.
func (r *runs) count(n int64, v uint64) (is int64, err error) {
	for n > 0 {
		if r.left > 0 && r.same {
			k := min(uint64(n), r.left)
			if r.value == v {
				is += int64(k)
			}
			r.left -= k
			n -= int64(k)
			continue
		}
		got, err := r.next()
		if err != nil {
			return is, err
		}
		if got.n == v {
			is++
		}
		n--
	}
	return is, nil
}

func (r *runs) run() error {
	h, n := binary.Uvarint(r.b)
	if n <= 0 {
		return errPage
	}
	r.b = r.b[n:]
	r.left, r.same = h>>1, h&1 == 0
	if r.same {
		w := (r.width + 7) / 8
		if len(r.b) < w {
			return errPage
		}
		r.value = 0
		for i := range w {
			r.value |= uint64(r.b[i]) << (8 * i)
		}
		r.b = r.b[w:]
		return nil
	}
	if r.left > 1<<40 {
		return errPage
	}
	size := r.left * uint64(r.width)
	r.left *= 8
	if size > uint64(len(r.b)) { // the last run may be cut short
		size = uint64(len(r.b))
	}
	r.packed, r.bit, r.b = r.b[:size], 0, r.b[size:]
	return nil
}

// take reads width bits that begin at a bit, lowest first.
func take(b []byte, bit, width int) (uint64, error) {
	if width == 0 {
		return 0, nil
	}
	if bit+width > 8*len(b) {
		return 0, errPage
	}
	if at := bit / 8; at+8 <= len(b) && bit%8+width <= 64 {
		return binary.LittleEndian.Uint64(b[at:]) >> (bit % 8) & (1<<width - 1), nil
	}
	var v uint64
	for i := range width {
		v |= uint64(b[(bit+i)/8]>>((bit+i)%8)&1) << i
	}
	return v, nil
}

// delta is numbers as what each is more than the one before, in blocks of small blocks.
type delta struct {
	b       []byte
	mini    uint64 // values of a small block
	minis   int    // of a block
	total   uint64
	last    uint64
	first   bool
	least   uint64
	widths  []byte
	packed  []byte
	width   int
	at      uint64 // in the small block
	current int
}

func newDelta(b []byte) (*delta, error) {
	d := &delta{b: b, first: true}
	size, ok1 := d.uvarint()
	minis, ok2 := d.uvarint()
	total, ok3 := d.uvarint()
	last, ok4 := d.varint()
	if !ok1 || !ok2 || !ok3 || !ok4 || minis == 0 || minis > 1<<16 || size > 1<<24 || size%minis != 0 || size/minis%8 != 0 || size == 0 {
		return nil, errPage
	}
	d.mini, d.minis, d.total, d.last = size/minis, int(minis), total, last
	d.current, d.at = d.minis, d.mini
	return d, nil
}

func (d *delta) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		return 0, false
	}
	d.b = d.b[n:]
	return v, true
}

func (d *delta) varint() (uint64, bool) {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		return 0, false
	}
	d.b = d.b[n:]
	return uint64(v), true
}

func (d *delta) next() (raw, error) {
	if d.total == 0 {
		return raw{}, errPage
	}
	d.total--
	if d.first {
		d.first = false
		return raw{n: d.last}, nil
	}
	if d.at == d.mini {
		if err := d.block(); err != nil {
			return raw{}, err
		}
	}
	v, err := take(d.packed, int(d.at)*d.width, d.width)
	d.at++
	d.last += d.least + v
	return raw{n: d.last}, err
}

func (d *delta) skip(n int64) error { return pass(d, n) }

// block goes on to the next small block.
func (d *delta) block() error {
	d.current++
	if d.current >= d.minis {
		var ok bool
		if d.least, ok = d.varint(); !ok || len(d.b) < d.minis {
			return errPage
		}
		d.widths, d.b = d.b[:d.minis], d.b[d.minis:]
		d.current = 0
	}
	d.width, d.at = int(d.widths[d.current]), 0
	size := int(d.mini) / 8 * d.width
	if d.width > 64 {
		return errPage
	}
	size = min(size, len(d.b)) // what lies behind the last value may be left out
	d.packed, d.b = d.b[:size], d.b[size:]
	return nil
}

// rest goes to the end of the numbers and returns what lies behind them.
func (d *delta) rest() ([]byte, error) {
	for d.total > 0 {
		if _, err := d.next(); err != nil {
			return nil, err
		}
	}
	return d.b, nil
}

// lengths are byte arrays behind the lengths of them all.
type lengths struct {
	sizes *delta
	b     []byte
}

func newLengths(b []byte) (*lengths, error) {
	first, err := newDelta(b)
	if err != nil || first.total > 8*uint64(len(b))*64 {
		return nil, errPage
	}
	second := *first
	rest, err := first.rest()
	return &lengths{&second, rest}, err
}

func (l *lengths) next() (raw, error) {
	n, err := l.sizes.next()
	if err != nil || n.n > uint64(len(l.b)) {
		return raw{}, errPage
	}
	b := l.b[:n.n:n.n]
	l.b = l.b[n.n:]
	return raw{b: b}, nil
}

func (l *lengths) skip(n int64) error { return pass(l, n) }

// prefixes are byte arrays that begin as the one before does.
type prefixes struct {
	sizes *delta
	ends  *lengths
	last  []byte
	fixed int
}

func newPrefixes(b []byte, c *column) (*prefixes, error) {
	first, err := newDelta(b)
	if err != nil || first.total > 8*uint64(len(b))*64 {
		return nil, errPage
	}
	second := *first
	rest, err := first.rest()
	if err != nil {
		return nil, err
	}
	ends, err := newLengths(rest)
	p := &prefixes{sizes: &second, ends: ends}
	if c.kind == format.FixedLenByteArray {
		p.fixed = c.length
	}
	return p, err
}

// next returns bytes that hold until it is called again.
func (p *prefixes) next() (raw, error) {
	n, err := p.sizes.next()
	if err != nil || n.n > uint64(len(p.last)) {
		return raw{}, errPage
	}
	end, err := p.ends.next()
	if err != nil {
		return raw{}, err
	}
	p.last = append(p.last[:n.n], end.b...)
	if p.fixed > 0 && len(p.last) != p.fixed {
		return raw{}, errPage
	}
	return raw{b: p.last}, nil
}

func (p *prefixes) skip(n int64) error { return pass(p, n) }

// levelWidth is how many bits a level takes.
func levelWidth(most int) int { return bits.Len(uint(most)) }
