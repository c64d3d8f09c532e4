package activity_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/activity"
)

var began = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// event is the n-th of a day: to one of three domains, each seventh refused.
func event(n int) flow.Event {
	ev := flow.Event{
		Time: began.Add(time.Duration(n) * time.Second), Outcome: flow.Released, Bytes: 100,
		Flow: flow.Flow{
			ID: flow.ID(fmt.Sprintf("flow-%d", n)), From: flow.Party{Agent: "records", Domain: "hospital"}, To: flow.Party{Agent: "claims", Domain: flow.DomainID(fmt.Sprintf("insurer%d", n%3))},
			Purpose: "billing", Protocol: "a2a/1.0", Direction: flow.Response,
		},
		Levels: []flow.LevelCount{{Label: "person/name", Level: flow.Masked, Count: 2}, {Label: "health/diagnosis", Level: flow.Generalized, Count: 1}, {Label: "finance/iban", Level: flow.Raw, Count: 0}},
	}
	if n%7 == 0 {
		ev.Outcome, ev.Reason, ev.Levels, ev.Bytes = flow.Refused, "policy /result", nil, 0
	}
	return ev
}

// TestViewersSeeWhatComes: everything that comes after a viewer does is shown to it once, in order, or counted as skipped or lost.
func TestViewersSeeWhatComes(t *testing.T) {
	r := activity.NewRing(activity.RingOptions{Flows: 500, Frame: time.Millisecond, Most: 10})
	for n := range 30 {
		r.Add(event(n), true)
	}
	v, err := r.View(activity.Filter{}, "")
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	const all = 20_000
	go func() {
		for n := range all {
			r.Add(event(30+n), true)
		}
	}()
	seen, last := uint64(0), uint64(30)
	for seen < all {
		f, err := v.Next(t.Context(), time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Flows) > 10 {
			t.Fatalf("a frame has %d flows, want 10 at most", len(f.Flows))
		}
		for i := len(f.Flows) - 1; i >= 0; i-- {
			if f.Flows[i].Number <= last {
				t.Fatalf("flow %d came after %d", f.Flows[i].Number, last)
			}
			last = f.Flows[i].Number
		}
		seen += uint64(len(f.Flows)+f.Skipped) + f.Lost
	}
	if seen != all || last != all+30 {
		t.Errorf("%d flows were shown, skipped or lost, and the last was %d; want %d and %d", seen, last, all, all+30)
	}
}

