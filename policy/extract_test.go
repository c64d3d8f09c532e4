package policy

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// openClinic is the clinic with datasets whose rows may leave.
func openClinic() Entities {
	e := clinic()
	e.Datasets = []Dataset{{Name: "patients"}, {Name: "trial", Formal: true}, {Name: "visits"}}
	return e
}

func loadOpen(t testing.TB, text string) *Set {
	t.Helper()
	s, err := Load(fstest.MapFS{"test.cedar": {Data: []byte(text)}}, Options{Entities: openClinic()})
	if err != nil {
		t.Fatalf("Load() error = %v", err)
	}
	return s
}

func toLab(c flow.Criticality) Query {
	e := clinic()
	return Query{Flow: flow.Flow{From: e.Agents[0], To: e.Agents[3], Purpose: "research", Task: flow.Task{Criticality: c}, Direction: flow.Response, Protocol: "scrim/table"}}
}

const labExtract = `
	@id("lab-extract") @reason("agreed with the ethics board") @exception("protocol 7") @retain("P365D") @legal_basis("dpv:Consent")
	permit (principal in Role::"researcher", action == Action::"extract", resource == Dataset::"patients")
	when { context.purpose in Purpose::"research" && context.k >= 5 && context.risk <= 200 };`

func table(t testing.TB, s *Set, q TableQuery, leaves ...flow.Leaf) TableTerms {
	t.Helper()
	got, err := s.DecideTable(q, leaves)
	if err != nil {
		t.Fatalf("DecideTable() error = %v", err)
	}
	return got
}

func TestRowsLeaveOnlyWithTheGuaranteeThatPolicyAsksFor(t *testing.T) {
	s := loadOpen(t, labExtract+`permit (principal, action in Action::"upto_raw", resource);`)
	for name, c := range map[string]struct {
		dataset string
		model   Model
		to      func(*Query)
		want    bool
	}{
		"as agreed":             {"patients", Model{K: 5, Risk: 200}, nil, true},
		"more than agreed":      {"patients", Model{K: 50, Risk: 20}, nil, true},
		"a smaller k":           {"patients", Model{K: 4, Risk: 200}, nil, false},
		"no bound on the risk":  {"patients", Model{K: 5}, nil, false},
		"no model":              {"patients", Model{}, nil, false},
		"another dataset":       {"visits", Model{K: 5, Risk: 200}, nil, false},
		"a dataset of nobody's": {"", Model{K: 5, Risk: 200}, nil, false},
		"another purpose":       {"patients", Model{K: 5, Risk: 200}, func(q *Query) { q.Flow.Purpose = "billing" }, false},
		"another recipient":     {"patients", Model{K: 5, Risk: 200}, func(q *Query) { q.Flow.To = clinic().Agents[2] }, false},
	} {
		q := TableQuery{Query: toLab(flow.Routine), Dataset: c.dataset, Model: c.model}
		if c.to != nil {
			c.to(&q.Query)
		}
		if got := table(t, s, q, flow.Leaf{Label: diagnosis}); got.Allowed != c.want {
			t.Errorf("%s: rows may leave is %t (%s), want %t", name, got.Allowed, got.Reason, c.want)
		}
	}
}

func TestAPermitForMessagesGivesNobodyATable(t *testing.T) {
	s := loadOpen(t, `permit (principal, action in [Action::"upto_raw"], resource);`)
	got := table(t, s, TableQuery{Query: toLab(flow.Critical), Dataset: "patients", Model: Model{K: 1000}}, flow.Leaf{Label: birth})
	if got.Allowed || !strings.Contains(got.Reason, "no policy permits to extract") {
		t.Errorf("rows may leave is %t (%s), want no policy that permits it", got.Allowed, got.Reason)
	}
}

func TestRowsOfAFormalDatasetNeverLeave(t *testing.T) {
	s := loadOpen(t, `permit (principal, action == Action::"extract", resource);`)
	if got := table(t, s, TableQuery{Query: toLab(flow.Critical), Dataset: "visits"}); !got.Allowed {
		t.Fatalf("rows of visits may leave is false (%s): the test below would prove nothing", got.Reason)
	}
	got := table(t, s, TableQuery{Query: toLab(flow.Critical), Dataset: "trial", Model: Model{K: 1000, Risk: 1}})
	if got.Allowed || !strings.Contains(got.Reason, "formal") {
		t.Errorf("rows of a formal dataset may leave is %t (%s), want false since it is formal", got.Allowed, got.Reason)
	}
}

