package policy

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// clinic is a small configuration that the tests share.
func clinic() Entities {
	return Entities{
		Agents: []flow.Party{
			{Agent: "desk", Domain: "hospital", Roles: []flow.Role{"nurse"}},
			{Agent: "chart", Domain: "hospital", Roles: []flow.Role{"doctor"}, Attested: true},
			{Agent: "claims", Domain: "insurer", Roles: []flow.Role{"adjuster"}},
			{Agent: "study", Domain: "lab", Roles: []flow.Role{"researcher"}},
		},
		RoleParents: map[flow.Role][]flow.Role{"doctor": {"clinician"}, "nurse": {"clinician"}, "adjuster": {"staff"}},
		Purposes:    map[flow.Purpose][]flow.Purpose{"care": nil, "billing": nil, "prior-authorisation": {"billing"}, "research": nil},
		Fields: []Field{
			{Name: "patients/phone", Dataset: "patients", Label: "person/contact/phone"},
			{Name: "patients/note", Dataset: "patients", Label: "text/free"},
			{Name: "patients/birth", Dataset: "patients", Label: "person/birth-date"},
		},
		Datasets: []Dataset{{Name: "patients", Formal: true}},
	}
}

func mustLoad(t testing.TB, text string) *Set {
	t.Helper()
	s, err := Load(fstest.MapFS{"test.cedar": {Data: []byte(text)}}, Options{Entities: clinic()})
	if err != nil {
		t.Fatalf("Load() error = %v", err)
	}
	return s
}

// toClaims is a critical billing flow from the hospital to the insurer, at which the tier is out of the way.
func toClaims() Query {
	e := clinic()
	return Query{Flow: flow.Flow{From: e.Agents[0], To: e.Agents[2], Purpose: "prior-authorisation", Task: flow.Task{Criticality: flow.Critical}}}
}

func decideOne(t testing.TB, s *Set, q Query, leaf flow.Leaf) flow.LeafTerms {
	t.Helper()
	terms, err := s.Decide(q, []flow.Leaf{leaf})
	if err != nil {
		t.Fatalf("Decide() error = %v", err)
	}
	return terms.Leaves[0]
}

const email, birth, diagnosis flow.Label = "person/contact/email", "person/birth-date", "health/diagnosis"

func TestLadder(t *testing.T) {
	const all = `@id("all") permit (principal, action in Action::"upto_raw", resource);`
	for _, c := range []struct {
		name, policies string
		label          flow.Label
		want           string
	}{
		{"nothing permits", ``, email, "dropped"},
		{"raw", all, email, "raw"},
		{"an identifier up to tokenized", `permit (principal, action in Action::"upto_tokenized", resource);`, email, "tokenized(reversible)"},
		{"an attribute never becomes a token", `permit (principal, action in Action::"upto_tokenized", resource);`, birth, "masked"},
		{"an attribute up to generalized", `permit (principal, action in Action::"upto_generalized", resource);`, birth, "generalized(year)"},
		{"an identifier is never generalised", `permit (principal, action in Action::"upto_generalized", resource);`, email, "masked"},
		{"up to masked", `permit (principal, action in Action::"upto_masked", resource);`, email, "masked"},
		{"raw forbidden", all + `forbid (principal, action in Action::"atleast_raw", resource);`, email, "tokenized(reversible)"},
		{"tokens forbidden, so raw too", all + `forbid (principal, action in Action::"atleast_tokenized", resource);`, email, "masked"},
		{"tokens forbidden, an attribute keeps its own second level", all + `forbid (principal, action in Action::"atleast_tokenized", resource);`, birth, "generalized(year)"},
		{"everything forbidden", all + `forbid (principal, action in Action::"atleast_masked", resource);`, birth, "dropped"},
		{"a parent class", `permit (principal, action in Action::"upto_raw", resource in DataClass::"person");`, email, "raw"},
		{"a sibling class", `permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact/phone");`, email, "dropped"},
		{"an inherited role", `permit (principal in Role::"staff", action in Action::"upto_raw", resource);`, email, "raw"},
		{"another role", `permit (principal in Role::"clinician", action in Action::"upto_raw", resource);`, email, "dropped"},
		{"a purpose within", `permit (principal, action in Action::"upto_raw", resource) when { context.purpose in Purpose::"billing" };`, email, "raw"},
		{"another purpose", `permit (principal, action in Action::"upto_raw", resource) when { context.purpose in Purpose::"research" };`, email, "dropped"},
		{"the sender's role", `permit (principal, action in Action::"upto_raw", resource) when { context.from in Role::"nurse" };`, email, "raw"},
		{"an unknown label is unlabelled", `permit (principal, action in Action::"upto_raw", resource in DataClass::"unlabelled");`, "nobody/knows", "tokenized(reversible)"},
		{"no label is unlabelled", `permit (principal, action in Action::"upto_raw", resource in DataClass::"unlabelled");`, "", "tokenized(reversible)"},
		{"a label below a known one", `permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact");`, "person/contact/email/work", "raw"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decideOne(t, mustLoad(t, c.policies), toClaims(), flow.Leaf{Label: c.label}); got.String() != c.want {
				t.Errorf("%s shows as %s (%s), want %s", c.label, got.Treatment, got.Reason, c.want)
			}
		})
	}
}

