package ask_test

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/privacy/budget"
)

var reference = regexp.MustCompile(`[0-9a-v]{26}`)

func TestAQuestionIsPaidForOnceAndRecordedEachTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	first, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"ward age"}`)
	if first != `{"draw":1}` {
		t.Fatalf("%s %s", first, refused)
	}
	if spent := r.Spent(t, scope); spent != 200_000_000 {
		t.Errorf("ε = %d·10⁻⁹ is charged, want the default of 0.2", spent)
	}
	for _, key := range []string{"key-lab", "key-other"} { // who asks is no part of a question
		if again, refused := r.call(key, "query", `{"sql":"ward age", "dataset":"stays"}`); again != first {
			t.Errorf("%s is answered %s %s", key, again, refused)
		}
	}
	if other, _ := r.call("key-lab", "query", `{"dataset":"stays","sql":"ward age","epsilon":"0.1"}`); other != `{"draw":2}` {
		t.Errorf("more noise is another answer: %s", other)
	}
	if spent := r.Spent(t, scope); spent != 300_000_000 {
		t.Errorf("ε = %d·10⁻⁹ is charged in the end", spent)
	}
	var asked, charged, given, replayed int
	for _, ev := range r.Events() {
		if ev.Flow.Subject != "query" || ev.Flow.Purpose != "study" {
			t.Errorf("on record is %+v", ev.Flow)
		}
		if q := ev.Question; q == nil || q.Dataset != "stays" || q.Stream != "" || q.Technique != "aggregate" || !slices.Contains(q.Columns, "age") {
			t.Errorf("the record says of the question %+v", q)
		}
		switch {
		case ev.Outcome == flow.Replayed:
			replayed++
		case ev.Flow.Direction == flow.Request:
			asked++
			charged += int(ev.Cost.EpsilonNano)
		case ev.Flow.From.Agent == "scrim":
			given++
		}
	}
	if asked != 2 || charged != 300_000_000 || given != 2 || replayed != 4 {
		t.Errorf("on record are %d questions of ε %d·10⁻⁹ together, %d answers and %d rows of known ones", asked, charged, given, replayed)
	}
}

// Whether a dataset is there is nothing that one who may not ask about it learns, by text, by record or by what is computed.
func TestWhoMayAskNothingCannotTellWhatIsThere(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	without := func(s string) string { return reference.ReplaceAllString(s, "") } // which differs each time
	for _, tool := range []string{"query", "explain_query", "describe_dataset", "budget"} {
		arguments := func(name string) string {
			if strings.HasPrefix(tool, "d") || tool == "budget" {
				return `{"dataset":"` + name + `"}`
			}
			return `{"dataset":"` + name + `","sql":"ward 'x"}`
		}
		_, forbidden := r.call("key-mute", tool, arguments("stays"))
		_, unknown := r.call("key-mute", tool, arguments("nothing"))
		_, purpose := r.call("key-lab", tool, arguments("stays"), "Scrim-Purpose", "care")
		if forbidden == "" || without(forbidden) != without(unknown) || without(purpose) != without(unknown) {
			t.Errorf("%s:\n%s\n%s\n%s", tool, forbidden, unknown, purpose)
		}
	}
	if list, _ := r.call("key-mute", "list_datasets", `{}`); list != `{"datasets":[]}` {
		t.Errorf("it is told %s", list)
	}
	if list, _ := r.call("key-lab", "list_datasets", `{}`); !strings.Contains(list, `"name":"stays"`) {
		t.Errorf("who may ask is told %s", list)
	}
	if r.words.priced.Load() != 0 {
		t.Error("a question of who may not ask was looked at")
	}
}

func TestADatasetIsDescribedByWhatItsOwnerDeclared(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	told, refused := r.call("key-lab", "describe_dataset", `{"dataset":"stays"}`)
	var d ask.Described
	if err := stdjson.Unmarshal([]byte(told), &d); err != nil {
		t.Fatalf("%v %s", err, refused)
	}
	if d.Unit != "patient" || d.Epsilon != "1" || d.Costs.Epsilon != "0.2" || d.Costs.Most != "0.9" || len(d.Tables) != 1 || len(d.Tables[0].Columns) != 4 {
		t.Errorf("it is described as %s", told)
	}
	if c := d.Tables[0].Columns[3]; c.Name != "cost" || c.Min != "-0.5" || c.Max != "100" || c.Type != "number" {
		t.Errorf("the cost is %+v", c)
	}
	if strings.Contains(told, "src_") || strings.Contains(told, "clinic") {
		t.Errorf("the source's own names are told: %s", told)
	}
}

// A question is held to what it really uses: the capability's columns, technique and cost, and its uses.
func TestACapabilityIsHeldToTheColumnsThatAQuestionUses(t *testing.T) {
	t.Parallel()
	d := gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
	r := newRig(t, func(s *gatewaytest.Setup) { s.Domains = d })
	root := d.Root(t, gatewaytest.Own, capability.Grant{
		Agent: "lab", Cost: &flow.Cost{EpsilonNano: 500_000_000}, Counted: gatewaytest.Own, Techniques: []string{"aggregate"}, Datasets: map[string][]string{"stays": {"ward", "age"}},
	})
	if got, refused := r.by(root, "query", `{"dataset":"stays","sql":"patient ward"}`); got != `{"draw":1}` { // whose a row is is part of every question
		t.Fatalf("what it covers: %s %s", got, refused)
	}
	for name, h := range map[string]*gatewaytest.Holder{
		"a column":  root.Child(t, capability.Grant{Datasets: map[string][]string{"stays": {"age"}}}),
		"a dataset": root.Child(t, capability.Grant{Datasets: map[string][]string{}}),
		"technique": root.Child(t, capability.Grant{Techniques: []string{}}),
		"tool":      root.Child(t, capability.Grant{Tools: map[string]capability.Arguments{"scrim/budget": nil}}),
	} {
		if got, _ := r.by(h, "query", `{"dataset":"stays","sql":"ward"}`); got != "" {
			t.Errorf("without %s: %s", name, got)
		}
	}
	if got, _ := r.by(root, "query", `{"dataset":"stays","sql":"cost"}`); got != "" {
		t.Errorf("a column that it does not name: %s", got)
	}
	child := root.Child(t, capability.Grant{})
	if got, refused := r.by(child, "query", `{"dataset":"stays","sql":"age"}`); got != `{"draw":2}` {
		t.Errorf("a second question: %s %s", got, refused)
	}
	if got, refused := r.by(child, "query", `{"dataset":"stays","sql":"age ward"}`); got != "" || !strings.Contains(refused, "capability does not allow") {
		t.Errorf("beyond the root's ε: %s %s", got, refused)
	}
	if got, _ := r.by(child, "query", `{"dataset":"stays","sql":"age"}`); got != `{"draw":2}` {
		t.Errorf("what is known costs a capability nothing: %s", got)
	}
	if spent := r.Spent(t, scope); spent != 400_000_000 || r.words.draws.Load() != 2 {
		t.Errorf("in the end ε = %d·10⁻⁹ and %d draws", spent, r.words.draws.Load())
	}
}

func TestARetryGetsItsAnswerAndAnotherQuestionByTheIdIsAConflict(t *testing.T) {
	t.Parallel()
	d := gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
	r := newRig(t, func(s *gatewaytest.Setup) { s.Domains = d })
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "lab", Uses: new(int64(1)), Counted: gatewaytest.Own})
	for range 3 { // and takes one use for all three
		if got, refused := r.by(h, "query", `{"dataset":"stays","sql":"ward"}`, "id", "m-1"); got != `{"draw":1}` {
			t.Fatalf("%s %s", got, refused)
		}
	}
	if got, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"age"}`, "id", "m-1"); got != "" || !strings.Contains(refused, "used before with another request") {
		t.Errorf("another question by the same id: %s %s", got, refused)
	}
	if got, _ := r.call("key-other", "query", `{"dataset":"stays","sql":"age"}`, "id", "m-1"); got != `{"draw":2}` {
		t.Errorf("another's ids are its own: %s", got)
	}
}

