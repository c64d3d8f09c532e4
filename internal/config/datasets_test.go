package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const datasetsBase = `version: 1
domain: own
agents:
  - id: desk
    keys: [{sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]
  - {id: guest, domain: other, keys: [{sha256: "a3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}
  - id: stats
    mcp: {url: "http://127.0.0.1:9"}
`

const goodQuestion = "    questions: [{tool: count, dataset: stays, cost: [{mech: laplace, scale: 10}]}]\n"

func parseDatasets(t *testing.T, yaml string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Parse("scrim.yaml", []byte(yaml), dir)
}

func TestBudgetsThatAreNoneAreRefusedWhereTheyStand(t *testing.T) {
	for yaml, want := range map[string]string{
		"datasets: {stays: {epsilon: 3, delta: 1e-6}}":                                               "",
		"datasets: {stays: {epsilon: 0.5}}":                                                          "",
		"datasets: {stays: {delta: 1e-6}}":                                                           "epsilon is missing",
		"datasets:\n  stays:\n    epsilon: 0":                                                        "11:14: it must be over 0",
		"datasets: {stays: {epsilon: -1}}":                                                           "not negative",
		"datasets: {stays: {epsilon: NaN}}":                                                          "a number such as",
		"datasets: {stays: {epsilon: .inf}}":                                                         "a number such as",
		"datasets: {stays: {epsilon: 1001}}":                                                         "at most 1000",
		"datasets: {stays: {epsilon: 1e-10}}":                                                        "a multiple of 10⁻⁹",
		"datasets: {stays: {epsilon: 1, delta: 1}}":                                                  "below 1",
		"datasets: {stays: {epsilon: 1, delta: 1e-16}}":                                              "a multiple of 10⁻¹⁵",
		"datasets: {stays: {epsilon: 1, refresh: true}}":                                             "no limit for a unit whose data stays",
		"datasets: {stays: {epsilon: 1, refresh: true, blocks: {by: unit, count: 4}}}":               "no limit for a unit whose data stays",
		"datasets: {stays: {epsilon: 1, blocks: {by: time, width: 1d, from: 2026-01-01T00:00:00Z}}}": "a unit must lie in one block",
		"datasets: {stays: {epsilon: 1, unit: {window: 7h}, blocks: {by: time, width: 1d, from: 2026-01-01T00:00:00Z}}}":                                   "a unit must lie in one block",
		"datasets: {stays: {epsilon: 1, refresh: true, unit: {name: patient-day, window: 1d}, blocks: {by: time, width: 7d, from: 2026-01-01T00:00:00Z}}}": "",
		"datasets: {stays: {epsilon: 1, blocks: {by: unit}}}":                                                                                              "need a count of at least 2",
		"datasets: {stays: {epsilon: 1, blocks: {count: 3}}}":                                                                                              "do not become more",
		"datasets: {stays: {epsilon: 1, blocks: {by: time}}}":                                                                                              "width and from",
		"datasets: {stays: {epsilon: 1, delta: 1e-6, filters: [{rule: basic}, {rule: rdp, order: 8, delta: 1e-6}]}}":                                       "",
		"datasets: {stays: {epsilon: 1, delta: 1e-6, filters: [{rule: rdp, order: 7, delta: 1e-7}]}}":                                                      "one of 2, 4, 8",
		"datasets: {stays: {epsilon: 1, delta: 1e-6, filters: [{rule: gdp, order: 8, delta: 1e-7}]}}":                                                      "order is for rdp",
		"datasets: {stays: {epsilon: 1, delta: 1e-6, filters: [{rule: zcdp}]}}":                                                                            "needs a share of δ",
		"datasets: {stays: {epsilon: 1, delta: 1e-6, filters: [{rule: zcdp, delta: 1e-6}, {rule: gdp, delta: 1e-15}]}}":                                    "more than delta",
		"datasets: {stays: {epsilon: 1, delta: 1e-6, filters: [{rule: basic}, {rule: basic, delta: 1e-9}]}}":                                               "listed twice",
		"datasets: {stays: {epsilon: 1, delta: 1e-6, slack: 1e-9}}":                                                                                        "list filters, too",
		"datasets: {stays: {epsilon: 1, versions: {every: 24h}}}":                                                                                          "every needs a from",
		"datasets: {stays: {epsilon: 1, versions: {from: 2026-01-01T00:00:00Z, every: 1s}}}":                                                               "at least 1m",
		"datasets: {stays: {epsilon: 1, pad: 1ms}}":                                                                                                        "at least 20ms",
		"datasets: {stays: {epsilon: 1, quotas: [{domain: other, epsilon: 1}]}}":                                                                           "",
		"datasets: {stays: {epsilon: 1, quotas: [{agent: guest, epsilon: 1}]}}":                                                                            "domain is missing",
		"datasets: {stays: {epsilon: 1, quotas: [{domain: own, agent: guest, epsilon: 1}]}}":                                                               "of another domain",
		"datasets: {stays: {epsilon: 1, quotas: [{domain: own, workflow: night, epsilon: 1}]}}":                                                            "there is no workflow",
		"budgets: {workflows: {night: [desk], day: [desk]}}":                                                                                               "in another workflow too",
		"budgets: {workflows: {night: [nobody]}}":                                                                                                          "there is no agent",
		"budgets: {workflows: {night: [guest]}}\ndatasets: {stays: {epsilon: 1, quotas: [{domain: other, agent: guest, epsilon: 1}]}}":                     "the agent is in a workflow",
		"budgets: {shared: {}}":                     "either env or file",
		"datasets: {stays: {epsilon: 1, noise: 3}}": `unknown key "noise"`,
	} {
		_, err := parseDatasets(t, datasetsBase+yaml+"\n")
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s:\n\terror = %v, want %q", yaml, err, want)
		}
	}
}

