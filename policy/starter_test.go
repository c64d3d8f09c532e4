package policy

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/flow"
)

func loadStarter(t testing.TB, e Entities) *Set {
	t.Helper()
	s, err := Load(Starter(), Options{Entities: e})
	if err != nil {
		t.Fatalf("the starter policies do not load: %v", err)
	}
	return s
}

func TestStarterLoadsWithAnyConfiguration(t *testing.T) {
	loadStarter(t, Entities{})
	loadStarter(t, clinic())
	more, err := flow.DefaultTaxonomy().With([]flow.Class{{Label: "person/shoe-size", Tier: flow.Confidential}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Starter(), Options{Taxonomy: more}); err != nil {
		t.Errorf("the starter policies do not load with more labels: %v", err)
	}
}

func TestStarterPromises(t *testing.T) {
	results, err := RunTests(loadStarter(t, clinic()), os.DirFS("testdata"))
	if err != nil {
		t.Fatal(err)
	}
	if len(results) < 15 {
		t.Errorf("%d tests ran, want those of the file", len(results))
	}
	for _, r := range results {
		if !r.Passed {
			t.Error(r.Failure)
		}
	}
}

func TestStarterIsCommentedAndNamed(t *testing.T) {
	names, err := fs.Glob(Starter(), "*.cedar")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files, error %v", len(names), err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(Starter(), name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "// ") || strings.Count(string(text), "@id(") != strings.Count(string(text), "@reason(") {
			t.Errorf("%s does not begin with a comment, or a policy has no reason", name)
		}
	}
}

func TestPolicyTestsThatFailSayWhere(t *testing.T) {
	results, err := RunTestFile(loadStarter(t, clinic()), "my.test.yaml", strings.NewReader(`# first line
tests:
  - name: optimist
    from: desk
    to: claims
    label: government-id/ssn
    expect: raw
    reason: because
  - {name: opener, from: claims, to: desk, label: person/name, may_open: true, minted_for: insurer}
  - {name: by, from: desk, to: claims, label: public, by: tier}
`))
	if err != nil || len(results) != 3 {
		t.Fatalf("%d results, error %v", len(results), err)
	}
	for i, want := range []string{
		"my.test.yaml:3: optimist: government-id/ssn: got dropped by policy (no policy permits it), want raw; government-id/ssn: reason",
		"my.test.yaml:9: opener: person/name: may open is false (no policy permits opening), want true",
		"my.test.yaml:10: by: public: limited by policy, want tier",
	} {
		if r := results[i]; r.Passed || !strings.HasPrefix(r.Failure, want) {
			t.Errorf("failure = %q, want %q", r.Failure, want)
		}
	}
}