// The text of a failure is one, whatever failed, and the cost stays charged.
func TestAFailureTellsNothingAndStaysPaid(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.words.fail = errors.New(`relation "clinic" has a row of Zelda`)
	_, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"ward"}`)
	if !strings.Contains(refused, "could not be answered; what it costs is spent") || strings.Contains(gatewaytest.Said(refused), "Zelda") || strings.Contains(refused, "clinic") {
		t.Errorf("told is %s", refused)
	}
	slow := newRig(t, func(s *gatewaytest.Setup) {
		before := s.Change
		s.Change = func(snap *gateway.Snapshot) {
			before(snap)
			snap.Datasets["stays"].Pad = 200 * time.Millisecond
		}
	})
	slow.words.hold = make(chan struct{})
	defer close(slow.words.hold) // it is not done before the asker heard
	_, late := slow.call("key-lab", "query", `{"dataset":"stays","sql":"age"}`)
	if reference.ReplaceAllString(late, "") != reference.ReplaceAllString(refused, "") {
		t.Errorf("what came too late is told as %s, want %s", late, refused)
	}
	if spent := r.Spent(t, scope) + slow.Spent(t, scope); spent != 400_000_000 {
		t.Errorf("ε = %d·10⁻⁹ is charged", spent)
	}
}

// Known and new answers leave at multiples of the same time.
func TestTimeDoesNotTellWhetherAnAnswerIsKnown(t *testing.T) {
	t.Parallel()
	var waited atomic.Int64
	r := newRig(t, func(s *gatewaytest.Setup) {
		s.Wait = func(_ context.Context, d time.Duration) error { waited.Add(int64(d)); return nil }
	})
	for i := range 3 {
		began := time.Now()
		waited.Store(0)
		if got, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"ward"}`); got == "" {
			t.Fatal(refused)
		}
		if took := time.Since(began) + time.Duration(waited.Load()); took < gatewaytest.Pad {
			t.Errorf("answer %d came after %s", i, took)
		}
	}
}

