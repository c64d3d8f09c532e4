package anonymity

import (
	"fmt"
	"math"
	"math/bits"
	"sync"
)

// Table is distinct combinations of quasi-identifiers, how many rows each has, and which sensitive values those rows hold. It is
// immutable and safe for concurrent use. Combinations are numbered in the order of their codes, whichever way the rows came.
type Table struct {
	attributes []Attribute
	sensitive  []Sensitive
	rows       int64
	pack       packing
	keys       []uint64 // pack.words for each combination
	counts     []uint32 // rows of each combination
	held       []held   // by sensitive attribute

	once  sync.Once
	index index // for Find, built when first asked
}

// held is which values of a sensitive attribute the rows of each combination hold: those of combination i are values[start[i]:start[i+1]].
type held struct {
	start  []uint32
	values []uint32
	rows   []uint32 // with each of values
}

// maxColumns is how many columns a table may have: no packing of them needs more words than a byte can number.
const maxColumns = 256

// Table makes a table of the rows added. The builder is empty afterwards. Errors wrap [ErrTable]: codes that an attribute has no
// place for, attributes without name, twice the same, or levels that are not there.
func (b *Builder) Table(attributes []Attribute, sensitive []Sensitive) (*Table, error) {
	if b.err != nil {
		return nil, b.err
	}
	if b.qi+b.sensitive > maxColumns {
		return nil, fmt.Errorf("%w: it has more than %d columns", ErrTable, maxColumns)
	}
	if len(attributes) != b.qi || len(sensitive) != b.sensitive || b.qi == 0 {
		return nil, fmt.Errorf("%w: it has %d quasi-identifiers and %d sensitive attributes, the builder %d and %d", ErrTable, len(attributes), len(sensitive), b.qi, b.sensitive)
	}
	t := &Table{attributes: append([]Attribute(nil), attributes...), sensitive: append([]Sensitive(nil), sensitive...), rows: b.rows}
	if err := t.check(); err != nil {
		return nil, err
	}
	if len(b.counts) > math.MaxInt32 || b.rows > math.MaxUint32 {
		return nil, fmt.Errorf("%w: more than 2³¹ distinct combinations, or 2³² rows", ErrTable)
	}
	b.index = index{} // a table finds by another one
	keys, pack, err := t.recode(b)
	if err != nil {
		return nil, err
	}
	counts := b.counts
	*b = *NewBuilder(b.qi, b.sensitive)
	keys, counts = sortRecords(keys, counts, pack)
	t.gather(keys, counts, pack)
	return t, nil
}

// check fills in what was left out and refuses what makes no sense.
func (t *Table) check() error {
	names := map[string]bool{}
	for i := range t.attributes {
		a := &t.attributes[i]
		if a.Name == "" || names[a.Name] || a.Hierarchy == nil {
			return fmt.Errorf("%w: quasi-identifier %d has no name, that of another, or no hierarchy", ErrTable, i+1)
		}
		names[a.Name] = true
		if a.Most == 0 {
			a.Most = a.Hierarchy.Levels() - 1
		}
		if a.Least < 0 || a.Least > a.Most || a.Most >= a.Hierarchy.Levels() {
			return fmt.Errorf("%w: attribute %s has no levels %d to %d", ErrTable, a.Name, a.Least, a.Most)
		}
		if a.Weight == 0 {
			a.Weight = 1
		}
		if !(a.Weight > 0) || math.IsInf(a.Weight, 0) {
			return fmt.Errorf("%w: attribute %s: its weight is not a positive number", ErrTable, a.Name)
		}
	}
	for i, s := range t.sensitive {
		if s.Name == "" || names[s.Name] || s.Values < 1 || s.Values > math.MaxInt32 {
			return fmt.Errorf("%w: sensitive attribute %d has no name, that of another, or no values", ErrTable, i+1)
		}
		names[s.Name] = true
		if s.Hierarchy != nil && s.Hierarchy.Codes(0) != s.Values {
			return fmt.Errorf("%w: the hierarchy of %s has another number of values", ErrTable, s.Name)
		}
	}
	return nil
}

// recode packs the builder's combinations with the codes of the hierarchies and in as few bits as these need. The first attribute
// is packed highest, so that the order of packed keys is that of the codes.
func (t *Table) recode(b *Builder) ([]uint64, packing, error) {
	columns := b.qi + b.sensitive
	widths, limits, from := make([]uint8, columns), make([]int, columns), make([][]uint32, columns)
	for i, a := range t.attributes {
		limits[i], from[i] = a.Hierarchy.Codes(0), a.From
	}
	for i, s := range t.sensitive {
		limits[b.qi+i], from[b.qi+i] = s.Values, s.From
	}
	for i, n := range limits {
		widths[i] = uint8(bits.Len(uint(n - 1)))
	}
	pack := newPacking(widths)
	pack.reverse()
	keys := make([]uint64, len(b.counts)*pack.words)
	codes := make([]uint32, columns)
	for r := range b.counts {
		b.pack.get(codes, b.keys[r*b.pack.words:])
		for i, c := range codes {
			if from[i] != nil {
				if int(c) >= len(from[i]) {
					return nil, pack, t.outside(i)
				}
				c = from[i][c]
				codes[i] = c
			}
			if int(c) >= limits[i] {
				return nil, pack, t.outside(i)
			}
		}
		pack.put(keys[r*pack.words:(r+1)*pack.words], 0, codes)
	}
	return keys, pack, nil
}

