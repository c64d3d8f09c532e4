package story_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/story"
)

var began = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// journal is a source of entries.
type journal []audit.Entry

func (j *journal) add(ev flow.Event) {
	ev.Time = began.Add(time.Duration(len(*j)) * time.Second)
	*j = append(*j, audit.Entry{Seq: int64(len(*j) + 1), Event: ev, Sealed: []byte{1}})
}

func (j journal) source() story.Source {
	return story.Source{Entries: func(_ context.Context, q audit.Query) iter.Seq2[audit.Entry, error] {
		return func(yield func(audit.Entry, error) bool) {
			n := 0
			for _, e := range j {
				if q.Flow != "" && e.Event.Flow.ID != q.Flow || q.Parent != "" && e.Event.Flow.Parent != q.Parent {
					continue
				}
				if n++; q.Limit > 0 && n > q.Limit || !yield(e, nil) {
					return
				}
			}
		}
	}}
}

var (
	records = flow.Party{Agent: "records", Domain: "hospital"}
	claims  = flow.Party{Agent: "claims", Domain: "insurer"}
)

func answer(id, parent flow.ID) flow.Event {
	return flow.Event{
		Outcome: flow.Released, PolicyHash: "p1", Bytes: 812, Took: time.Millisecond, Subjects: 2, Policies: []flow.PolicyID{"share-care"},
		Flow:   flow.Flow{ID: id, Parent: parent, From: records, To: claims, Purpose: "billing", Protocol: "a2a/1.0", Direction: flow.Response},
		Levels: []flow.LevelCount{{Label: "health/diagnosis", Level: flow.Generalized, Count: 1}, {Label: "person/name", Level: flow.Masked, By: flow.ByContract, Count: 2}},
	}
}