// TestAReaderThatSleepsHoldsUpNobody: with viewers that never come to look, flows go on being added, and the ring keeps its size.
func TestAReaderThatSleepsHoldsUpNobody(t *testing.T) {
	r := activity.NewRing(activity.RingOptions{Flows: 100, Viewers: 3})
	var all []*activity.Viewer
	for range 3 {
		v, err := r.View(activity.Filter{Label: "person"}, "")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	if _, err := r.View(activity.Filter{}, ""); !errors.Is(err, activity.ErrViewers) {
		t.Errorf("View() of one too many = %v, want ErrViewers", err)
	}
	for n := range 10_000 {
		r.Add(event(n), true)
	}
	f, err := all[0].Next(t.Context(), 0)
	if err != nil || f.Lost != 9_900 {
		t.Errorf("Next() = %d lost, %v, want 9900: it slept", f.Lost, err)
	}
	for _, v := range all {
		v.Close()
		v.Close()
	}
	if _, err := r.View(activity.Filter{}, ""); err != nil {
		t.Errorf("View() after others were closed = %v", err)
	}
}

// TestAViewerGoesOnWhereItWas: a page that lost its connection sees what came meanwhile; a place of another run, or one that is made up, is now.
func TestAViewerGoesOnWhereItWas(t *testing.T) {
	r := activity.NewRing(activity.RingOptions{Frame: time.Millisecond})
	r.Add(event(1), true)
	here := r.Here()
	r.Add(event(2), true)
	for _, c := range []struct {
		after string
		want  int
		anew  bool
	}{{here, 1, false}, {"", 0, false}, {"0011-1", 0, true}, {here + "99999", 0, false}, {"x", 0, true}, {here[:len(here)-1] + "-5", 0, false}} {
		v, err := r.View(activity.Filter{}, c.after)
		if err != nil {
			t.Fatal(err)
		}
		f, err := v.Next(t.Context(), 0)
		if err != nil || len(f.Flows) != c.want || f.Anew != c.anew {
			t.Errorf("after %q: %d flows, anew %v, %v; want %d, %v", c.after, len(f.Flows), f.Anew, err, c.want, c.anew)
		}
		v.Close()
	}
}

// TestRefusalsWithoutARowWashNothingAway: whoever has no credential can bring about as many refusals as they like, and the flows stay. The latest of
// them are found by their reference.
func TestRefusalsWithoutARowWashNothingAway(t *testing.T) {
	r := activity.NewRing(activity.RingOptions{Flows: 50, Unrecorded: 10})
	for n := range 40 {
		r.Add(event(n), true)
	}
	for n := range 5000 {
		ev := event(100_000 + n)
		ev.Outcome, ev.Reason = flow.Refused, "identity "
		r.Add(ev, false)
	}
	if got := len(r.Latest(activity.Filter{}, 100)); got != 40 {
		t.Errorf("%d flows are left, want 40", got)
	}
	if got := r.Find("flow-104999"); len(got) != 1 || got[0].Recorded {
		t.Errorf("Find(the last refusal) = %v", got)
	}
	if got := r.Find("flow-100001"); len(got) != 0 {
		t.Errorf("Find(one long gone) = %v", got)
	}
	if got := r.Find("flow-39"); len(got) != 1 || !got[0].Recorded {
		t.Errorf("Find(a flow) = %v", got)
	}
	if r.Unrecorded() != 5000 {
		t.Errorf("Unrecorded() = %d, want 5000", r.Unrecorded())
	}
}

func TestFilters(t *testing.T) {
	released, refused := event(1), event(7)
	for q, want := range map[string][2]bool{
		"":                            {true, true},
		"domain=hospital":             {true, true},
		"domain=insurer1":             {true, true},
		"domain=insurer2":             {false, false},
		"from=insurer1":               {false, false},
		"agent=claims":                {true, true},
		"agent=nobody":                {false, false},
		"outcome=refused":             {false, true},
		"rule=policy":                 {false, true},
		"level=generalized":           {true, false},
		"level=raw":                   {false, false}, // of it there were none
		"label=person":                {true, false},
		"label=person/name":           {true, false},
		"label=pers":                  {false, false},
		"purpose=billing&to=insurer1": {true, true},
		"purpose=care&to=insurer1":    {false, false},
	} {
		v, _ := url.ParseQuery(q)
		f, err := activity.ParseFilter(v)
		if err != nil {
			t.Fatal(err)
		}
		if f.Values().Encode() != v.Encode() {
			t.Errorf("%q becomes %q", q, f.Values().Encode())
		}
		if got := [2]bool{f.Match(&released), f.Match(&refused)}; got != want {
			t.Errorf("%q lets through %v, want %v", q, got, want)
		}
	}
	if _, err := activity.ParseFilter(url.Values{"level": {"all"}}); err == nil {
		t.Error("a level that is none was taken")
	}
}

// BenchmarkAdd is what a flow costs while 16 viewers with filters look on.
func BenchmarkAdd(b *testing.B) {
	for _, viewers := range []int{0, 1, 16} {
		b.Run(fmt.Sprintf("viewers=%d", viewers), func(b *testing.B) {
			r := activity.NewRing(activity.RingOptions{})
			ctx, cancel := context.WithCancel(b.Context())
			var wg sync.WaitGroup
			for range viewers {
				v, err := r.View(activity.Filter{Label: "person"}, "")
				if err != nil {
					b.Fatal(err)
				}
				wg.Go(func() {
					for ctx.Err() == nil {
						_, _ = v.Next(ctx, time.Hour) // until the context ends
					}
				})
			}
			ev := event(1)
			b.ReportAllocs()
			for b.Loop() {
				r.Add(ev, true)
			}
			cancel()
			wg.Wait()
		})
	}
}
