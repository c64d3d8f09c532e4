package query

import (
	"cmp"
	"encoding/binary"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// keysID is one text for one list of values.
func keysID(keys []relation.Value) string {
	var b []byte
	for _, v := range keys {
		b = appendValue(b, v)
	}
	return string(b)
}

func appendValue(b []byte, v relation.Value) []byte {
	if v.Null {
		return append(b, 0xff)
	}
	b = append(b, byte(v.Kind))
	if v.Kind == relation.Text {
		b = binary.AppendUvarint(b, uint64(len(v.Text)))
		return append(b, v.Text...)
	}
	return binary.BigEndian.AppendUint64(b, uint64(v.Int))
}

// orderKeys orders groups as they are listed where a question says nothing: by keys, NULL last.
func orderKeys(a, b []relation.Value) int {
	for i := range a {
		if c := orderValues(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func orderValues(a, b relation.Value) int {
	switch {
	case a.Null || b.Null:
		return cmp.Compare(rankNull(a), rankNull(b))
	case a.Kind == relation.Text:
		return strings.Compare(a.Text, b.Text)
	}
	return cmp.Compare(a.Int, b.Int)
}

func rankNull(v relation.Value) int {
	if v.Null {
		return 1
	}
	return 0
}

// eachCell calls f with every combination of public keys, in the order of their declared values, and once for a question without keys.
func (pr *Priced) eachCell(f func(keys []relation.Value)) {
	keys := pr.plan.Keys
	at := make([]int, len(keys))
	for {
		cell := make([]relation.Value, len(keys))
		for i, k := range keys {
			cell[i] = k.Values[at[i]]
		}
		f(cell)
		i := len(keys) - 1
		for ; i >= 0; i-- {
			if at[i]++; at[i] < len(keys[i].Values) {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

// domain is the set of all cells.
func (pr *Priced) domain() map[string]struct{} {
	all := make(map[string]struct{}, pr.cells)
	pr.eachCell(func(keys []relation.Value) { all[keysID(keys)] = struct{}{} })
	return all
}

// inDomains is whether those keys that have a public domain are in it.
func (pr *Priced) inDomains(keys []relation.Value) bool {
	for i, k := range pr.plan.Keys {
		if k.Values == nil {
			continue
		}
		found := false
		for _, v := range k.Values {
			found = found || v == keys[i] || v.Null && keys[i].Null
		}
		if !found {
			return false
		}
	}
	return true
}