func TestWhatTheGuaranteeCovers(t *testing.T) {
	const (
		routine  = flow.Routine
		plain    = `@id("x") permit (principal, action == Action::"extract", resource == Dataset::"patients") when { context.k >= 5 };`
		genes    = labExtract + `@id("no-genes") @reason("never") forbid (principal, action in Action::"atleast_masked", resource in DataClass::"health/genetic");`
		noRaw    = labExtract + `@id("no-raw") forbid (principal, action in Action::"atleast_raw", resource == Field::"patients/birth");`
		erring   = labExtract + `@id("errs") forbid (principal, action in Action::"atleast_raw", resource in DataClass::"health") when { context.hop + 9223372036854775807 > 3 };`
		toMasked = labExtract + `@id("mask") permit (principal, action in Action::"upto_masked", resource in DataClass::"person");`
	)
	for name, c := range map[string]struct {
		policies string
		leaf     flow.Leaf
		covered  bool
		want     string
		by       flow.Limit
	}{
		"an exception lifts the cap":              {labExtract, flow.Leaf{Label: diagnosis}, true, "raw", flow.ByPolicy},
		"without one the tier holds":              {plain, flow.Leaf{Label: diagnosis}, true, "masked", flow.ByTier},
		"and a confidential one is generalised":   {plain, flow.Leaf{Label: birth}, true, "generalized", flow.ByTier},
		"a column outside is a field":             {labExtract, flow.Leaf{Label: diagnosis}, false, "dropped", flow.ByPolicy},
		"a name is a name in every model":         {labExtract, flow.Leaf{Label: "person/name"}, true, "dropped", flow.ByPolicy},
		"an unlabelled column, too":               {labExtract, flow.Leaf{Label: flow.Unlabelled}, true, "dropped", flow.ByPolicy},
		"no label is unlabelled":                  {labExtract, flow.Leaf{}, true, "dropped", flow.ByPolicy},
		"one that nobody knows":                   {labExtract, flow.Leaf{Label: "made/up"}, true, "dropped", flow.ByPolicy},
		"prose is not protected by counting":      {labExtract, flow.Leaf{Label: flow.FreeText}, true, "dropped", flow.ByPolicy},
		"a clinical note neither":                 {labExtract, flow.Leaf{Label: "health/note"}, true, "dropped", flow.ByPolicy},
		"a forbid holds":                          {genes, flow.Leaf{Label: "health/genetic"}, true, "dropped", flow.ByPolicy},
		"a forbid of raw leaves generalized":      {noRaw, flow.Leaf{Label: birth, Field: "patients/birth"}, true, "generalized", flow.ByPolicy},
		"a field with a stricter label asks both": {genes, flow.Leaf{Label: "health/genetic", Field: "patients/birth"}, true, "dropped", flow.ByPolicy},
		"a policy that errs denies":               {erring, flow.Leaf{Label: diagnosis}, true, "generalized", flow.ByPolicy},
		"an identifier keeps its field policy":    {toMasked, flow.Leaf{Label: email}, true, "masked", flow.ByPolicy},
	} {
		s := loadOpen(t, c.policies)
		q := toLab(routine)
		if name == "a policy that errs denies" {
			q.Flow.Hop = 1
		}
		got := table(t, s, TableQuery{Query: q, Dataset: "patients", Model: Model{K: 5, Risk: 200}, Covered: []bool{c.covered}}, c.leaf)
		if !got.Allowed {
			t.Fatalf("%s: rows may not leave: %s", name, got.Reason)
		}
		if l := got.Leaves[0]; l.Treatment.String() != c.want || l.By != c.by {
			t.Errorf("%s: %s shows as %s by %s (%s), want %s by %s", name, c.leaf.Label, l.Treatment, l.By, l.Reason, c.want, c.by)
		}
	}
}

func TestDutiesOfATable(t *testing.T) {
	s := loadOpen(t, labExtract)
	got := table(t, s, TableQuery{Query: toLab(flow.Routine), Dataset: "patients", Model: Model{K: 5, Risk: 200}, Covered: []bool{true}}, flow.Leaf{Label: diagnosis})
	if got.Duties.Retain != 365*24*time.Hour || !slices.Equal(got.Duties.Basis, []string{"dpv:Consent"}) {
		t.Errorf("duties are %+v, want a year and the legal basis of the permit", got.Duties)
	}
}

// Whatever the permits ask for: where a table may leave, one with a stronger guarantee may, and none of its columns shows less.
func TestAStrongerGuaranteeNeverOpensLess(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	conditions := []string{
		"when { context.k >= 5 }", "when { context.k > 2 && context.l >= 2 }", "unless { context.risk > 100 }", "when { !(context.t > 200) }",
		"when { 10 <= context.k || context.t <= 150 }", "when { context.k >= 3 } unless { context.l < 3 }", "",
	}
	pick := func() string { return conditions[r.IntN(len(conditions))] }
	for range 200 {
		text := `permit (principal, action == Action::"extract", resource) ` + pick() + ";\n" + `permit (principal, action == Action::"extract", resource) ` + pick() + ";\n" +
			`forbid (principal, action == Action::"extract", resource) ` + []string{"when { context.k < 3 }", "unless { context.risk <= 500 }", "when { context.t > 900 || context.l < 2 }"}[r.IntN(3)] + ";"
		s := loadOpen(t, text)
		for range 20 {
			weak := Model{K: r.IntN(12), L: r.IntN(5), T: r.IntN(1200), Risk: r.IntN(1200)}
			strong := Model{K: weak.K + r.IntN(3), L: weak.L + r.IntN(2), T: max(1, bounded(weak.T)-r.IntN(300)), Risk: max(1, bounded(weak.Risk)-r.IntN(300))}
			q := TableQuery{Query: toLab(flow.Routine), Dataset: "patients", Model: weak}
			before := table(t, s, q).Allowed
			q.Model = strong
			if after := table(t, s, q).Allowed; before && !after {
				t.Fatalf("%s\nopens for %+v and not for %+v", text, weak, strong)
			}
		}
	}
}

