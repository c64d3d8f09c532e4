package anonymity

import (
	"fmt"
	"math"
	"math/bits"
)

// Builder gathers the rows of a table: it keeps distinct combinations and how often each occurs.
//
// A builder is used by one goroutine; several, one per goroutine, are merged at the end. A combination of nine attributes of the
// usual size takes some 16 bytes.
type Builder struct {
	qi, sensitive int
	pack          packing
	keys          []uint64 // pack.words for each combination
	counts        []uint32
	index         index
	rows          int64
	scratch       []uint64
	err           error // told by Table
}

// NewBuilder returns a builder for rows of that many quasi-identifiers and sensitive values.
func NewBuilder(qi, sensitive int) *Builder {
	b := &Builder{qi: qi, sensitive: sensitive}
	widths := make([]uint8, qi+sensitive)
	for i := range widths {
		widths[i] = 4
	}
	b.pack = newPacking(widths)
	b.scratch = make([]uint64, b.pack.words)
	return b
}

// Rows returns how many rows were added.
func (b *Builder) Rows() int64 { return b.rows }

// Distinct returns how many distinct combinations of codes there are, sensitive ones included.
func (b *Builder) Distinct() int { return len(b.counts) }

// Add adds a row. It keeps neither slice. It panics if there are not as many codes as the builder was made for.
func (b *Builder) Add(qi, sensitive []uint32) {
	if len(qi) != b.qi || len(sensitive) != b.sensitive {
		panic("anonymity: a row has not as many codes as its builder was made for")
	}
	b.add(qi, sensitive, 1)
}

func (b *Builder) add(qi, sensitive []uint32, rows uint32) {
	b.rows += int64(rows)
	for {
		over := b.pack.put(b.scratch, 0, qi)
		if over < 0 {
			over = b.pack.put(b.scratch, b.qi, sensitive)
		}
		if over < 0 {
			break
		}
		code := uint32(0)
		if over < b.qi {
			code = qi[over]
		} else {
			code = sensitive[over-b.qi]
		}
		b.widen(over, code)
	}
	at, found := b.index.find(b.keys, b.scratch)
	if !found {
		b.keys = append(b.keys, b.scratch...)
		b.counts = append(b.counts, rows)
		b.index.put(b.keys, len(b.scratch), len(b.counts)-1)
	} else if b.counts[at] > math.MaxUint32-rows {
		b.err = fmt.Errorf("%w: one combination occurs in more than 2³² rows", ErrTable)
	} else {
		b.counts[at] += rows
	}
	clear(b.scratch)
}

// widen gives a column more bits and packs what is there again.
func (b *Builder) widen(column int, code uint32) {
	widths := append([]uint8(nil), b.pack.widths...)
	widths[column] = uint8(min(32, bits.Len32(code)+1))
	next := newPacking(widths)
	codes := make([]uint32, len(widths))
	keys := make([]uint64, len(b.counts)*next.words)
	for i := range b.counts {
		b.pack.get(codes, b.keys[i*b.pack.words:])
		next.put(keys[i*next.words:(i+1)*next.words], 0, codes)
	}
	b.keys, b.pack = keys, next
	b.scratch = make([]uint64, next.words)
	b.index.build(keys, next.words, len(b.counts))
}

// Merge adds all rows of another builder, which is empty afterwards.
func (b *Builder) Merge(other *Builder) error {
	if b.qi != other.qi || b.sensitive != other.sensitive {
		return fmt.Errorf("%w: builders of other columns", ErrTable)
	}
	other.index = index{}
	if b.err == nil {
		b.err = other.err
	}
	codes := make([]uint32, b.qi+b.sensitive)
	for i, rows := range other.counts {
		other.pack.get(codes, other.keys[i*other.pack.words:])
		b.add(codes[:b.qi], codes[b.qi:], rows)
	}
	*other = *NewBuilder(b.qi, b.sensitive)
	return nil
}

// packing says where the codes of a combination lie in its words. No code lies in two words.
type packing struct {
	widths []uint8
	word   []uint8
	shift  []uint8
	words  int
}

func newPacking(widths []uint8) packing {
	p := packing{widths: widths, word: make([]uint8, len(widths)), shift: make([]uint8, len(widths))}
	used := uint8(0)
	p.words = 1
	for i, w := range widths {
		if used+w > 64 {
			p.words, used = p.words+1, 0
		}
		p.word[i], p.shift[i] = uint8(p.words-1), used
		used += w
	}
	return p
}

// put packs codes from a column on into words that are zero there. It returns the first column whose code is too wide, or -1;
// then nothing is left in the words.
func (p *packing) put(words []uint64, from int, codes []uint32) int {
	for i, c := range codes {
		i += from
		if bits.Len32(c) > int(p.widths[i]) {
			clear(words)
			return i
		}
		words[p.word[i]] |= uint64(c) << p.shift[i]
	}
	return -1
}

// get unpacks the columns of a combination.
func (p *packing) get(codes []uint32, words []uint64) {
	for i := range codes {
		codes[i] = uint32(words[p.word[i]] >> p.shift[i] & (1<<p.widths[i] - 1))
	}
}

// index finds combinations among packed ones: open addressing with linear probing, at most three quarters full.
type index struct {
	slots []uint32 // number of a combination + 1; 0: free
	shift uint8    // of the hash
	used  int
}

func hash(words []uint64) uint64 {
	h := uint64(0)
	for _, w := range words {
		h = (bits.RotateLeft64(h, 29) ^ w) * 0x9e3779b97f4a7c15
		h ^= h >> 32
	}
	return h * 0xd6e8feb86659fd93
}

// find returns where a key is among the keys.
func (x *index) find(keys, key []uint64) (int, bool) {
	if x.slots == nil {
		return 0, false
	}
	mask := uint64(len(x.slots) - 1)
	n := len(key)
	for at := hash(key) >> x.shift; ; at = (at + 1) & mask {
		s := x.slots[at&mask]
		if s == 0 {
			return 0, false
		}
		i := int(s - 1)
		if equal(keys[i*n:i*n+n], key) {
			return i, true
		}
	}
}

func equal(a, b []uint64) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// put enters combination i, which is not there.
func (x *index) put(keys []uint64, words, i int) {
	if (x.used+1)*4 > len(x.slots)*3 {
		x.build(keys, words, i)
	}
	x.enter(keys[i*words:(i+1)*words], i)
}

func (x *index) enter(key []uint64, i int) {
	mask := uint64(len(x.slots) - 1)
	at := hash(key) >> x.shift
	for x.slots[at&mask] != 0 {
		at++
	}
	x.slots[at&mask] = uint32(i + 1)
	x.used++
}

// build enters the first n combinations anew, with room for as many again.
func (x *index) build(keys []uint64, words, n int) {
	size := 64
	for size*3 < (n+1)*5 {
		size *= 2
	}
	x.slots, x.used, x.shift = make([]uint32, size), 0, uint8(64-bits.Len(uint(size-1)))
	for i := range n {
		x.enter(keys[i*words:(i+1)*words], i)
	}
}
