package gateway

import (
	"testing"
	"time"
)

func TestStrangersCannotFillTheJournal(t *testing.T) {
	var s strangers
	now := time.Unix(1_000, 0)
	rows, counted := 0, 0
	for i := range 1000 {
		if more, ok := s.admit(now.Add(time.Duration(i) * 2 * time.Millisecond)); ok {
			rows++
			counted += more
		}
	}
	if more, ok := s.admit(now.Add(time.Minute)); ok {
		rows++
		counted += more
	}
	if rows != 2*strangersASecond+1 || rows+counted != 1001 {
		t.Errorf("%d rows and %d counted in them, want %d rows and every refusal of 1001", rows, counted, 2*strangersASecond+1)
	}
}
