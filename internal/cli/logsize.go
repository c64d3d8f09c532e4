package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

const (
	fewDays  = 90 // until the volume is full: time to say so
	lastDays = 7
)

func (e *env) logSize() *cobra.Command {
	var file string
	var asJSON bool
	c := fileFlag(e.command("size [--json] [-c FILE]", "Say what journal and log take on disk, and how long the disk lasts",
		"Measures the database, the sealed bytes in it, the log's tiles and bundles and the archived checkpoints. The forecast takes it\n"+
			"that rows come as in the last week and cost what they cost on average; what pruning gives back is not counted on.", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			s, err := sizeOf(ctx, c)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(e.out).Encode(s)
			}
			e.showSize(s)
			return nil
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON, in bytes")
	return c
}

// sizeOf asks the running gateway, or measures what a stopped one left.
func sizeOf(ctx context.Context, c *config.Config) (s api.LogSize, err error) {
	err = eitherWay(c, func(a *adminClient) error { return a.call(ctx, http.MethodGet, "/api/v1/log/size", nil, &s) }, func() error {
		st, err := run.OpenStore(ctx, c, store.Options{})
		if err != nil {
			return err
		}
		s.Usage, err = st.Usage(ctx, c)
		return errors.Join(err, st.Close())
	})
	return s, err
}

func (e *env) showSize(s api.LogSize) {
	t := table{}
	t.add("database", size(s.Database), count(int(s.Rows), "row"))
	if s.Sealed > 0 {
		t.add("  sealed", size(s.Sealed), "beside rows, in the database")
	}
	t.add("tiles", size(s.Tiles), "hashes")
	t.add("bundles", size(s.Bundles), "entries")
	t.add("checkpoints", size(s.Archived), "archived")
	t.add("together", size(s.Total()), count(int(s.Files), "file")+" and the database")
	t.write(e.out, e.style(e.out), "")
	fmt.Fprintln(e.out, forecast(s.Usage))
}

// forecast says how long the disk lasts.
func forecast(u audit.Usage) string {
	free := "how much the volume has left cannot be told here"
	if u.Free != nil {
		free = size(*u.Free) + " free"
	}
	if u.RowsPerDay == nil || u.BytesPerDay == nil {
		return "too few rows for a forecast; " + free
	}
	grows := fmt.Sprintf("%.0f rows and %s a day", *u.RowsPerDay, size(int64(*u.BytesPerDay)))
	if u.DaysLeft == nil {
		return grows + "; " + free
	}
	return fmt.Sprintf("%s; %s, enough for %s", grows, free, lasts(*u.DaysLeft))
}

func lasts(days float64) string {
	if days > 3650 {
		return "more than ten years"
	}
	return count(int(math.Floor(days)), "day")
}

// size is a number of bytes for people.
func size(n int64) string {
	x := float64(n)
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if x < 1024 {
			if unit == "B" {
				return fmt.Sprintf("%.0f B", x)
			}
			return fmt.Sprintf("%.1f %s", x, unit)
		}
		x /= 1024
	}
	return fmt.Sprintf("%.1f TiB", x)
}

// logSize says what the log takes, and warns before the disk is full.
func (d *doctor) logSize(s api.LogSize) {
	grade := fine
	switch left := s.DaysLeft; {
	case left != nil && *left < lastDays:
		grade = wrong
	case left != nil && *left < fewDays:
		grade = doubtful
	}
	d.say(grade, "log size", "%s; %s", size(s.Total()), forecast(s.Usage))
}

// behind says whether rows of a running gateway reach the log in time.
func (d *doctor) behind(s api.LogSize) {
	switch {
	case s.Stopped != "":
		d.say(wrong, "log", "nothing is released: %s", s.Stopped)
	case s.Oldest > s.MergeDelay/2:
		d.say(doubtful, "log", "%s for the tree, the first for %s of %s: the disk is slow", waiting(s.Waiting), s.Oldest.Round(time.Millisecond), s.MergeDelay)
	default:
		d.say(fine, "log", "rows reach the tree in time, which is %s", s.MergeDelay)
	}
}

func waiting(n int64) string {
	if n == 1 {
		return "1 row waits"
	}
	return fmt.Sprintf("%d rows wait", n)
}

// runningLog looks at the log of a running gateway.
func (d *doctor) runningLog(ctx context.Context) {
	token, err := api.ReadToken(d.c.Path(d.c.Data))
	if err != nil {
		d.say(wrong, "log", "%v", err)
		return
	}
	var s api.LogSize
	a := adminAt(d.c, token)
	if err := a.call(ctx, http.MethodGet, "/api/v1/log/size", nil, &s); err != nil {
		d.say(wrong, "log", "%v", err)
		return
	}
	d.behind(s)
	d.logSize(s)
}

// stoppedLog looks at what a stopped gateway left.
func (d *doctor) stoppedLog(ctx context.Context, st *run.State, r audit.Report) {
	if n := r.Entries - r.Covered; n > 0 {
		d.say(doubtful, "log", "%s for the published tree; the next start takes them there", waiting(n))
	} else {
		d.say(fine, "log", "no row waits for the tree")
	}
	u, err := st.Usage(ctx, d.c)
	if err != nil {
		d.say(wrong, "log size", "%v", err)
		return
	}
	d.logSize(api.LogSize{Usage: u})
}
