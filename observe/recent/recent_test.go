package recent_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/recent"
)

// journal is entries in memory.
type journal []audit.Entry

func (j *journal) add(ev flow.Event) {
	ev.Time = time.Date(2026, 1, 1, 0, 0, len(*j), 0, time.UTC)
	*j = append(*j, audit.Entry{Seq: int64(len(*j) + 1), Event: ev})
}

func (j *journal) options(most int64) recent.Options {
	return recent.Options{
		Most: most,
		Rows: func(context.Context) (int64, error) { return int64(len(*j)), nil },
		Entries: func(_ context.Context, q audit.Query) iter.Seq2[audit.Entry, error] {
			return func(yield func(audit.Entry, error) bool) {
				for _, e := range (*j)[q.From-1 : q.To] {
					if !yield(e, nil) {
						return
					}
				}
			}
		},
	}
}

func shown(to flow.DomainID, by flow.Limit, n int) flow.Event {
	return flow.Event{Outcome: flow.Released, Flow: flow.Flow{To: flow.Party{Domain: to}}, Levels: []flow.LevelCount{{Label: "health", Level: flow.Generalized, By: by, Count: n}}}
}

func Example() {
	var j journal
	w := recent.New(j.options(0))
	j.add(shown("lab.example", flow.ByExposure, 2))
	j.add(shown("lab.example", flow.ByExposure, 3))
	j.add(flow.Event{Outcome: flow.Refused, Reason: "budget privacy budget is exhausted: claims"})
	seen, err := w.Look(context.Background())
	fmt.Println(seen.Shown[0].Values, seen.Shown[0].By, len(seen.Refusals), err)
	// Output:
	// 5 exposure 1 <nil>
}

func TestWhatIsOldIsForgottenAndNothingIsCountedTwice(t *testing.T) {
	var j journal
	w := recent.New(j.options(10_000))
	for i := range 30_000 {
		j.add(shown("lab.example", flow.ByPolicy, 1))
		if i%999 == 0 {
			if _, err := w.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen, err := w.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := seen.Last - seen.First + 1; seen.Shown[0].Values != n || n < 10_000 || n > 15_000 || seen.Behind != 0 {
		t.Errorf("%d values in %d entries, %d behind", seen.Shown[0].Values, n, seen.Behind)
	}
}

func TestTheNewestRefusalComesFirst(t *testing.T) {
	var j journal
	for range 300 {
		j.add(flow.Event{Outcome: flow.Refused, Reason: "budget x"})
		j.add(flow.Event{Outcome: flow.Refused, Reason: "policy x"})
	}
	seen, err := recent.New(j.options(0)).Look(t.Context())
	if err != nil || len(seen.Refusals) != 200 || !seen.More || seen.Refused != 600 || !seen.Refusals[0].Time.After(seen.Refusals[199].Time) {
		t.Errorf("%d refusals, more %v, refused %d, %v", len(seen.Refusals), seen.More, seen.Refused, err)
	}
}
