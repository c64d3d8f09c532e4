package cli

import "testing"

// A small heap is collected seldom, a large one before it has grown by much.
func TestGarbageIsBounded(t *testing.T) {
	for live, want := range map[uint64]uint64{0: 16 << 20, 4 << 20: 16 << 20, 24 << 20: 72 << 20, 60 << 20: 96 << 20, 150 << 20: 96 << 20, 400 << 20: 200 << 20} {
		base := max(live, 1<<20)
		if got := base * uint64(percentFor(live)) / 100; got > want || got < want-want/50 {
			t.Errorf("%d MB alive may have %d MB of garbage, want %d", live>>20, got>>20, want>>20)
		}
	}
}
