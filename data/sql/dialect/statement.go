package dialect

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// Statement is one bounded relation, written out.
type Statement struct {
	SQL string
	// Words are the words of the seed that the parameters take, in their order (see [Seeds]); −1 is the seed itself.
	Words []int
	// Keys are the kinds of the keys. The columns of the result are: part and cell, the keys, units, then the sums. Part is 0 for a group; n for a
	// cell of the n-th bins, and units is then how many rows lie in it. All are integers of 64 bits but keys of text.
	Keys []relation.Kind
	Sums int
	Bins []int // how many cells
}

// Seeds are the words of a seed: what a statement's parameters are made of. They do not tell the seed.
func Seeds(seed relation.Seed) [2]int64 {
	h := sha256.New()
	h.Write([]byte("scrim data/sql/dialect words v1\x00"))
	h.Write(seed[:])
	sum := h.Sum(nil)
	return [2]int64{int64(binary.BigEndian.Uint64(sum)), int64(binary.BigEndian.Uint64(sum[8:]))}
}

// Args are the arguments of the statement, in order.
func (s *Statement) Args(seed relation.Seed) []any {
	words := Seeds(seed)
	args := make([]any, len(s.Words))
	for i, w := range s.Words {
		if args[i] = any(seed[:]); w >= 0 {
			args[i] = words[w]
		}
	}
	return args
}

// Width is how many columns the result has.
func (s *Statement) Width() int { return 3 + len(s.Keys) + s.Sums }

// Cell reads the i-th column of a row from text, which nil is NULL of.
func (s *Statement) Cell(i int, text []byte) (any, error) {
	if text == nil {
		return nil, nil
	}
	if k := i - 2; k >= 0 && k < len(s.Keys) && s.Keys[k] == relation.Text {
		return string(text), nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return nil, ErrResult // the error repeats the text
	}
	return n, nil
}

// ErrResult means that an engine answered with something that is no result of the statement.
var ErrResult = errors.New("the source answered with something else than was asked for")

// Collector puts the rows of a result together and hands on each group as soon as it is whole: it holds one group at most. Without bins a row is a
// group; with them the statement orders rows by group.
type Collector struct {
	s       *Statement
	yield   func(relation.Group) error
	group   relation.Group // with bins: the one whose rows come
	of      []byte         // its keys; nil: none yet
	whole   bool           // the row of the group itself has come
	key     []byte
	began   bool
	stopped error
}

// Collect begins with a result. Each group is yield's to keep.
func (s *Statement) Collect(yield func(relation.Group) error) *Collector {
	return &Collector{s: s, yield: yield}
}

// Row takes one row: of int64, string and nil.
func (c *Collector) Row(row []any) error {
	if len(row) != c.s.Width() {
		return ErrResult
	}
	numbers := [2]int64{}
	for i := range numbers {
		n, ok := row[i].(int64)
		if !ok {
			return ErrResult
		}
		numbers[i] = n
	}
	part, cell := numbers[0], numbers[1]
	if err := c.enter(row[2 : 2+len(c.s.Keys)]); err != nil {
		return err
	}
	rest := row[2+len(c.s.Keys):]
	units, ok := rest[0].(int64)
	if !ok || units < 0 || part < 0 || part > int64(len(c.s.Bins)) {
		return ErrResult
	}
	if part > 0 {
		if cell < 0 || cell >= int64(c.s.Bins[part-1]) {
			return ErrResult
		}
		c.group.Bins[part-1][int(cell)] += units
		return nil
	}
	if c.whole {
		return ErrResult
	}
	c.whole = true
	c.group.Units = units
	for i, v := range rest[1:] {
		n, ok := v.(int64)
		if !ok || n > relation.MaxSum || n < -relation.MaxSum {
			return ErrResult
		}
		c.group.Sums[i] = n
	}
	if len(c.s.Bins) == 0 {
		return c.End()
	}
	return nil
}

// enter makes the group of the keys the one whose rows come. A group that comes again after another lacks its own row, and is refused for that.
func (c *Collector) enter(keys []any) error {
	values := make([]relation.Value, len(keys))
	key := append(c.key[:0], 0) // never nil
	for i, k := range keys {
		v := relation.Value{Kind: c.s.Keys[i]}
		switch k := k.(type) {
		case nil:
			v.Null = true
			key = append(key, 0)
		case int64:
			if v.Kind == relation.Text || v.Kind == relation.Truth && k&^1 != 0 {
				return ErrResult
			}
			v.Int = k
			key = binary.BigEndian.AppendUint64(append(key, 1), uint64(k))
		case string:
			if v.Kind != relation.Text {
				return ErrResult
			}
			v.Text = k
			key = binary.BigEndian.AppendUint64(append(key, 2), uint64(len(k)))
			key = append(key, k...)
		default:
			return ErrResult
		}
		values[i] = v
	}
	c.key = key
	if c.of != nil && bytes.Equal(c.of, key) {
		return nil
	}
	if err := c.End(); err != nil {
		return err
	}
	c.of, c.key = key, nil
	c.group = relation.Group{Keys: values, Sums: make([]int64, c.s.Sums)}
	for range c.s.Bins {
		c.group.Bins = append(c.group.Bins, map[int]int64{})
	}
	return nil
}

// End hands on the last group, once all rows have come.
func (c *Collector) End() error {
	if c.of == nil {
		return nil
	}
	if !c.whole {
		return ErrResult
	}
	g := c.group
	c.group, c.of, c.whole, c.began = relation.Group{}, nil, false, true
	c.stopped = c.yield(g)
	return c.stopped
}

// Began is whether a group was handed on: the statement must not be run again for the same yield.
func (c *Collector) Began() bool { return c.began }

// Stopped is the error by which yield ended the result.
func (c *Collector) Stopped() error { return c.stopped }