func TestParametersAreMet(t *testing.T) {
	for _, c := range []struct {
		name, policies string
		label          flow.Label
		want           string
	}{
		{"one", `@generalize("month") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/birth-date");`, birth, "generalized(month)"},
		{"the coarser of two", `@generalize("month") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/birth-date");
			@generalize("decade") permit (principal, action in Action::"upto_generalized", resource);`, birth, "generalized(decade)"},
		{"an unannotated permit means the label's default", `@generalize("month") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/birth-date");
			permit (principal, action in Action::"upto_generalized", resource);`, birth, "generalized(year)"},
		{"a permit of more has no wish for less", `@generalize("month") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/birth-date");
			permit (principal, action in Action::"upto_raw", resource); forbid (principal, action in Action::"atleast_raw", resource);`, birth, "generalized(month)"},
		{"parameters without a meet mask", `@generalize("bucket:10") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/age");
			@generalize("round:7") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/age");`, "person/age", "masked"},
		{"one-way tokens", `@token("oneway") permit (principal, action in Action::"upto_tokenized", resource);
			permit (principal, action in Action::"upto_tokenized", resource);`, email, "tokenized(oneway)"},
		{"a partial mask", `@mask("keep:4") permit (principal, action in Action::"upto_masked", resource);`, "finance/iban", "masked(keep:4)"},
		{"the shorter of two masks", `@mask("keep:4") permit (principal, action in Action::"upto_masked", resource);
			@mask("keep:2") permit (principal, action in Action::"upto_masked", resource);`, "finance/iban", "masked(keep:2)"},
		{"a partial mask is for identifiers", `@mask("keep:4") permit (principal, action in Action::"upto_masked", resource);`, birth, "masked"},
		{"a parameter that does not fit the class masks", `@generalize("month") permit (principal, action in Action::"upto_generalized", resource);`, diagnosis, "masked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decideOne(t, mustLoad(t, c.policies), toClaims(), flow.Leaf{Label: c.label}); got.String() != c.want {
				t.Errorf("%s shows as %s, want %s", c.label, got.Treatment, c.want)
			}
		})
	}
}

