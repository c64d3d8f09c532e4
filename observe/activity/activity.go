// Package activity knows what happens now and what happened lately: a [Ring] of the latest flows, which any number of viewers follow, and [Sums] of all
// flows by minute, hour and day.
//
// The ring costs a flow one copy under a lock, whoever looks: viewers come and take what is new, a few times a second, and who is slow misses some and is
// told how many. The sums follow the journal behind a durable cursor, off the road of a message, so that each row counts once
// whenever the process ends. Both hold the names and counts that events hold, and no value.
package activity

import (
	"strings"
	"unicode"

	"github.com/scrimhq/scrim/flow"
)

// Rule is the rule by which an event was refused; "" where it was not.
func Rule(ev *flow.Event) string {
	if ev.Outcome != flow.Refused && ev.Outcome != flow.Conflict {
		return ""
	}
	word, _, _ := strings.Cut(ev.Reason, " ")
	if word == "" || len(word) > 24 || strings.IndexFunc(word, func(r rune) bool { return r != '-' && !unicode.IsLower(r) || r > unicode.MaxASCII }) >= 0 {
		return "other"
	}
	return word
}

// Nothing is the level of an event by which nothing was shown.
const Nothing = -1

// Highest is the most revealing level at which an event showed something, as a number of [flow.Level], or [Nothing].
func Highest(ev *flow.Event) int {
	most := Nothing
	if !shows(ev) {
		return most
	}
	for i := range ev.Levels {
		if l := &ev.Levels[i]; l.Count > 0 {
			most = max(most, int(l.Level))
		}
	}
	return most
}

// shows reports whether the levels of an event are those of values that left.
func shows(ev *flow.Event) bool {
	switch ev.Outcome {
	case flow.Released, flow.Replayed, flow.Segment, flow.Watched:
		return true
	case flow.Closed:
		return ev.Table != nil // of a stream the segments told it; what a table's opening says is only promised
	}
	return false
}

// Flows reports whether an outcome is that of a flow, and not of a part of one or of something that the gateway did itself.
func Flows(o flow.Outcome) bool {
	switch o {
	case flow.Segment, flow.Closed, flow.Changed, flow.Budgeted, flow.Erased, flow.Issued:
		return false
	}
	return true
}
