package files

import (
	"encoding/binary"
	"sync"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// groups numbers combinations of keys in the order in which they are first seen.
type groups struct {
	x      *exec
	types  []relation.Type
	layout layout

	mu   sync.Mutex
	of   map[string]uint32
	rows []int64 // the keys of each
}

// mostGroups is less than what a kept row has room for.
const mostGroups = 1 << 31

// perGroup is what a group takes besides its words, about.
const perGroup = 128

// local is a worker's own memory of groups.
type local struct {
	one  map[int64]uint32 // of a single key
	many map[string]uint32
	buf  []byte
	row  []int64
}

func newLocal() *local { return &local{one: map[int64]uint32{}, many: map[string]uint32{}} }

// number is that of the group of row i. Keys are columns of the batch.
func (g *groups) number(l *local, keys []vec, i int) (uint32, error) {
	if len(keys) == 1 && (keys[0].null == nil || !keys[0].null[i]) {
		v := keys[0].v[i]
		if n, ok := l.one[v]; ok {
			return n, nil
		}
		n, err := g.slow(l, keys, i)
		if err == nil {
			l.one[v] = n
		}
		return n, err
	}
	return g.slow(l, keys, i)
}

func (g *groups) slow(l *local, keys []vec, i int) (uint32, error) {
	if l.row == nil {
		l.row = make([]int64, g.layout.words)
	}
	g.layout.put(l.row, keys, i)
	l.buf = l.buf[:0]
	for _, w := range l.row {
		l.buf = binary.NativeEndian.AppendUint64(l.buf, uint64(w))
	}
	if n, ok := l.many[string(l.buf)]; ok {
		return n, nil
	}
	n, err := g.add(l.buf, l.row)
	if err == nil {
		l.many[string(l.buf)] = n
	}
	return n, err
}

func (g *groups) add(code []byte, row []int64) (uint32, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n, ok := g.of[string(code)]; ok {
		return n, nil
	}
	n := len(g.of)
	bytes := int64(perGroup + 2*len(code))
	g.x.below.Add(bytes)
	g.x.kept.Add(bytes)
	if err := g.x.take(bytes); err != nil || n == mostGroups {
		return 0, errFull
	}
	g.of[string(code)] = uint32(n)
	g.rows = append(g.rows, row...)
	return uint32(n), nil
}

// values are the keys of a group.
func (g *groups) values(n int) []relation.Value {
	if len(g.types) == 0 {
		return nil
	}
	row := g.rows[n*g.layout.words : (n+1)*g.layout.words]
	out := make([]relation.Value, len(g.types))
	for j, t := range g.types {
		out[j] = g.x.value(t.Kind, row[j], g.layout.null(row, j))
	}
	return out
}

// value is what a word stands for.
func (x *exec) value(k relation.Kind, word int64, null bool) relation.Value {
	v := relation.Value{Kind: k, Null: null}
	switch {
	case null:
	case k == relation.Text:
		v.Text = x.texts.text(word)
	default:
		v.Int = word
	}
	return v
}