func TestNeedAndTierLimit(t *testing.T) {
	const all = `@reason("because") permit (principal, action in Action::"upto_raw", resource);`
	need := func(l flow.Level, p flow.Param) *flow.Treatment { return &flow.Treatment{Level: l, Param: p} }
	for _, c := range []struct {
		name        string
		criticality flow.Criticality
		leaf        flow.Leaf
		want        string
		by          flow.Limit
		reason      string
	}{
		{"policy alone", flow.Critical, flow.Leaf{Label: birth}, "raw", flow.ByPolicy, "because"},
		{"the need is less", flow.Critical, flow.Leaf{Label: birth, Need: need(flow.Generalized, "")}, "generalized(year)", flow.ByNeed, "needs no more"},
		{"the need is more", flow.Critical, flow.Leaf{Label: birth, Need: need(flow.Raw, "")}, "raw", flow.ByPolicy, "because"},
		{"a need of nothing", flow.Critical, flow.Leaf{Label: birth, Need: need(flow.Dropped, "")}, "dropped", flow.ByNeed, "needs no more"},
		{"a need that the family does not have", flow.Critical, flow.Leaf{Label: birth, Need: need(flow.Tokenized, "")}, "masked", flow.ByNeed, "needs no more"},
		{"the tier is less", flow.Routine, flow.Leaf{Label: birth}, "generalized(year)", flow.ByTier, "confidential data shows at most generalized"},
		{"tier and need alike", flow.Low, flow.Leaf{Label: birth, Need: need(flow.Masked, "")}, "masked", flow.ByNeed, "needs no more"},
		{"the tier under the need", flow.Low, flow.Leaf{Label: birth, Need: need(flow.Generalized, "year")}, "masked", flow.ByTier, "confidential"},
		{"restricted at a routine task", flow.Routine, flow.Leaf{Label: diagnosis}, "masked", flow.ByTier, "restricted"},
		{"restricted at a low task", flow.Low, flow.Leaf{Label: diagnosis}, "dropped", flow.ByTier, "not shown"},
		{"public", flow.Low, flow.Leaf{Label: flow.PublicData}, "raw", flow.ByPolicy, "because"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := toClaims()
			q.Flow.Task.Criticality = c.criticality
			got := decideOne(t, mustLoad(t, all), q, c.leaf)
			if got.String() != c.want || got.By != c.by || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("shows as %s by %s (%s), want %s by %s (%s)", got.Treatment, got.By, got.Reason, c.want, c.by, c.reason)
			}
		})
	}
}

func TestTheTierKeepsTheMaskThatPolicyAsksFor(t *testing.T) {
	s := mustLoad(t, `@mask("keep:2") permit (principal, action in Action::"upto_raw", resource);`)
	q := toClaims()
	q.Flow.Task.Criticality = flow.Low
	if got := decideOne(t, s, q, flow.Leaf{Label: email}); got.String() != "masked(keep:2)" {
		t.Errorf("shows as %s, want masked(keep:2)", got.Treatment)
	}
}

func TestExceptions(t *testing.T) {
	const named = `@exception("agreed") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact/email");`
	const field = `@exception("agreed") permit (principal, action in Action::"upto_raw", resource == Field::"patients/phone");`
	const parent = `@exception("agreed") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact");`
	const second = `permit (principal, action in Action::"upto_raw", resource);
		@exception("agreed") permit (principal, action in Action::"upto_tokenized", resource in DataClass::"person/contact/email");`
	const ssn = `@exception("agreed") permit (principal, action in Action::"upto_raw", resource in DataClass::"government-id/ssn");`
	const all = `permit (principal, action in Action::"upto_raw", resource);`
	critical := func(q *Query) { q.Flow.Task.Criticality = flow.Critical }
	attested := func(q *Query) { q.Flow.To.Attested = true }
	approved := func(q *Query) { q.Approved = true }
	for _, c := range []struct {
		name, policies string
		leaf           flow.Leaf
		change         func(*Query)
		want           string
	}{
		{"the label itself", named, flow.Leaf{Label: email}, nil, "raw"},
		{"the field itself", field, flow.Leaf{Label: "person/contact/phone", Field: "patients/phone"}, nil, "raw"},
		{"a parent is not named enough", parent, flow.Leaf{Label: email}, nil, "masked"},
		{"up to the level that the exception names", second, flow.Leaf{Label: email}, nil, "tokenized(reversible)"},
		{"restricted too, by an exception that names it", ssn, flow.Leaf{Label: "government-id/ssn"}, nil, "raw"},
		{"restricted at a critical task", all, flow.Leaf{Label: "government-id/ssn"}, critical, "tokenized(reversible)"},
		{"restricted at a critical task, attested", all, flow.Leaf{Label: "government-id/ssn"}, func(q *Query) { critical(q); attested(q) }, "raw"},
		{"restricted at a critical task, approved", all, flow.Leaf{Label: "government-id/ssn"}, func(q *Query) { critical(q); approved(q) }, "raw"},
		{"attestation alone is no exception", all, flow.Leaf{Label: "government-id/ssn"}, attested, "dropped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := toClaims()
			q.Flow.Task.Criticality = flow.Low
			if c.change != nil {
				c.change(&q)
			}
			if got := decideOne(t, mustLoad(t, c.policies), q, c.leaf); got.String() != c.want {
				t.Errorf("shows as %s (%s), want %s", got.Treatment, got.Reason, c.want)
			}
		})
	}
}

