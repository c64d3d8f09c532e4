package api_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

func shown(m *api.Metrics) string {
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return rec.Body.String()
}

// constants returns the values of a type's string constants, by reading the package's source.
func constants(t *testing.T, dir, typ string) (all []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal("there is nothing to read", err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			id, _ := spec.Type.(*ast.Ident)
			lit, _ := spec.Values[0].(*ast.BasicLit)
			if id == nil || id.Name != typ || lit == nil || lit.Kind != token.STRING {
				return true
			}
			v, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
			return true
		})
	}
	return all
}

// Every rule and outcome that the code knows counts under its own name.
func TestEveryRuleAndOutcomeIsCounted(t *testing.T) {
	m := api.NewMetrics()
	rules, outcomes := constants(t, "../../gateway", "Rule"), constants(t, "../../flow", "Outcome")
	if len(rules) < 25 || len(outcomes) < 14 {
		t.Fatalf("found %d rules and %d outcomes", len(rules), len(outcomes))
	}
	for _, r := range rules {
		m.Event(flow.Event{Outcome: flow.Refused, Reason: r + " /x"})
		if c := m.Named(gateway.Called{Rule: gateway.Rule(r)}); string(c.Rule) != r {
			t.Errorf("a call that was refused by %s is told as one by %s", r, c.Rule)
		}
	}
	for _, o := range outcomes {
		m.Event(flow.Event{Outcome: flow.Outcome(o)})
	}
	text := shown(m)
	for _, r := range rules {
		if !strings.Contains(text, `rule="`+r+`"`) {
			t.Errorf("refusals by %s are counted as other", r)
		}
	}
	for _, o := range outcomes {
		if !strings.Contains(text, `scrim_flows_total{direction="request",outcome="`+o+`"`) {
			t.Errorf("flows that were %s are counted as other", o)
		}
	}
}

// Ten thousand words that strangers choose, in every place that could become a label, add no series but "other"; and ten thousand
// that a configuration names add a few hundred.
func TestCardinalityIsBounded(t *testing.T) {
	m := api.NewMetrics()
	m.Know([]flow.DomainID{"lab"}, []flow.Label{"person/name"})
	stranger := func(i int) {
		word := fmt.Sprintf("zanzibar-%d", i)
		m.Event(flow.Event{
			Flow:    flow.Flow{Protocol: word, Method: word, Subject: word, From: flow.Party{Agent: flow.AgentID(word), Domain: flow.DomainID(word)}, To: flow.Party{Domain: flow.DomainID(word)}, Purpose: flow.Purpose(word)},
			Outcome: flow.Outcome(word), Reason: word, Levels: []flow.LevelCount{{Label: flow.Label(word), Level: flow.Level(i % 5), By: flow.Limit(i % 10), Count: 1}},
		})
		m.Event(flow.Event{Flow: flow.Flow{Protocol: word}, Outcome: flow.Refused, Reason: word})
		c := m.Named(gateway.Called{
			Protocol: word, Way: gateway.In, Peer: flow.DomainID(word), Ending: gateway.Denied, Rule: gateway.Rule(word),
			Steps: []gateway.Step{{Kind: gateway.StepUpstream, Protocol: word, Peer: flow.DomainID(word)}},
		})
		if told := fmt.Sprint(c); strings.Contains(told, "zanzibar") {
			t.Fatalf("a call is told with a stranger's word: %s", told)
		}
		m.Call(c)
		m.Step(gateway.Step{Kind: gateway.StepUpstream, Protocol: word, Peer: flow.DomainID(word)})
	}
	stranger(7)
	before := strings.Count(shown(m), "\n")
	for i := range 10_000 {
		stranger(i)
	}
	text := shown(m)
	if strings.Contains(text, "zanzibar") {
		t.Error("a stranger's word is a label")
	}
	if after := strings.Count(text, "\n"); after > before+400 { // levels and limits
		t.Errorf("%d lines of metrics became %d", before, after)
	}
	for i := range 10_000 {
		d, l := flow.DomainID(fmt.Sprintf("peer-%d", i)), flow.Label(fmt.Sprintf("class/%d", i))
		m.Know([]flow.DomainID{d}, []flow.Label{l})
		m.Call(m.Named(gateway.Called{Way: gateway.In, Peer: d, Ending: gateway.Answered}))
		m.Event(flow.Event{Levels: []flow.LevelCount{{Label: l, Level: flow.Masked, Count: 1}}})
	}
	if n := strings.Count(shown(m), "\n"); n > 5000 {
		t.Errorf("a configuration makes %d lines of metrics", n)
	}
}

func TestCallsAreMeasured(t *testing.T) {
	m := api.NewMetrics()
	m.Know([]flow.DomainID{"lab"}, nil)
	m.Call(m.Named(gateway.Called{Protocol: "a2a/1.0", Way: gateway.Out, Peer: "lab", Ending: gateway.Failed, Took: 3e6}))
	m.Call(m.Named(gateway.Called{Protocol: "a2a/1.0", Way: gateway.Within, Ending: gateway.Answered, Took: 3e6, Stream: true}))
	m.Step(gateway.Step{Kind: gateway.StepDetect, Took: 1e6, Failed: true})
	m.Step(gateway.Step{Kind: gateway.StepUpstream, Protocol: "a2a/1.0", Peer: "lab", Took: 1e6})
	text := shown(m)
	for _, want := range []string{
		`scrim_calls_total{ending="failed",protocol="a2a/1.0",way="out"} 1`, `scrim_call_seconds_count{ending="failed",protocol="a2a/1.0",way="out"} 1`,
		`scrim_peer_calls_total{ending="failed",peer="lab",way="out"} 1`, `scrim_stream_seconds_count{protocol="a2a/1.0",way="within"} 1`,
		`scrim_step_seconds_count{direction="request",step="detect"} 1`, `scrim_step_failures_total{direction="request",step="detect"} 1`,
		`scrim_upstream_seconds_count{ending="answered",protocol="a2a/1.0"} 1`, `scrim_peer_upstream_seconds_count{peer="lab"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(text, `scrim_call_seconds_count{ending="answered",protocol="a2a/1.0",way="within"}`) {
		t.Error("a stream is measured as a whole call")
	}
}
