package ask_test

import (
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/policy"
)

// door asks one question as somebody; more are headers, or the id of the flow.
type door func(key string, more ...string) (answer, refusal string)

// known holds a door to this: an answer that is known costs nothing, and is given all the same by a decision of its own, about who asks, for
// what, by the policies of now. That there is an answer to be given is seen by those who may have it, before and after. It returns what the door
// did instead.
func known(t *testing.T, open func(*rig) door) (wrong []string) {
	t.Helper()
	var setup gatewaytest.Setup
	r := newRig(t, func(s *gatewaytest.Setup) { setup = *s })
	ask := open(r)
	may := func(when, key string, more ...string) {
		if got, _ := ask(key, more...); got != `{"draw":1}` {
			wrong = append(wrong, when+" "+key+" is not answered")
		}
	}
	mayNot := func(when, key string, more ...string) {
		before := len(r.Events())
		if got, refused := ask(key, more...); got != "" || refused == "" {
			wrong = append(wrong, when+" "+key+" is answered")
		}
		for _, ev := range r.Events()[before:] {
			if ev.Outcome == flow.Replayed || ev.Flow.From.Agent == "scrim" && ev.Outcome != flow.Refused {
				wrong = append(wrong, when+" an answer to "+key+" is on record")
			}
		}
	}
	may("at first", "key-lab", "id", "flow-1")
	mayNot("without a permit", "key-mute")
	mayNot("without a permit and by the id of the lab's flow", "key-mute", "id", "flow-1")
	mayNot("for another purpose", "key-lab", "Scrim-Purpose", "care")
	may("again", "key-lab")
	may("by a permit of its own", "key-other")

	// The lab's permit is taken away while the gateway runs.
	parties := policy.Entities{Agents: []flow.Party{lab, other, mute}, Purposes: map[flow.Purpose][]flow.Purpose{"study": nil, "care": nil}, Datasets: []policy.Dataset{{Name: "stays", Formal: true}}}
	set, err := policy.Load(fstest.MapFS{"test.cedar": {Data: []byte(`@id("other") permit (principal == Agent::"other", action == Action::"aggregate", resource == Dataset::"stays");`)}},
		policy.Options{Taxonomy: flow.DefaultTaxonomy(), Entities: parties})
	must(t, err)
	change := setup.Change
	setup.Change = func(s *gateway.Snapshot) { change(s); s.Policy = set }
	must(t, r.Swap(t.Context(), gatewaytest.Snapshot(t, setup), "the lab may ask no more"))
	mayNot("after its permit is gone", "key-lab")
	mayNot("after its permit is gone and by the id of its flow", "key-lab", "id", "flow-1")
	may("after the lab's permit is gone", "key-other")
	return wrong
}

func TestAKnownAnswerIsGivenByADecisionOfItsOwn(t *testing.T) {
	t.Parallel()
	real := func(r *rig) door {
		return func(key string, more ...string) (string, string) {
			return r.call(key, "query", `{"dataset":"stays","sql":"ward age"}`, more...)
		}
	}
	if wrong := known(t, real); len(wrong) > 0 {
		t.Errorf("%q", wrong)
	}
	// The mistake, planted: a door that keeps answers in front of whoever decides.
	kept := ""
	impatient := func(r *rig) door {
		return func(key string, more ...string) (string, string) {
			if kept != "" {
				return kept, ""
			}
			answer, refusal := real(r)(key, more...)
			kept = answer
			return answer, refusal
		}
	}
	if wrong := known(t, impatient); len(wrong) < 5 {
		t.Errorf("a cache without a decision is caught by %q alone", wrong)
	}
}