// At the end of its quota an asker is offered what still fits. What others spent is not told: at the end of the dataset's budget nothing is offered.
func TestWhatStillFitsIsOfferedWhereThatIsTheAskersOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	must(t, r.Budgets.SetQuota(t.Context(), budget.Scope{Dataset: "stays", Domain: gatewaytest.Own, Workflow: "-", Agent: "lab"}, &budget.Plan{Epsilon: 250_000_000}))
	if got, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"ward"}`); got == "" {
		t.Fatal(refused)
	}
	_, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"age"}`)
	if !strings.Contains(refused, "Your own quota") || !strings.Contains(refused, "fits with an epsilon of 0.05.") {
		t.Errorf("told is %s", refused)
	}
	told, refused := r.call("key-lab", "explain_query", `{"dataset":"stays","sql":"age"}`)
	var e ask.Explanation
	if err := stdjson.Unmarshal([]byte(told), &e); err != nil {
		t.Fatalf("%v %s", err, refused)
	}
	if e.Cost.Epsilon != "0.2" || e.Fits == nil || *e.Fits || e.Offer == nil || e.Offer.Epsilon != "0.05" || len(e.Budget) != 1 || e.Budget[0].Of != "agent" || e.Budget[0].Spent.Epsilon != "0.2" {
		t.Errorf("explained is %s", told)
	}
	if got, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"age","epsilon":0.05}`); got == "" {
		t.Errorf("what was offered is refused: %s", refused)
	}
	if got, refused := r.call("key-other", "query", `{"dataset":"stays","sql":"cost","epsilon":0.7}`); got == "" {
		t.Fatal(refused)
	}
	_, refused = r.call("key-other", "query", `{"dataset":"stays","sql":"patient","epsilon":0.3}`)
	if !strings.Contains(refused, "The budget for questions about this dataset has no room") || strings.Contains(gatewaytest.Said(refused), "fits") {
		t.Errorf("at the end of the dataset's budget told is %s", refused)
	}
	if told, _ := r.call("key-other", "budget", `{"dataset":"stays"}`); !strings.Contains(told, `"budget":[]`) || strings.Contains(told, "0.9") {
		t.Errorf("of the budget told is %s", told)
	}
	if told, _ := r.call("key-lab", "budget", `{"dataset":"stays"}`); !strings.Contains(told, `"of":"agent"`) || strings.Contains(told, `"of":"dataset"`) {
		t.Errorf("of its own quota told is %s", told)
	}
}

// A relative accuracy is measured by a first answer, which is paid for by itself, once.
func TestAPilotIsPaidForAndItsAnswerIsNotLost(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	const question = `{"dataset":"stays","sql":"ward","accuracy":{"relative":0.05}}`
	if got, refused := r.call("key-lab", "query", question, "id", "a-1"); !strings.Contains(got, "draw 2") {
		t.Fatalf("%s %s", got, refused)
	}
	if spent := r.Spent(t, scope); spent != 900_000_000 {
		t.Errorf("ε = %d·10⁻⁹ is charged for pilot and question", spent)
	}
	for _, id := range []string{"a-1", "a-2"} {
		if got, refused := r.call("key-lab", "query", question, "id", id); !strings.Contains(got, "draw 2") || r.words.draws.Load() != 2 {
			t.Errorf("again by %s: %s %s", id, got, refused)
		}
	}
	r = newRig(t, nil)
	if got, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"age enough","accuracy":{"relative":0.05}}`); !strings.Contains(got, "draw 1") || !strings.Contains(got, "as exact as was asked for") {
		t.Errorf("a first answer that is exact enough: %s %s", got, refused)
	}
	if got, refused := r.call("key-lab", "query", question); !strings.Contains(got, "draw 2") || !strings.Contains(got, "no room for this one") {
		t.Errorf("where there is no room for the second: %s %s", got, refused)
	}
	if spent := r.Spent(t, scope); spent != 600_000_000 {
		t.Errorf("ε = %d·10⁻⁹ is charged for two pilots", spent)
	}
}

