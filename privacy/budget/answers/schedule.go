package answers

import (
	"errors"
	"fmt"
	"time"
)

// Errors of schedules.
var (
	ErrSchedule = errors.New("schedule of data versions is not valid")
	ErrClock    = errors.New("clock is before a data version that was served")
)

// leastEvery keeps a schedule from being so fast that its versions follow the data after all.
const leastEvery = time.Second

// Schedule says when versions of a dataset begin. Its owner declares it in public before any question is asked, so that
// a new version says nothing about the data. The zero value is no schedule.
type Schedule struct {
	From  time.Time     // when version 0 begins
	Every time.Duration // a version lasts; 0: version 0 lasts for ever, for data that does not change
}

// Check returns an [ErrSchedule] if the schedule is none.
func (s Schedule) Check() error {
	switch {
	case s.From.IsZero():
		return fmt.Errorf("%w: it does not say from when", ErrSchedule)
	case s.From.Year() < 1970 || s.From.Year() > 2200:
		return fmt.Errorf("%w: it begins in a year that cannot be meant", ErrSchedule)
	case s.Every < 0 || s.Every > 0 && s.Every < leastEvery:
		return fmt.Errorf("%w: a version lasts less than %s", ErrSchedule, leastEvery)
	}
	return nil
}

// Version is one of a dataset's.
type Version struct {
	Number int64
	Begins time.Time
	Ends   time.Time // zero: never
}

// At returns the version of a moment. Before the first it is [ErrClock].
func (s Schedule) At(now time.Time) (Version, error) {
	if err := s.Check(); err != nil {
		return Version{}, err
	}
	if now.Before(s.From) {
		return Version{}, fmt.Errorf("%w: the first one begins at %s", ErrClock, s.From.UTC().Format(time.RFC3339))
	}
	if s.Every == 0 {
		return Version{Begins: s.From}, nil
	}
	n := int64(now.Sub(s.From) / s.Every)
	begins := s.From.Add(time.Duration(n) * s.Every)
	return Version{Number: n, Begins: begins, Ends: begins.Add(s.Every)}, nil
}
