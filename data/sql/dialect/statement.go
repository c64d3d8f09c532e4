package dialect

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
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

// Collector puts the rows of a result together.
type Collector struct {
	s      *Statement
	at     map[string]int
	groups []relation.Group
	seen   []bool // the row of the group itself has come
	key    []byte
}

// Collect begins with a result.
func (s *Statement) Collect() *Collector { return &Collector{s: s, at: map[string]int{}} }

// MaxGroups is how many groups a result may have.
const MaxGroups = 1 << 24

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
	g, err := c.group(row[2 : 2+len(c.s.Keys)])
	if err != nil {
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
		c.groups[g].Bins[part-1][int(cell)] += units
		return nil
	}
	if c.seen[g] {
		return ErrResult
	}
	c.seen[g] = true
	c.groups[g].Units = units
	for i, v := range rest[1:] {
		n, ok := v.(int64)
		if !ok || n > relation.MaxSum || n < -relation.MaxSum {
			return ErrResult
		}
		c.groups[g].Sums[i] = n
	}
	return nil
}

// group finds or makes the group of the keys.
func (c *Collector) group(keys []any) (int, error) {
	values := make([]relation.Value, len(keys))
	c.key = c.key[:0]
	for i, k := range keys {
		v := relation.Value{Kind: c.s.Keys[i]}
		switch k := k.(type) {
		case nil:
			v.Null = true
			c.key = append(c.key, 0)
		case int64:
			if v.Kind == relation.Text || v.Kind == relation.Truth && k&^1 != 0 {
				return 0, ErrResult
			}
			v.Int = k
			c.key = binary.BigEndian.AppendUint64(append(c.key, 1), uint64(k))
		case string:
			if v.Kind != relation.Text {
				return 0, ErrResult
			}
			v.Text = k
			c.key = binary.BigEndian.AppendUint64(append(c.key, 2), uint64(len(k)))
			c.key = append(c.key, k...)
		default:
			return 0, ErrResult
		}
		values[i] = v
	}
	if g, ok := c.at[string(c.key)]; ok {
		return g, nil
	}
	if len(c.groups) == MaxGroups {
		return 0, fmt.Errorf("more than %d groups: %w", MaxGroups, ErrResult)
	}
	g := relation.Group{Keys: values, Sums: make([]int64, c.s.Sums)}
	for range c.s.Bins {
		g.Bins = append(g.Bins, map[int]int64{})
	}
	c.at[string(c.key)] = len(c.groups)
	c.groups, c.seen = append(c.groups, g), append(c.seen, false)
	return len(c.groups) - 1, nil
}

// Each calls yield for each group, once all rows have come.
func (c *Collector) Each(yield func(relation.Group) error) error {
	for i, g := range c.groups {
		if !c.seen[i] {
			return ErrResult
		}
		if err := yield(g); err != nil {
			return err
		}
	}
	return nil
}