func (t *Table) outside(column int) error {
	if column < len(t.attributes) {
		return fmt.Errorf("%w: a row has a code of %s that its hierarchy lacks", ErrTable, t.attributes[column].Name)
	}
	return fmt.Errorf("%w: a row has a code of %s beyond its values", ErrTable, t.sensitive[column-len(t.attributes)].Name)
}

// reverse turns the order of columns within each word, so that the first lies highest.
func (p *packing) reverse() {
	used := make([]uint8, p.words)
	for i, w := range p.widths {
		used[p.word[i]] += w
	}
	for i, w := range p.widths {
		p.shift[i] = used[p.word[i]] - p.shift[i] - w
	}
}

// sortRecords sorts packed combinations by their words, the first word first: radix sort, eleven bits at a time.
func sortRecords(keys []uint64, counts []uint32, pack packing) ([]uint64, []uint32) {
	n, w := len(counts), pack.words
	used := make([]int, w)
	for i, width := range pack.widths {
		used[pack.word[i]] += int(width)
	}
	keys2, counts2 := make([]uint64, len(keys)), make([]uint32, n)
	var place [1 << 11]int
	for word := w - 1; word >= 0; word-- {
		for shift := 0; shift < used[word]; shift += 11 {
			clear(place[:])
			for i := range n {
				place[keys[i*w+word]>>shift&(1<<11-1)]++
			}
			sum := 0
			for d, c := range place {
				place[d], sum = sum, sum+c
			}
			for i := range n {
				d := keys[i*w+word] >> shift & (1<<11 - 1)
				to := place[d]
				place[d]++
				copy(keys2[to*w:to*w+w], keys[i*w:i*w+w])
				counts2[to] = counts[i]
			}
			keys, keys2, counts, counts2 = keys2, keys, counts2, counts
		}
	}
	return keys, counts
}

// gather takes sorted records of quasi-identifiers and sensitive values apart.
func (t *Table) gather(keys []uint64, counts []uint32, pack packing) {
	qi, w := len(t.attributes), pack.words
	widths := append([]uint8(nil), pack.widths[:qi]...)
	t.pack = newPacking(widths)
	t.pack.reverse()
	t.held = make([]held, len(t.sensitive))
	codes, key := make([]uint32, len(pack.widths)), make([]uint64, t.pack.words)
	merge := make([]tally, len(t.sensitive))
	for i, s := range t.sensitive {
		merge[i] = newTally(s.Values)
	}
	flush := func() {
		for i := range t.held {
			h := &t.held[i]
			h.start = append(h.start, uint32(len(h.values)))
			h.values, h.rows = merge[i].flush(h.values, h.rows)
		}
	}
	for r, rows := range counts {
		pack.get(codes, keys[r*w:])
		clear(key)
		t.pack.put(key, 0, codes[:qi])
		n := len(t.counts)
		if n == 0 || !equal(t.keys[(n-1)*t.pack.words:], key) {
			if n > 0 {
				flush()
			}
			t.keys = append(t.keys, key...)
			t.counts = append(t.counts, 0)
			n++
		}
		t.counts[n-1] += rows
		for i := range t.sensitive {
			merge[i].add(codes[qi+i], rows)
		}
	}
	if len(t.counts) > 0 {
		flush()
	}
	for i := range t.held {
		t.held[i].start = append(t.held[i].start, uint32(len(t.held[i].values)))
	}
}

// tally adds up rows by value, for one class after the other.
type tally struct {
	rows []uint32 // by value
	seen []uint32 // values with rows, in the order in which they came
}

func newTally(values int) tally { return tally{rows: make([]uint32, values)} }

func (y *tally) add(value, rows uint32) {
	if y.rows[value] == 0 {
		y.seen = append(y.seen, value)
	}
	y.rows[value] += rows
}

// flush appends what was added up and begins anew.
func (y *tally) flush(values, rows []uint32) ([]uint32, []uint32) {
	for _, v := range y.seen {
		values, rows = append(values, v), append(rows, y.rows[v])
		y.rows[v] = 0
	}
	y.seen = y.seen[:0]
	return values, rows
}

// Attributes returns the quasi-identifiers, with what was left out filled in.
func (t *Table) Attributes() []Attribute { return append([]Attribute(nil), t.attributes...) }

// Sensitive returns the sensitive attributes.
func (t *Table) Sensitive() []Sensitive { return append([]Sensitive(nil), t.sensitive...) }

// Rows returns the number of rows.
func (t *Table) Rows() int64 { return t.rows }

// Len returns the number of distinct combinations of quasi-identifiers.
func (t *Table) Len() int { return len(t.counts) }

// Count returns how many rows have combination i. A class before recoding is the rows of one combination.
func (t *Table) Count(i int) int { return int(t.counts[i]) }

// Tuple sets codes to the values of combination i, one per attribute.
func (t *Table) Tuple(i int, codes []uint32) { t.pack.get(codes, t.keys[i*t.pack.words:]) }

// Held calls yield with each value of a sensitive attribute that rows of combination i hold, and with how many hold it.
func (t *Table) Held(sensitive, i int, yield func(value uint32, rows int)) {
	h := &t.held[sensitive]
	for e := h.start[i]; e < h.start[i+1]; e++ {
		yield(h.values[e], int(h.rows[e]))
	}
}

// Find returns the number of the combination with these values of the hierarchies.
func (t *Table) Find(codes []uint32) (int, bool) {
	var room [4]uint64
	key := room[:0]
	for range t.pack.words {
		key = append(key, 0)
	}
	if len(codes) != len(t.attributes) || t.pack.put(key, 0, codes) >= 0 {
		return 0, false
	}
	t.once.Do(func() { t.index.build(t.keys, t.pack.words, len(t.counts)) })
	return t.index.find(t.keys, key)
}
