package audit_test

import (
	"math"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// spread writes n rows whose times are the same distance apart, each with so many sealed bytes.
func spread(t *testing.T, db store.DB, l *audit.Log, from time.Time, step time.Duration, n, sealed int) {
	t.Helper()
	err := db.Update(t.Context(), func(tx store.Tx) error {
		for i := range n {
			ev := event(i)
			ev.Flow.ID, ev.Time = flow.ID(time.Duration(i).String()), from.Add(time.Duration(i)*step)
			if _, err := l.Append(tx, ev, audit.Private{Sealed: make([]byte, sealed)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The forecast counts the rows of the last week, not those of the slow year before, and what all rows take on average.
func TestUsageForecastsFromTheTimesOfRows(t *testing.T) {
	db, dir, kept := storetest.Open(t, audit.Schema()), t.TempDir(), t.TempDir()
	l := openLog(t, db, audit.Options{Dir: dir, Archive: kept})
	now := clock()
	spread(t, db, l, now.Add(-300*24*time.Hour), 24*time.Hour, 290, 10) // one a day
	spread(t, db, l, now.Add(-4*24*time.Hour), 5*time.Minute, 4*288, 100)
	checkpoint(t, l)
	u, err := l.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if u.Rows != 290+1152 || u.Sealed != 290*10+1152*100 || u.Tiles == 0 || u.Bundles < 6*4096 || u.Archived == 0 || u.Archived%4096 != 0 || u.Database == 0 {
		t.Errorf("Usage() = %+v", u)
	}
	if u.RowsPerDay == nil || math.Abs(*u.RowsPerDay-288) > 1 {
		t.Errorf("RowsPerDay = %v, want 288", u.RowsPerDay)
	}
	perRow := float64(u.Tiles+u.Bundles) / float64(u.Rows)
	if u.Here {
		perRow += float64(u.Database) / float64(u.Rows)
	}
	if u.BytesPerDay == nil || math.Abs(*u.BytesPerDay-288*perRow) > perRow {
		t.Errorf("BytesPerDay = %v, want %v", u.BytesPerDay, 288*perRow)
	}
	if u.Free == nil {
		t.Skip("how much is free cannot be told here")
	}
	if u.DaysLeft == nil || math.Abs(*u.DaysLeft**u.BytesPerDay-float64(*u.Free)) > 1e-3*float64(*u.Free) {
		t.Errorf("DaysLeft = %v with %d bytes free", u.DaysLeft, *u.Free)
	}
}

// Where there is too little to go by nothing is forecast.
func TestUsageOfFewRowsForecastsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		n    int
		step time.Duration
	}{"no rows": {0, 0}, "few rows": {150, time.Hour}, "a burst": {1500, time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			db := storetest.Open(t, audit.Schema())
			l := openLog(t, db, audit.Options{Dir: t.TempDir()})
			spread(t, db, l, clock().Add(-time.Duration(c.n)*c.step), c.step, c.n, 1)
			u, err := l.Usage(t.Context())
			if err != nil || u.RowsPerDay != nil || u.DaysLeft != nil {
				t.Errorf("Usage() = %+v, %v, want no forecast", u, err)
			}
		})
	}
}
