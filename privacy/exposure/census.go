package exposure

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// HeldLabel is of how many subjects an audience holds a label at a level, and how many facts these are.
type HeldLabel struct {
	Audience Audience   `json:"audience"`
	Label    flow.Label `json:"label"`
	Level    flow.Level `json:"level"`
	Subjects int64      `json:"subjects"` // tasks that were about somebody unknown included
	Facts    int64      `json:"facts"`
}

// Census counts by label and level what audiences hold. It reads all that is kept.
func Census(tx store.Tx, now time.Time) ([]HeldLabel, error) {
	rows, err := tx.Query("SELECT audience, held FROM exposure_held WHERE expires > ?", now.Unix())
	if err != nil {
		return nil, fmt.Errorf("counting exposure: %w", err)
	}
	type key struct {
		audience Audience
		label    flow.Label
		level    flow.Level
	}
	all := map[key]HeldLabel{}
	for rows.Next() {
		var audience Audience
		var held []byte
		if err := rows.Scan(&audience, &held); err != nil {
			return nil, fmt.Errorf("counting exposure: %w", err)
		}
		facts, err := decodeHeld(held)
		if err != nil {
			return nil, err
		}
		seen := map[key]bool{}
		for _, f := range facts {
			k := key{audience, f.label, f.shown.Level}
			h := all[k]
			h.Facts++
			if !seen[k] {
				seen[k] = true
				h.Subjects++
			}
			h.Audience, h.Label, h.Level = k.audience, k.label, k.level
			all[k] = h
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("counting exposure: %w", err)
	}
	return slices.SortedFunc(maps.Values(all), func(a, b HeldLabel) int {
		return cmp.Or(cmp.Compare(a.Audience, b.Audience), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Level, b.Level))
	}), nil
}
