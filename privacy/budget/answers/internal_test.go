package answers

import (
	"testing"
	"time"
)

func TestRest(t *testing.T) {
	const pad = 100 * time.Millisecond
	for took, want := range map[time.Duration]time.Duration{0: pad, 1: pad - 1, pad - 1: 1, pad: pad, pad + 1: pad - 1, 3*pad + pad/2: pad / 2} {
		if got := rest(took, pad); got != want {
			t.Errorf("after %s it waits %s, want %s", took, got, want)
		}
	}
}

func TestSchedules(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := Schedule{From: from, Every: time.Hour}
	for at, want := range map[time.Duration]int64{0: 0, time.Hour - 1: 0, time.Hour: 1, 1000*time.Hour + 1: 1000} {
		v, err := s.At(from.Add(at))
		if err != nil || v.Number != want || !v.Begins.Equal(from.Add(time.Duration(want)*time.Hour)) || !v.Ends.Equal(v.Begins.Add(time.Hour)) {
			t.Errorf("%s: %+v, %v", at, v, err)
		}
	}
	if v, err := (Schedule{From: from}).At(from.AddDate(100, 0, 0)); err != nil || v.Number != 0 || !v.Ends.IsZero() {
		t.Errorf("for ever: %+v, %v", v, err)
	}
}