func tell(t *testing.T, src story.Source, ref flow.ID) story.Story {
	t.Helper()
	s, err := story.Of(t.Context(), src, ref)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func step(t *testing.T, s story.Story, k story.Kind) story.Step {
	t.Helper()
	for _, st := range s.Steps {
		if st.Kind == k {
			return st
		}
	}
	t.Fatalf("the story has no step %q: %+v", k, s.Steps)
	return story.Step{}
}

// TestTheStoryOfAFlow has what was sealed with the decision, what came before, and what came after.
func TestTheStoryOfAFlow(t *testing.T) {
	var j journal
	j.add(flow.Event{Outcome: flow.Released, Flow: flow.Flow{ID: "asked", From: claims, To: records, Protocol: "a2a/1.0"}})
	j.add(answer("flow", "asked"))
	j.add(flow.Event{Outcome: flow.Replayed, Flow: flow.Flow{ID: "again", Parent: "flow", From: records, To: claims, Direction: flow.Response}})
	src := j.source()
	src.Open = func(e audit.Entry) ([]flow.Leaf, []flow.LeafTerms, error) {
		if e.Event.Flow.ID != "flow" {
			return nil, nil, errors.New("gone")
		}
		leaf := func(l flow.Label, field string, o flow.Origin) flow.Leaf {
			return flow.Leaf{Label: l, Field: field, Origin: o, Path: "/result/*"}
		}
		terms := func(l flow.Level, by flow.Limit, reason string) flow.LeafTerms {
			return flow.LeafTerms{Treatment: flow.Treatment{Level: l}, By: by, Reason: reason, Policies: []flow.PolicyID{"share-care"}}
		}
		return []flow.Leaf{leaf("person/name", "patients/name", flow.Catalogued), leaf("person/name", "", flow.Detected), leaf("health/diagnosis", "patients/dx", flow.Catalogued)},
			[]flow.LeafTerms{terms(flow.Masked, flow.ByContract, ""), terms(flow.Masked, flow.ByContract, ""), terms(flow.Generalized, flow.ByPolicy, "care needs the group")}, nil
	}
	s := tell(t, src, "flow")
	if !s.Recorded || s.Refused || s.Highest != "generalized" || s.Outcome != flow.Released {
		t.Errorf("story = %+v", s)
	}
	if got := step(t, s, story.Found).Labels; len(got) != 3 {
		t.Errorf("found %+v, want names that are catalogued and detected, and a diagnosis", got)
	}
	terms := step(t, s, story.Decided).Terms
	if len(terms) != 2 || terms[0].Reason != "care needs the group" || terms[1].Count != 2 || terms[1].By != flow.ByContract || terms[1].Because == "" {
		t.Errorf("terms = %+v", terms)
	}
	if got := step(t, s, story.Came).Sources; len(got) != 1 || got[0].Name != "patients" || strings.Join(got[0].Columns, " ") != "dx name" {
		t.Errorf("sources = %+v", got)
	}
	went := step(t, s, story.Went).Flows
	if len(went) != 2 || went[0].ID != "asked" || !went[0].Here || went[1].ID != "again" || went[1].Outcome != flow.Replayed {
		t.Errorf("before and after = %+v", went)
	}
	if b, _ := json.Marshal(s); strings.Contains(string(b), "/result/*") {
		t.Error("a story tells places")
	}
}

// TestTheStoryOfARefusal: why, in an operator's words, and that nothing was shown.
func TestTheStoryOfARefusal(t *testing.T) {
	var j journal
	j.add(flow.Event{Outcome: flow.Refused, Reason: "policy /message/parts/0", Flow: flow.Flow{ID: "no", From: claims, To: records, Hop: 2, Parent: "elsewhere"}})
	s := tell(t, j.source(), "no")
	if !s.Refused || s.Rule != "policy" || s.Place != "/message/parts/0" || s.Highest != "" {
		t.Errorf("story = %+v", s)
	}
	if no := step(t, s, story.Refused); !no.Bad || len(no.Words) < 3 {
		t.Errorf("refused = %+v", no)
	}
	if went := step(t, s, story.Went); len(went.Flows) != 1 || went.Flows[0].Here || len(went.Words) != 2 {
		t.Errorf("before = %+v, want a flow that another gateway has", went)
	}
}

// TestAReferenceWithoutARowResolves: one of too many refusals has no row; while the gateway runs its reference resolves, and one that nobody gave does not.
func TestAReferenceWithoutARowResolves(t *testing.T) {
	src := journal{}.source()
	src.Recent = func(ref flow.ID) []flow.Event {
		if ref != "burst" {
			return nil
		}
		return []flow.Event{{Time: began, Outcome: flow.Refused, Reason: "identity ", Flow: flow.Flow{ID: "burst"}}}
	}
	s := tell(t, src, "burst")
	if s.Recorded || s.Rule != "identity" {
		t.Errorf("story = %+v", s)
	}
	for _, ref := range []flow.ID{"", "nothing", flow.ID(strings.Repeat("x", 1000))} {
		if _, err := story.Of(t.Context(), src, ref); !errors.Is(err, story.ErrUnknown) {
			t.Errorf("Of(%.10q) = %v, want ErrUnknown", ref, err)
		}
	}
}

// TestALongStreamIsToldInPart: a stream of very many segments has a bounded story.
func TestALongStreamIsToldInPart(t *testing.T) {
	var j journal
	for n := range 2000 {
		ev := answer("stream", "")
		ev.Outcome, ev.Segment = flow.Segment, n+1
		j.add(ev)
		ev.Flow.ID, ev.Flow.Parent = flow.ID(fmt.Sprintf("child-%d", n)), "stream"
		j.add(ev)
	}
	s := tell(t, j.source(), "stream")
	if !s.Cut || len(step(t, s, story.Recorded).Entries) != 500 || len(step(t, s, story.Went).Flows) > 70 {
		t.Errorf("cut %v, %d entries, %d flows after it", s.Cut, len(step(t, s, story.Recorded).Entries), len(step(t, s, story.Went).Flows))
	}
}

// TestEveryRuleIsExplained: a rule that the gateway refuses by has words of its own.
func TestEveryRuleIsExplained(t *testing.T) {
	source, err := os.ReadFile("../../gateway/refusal.go")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`Rule\w+\s+Rule = "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(all) < 25 {
		t.Fatalf("found %d rules in the gateway's source", len(all))
	}
	for _, m := range all {
		var j journal
		j.add(flow.Event{Outcome: flow.Refused, Reason: m[1] + " ", Flow: flow.Flow{ID: "x"}})
		if got := step(t, tell(t, j.source(), "x"), story.Refused).Words[0]; got == "The gateway refused it." {
			t.Errorf("rule %s is not explained", m[1])
		}
	}
}
