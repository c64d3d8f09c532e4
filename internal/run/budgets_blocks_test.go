package run

import (
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/privacy/budget"
)

// A question about all blocks by time is about those that have begun, whether or not their number was declared.
func TestBlocksThatHaveBegun(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for _, c := range []struct {
		name    string
		count   int64
		refresh bool
		over    config.Over
		days    int
		want    budget.Range
	}{
		{"all of a known number", 10, false, config.OverAll, 3, budget.Range{To: 4}},
		{"all, when all have begun", 10, false, config.OverAll, 30, budget.Range{To: 10}},
		{"all of those to come", 0, true, config.OverAll, 3, budget.Range{To: 4}},
		{"the last", 10, false, config.OverLast, 3, budget.Range{From: 3, To: 4}},
	} {
		b := budget.Budget{Blocks: budget.Blocks{Kind: budget.BlocksTime, Count: c.count, Width: day, From: from}, Refresh: c.refresh}
		if got, err := blocksOf(b, c.over)(from.Add(time.Duration(c.days)*day + time.Hour)); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.name, got, err, c.want)
		}
	}
}
