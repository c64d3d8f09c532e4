package alarm_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/alarm"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

var began = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// rig is a watch with a clock, and what it raised.
type rig struct {
	t   testing.TB
	db  store.DB
	set alarm.Settings
	*alarm.Watch

	mu     sync.Mutex // guards the fields below
	now    time.Time
	raised []alarm.Alarm
}

func open(t testing.TB, set alarm.Settings) *rig {
	t.Helper()
	r := &rig{t: t, db: storetest.Open(t, alarm.Schema()), set: set, now: began}
	r.restart()
	return r
}

func (r *rig) restart() {
	r.t.Helper()
	w, err := alarm.Open(r.t.Context(), alarm.Options{
		DB: r.db, Settings: func() alarm.Settings { return r.set }, Clock: func() time.Time { return r.now },
		Raise: func(_ context.Context, a alarm.Alarm) string {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.raised = append(r.raised, a)
			return "log"
		},
		Fault: func(err error) { r.t.Error(err) },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.Watch = w
}

func party(agent, domain string) flow.Party {
	return flow.Party{Agent: flow.AgentID(agent), Domain: flow.DomainID(domain)}
}

var hospital = party("records", "hospital")

// call is a call of an agent that ended so.
func (r *rig) call(from flow.Party, outcome flow.Outcome, reason string) {
	r.Act(alarm.Act{Proven: true, Event: flow.Event{Time: r.now, Outcome: outcome, Reason: reason, Flow: flow.Flow{From: from, To: hospital, Purpose: "care"}}})
}

// kinds are the alarms so far, as "kind span agent@domain".
func (r *rig) kinds() (all []string) {
	r.t.Helper()
	r.Flush(r.t.Context())
	for _, a := range r.raised {
		all = append(all, fmt.Sprintf("%s %s %s@%s", a.Kind, a.Span, a.Agent, a.Domain))
	}
	return all
}

func (r *rig) want(what string, alarms ...string) {
	r.t.Helper()
	if got := r.kinds(); !slices.Equal(got, alarms) {
		r.t.Errorf("%s: alarms are %q, want %q", what, got, alarms)
	}
	r.raised = nil
}

// A burst of refusals is an alarm once an hour, and is kept; an agent that is refused now and then raises none.
func TestABurstOfRefusals(t *testing.T) {
	r := open(t, alarm.Settings{})
	for range 60 {
		r.call(party("prior-auth", "insurer"), flow.Refused, "policy /a")
	}
	r.want("60 in an hour")
	for range 40 {
		r.call(party("prior-auth", "insurer"), flow.Refused, "policy /a")
	}
	r.want("100 in an hour", "refusals hour prior-auth@insurer")
	r.now = r.now.Add(time.Hour)
	for range 61 {
		r.call(party("prior-auth", "insurer"), flow.Refused, "policy /a")
	}
	r.want("61 in the next", "refusals hour prior-auth@insurer")
	all, err := alarm.Raised(t.Context(), r.db, began.Add(-time.Hour), 10)
	if err != nil || len(all) != 2 || all[0].Seen != 61 || all[0].Most != 60 || all[0].Done != "log" {
		t.Errorf("kept are %+v, %v", all, err)
	}
	for range 500 {
		r.call(party("busy", "insurer"), flow.Refused, "rate ")
	}
	r.want("refused for its load")
}

// Who goes slowly is seen by the day, and who goes very slowly by the month.
func TestGoingSlowlyDoesNotHelp(t *testing.T) {
	for name, c := range map[string]struct {
		each, hours int
		want        string
	}{
		"forty an hour":  {40, 12, "refusals day slow@lab"},
		"eight an hour":  {8, 29 * 24, "refusals month slow@lab"},
		"one in an hour": {1, 29 * 24, ""},
	} {
		r := open(t, alarm.Settings{})
		for h := range c.hours {
			r.now = began.Add(time.Duration(h) * time.Hour)
			for range c.each {
				r.call(party("slow", "lab"), flow.Refused, "policy /a")
			}
		}
		got := r.kinds()
		if slices.Contains(got, c.want) != (c.want != "") || c.want == "" && len(got) > 0 {
			t.Errorf("%s: alarms are %q, want %q", name, got, c.want)
		}
	}
}

// Who changes its name is seen by its domain; and by a right that was handed on, by whoever handed it on.
func TestChangingNamesDoesNotHelp(t *testing.T) {
	r := open(t, alarm.Settings{})
	for i := range 300 {
		r.call(party(fmt.Sprint("agent", i), "lab"), flow.Refused, "handle ")
	}
	r.want("300 names of one domain", "handles hour @lab", "handles day @lab", "refusals hour @lab")
	for i := range 50 {
		r.Act(alarm.Act{Proven: true, Event: flow.Event{Time: r.now, Outcome: flow.Refused, Reason: "handle ", Flow: flow.Flow{
			From: party("intake", "clinic"), To: hospital, Chain: []flow.Party{party(fmt.Sprint("intake/", i), "clinic")}, Capability: &flow.Capability{Issuer: "clinic", Tokens: []string{"a", "b"}},
		}}})
	}
	r.Flush(t.Context())
	for _, a := range r.raised {
		if a.Accused {
			t.Errorf("%+v accuses somebody of what others did", a)
		}
	}
	r.want("50 names by one right", "handles hour intake/*@clinic", "handles day intake/*@clinic", "handles hour @clinic")
}

// Nobody raises an alarm that accuses somebody else: by calls that are not proven, by what it sends to it, by answering it, or by
// going by a right that it handed on.
func TestNobodyAccusesAnother(t *testing.T) {
	victim := party("victim", "hospital")
	for name, act := range map[string]alarm.Act{
		"unproven":  {Event: flow.Event{Outcome: flow.Refused, Reason: "capability ", Flow: flow.Flow{From: victim, To: hospital}}},
		"sent to":   {Proven: true, Event: flow.Event{Outcome: flow.Refused, Reason: "policy ", Flow: flow.Flow{From: party("x", "lab"), To: victim}}},
		"answered":  {Proven: true, Event: flow.Event{Outcome: flow.Refused, Reason: "handle ", Flow: flow.Flow{From: party("x", "lab"), To: victim, Direction: flow.Response}}, Unknown: 50},
		"flooded":   {Proven: true, Event: flow.Event{Outcome: flow.Released, Levels: []flow.LevelCount{{Label: "person/name", Level: flow.Raw, Count: 1e6}}, Flow: flow.Flow{From: party("x", "lab"), To: victim, Direction: flow.Response}}},
		"handed on": {Proven: true, Event: flow.Event{Outcome: flow.Refused, Reason: "handle ", Flow: flow.Flow{From: victim, To: hospital, Capability: &flow.Capability{Tokens: []string{"a", "b"}}}}},
		"below":     {Proven: true, Event: flow.Event{Outcome: flow.Refused, Reason: "handle ", Flow: flow.Flow{From: victim, To: hospital, Chain: []flow.Party{party("victim/sub", "hospital")}, Capability: &flow.Capability{Tokens: []string{"a", "b"}}}}},
	} {
		r := open(t, alarm.Settings{})
		for h := range 30 { // a history, so that volume counts
			r.now = began.Add(time.Duration(h) * time.Hour)
			r.call(victim, flow.Released, "")
		}
		act.Event.Time = r.now
		for range 2000 {
			r.Act(act)
		}
		r.Flush(t.Context())
		for _, a := range r.raised {
			if a.Accused && a.Agent == "victim" {
				t.Errorf("%s: %+v accuses the victim", name, a)
			}
		}
	}
	r := open(t, alarm.Settings{}) // and the control: what it does itself accuses it
	for range 20 {
		r.call(victim, flow.Refused, "handle ")
	}
	if r.Flush(t.Context()); len(r.raised) != 1 || !r.raised[0].Accused {
		t.Errorf("its own doing: %+v, want one alarm that accuses it", r.raised)
	}
}

// Stand-ins that stand for nothing, and labels that are asked about one after the other, are sweeps.
func TestSweeps(t *testing.T) {
	r := open(t, alarm.Settings{})
	for range 3 {
		r.Act(alarm.Act{Proven: true, Unknown: 9, Event: flow.Event{Time: r.now, Outcome: flow.Released, Flow: flow.Flow{From: party("x", "lab"), To: hospital}}})
	}
	r.want("27 tokens", "tokens hour x@lab")
	for i := range 41 {
		r.Act(alarm.Act{Proven: true, Event: flow.Event{
			Time: r.now, Outcome: flow.Asked, Levels: []flow.LevelCount{{Label: flow.Label(fmt.Sprint("class/", i))}},
			Flow: flow.Flow{From: hospital, To: party("curious", "lab"), Direction: flow.Response},
		}})
	}
	r.want("41 labels", "labels hour curious@lab", "labels hour @lab")
}

// An agent is measured against its own history, whose median a few busy hours do not move.
func TestUnusualVolumeAndPurpose(t *testing.T) {
	r := open(t, alarm.Settings{})
	agent := party("nightly", "lab")
	for h := range 60 {
		r.now = began.Add(time.Duration(h) * time.Hour)
		n := 50
		if h%3 == 0 {
			n = 380 // busy, and not yet eight times as much
		}
		for range n {
			r.call(agent, flow.Released, "")
		}
	}
	r.want("as ever")
	r.now = r.now.Add(time.Hour)
	for range 401 {
		r.call(agent, flow.Released, "")
	}
	r.want("eight times as much", "calls hour nightly@lab", "calls hour @lab")
	r.Act(alarm.Act{Proven: true, Event: flow.Event{Time: r.now, Outcome: flow.Refused, Reason: "policy", Flow: flow.Flow{From: agent, To: hospital, Purpose: "marketing"}}})
	r.Act(alarm.Act{Proven: true, Event: flow.Event{Time: r.now, Outcome: flow.Released, Flow: flow.Flow{From: agent, To: hospital, Purpose: "marketing"}}})
	r.want("another purpose", "purpose month nightly@lab", "purpose month @lab")
	for range 1000 {
		r.call(party("new", "lab2"), flow.Released, "")
	}
	r.want("one without a history")
}

// What is remembered is bounded: names that are made up push out their own family and nobody else's.
func TestMadeUpNamesPushOutTheirOwn(t *testing.T) {
	r := open(t, alarm.Settings{Actors: 100, Limits: map[alarm.Kind]alarm.Limit{alarm.Refusals: {Hour: 10, Day: -1, Month: -1}}})
	for i := range 10 {
		for range 10 {
			r.call(party(fmt.Sprint("agent", i), "hospital"), flow.Refused, "policy ")
		}
	}
	r.now = r.now.Add(time.Minute)
	for i := range 5000 {
		r.call(party(fmt.Sprint("intake/", i), "hospital"), flow.Released, "")
		r.call(party(fmt.Sprint("x/", i), "lab"), flow.Released, "")
	}
	r.raised = nil
	for i := range 10 {
		r.call(party(fmt.Sprint("agent", i), "hospital"), flow.Refused, "policy ") // the eleventh
	}
	r.Flush(t.Context())
	agents := 0
	for _, a := range r.raised {
		if a.Agent != "" {
			agents++
		}
	}
	if agents != 10 {
		t.Errorf("of 10 agents %d are remembered", agents)
	}
	var n int
	if err := r.db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT COUNT(*) FROM alarm_actors").Scan(&n) }); err != nil || n > 200 {
		t.Errorf("%d are stored, %v, want about 100", n, err)
	}
}

// A caller is remembered in at most so many bytes, whatever labels and purposes it names.
func TestACallerTakesLittle(t *testing.T) {
	r := open(t, alarm.Settings{})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 100 {
		for j := range 2000 {
			r.Act(alarm.Act{Proven: true, Event: flow.Event{Time: r.now, Outcome: flow.Asked, Levels: []flow.LevelCount{{Label: flow.Label(fmt.Sprint("made/up/", j))}},
				Flow: flow.Flow{From: party(fmt.Sprint("a", i), "lab"), To: hospital, Purpose: flow.Purpose(fmt.Sprint("p", j))}}})
		}
	}
	r.Flush(t.Context())
	r.raised = nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / 100; each > 64<<10 {
		t.Errorf("a caller takes %d bytes, want at most 64 KiB", each)
	}
	runtime.KeepAlive(r)
}

// What was counted is counted after a restart, and an alarm is not raised twice for it.
func TestCountsSurviveARestart(t *testing.T) {
	r := open(t, alarm.Settings{})
	for h := range 3 {
		r.now = began.Add(time.Duration(h) * time.Hour)
		for range 50 {
			r.call(party("x", "lab"), flow.Refused, "policy ")
		}
	}
	r.want("150")
	r.restart()
	for range 10 {
		r.call(party("x", "lab"), flow.Refused, "policy ")
	}
	r.want("60 in this hour")
	r.call(party("x", "lab"), flow.Refused, "policy ")
	r.want("one more", "refusals hour x@lab")
	r.restart()
	r.call(party("x", "lab"), flow.Refused, "policy ")
	r.want("told already")
	r.now = r.now.Add(-2 * time.Hour) // a clock that goes back counts on
	r.call(party("x", "lab"), flow.Refused, "policy ")
	r.now = r.now.Add(40 * 24 * time.Hour)
	r.call(party("x", "lab"), flow.Refused, "policy ")
	r.want("a month later")
}

func TestOffIsOff(t *testing.T) {
	r := open(t, alarm.Settings{Off: true})
	for range 500 {
		r.call(party("x", "lab"), flow.Refused, "policy ")
	}
	r.want("off")
	r.set = alarm.Settings{Limits: map[alarm.Kind]alarm.Limit{alarm.Refusals: {Hour: -1, Day: -1, Month: -1}}}
	for range 5000 {
		r.call(party("x", "lab"), flow.Refused, "policy ")
	}
	r.want("no limit")
}

func BenchmarkAct(b *testing.B) {
	r := open(b, alarm.Settings{})
	act := alarm.Act{Proven: true, Event: flow.Event{Time: r.now, Outcome: flow.Released, Flow: flow.Flow{From: party("x", "lab"), To: hospital, Purpose: "care"}}}
	for h := range 100 {
		act.Event.Time = r.now.Add(time.Duration(h) * time.Hour)
		r.Act(act)
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Act(act)
	}
}

// A peer may name agents without end. It pushes out its own, and none of another domain, also if that one's have members of their own.
func TestAPeersNamesPushOutNoOthers(t *testing.T) {
	r := open(t, alarm.Settings{Actors: 100, Limits: map[alarm.Kind]alarm.Limit{alarm.Refusals: {Hour: 10, Day: -1, Month: -1}}})
	for i := range 10 {
		name := fmt.Sprint("agent", i)
		for range 10 {
			r.call(party(name, "hospital"), flow.Refused, "policy ")
		}
		r.call(party(name+"/part", "hospital"), flow.Released, "")
	}
	r.now = r.now.Add(time.Minute)
	for i := range 2000 {
		r.now = r.now.Add(time.Second / 2)
		r.call(party(fmt.Sprint("made-up-", i), "lab"), flow.Released, "")
	}
	r.raised = nil
	for i := range 10 {
		r.call(party(fmt.Sprint("agent", i), "hospital"), flow.Refused, "policy ") // the eleventh
	}
	r.Flush(t.Context())
	agents := 0
	for _, a := range r.raised {
		if a.Agent != "" {
			agents++
		}
	}
	if agents != 10 {
		t.Errorf("of 10 agents %d are remembered", agents)
	}
}

// A clock that was far ahead for a moment silences no alarm once it is right again.
func TestAClockThatWasAheadSilencesNothing(t *testing.T) {
	r := open(t, alarm.Settings{Limits: map[alarm.Kind]alarm.Limit{alarm.Refusals: {Hour: 10, Day: -1, Month: -1}}})
	burst := func() {
		for range 11 {
			r.call(party("intake", "hospital"), flow.Refused, "policy ")
		}
	}
	r.now = r.now.AddDate(1, 0, 0)
	burst()
	r.now = r.now.AddDate(-1, 0, 0)
	r.Flush(t.Context())
	r.raised = nil
	burst()
	r.want("right again", "refusals hour intake@hospital")
	r.now = r.now.Add(3 * time.Hour)
	for range 5 {
		r.call(party("intake", "hospital"), flow.Refused, "policy ")
	}
	r.want("hours later, a few are none")
}
