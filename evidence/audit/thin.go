package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const thinEvery = time.Hour

// thin removes archived checkpoints that others stand for: those of the last day stay, of the last month the last of each hour, and the last of
// each day of those before. What is over most leaves stays in any case, and so the newest and the last of each period.
func (a archive) thin(ctx context.Context, now time.Time) error {
	trees, err := a.trees()
	if err != nil {
		return err
	}
	for _, tree := range trees {
		names, err := a.names(tree)
		if err != nil {
			return err
		}
		for _, name := range thinned(names, now) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("thinning archived checkpoints: %w", err)
			}
		}
	}
	return nil
}

// thinned returns the names that may go, of those of one tree, smallest checkpoint first.
func thinned(names []string, now time.Time) (gone []string) {
	const month = 30 * 24 * time.Hour
	seen := map[string]bool{}
	most := ""
	for i := len(names) - 1; i >= 0; i-- { // the last of each stretch is met first
		parts := archiveName.FindStringSubmatch(filepath.Base(names[i]))
		stamp := filepath.Base(names[i])[:len("20060102T150405Z")]
		at, err := time.Parse("20060102T150405Z", stamp)
		if most == "" {
			most = parts[1]
		}
		age := now.Sub(at)
		if err != nil || age <= 24*time.Hour {
			continue
		}
		stretch := stamp[:len("20060102")]
		if age <= month {
			stretch = stamp[:len("20060102T15")]
		}
		if seen[stretch] && parts[1] != most {
			gone = append(gone, names[i])
		}
		seen[stretch] = true
	}
	return gone
}
