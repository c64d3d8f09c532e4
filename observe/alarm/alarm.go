// Package alarm tells when a caller behaves as one who probes: refused again and again, trying out references, tokens or labels, or
// suddenly busier, or for another purpose, than it ever was.
//
// It sees events alone: who, what became of it, how many values of which labels. Of each caller and of each domain it keeps counts by
// the hour and by the day, so that who goes slowly is seen by the day or the month, and who changes its name by its domain. How much it
// keeps is bounded, and whoever makes up names pushes out its own domain's and nobody else's. What is counted against a caller is only
// what it did itself, proven: nobody raises an alarm about somebody else. docs/spec/incidents.md has the figures.
package alarm

import (
	"embed"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is this package's tables.
func Schema() store.Schema { return store.Schema{Name: "observe/alarm", FS: migrations} }

// Kind is what was noticed.
type Kind string

// The kinds. All but values are about what a caller does itself.
const (
	Refusals Kind = "refusals" // its calls are refused
	Handles  Kind = "handles"  // it tries references that are none of its own
	Tokens   Kind = "tokens"   // it says back stand-ins that stand for nothing
	Labels   Kind = "labels"   // it asks about many kinds of data
	Calls    Kind = "calls"    // it calls far more often than it used to
	Purpose  Kind = "purpose"  // it names a purpose that it never had
	Values   Kind = "values"   // it is sent far more than it used to be; by whoever sends it
)

// Kinds are all, in the order in which they are told of.
var Kinds = []Kind{Refusals, Handles, Tokens, Labels, Calls, Purpose, Values}

// Unproven stands for all who are refused before they proved who they are.
const Unproven flow.AgentID = "(unproven)"

// Accuses reports whether an alarm of the kind is about what the caller did itself, and nobody else could have brought about.
func (k Kind) Accuses() bool { return k != Values }

// Limit is how much of something is no alarm. A limit of 0 has the default; one below 0 is none.
type Limit struct{ Hour, Day, Month int }

// Settings say what raises an alarm.
type Settings struct {
	Off    bool
	Limits map[Kind]Limit // of refusals, handles, tokens and labels
	Times  int            // so many times its own median, calls or values of an hour raise an alarm; 0: 8; below 0: never
	Least  int            // unless they are fewer than this; 0: 200
	Actors int            // callers that are remembered; 0: 4096
}

// defaults are limits of one caller; a domain as a whole has [domainTimes] as much.
var defaults = map[Kind]Limit{
	Refusals: {60, 240, 1200},
	Handles:  {10, 30, 120},
	Tokens:   {20, 60, 240},
	Labels:   {40, 60, 100},
}

// domainTimes is how many times as much a domain may do as one of its agents.
const domainTimes = 4

func (s Settings) limit(k Kind, whole bool) Limit {
	l, d := s.Limits[k], defaults[k]
	for _, f := range []struct{ n, def *int }{{&l.Hour, &d.Hour}, {&l.Day, &d.Day}, {&l.Month, &d.Month}} {
		if *f.n == 0 {
			*f.n = *f.def
		}
		if whole && k != Labels { // what agents ask about is the same for all of them
			*f.n *= domainTimes
		}
	}
	return l
}

func or(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

// Alarm is one thing that was noticed.
type Alarm struct {
	ID     int64         `json:"id,omitempty"`
	Time   time.Time     `json:"time"`
	Kind   Kind          `json:"kind"`
	Domain flow.DomainID `json:"domain"`
	Agent  flow.AgentID  `json:"agent,omitempty"` // "": the domain as a whole; NAME/*: what others did by a right of NAME
	Span   string        `json:"span"`            // hour, day, month
	Seen   int64         `json:"seen"`
	Most   int64         `json:"most"` // that is no alarm
	Done   string        `json:"done"` // what was done about it

	Accused bool `json:"-"` // whoever it is about did it itself: only then may anything be done to it
}

// Act is one event, as far as it is about who brought it about.
type Act struct {
	Event   flow.Event
	Proven  bool // whoever the event names as caller did it
	Unknown int  // stand-ins in the message that stand for nothing
}
