package query

import (
	"fmt"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/workload"
)

// What sharing measurements may hold while groups come, by declared facts alone: questions beyond it are answered one by one.
const (
	mostCombined = 1 << 30                  // combinations of all keys, a bit each
	mostMeasured = 4 * workload.MostNumbers // numbers of all measures, 16 bytes each
)

// Measured is what shared measurements are made of: a unit moves at most Groups of its cells, each measure by Most in each. It is nil where
// the questions share none whatever the budget.
func (bt *Batch) Measured() *Plan {
	if bt.apart || bt.combined() > mostCombined {
		return nil
	}
	return bt.merged
}

// Cell is where the group of these keys is measured, by key: a place among its declared values, the place behind the last of which is for all others.
func (bt *Batch) Cell(keys []relation.Value) []int {
	at := make([]int, len(keys))
	bt.cell(keys, at)
	return at
}

// cell is [Batch.Cell] into at, and the cell's number among all.
func (bt *Batch) cell(keys []relation.Value, at []int) int64 {
	number := int64(0)
	for k, values := range bt.places {
		i, ok := values[keysID(keys[k:k+1])]
		if !ok {
			i = len(values)
		}
		at[k] = i
		number = number*int64(len(values)+1) + int64(i)
	}
	return number
}

// placesOf are the places of declared values by key.
func placesOf(keys []Key) []map[string]int {
	places := make([]map[string]int, len(keys))
	for k, key := range keys {
		places[k] = map[string]int{}
		for i, v := range key.Values {
			places[k][keysID([]relation.Value{v})] = i
		}
	}
	return places
}

// combined is how many combinations of all keys there are, or mostCombined+1 beyond that.
func (bt *Batch) combined() int64 {
	n := int64(1)
	for _, k := range bt.merged.Keys {
		if n *= int64(len(k.Values) + 1); n > mostCombined {
			return mostCombined + 1
		}
	}
	return n
}

// held refuses measures that are too many numbers together.
func held(strategies []*workload.Strategy) error {
	numbers := 0
	for _, s := range strategies {
		if s != nil {
			numbers += s.Numbers()
		}
	}
	if numbers > mostMeasured {
		return fmt.Errorf("more than %d numbers: %w", mostMeasured, workload.ErrTooMuch)
	}
	return nil
}

// bitmap is a set of numbers from 0 on, in pages that are made when they are needed.
type bitmap struct{ pages map[int64]*[pageWords]uint64 }

const pageWords = 512

// add is whether a number is new.
func (b *bitmap) add(n int64) bool {
	if b.pages == nil {
		b.pages = map[int64]*[pageWords]uint64{}
	}
	page := b.pages[n/(64*pageWords)]
	if page == nil {
		page = new([pageWords]uint64)
		b.pages[n/(64*pageWords)] = page
	}
	word, bit := &page[n/64%pageWords], uint64(1)<<(n%64)
	fresh := *word&bit == 0
	*word |= bit
	return fresh
}
