package run

import (
	"errors"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
)

// Scraping often does not mean looking at every file of the log often, and a failure is told and not shown as a number.
func TestMeasuredOncePerScrapes(t *testing.T) {
	var m measured
	calls, told := 0, 0
	var fails error
	look := func() (audit.Usage, bool) {
		return m.now(func() (audit.Usage, error) { calls++; return audit.Usage{Tiles: 7}, fails }, func(error) { told++ })
	}
	for range 5 {
		if u, ok := look(); !ok || u.Tiles != 7 {
			t.Fatalf("now() = %+v, %v", u, ok)
		}
	}
	if calls != 1 {
		t.Errorf("measured %d times, want once", calls)
	}
	m.at, fails = m.at.Add(-measureEvery), errors.New("no disk")
	if _, ok := look(); ok || told != 1 {
		t.Errorf("after a failure known = %v, told %d times", ok, told)
	}
}