func TestAQuestionThatIsNoneIsRefusedBeforeAnythingIsSpent(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for arguments, want := range map[string]string{
		`{"dataset":"stays"}`: "has no sql",
		`{"sql":"ward"}`:      "names no dataset",
		`{"dataset":"stays","sql":"ward","epsilon":0}`:                                               "epsilon must be above 0",
		`{"dataset":"stays","sql":"ward","epsilon":-1}`:                                              "have not the form",
		`{"dataset":"stays","sql":"ward","epsilon":1e-10}`:                                           "epsilon must be above 0",
		`{"dataset":"stays","sql":"ward","epsilon":0.95}`:                                            "may cost an epsilon of 0.9 at most",
		`{"dataset":"stays","sql":"ward","epsilon":"NaN"}`:                                           "have not the form",
		`{"dataset":"stays","sql":"ward","epsilon":0.1,"accuracy":{"half_width":1}}`:                 "Either epsilon or accuracy",
		`{"dataset":"stays","sql":"ward","accuracy":{}}`:                                             "either half_width or relative",
		`{"dataset":"stays","sql":"ward","noise":"none"}`:                                            "The noise is",
		`{"dataset":"stays","sql":"ward","rows":-1}`:                                                 "rows and groups",
		`{"dataset":"stays","sql":"ward","from":"2026-01-01T00:00:00Z"}`:                             "which this one has not",
		`{"dataset":"stays","sql":"ward","budget":5}`:                                                "have not the form",
		`{"dataset":"stays","sql":"'ward"}`:                                                          "Line 1, column 8: a constant is not taken",
		`{"dataset":"stays","sql":"` + strings.Repeat("x", 17<<10) + `"}`:                            "longer than",
		`{"dataset":"stays","sql":"w","from":"2026-02-01T00:00:00Z","until":"2026-01-01T00:00:00Z"}`: "from is not before until",
	} {
		if got, refused := r.call("key-lab", "query", arguments); got != "" || !strings.Contains(refused, want) {
			t.Errorf("%.80s: %s %s, want %q", arguments, got, refused, want)
		}
	}
	if spent := r.Spent(t, scope); spent != 0 {
		t.Errorf("ε = %d·10⁻⁹ is charged", spent)
	}
}