func TestMistakesInPolicyTests(t *testing.T) {
	s := loadStarter(t, clinic())
	for _, c := range []struct{ name, text, want string }{
		{"not YAML", "tests: [", "t.yaml:1"},
		{"no list", "a: 1", `t.yaml:1:1: "a" is not known here`},
		{"not a mapping", "- 1", "t.yaml:1:3: a test is a mapping"},
		{"an unknown member", "- {label: public, expct: raw}", `t.yaml:1:19: "expct" is not a member of a test (did you mean "expect"?)`},
		{"an unknown agent", "- {from: desc, label: public, expect: raw}", `t.yaml:1:10: agent "desc" is not known (did you mean "desk"?)`},
		{"an unknown purpose", "- {purpose: biling, label: public, expect: raw}", `purpose "biling" is not known (did you mean "billing"?)`},
		{"an unknown label", "- {label: person/nam, expect: raw}", `label "person/nam" is not known (did you mean "person/name"?)`},
		{"an unknown level", "- {label: public, expect: rw}", "level is not one of"},
		{"a parameter of another level", "- {label: public, expect: masked/year}", `"year" is not a parameter of masked`},
		{"no label", "- {expect: raw}", "the test asks about nothing"},
		{"no expectation", "- {label: public}", "the test expects nothing"},
		{"a number that is none", "- {label: public, expect: raw, hop: many}", "this must be a whole number"},
		{"a key twice", "- {label: public, label: public, expect: raw}", "a key is given twice"},
		{"a party's member", "- {to: {agnt: x}, label: public, expect: raw}", `did you mean "agent"?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := RunTestFile(s, "t.yaml", strings.NewReader(c.text))
			if _, ok := errors.AsType[Mistakes](err); !ok || !strings.Contains(err.Error(), c.want) {
				t.Errorf("RunTestFile() error = %v, want one that contains %s", err, c.want)
			}
		})
	}
}

func TestMayOpenIsDeniedByDefault(t *testing.T) {
	q := OpenQuery{Query: toClaims(), Label: email, MintedFor: "hospital", SameTask: true, Supplier: "claims"}
	for _, c := range []struct {
		name, policies string
		change         func(*OpenQuery)
		want           bool
		reason         string
	}{
		{"no policy", ``, nil, false, "no policy permits"},
		{"a permit to see is none to open", `permit (principal, action in Action::"upto_raw", resource);`, nil, false, "no policy permits"},
		{"a permit", `@reason("agreed") permit (principal, action == Action::"open", resource in DataClass::"person");`, nil, true, "agreed"},
		{"of another class", `permit (principal, action == Action::"open", resource in DataClass::"health");`, nil, false, "no policy permits"},
		{"a forbid", `permit (principal, action == Action::"open", resource); @reason("frozen") forbid (principal, action == Action::"open", resource);`, nil, false, "frozen"},
		{"an erring forbid", `permit (principal, action == Action::"open", resource); forbid (principal, action == Action::"open", resource) when { ` + overflow + ` };`, nil, false, "could not be evaluated"},
		{"a forbid of everything", `permit (principal, action == Action::"open", resource); forbid (principal, action, resource);`, nil, false, "forbids it"},
		{"minted for another domain", `permit (principal, action == Action::"open", resource);`, func(q *OpenQuery) { q.MintedFor = "lab" }, false, "not minted for"},
		{"minted for nobody knows whom", `permit (principal, action == Action::"open", resource);`, func(q *OpenQuery) { q.MintedFor = ""; q.Flow.From.Domain = "" }, false, "not minted for"},
		{"the supplier", `permit (principal, action == Action::"open", resource) when { context.is_supplier };`, nil, true, ""},
		{"no supplier known", `permit (principal, action == Action::"open", resource) when { context.is_supplier };`, func(q *OpenQuery) { q.Supplier = ""; q.Flow.To.Agent = "" }, false, "no policy"},
		{"another domain's token by policy", `permit (principal, action == Action::"open", resource) when { context.minted_for == Domain::"hospital" };`, nil, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := q
			q.Flow.Hop = 1
			if c.change != nil {
				c.change(&q)
			}
			got, _, reason, err := mustLoad(t, c.policies).MayOpen(q)
			if err != nil || got != c.want || !strings.Contains(reason, c.reason) {
				t.Errorf("MayOpen() = %t (%s), error %v; want %t (%s)", got, reason, err, c.want, c.reason)
			}
		})
	}
}

func TestExplanationReads(t *testing.T) {
	s, err := Load(fstest.MapFS{"clinic.cedar": {Data: []byte(`
		@id("billing") @retain("P30D") @legal_basis("dpv:Contract") permit (principal in Role::"adjuster", action in Action::"upto_raw", resource in DataClass::"person");
		@id("no-raw") @reason("the insurer needs no addresses") forbid (principal, action in Action::"atleast_raw", resource in DataClass::"person/contact");`)},
		"next.shadow.cedar": {Data: []byte(`forbid (principal, action in Action::"atleast_masked", resource);`)}}, Options{Entities: clinic()})
	if err != nil {
		t.Fatal(err)
	}
	q := toClaims()
	q.Flow.Task.Criticality = flow.Routine
	e, err := s.Explain(q, flow.Leaf{Label: "person/contact/phone", Field: "patients/phone", Need: &flow.Treatment{Level: flow.Raw}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `label        person/contact/phone (confidential, identifier)
field        patients/phone
recipient    claims (domain insurer, role adjuster)
sender       desk (domain hospital, role nurse)
purpose      prior-authorisation, routine criticality
raw?         no: forbidden by no-raw; permitted by billing; above the tier's cap
tokenized?   yes: permitted by billing
masked?      yes: permitted by billing
policy       tokenized(reversible)
tier         at most tokenized
need         raw
result       tokenized(reversible), by policy
reason       the insurer needs no addresses
retain       720h0m0s
legal basis  dpv:Contract
shadow       dropped, by policy (not enforced)
`
	if got := e.String(); got != strings.Replace(want, "; above the tier's cap", "", 1) {
		t.Errorf("explanation:\n%s\nwant:\n%s", got, want)
	}
}