func TestMistakesAboutTables(t *testing.T) {
	for name, c := range map[string]struct{ policy, want string }{
		"a permit for weak tables":        {`permit (principal, action == Action::"extract", resource) when { context.k <= 5 };`, "a stronger guarantee may not open less"},
		"the same turned round":           {`permit (principal, action == Action::"extract", resource) unless { context.k >= 5 };`, "a stronger guarantee may not open less"},
		"a permit for risky tables":       {`permit (principal, action == Action::"extract", resource) when { context.risk >= 5 };`, "a stronger guarantee may not open less"},
		"a forbid of strong tables":       {`forbid (principal, action == Action::"extract", resource) when { context.k >= 5 };`, "a stronger guarantee may not open less"},
		"an exact number":                 {`permit (principal, action == Action::"extract", resource) when { context.k == 5 };`, "compared with a whole number, by itself"},
		"arithmetic":                      {`permit (principal, action == Action::"extract", resource) when { context.k + context.l > 5 };`, "compared with a whole number, by itself"},
		"thousandths over a thousand":     {`permit (principal, action == Action::"extract", resource) when { context.t <= 2000 };`, "compared with a whole number, by itself"},
		"a level that asks for k":         {`permit (principal, action in Action::"upto_raw", resource) when { context.k >= 5 };`, "'k' is not in the context"},
		"an extract of a class":           {`permit (principal, action == Action::"extract", resource in DataClass::"person");`, ""},
		"a table that asks for the score": {`permit (principal, action == Action::"extract", resource) when { context.score < 60 };`, ""},
		"a formal dataset":                {`permit (principal, action == Action::"extract", resource == Dataset::"trial");`, `"trial" is formal`},
		"a misspelt dataset":              {`permit (principal, action == Action::"extract", resource == Dataset::"patient");`, `did you mean "patients"`},
		"an exception for every dataset":  {`@exception("why") permit (principal, action == Action::"extract", resource);`, "an exception must name"},
		"an exception of another action":  {`@exception("why") permit (principal, action == Action::"aggregate", resource == Dataset::"patients");`, "an exception must name"},
	} {
		_, err := Load(fstest.MapFS{"p.cedar": {Data: []byte(c.policy)}}, Options{Entities: openClinic()})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Load() error = %v, want %q", name, err, c.want)
		}
	}
}

func TestPolicyTestsOfTables(t *testing.T) {
	s := loadOpen(t, labExtract+`@id("no-genes") forbid (principal, action in Action::"atleast_masked", resource in DataClass::"health/genetic");`)
	const head = "from: desk, to: study, purpose: research, criticality: routine, dataset: patients"
	for name, c := range map[string]struct {
		test string
		pass bool
	}{
		"may leave":           {"{" + head + ", k: 5, risk: 200, may_extract: true, reason: ethics board}", true},
		"may not":             {"{" + head + ", k: 4, risk: 200, may_extract: false, reason: no policy}", true},
		"wrong":               {"{" + head + ", k: 4, risk: 200, may_extract: true}", false},
		"a covered column":    {"{" + head + ", k: 5, risk: 200, covered: true, label: health/diagnosis, expect: raw}", true},
		"one outside":         {"{" + head + ", k: 5, risk: 200, label: health/diagnosis, expect: dropped}", true},
		"of a refused table":  {"{" + head + ", k: 2, risk: 200, covered: true, label: health/diagnosis, expect: dropped}", true},
		"wrong level":         {"{" + head + ", k: 5, risk: 200, covered: true, label: health/genetic, expect: raw}", false},
		"both, and they hold": {"{" + head + ", k: 5, risk: 200, covered: true, label: health/genetic, expect: dropped, may_extract: true}", true},
	} {
		res, err := RunTestFile(s, "x.test.yaml", strings.NewReader("tests:\n  - "+c.test+"\n"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if res[0].Passed != c.pass {
			t.Errorf("%s: passed is %t (%s), want %t", name, res[0].Passed, res[0].Failure, c.pass)
		}
	}
	for _, bad := range []string{"{dataset: patient, k: 5, may_extract: true}", "{k: five, may_extract: true}", "{may_open: true, may_extract: true, label: person/name}"} {
		if _, err := RunTestFile(s, "x.test.yaml", strings.NewReader("tests:\n  - "+bad+"\n")); err == nil {
			t.Errorf("test %s is taken, want a mistake", bad)
		}
	}
}
