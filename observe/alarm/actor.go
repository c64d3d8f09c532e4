package alarm

import (
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// What is counted by the hour and the day.
const (
	refused = iota
	handles
	tokens
	calls
	values
	counters
)

const (
	hours  = 24 * 7
	days   = 30
	marks  = 256 // labels, and purposes, that are told apart
	warmUp = 24  // hours in which something happened, before an hour can be too much
)

// actor is what is remembered of a caller, or of a domain: about 8 KiB at most.
type actor struct {
	Hour   int64                       `json:"hour"` // since 1970, that Hours ends with
	Hours  [counters][hours]uint32     `json:"-"`
	Days   [counters][days]uint32      `json:"-"`                  // Days ends with the day of Hour
	Labels map[flow.Label]int64        `json:"labels,omitempty"`   // asked about, with the hour of the last time
	Purp   map[flow.Purpose]int64      `json:"purposes,omitempty"` // likewise
	Raised map[Kind]map[string]int64   `json:"raised,omitempty"`   // by span, the hour of the last alarm
	Packed [counters]map[string]uint32 `json:"counts,omitempty"`   // what of both is not 0, as stored
	dirty  bool
}

// turn moves to the hour of an event. A clock that goes back a little counts in the hour that it was; one that goes back by more than a day
// was wrong before, and what was counted by it is as if it were of now.
func (a *actor) turn(hour int64) {
	if a.Hour-hour > 24 {
		a.back(hour)
	}
	if a.Hour == 0 {
		a.Hour = hour
		return
	}
	if hour <= a.Hour {
		return
	}
	steps, dayStep := hour-a.Hour, hour/24-a.Hour/24
	for c := range counters {
		shift(a.Hours[c][:], steps)
		shift(a.Days[c][:], dayStep)
	}
	a.Hour = hour
	for l, at := range a.Labels {
		if at <= hour-days*24 {
			delete(a.Labels, l)
		}
	}
}

// back sets the hour back, and with it all that would lie after it.
func (a *actor) back(hour int64) {
	a.Hour, a.dirty = hour, true
	for l, at := range a.Labels {
		a.Labels[l] = min(at, hour)
	}
	for p, at := range a.Purp {
		a.Purp[p] = min(at, hour)
	}
	for _, spans := range a.Raised {
		for span, at := range spans {
			if at > hour {
				delete(spans, span)
			}
		}
	}
}

// shift moves counts to the left by n and lets the new ones be 0.
func shift(all []uint32, n int64) {
	k := int(min(n, int64(len(all))))
	copy(all, all[k:])
	clear(all[len(all)-k:])
}

func (a *actor) add(c, n int) {
	if n <= 0 {
		return
	}
	for _, p := range []*uint32{&a.Hours[c][hours-1], &a.Days[c][days-1]} {
		if sum := *p + uint32(min(n, 1<<30)); sum >= *p {
			*p = sum
		} else {
			*p = 1<<32 - 1
		}
	}
	a.dirty = true
}

// in returns how often something happened in the last hour, day (24 hours) and month (30 days).
func (a *actor) in(c int) (hour, day, month int64) {
	for i := hours - 24; i < hours; i++ {
		day += int64(a.Hours[c][i])
	}
	for _, n := range a.Days[c] {
		month += int64(n)
	}
	return int64(a.Hours[c][hours-1]), day, month
}

// mark notes labels that were asked about. There are as many as the taxonomy has; past the bound the rest are one.
func (a *actor) mark(l flow.Label) {
	if a.Labels == nil {
		a.Labels = map[flow.Label]int64{}
	}
	if _, there := a.Labels[l]; !there && len(a.Labels) >= marks {
		l = "…"
	}
	a.Labels[l] = a.Hour
	a.dirty = true
}

// asked is how many labels were asked about in the last hour, day and month.
func (a *actor) asked() (hour, day, month int64) {
	for _, at := range a.Labels {
		switch ago := a.Hour - at; {
		case ago == 0:
			hour++
			fallthrough
		case ago < 24:
			day++
			fallthrough
		default:
			month++
		}
	}
	return hour, day, month
}

// usual is the median of the hours of the last week in which something happened, without this one, and how many they are. A median
// is moved only by whoever does more in half of all hours.
func (a *actor) usual(c int) (median int64, of int) {
	var busy []uint32
	for _, n := range a.Hours[c][:hours-1] {
		if n > 0 {
			busy = append(busy, n)
		}
	}
	if len(busy) == 0 {
		return 0, 0
	}
	slices.Sort(busy)
	return int64(busy[len(busy)/2]), len(busy)
}

// purpose notes a purpose and reports whether it is a new one for a caller that is known for a while.
func (a *actor) purpose(p flow.Purpose) (unheard bool) {
	if _, there := a.Purp[p]; there || p == "" {
		return false
	}
	if a.Purp == nil {
		a.Purp = map[flow.Purpose]int64{}
	}
	_, n := a.usual(calls)
	if unheard = n >= warmUp; len(a.Purp) < marks {
		a.Purp[p] = a.Hour
	}
	a.dirty = true
	return unheard
}

// raise reports whether an alarm is to be raised, and notes it: once an hour for what is counted by the hour, once a day for the rest.
func (a *actor) raise(k Kind, span string) bool {
	if a.Raised == nil {
		a.Raised = map[Kind]map[string]int64{}
	}
	last, there := a.Raised[k][span]
	quiet := int64(24)
	if span == "hour" {
		quiet = 1
	}
	if there && a.Hour-last < quiet {
		return false
	}
	if a.Raised[k] == nil {
		a.Raised[k] = map[string]int64{}
	}
	a.Raised[k][span] = a.Hour
	a.dirty = true
	return true
}

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// rule is the first word of a refusal's reason.
func rule(ev *flow.Event) string {
	word, _, _ := strings.Cut(ev.Reason, " ")
	return word
}