func TestQuestionsNameADatasetAndMechanisms(t *testing.T) {
	const stays = "datasets: {stays: {epsilon: 1}}\n"
	for questions, want := range map[string]string{
		goodQuestion: "",
		"    questions: [{tool: count, dataset: steys, cost: [{mech: laplace, scale: 10}]}]\n":                                                                    `there is no dataset "steys"`,
		"    questions: [{dataset: stays, cost: [{mech: laplace, scale: 10}]}]\n":                                                                                 "either tool or skill",
		"    questions: [{skill: \"*\", dataset: stays, cost: [{mech: laplace, scale: 10}]}]\n":                                                                   "a skill is one of an A2A agent",
		"    questions: [{tool: count, dataset: stays}]\n":                                                                                                        "cost is missing",
		"    questions: [{tool: count, dataset: stays, cost: []}]\n":                                                                                              "cost lists no mechanism",
		"    questions: [{tool: count, dataset: stays, cost: [{mech: tea}]}]\n":                                                                                   "one of laplace",
		"    questions: [{tool: count, dataset: stays, over: last, cost: [{mech: laplace, scale: 10}]}]\n":                                                        "no blocks of time",
		"    questions: [{tool: count, dataset: stays, cost: [{mech: laplace, scale: 10}]}, {tool: count, dataset: stays, cost: [{mech: laplace, scale: 10}]}]\n": "listed twice",
		"    questions: [{tool: count, dataset: stays, technique: guess, cost: [{mech: laplace, scale: 10}]}]\n":                                                  "one of aggregate",
		"    questions: [{tool: count, dataset: stays, cost: [{mech: laplace}]}]\n":                                                                               "spec[0].scale must be above 0",
		"    questions: [{tool: count, dataset: stays, cost: [{mech: laplace, scale: 0}]}]\n":                                                                     "spec[0].scale must be above 0",
		"    questions: [{tool: count, dataset: stays, cost: [{mech: laplace, scale: 1e300}]}]\n":                                                                 "spec[0].scale",
		"    questions: [{tool: count, dataset: stays, cost: [{mech: laplace, scale: 10, sigma: 3}]}]\n":                                                          "not a parameter of this mechanism",
		"    questions: [{tool: count, dataset: stays, cost: [{mech: gaussian, sigma: 10}]}]\n":                                                                   "a budget without δ",
		"    questions: [{tool: count, dataset: stays, delta: 2, cost: [{mech: laplace, scale: 10}]}]\n":                                                          "below 1",
	} {
		_, err := parseDatasets(t, datasetsBase+questions+stays)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s:\n\terror = %v, want %q", questions, err, want)
		}
	}
	c, err := parseDatasets(t, datasetsBase+"    questions: [{tool: count, dataset: stays, cost: [{mech: poisson_subsampled_gaussian, sigma: 1.50, q: 1e-2, count: 3}]}]\ndatasets: {stays: {epsilon: 1, delta: 1e-6}}\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(c.Agents[2].Questions[0].Cost[0].Spec()), `{"mech":"poisson_subsampled_gaussian","sigma":150e-2,"q":1e-2,"count":3}`; got != want {
		t.Errorf("Spec() = %s, want %s", got, want)
	}
}

func TestWhatAQuestionCostsIsRoundedUp(t *testing.T) {
	of := func(cost, delta string) Question {
		t.Helper()
		c, err := parseDatasets(t, datasetsBase+"    questions: [{tool: count, dataset: stays, cost: "+cost+"}]\ndatasets: {stays: {epsilon: 1, delta: "+delta+"}}\n")
		if err != nil {
			t.Fatal(err)
		}
		return c.Agents[2].Questions[0]
	}
	laplace := of("[{mech: laplace, scale: 3}]", "0")
	if v, err := laplace.Price(Dataset{}); err != nil || v.Epsilon != 333_333_334 || v.Delta != 0 {
		t.Errorf("1/3 costs %+v, %v", v, err)
	}
	var delta Exact
	if err := delta.UnmarshalText([]byte("1e-6")); err != nil {
		t.Fatal(err)
	}
	gauss := of("[{mech: gaussian, sigma: 10}]", "1e-6")
	if v, err := gauss.Price(Dataset{Delta: delta}); err != nil || v.Delta != 1_000_000 || v.Epsilon <= 0 || v.Epsilon > 1e9 || v.Mu2 != 10_000_000 {
		t.Errorf("Gaussian noise at a thousandth of the dataset's δ costs %+v, %v", v, err)
	}
}