func TestAFindingInAFieldNeedsBothPermits(t *testing.T) {
	const field = `permit (principal, action in Action::"upto_raw", resource == Field::"patients/note");`
	const class = `permit (principal, action in Action::"upto_tokenized", resource in DataClass::"person/contact/email");`
	leaf := flow.Leaf{Label: email, Field: "patients/note", Origin: flow.Detected}
	for _, c := range []struct{ name, policies, want string }{
		{"the field alone", field, "dropped"},
		{"the class alone", class, "dropped"},
		{"both", field + class, "tokenized(reversible)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decideOne(t, mustLoad(t, c.policies), toClaims(), leaf); got.String() != c.want {
				t.Errorf("an address found in a note shows as %s, want %s", got.Treatment, c.want)
			}
		})
	}
	if got := decideOne(t, mustLoad(t, class), toClaims(), flow.Leaf{Label: email, Field: "unknown/field"}); got.String() != "tokenized(reversible)" {
		t.Errorf("a field that the catalog does not know shows as %s, want what its class does", got.Treatment)
	}
}

func TestReasonsAndPolicies(t *testing.T) {
	const text = `
		@id("open") @reason("care team") permit (principal, action in Action::"upto_raw", resource);
		@id("stop") @reason("the study has no consent") forbid (principal, action in Action::"atleast_tokenized", resource in DataClass::"person/contact") unless { context.consent };`
	s := mustLoad(t, text)
	got := decideOne(t, s, toClaims(), flow.Leaf{Label: email})
	if got.Level != flow.Masked || got.Reason != "the study has no consent" || !slices.Equal(got.Policies, []flow.PolicyID{"open", "stop"}) {
		t.Errorf("got %s, reason %q, policies %v; want masked, the forbid's reason, both policies", got.Treatment, got.Reason, got.Policies)
	}
	q := toClaims()
	q.Consent = true
	got = decideOne(t, s, q, flow.Leaf{Label: email})
	if got.Level != flow.Raw || got.Reason != "care team" || !slices.Equal(got.Policies, []flow.PolicyID{"open"}) {
		t.Errorf("got %s, reason %q, policies %v; want raw, the permit's reason and the permit", got.Treatment, got.Reason, got.Policies)
	}
	unnamed := mustLoad(t, "\n\npermit (principal, action in Action::\"upto_raw\", resource);")
	if got := decideOne(t, unnamed, toClaims(), flow.Leaf{Label: email}); !slices.Equal(got.Policies, []flow.PolicyID{"test.cedar:3"}) {
		t.Errorf("policies = %v, want test.cedar:3", got.Policies)
	}
}

func TestAPolicyThatErrsDenies(t *testing.T) {
	const boom = `context.hop + 9223372036854775807 > 0`
	const all = `permit (principal, action in Action::"upto_raw", resource);`
	for _, c := range []struct{ name, policies, want string }{
		{"an erring forbid", all + `@id("f") forbid (principal, action in Action::"atleast_tokenized", resource) when { ` + boom + ` };`, "masked"},
		{"an erring permit", all + `@id("f") permit (principal, action in Action::"upto_tokenized", resource) when { ` + boom + ` };`, "raw"},
		{"an erring permit of everything", all + `@id("f") permit (principal, action in Action::"upto_raw", resource) when { ` + boom + ` };`, "dropped"},
		{"an erring policy about something else", all + `@id("f") forbid (principal, action in Action::"atleast_masked", resource in DataClass::"health") when { ` + boom + ` };`, "raw"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := toClaims()
			q.Flow.Hop = 1
			got := decideOne(t, mustLoad(t, c.policies), q, flow.Leaf{Label: email})
			if got.String() != c.want {
				t.Errorf("shows as %s (%s), want %s", got.Treatment, got.Reason, c.want)
			}
		})
	}
}

