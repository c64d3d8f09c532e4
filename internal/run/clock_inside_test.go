package run

import (
	"testing"
	"testing/synctest"
	"time"
)

// A clock that goes along with the one that only goes forward was not set back.
func TestAClockThatGoesAlongIsNotSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		time.Sleep(time.Hour)
		now := time.Now()
		if back := setBackBy(began, now, now); back != 0 {
			t.Errorf("a clock that goes along was set back by %s", back)
		}
	})
	if clockTolerance < 10*time.Second {
		t.Error("a time daemon's step would stop a gateway")
	}
}

// SetWall gives a gateway another clock on the wall than the machine's.
func (r *Gateway) SetWall(now func() time.Time) { r.wall = now }