func TestDuties(t *testing.T) {
	s := mustLoad(t, `
		@retain("P30D") @legal_basis("dpv:Contract") @notify("dpo, desk") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact/email");
		@retain("P7D") @legal_basis("dpv:Consent") @notify("dpo") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/birth-date");
		permit (principal, action in Action::"upto_raw", resource in DataClass::"person/name");
		permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`)
	terms, err := s.Decide(toClaims(), []flow.Leaf{{Label: email}, {Label: birth}, {Label: flow.PublicData}, {Label: diagnosis}})
	if err != nil {
		t.Fatal(err)
	}
	d := terms.Duties
	if d.Retain != 7*24*time.Hour || !slices.Equal(d.Notify, []string{"desk", "dpo"}) || !slices.Equal(d.Basis, []string{"dpv:Consent", "dpv:Contract"}) {
		t.Errorf("duties = %+v, want the shortest time and all of the rest", d)
	}
	terms, err = s.Decide(toClaims(), []flow.Leaf{{Label: email}, {Label: "person/name"}})
	if err != nil || terms.Duties.Retain != 0 {
		t.Errorf("retain = %s, error %v; want 0, for a permit without @retain means the task only", terms.Duties.Retain, err)
	}
}

func TestAHandleIsWhatAnyDeterminingPermitAsksFor(t *testing.T) {
	s := mustLoad(t, `
		@handle("PT1H") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact");
		@handle("PT15M") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact/email");
		permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact");
		@handle("PT1M") permit (principal, action in Action::"upto_masked", resource in DataClass::"person/name");
		permit (principal, action in Action::"upto_raw", resource in DataClass::"person/name");
		permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`)
	for _, c := range []struct {
		label flow.Label
		want  time.Duration
	}{{email, 15 * time.Minute}, {"person/contact/phone", time.Hour}, {"person/name", 0}, {flow.PublicData, 0}} {
		q := toClaims()
		q.Flow.Task.Criticality = flow.Critical
		got := decideOne(t, s, q, flow.Leaf{Label: c.label})
		if got.Level != flow.Raw || got.Handle != c.want {
			t.Errorf("%s shows as %s with a handle for %s, want raw and %s", c.label, got.Level, got.Handle, c.want)
		}
	}
}

func TestShadowPoliciesAreDecidedApart(t *testing.T) {
	base := "permit (principal, action in Action::\"upto_raw\", resource);"
	forbid := "forbid (principal, action in Action::\"atleast_raw\", resource in DataClass::\"person\");"
	for name, files := range map[string]fstest.MapFS{
		"by file":       {"a.cedar": {Data: []byte(base)}, "b.shadow.cedar": {Data: []byte(forbid)}},
		"by annotation": {"a.cedar": {Data: []byte(base + `@shadow("true")` + forbid)}},
	} {
		s, err := Load(files, Options{Entities: clinic()})
		if err != nil {
			t.Fatal(err)
		}
		terms, err := s.Decide(toClaims(), []flow.Leaf{{Label: email}})
		if err != nil || len(terms.Shadow) != 1 {
			t.Fatalf("%s: %d shadow terms, error %v; want 1", name, len(terms.Shadow), err)
		}
		if got, shadow := terms.Leaves[0].String(), terms.Shadow[0].String(); got != "raw" || shadow != "tokenized(reversible)" {
			t.Errorf("%s: enforced %s, shadow %s; want raw and tokenized(reversible)", name, got, shadow)
		}
	}
	terms, err := mustLoad(t, base).Decide(toClaims(), []flow.Leaf{{Label: email}})
	if err != nil || terms.Shadow != nil {
		t.Errorf("shadow = %v, error %v; want none where there are no shadow policies", terms.Shadow, err)
	}
}
