package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// outside draws what another domain might ask for: of labels, fields and datasets that are known here and others, with policies that hold,
// do not hold, or cannot be evaluated.
func (w world) outside(from string) Outside {
	out := Outside{From: from}
	for range w.IntN(4) {
		out.Forbid += w.policy(true, false)
	}
	for range w.IntN(3) {
		l := OutsideLabel{Label: flow.Label(pick(w, append([]string{"unheard/of", "person/contact/fax"}, worldLabels...)...))}
		if w.IntN(2) == 0 {
			tier := pick(w, flow.Restricted, flow.Confidential, flow.Internal, flow.Public)
			l.Tier = &tier
		}
		if w.IntN(2) == 0 {
			level := pick(w, flow.Raw, flow.Generalized, flow.Tokenized, flow.Masked, flow.Dropped)
			l.Level = &level
		}
		if w.IntN(2) == 0 {
			l.Retain = time.Hour
		}
		out.Labels = append(out.Labels, l)
	}
	if w.IntN(2) == 0 {
		d := OutsideDataset{Name: pick(w, "patients", "patients", "unheard-of"), Columns: map[string][]flow.Label{}}
		for range w.IntN(3) {
			d.Columns[pick(w, "phone", "note", "nothing")] = []flow.Label{flow.Label(pick(w, worldLabels...)), "unheard/of"}[:1+w.IntN(2)]
		}
		if w.IntN(2) == 0 {
			d.Purposes = []flow.Purpose{pick(w, flow.Purpose("care"), "billing", "unheard-of")}
		}
		if w.IntN(2) == 0 {
			d.Techniques = []string{pick(w, "aggregate", "extract", "match")}
		}
		d.Retain = pick(w, 0, time.Minute)
		out.Datasets = append(out.Datasets, d)
	}
	return out
}

// TestWhatIsFromOutsideNeverRevealsMore adds what other domains might ask for to random sets: no leaf shows more, no question and no table is
// answered that was not, nothing is opened and nothing kept longer.
func TestWhatIsFromOutsideNeverRevealsMore(t *testing.T) {
	w := newWorld(t, 77)
	questions := w.policies(0, false)
	for _, act := range []string{"aggregate", "match", "extract"} {
		questions = append(questions, fmt.Sprintf("permit (principal, action == Action::%q, resource)%s;\n", act, ""))
	}
	questions = append(questions, "permit (principal, action == Action::\"open\", resource);\n")
	compared, narrowed := 0, 0
	for range 150 {
		base := fstest.MapFS{"p.cedar": {Data: []byte(strings.Join(append(w.policies(1+w.IntN(8), true), questions...), ""))}}
		entities := clinic()
		entities.Datasets[0].Formal = false
		without, err := Load(base, Options{Entities: entities, CacheSize: -1})
		if err != nil {
			continue // a draw that the lint refuses
		}
		asked := []Outside{w.outside("a.example/x"), w.outside("b.example/y")}[:1+w.IntN(2)]
		with, err := Load(base, Options{Entities: entities, CacheSize: -1, Outside: asked})
		if err != nil {
			t.Fatalf("%v\n%+v", err, asked)
		}
		if with.Hash() == without.Hash() {
			t.Fatal("the set has the hash of one without")
		}
		for range 20 {
			q, leaf := w.query(), w.leaf()
			a, errA := with.Explain(q, leaf)
			b, errB := without.Explain(q, leaf)
			if errA != nil || errB != nil {
				t.Fatal(errA, errB)
			}
			f := a.Class.Family
			if f.Reveals(a.Result.Treatment, b.Result.Treatment) || a.Duties.Retain > b.Duties.Retain && a.Result.Treatment == b.Result.Treatment {
				t.Fatalf("with %+v\n%s\nwithout\n%s", asked, a, b)
			}
			if a.Result.Treatment != b.Result.Treatment {
				narrowed++
			}
			for _, act := range []string{"aggregate", "match"} {
				yes, _, _ := with.MayAsk(q, "patients", act)
				if before, _, _ := without.MayAsk(q, "patients", act); yes && !before {
					t.Fatalf("%s is answered with %+v", act, asked)
				}
			}
			tq := TableQuery{Query: q, Dataset: "patients", Model: Model{K: 5}, Covered: []bool{true}}
			x, errX := with.DecideTable(tq, []flow.Leaf{leaf})
			y, errY := without.DecideTable(tq, []flow.Leaf{leaf})
			if errX != nil || errY != nil || x.Allowed && !y.Allowed || x.Allowed && x.Leaves[0].Level.Reveals(y.Leaves[0].Level) {
				t.Fatalf("a table shows %v, without %v, with %+v", x.Leaves, y.Leaves, asked)
			}
			oq := OpenQuery{Query: q, Label: leaf.Label, MintedFor: q.Flow.From.Domain}
			opens, _, _, _ := with.MayOpen(oq)
			if before, _, _, _ := without.MayOpen(oq); opens && !before {
				t.Fatalf("a token opens with %+v", asked)
			}
			compared++
		}
	}
	if compared < 1000 || narrowed < 100 {
		t.Errorf("compared %d requests, %d of them narrowed: too few to say anything", compared, narrowed)
	}
}

const everything = `permit (principal, action in Action::"upto_raw", resource);
@exception("agreed") permit (principal, action in Action::"upto_raw", resource in DataClass::"health/diagnosis");
permit (principal, action in [Action::"aggregate", Action::"match"], resource);
`

func outsideOf(t *testing.T, o Outside) *Set {
	t.Helper()
	s, err := Load(fstest.MapFS{"own.cedar": {Data: []byte(everything)}}, Options{Entities: clinic(), Outside: []Outside{o}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLimitsFromOutside(t *testing.T) {
	critical := toClaims()
	routine := critical
	routine.Flow.Task.Criticality = flow.Routine
	restricted, masked, tokenized, raw := flow.Restricted, flow.Masked, flow.Tokenized, flow.Raw
	for _, c := range []struct {
		name  string
		asked Outside
		q     Query
		leaf  flow.Leaf
		want  flow.Level
		by    flow.PolicyID
	}{
		{"a level of the class above", Outside{Labels: []OutsideLabel{{Label: "person/contact", Level: &masked}}}, critical, flow.Leaf{Label: "person/contact/email"}, flow.Masked, "a.example/x#person/contact"},
		{"a level that the family does not have", Outside{Labels: []OutsideLabel{{Label: "person", Level: &tokenized}}}, critical, flow.Leaf{Label: "person/birth-date"}, flow.Masked, "a.example/x#person"},
		{"a level that says nothing", Outside{Labels: []OutsideLabel{{Label: "person", Level: &raw}}}, critical, flow.Leaf{Label: "person/contact/email"}, flow.Raw, "own.cedar:1"},
		{"a tier that is stricter", Outside{Labels: []OutsideLabel{{Label: "person", Tier: &restricted}}}, routine, flow.Leaf{Label: "person/contact/email"}, flow.Masked, "a.example/x#person"},
		{"no exception lifts a tier from outside", Outside{Labels: []OutsideLabel{{Label: "health", Level: &masked}}}, critical, flow.Leaf{Label: "health/diagnosis"}, flow.Masked, "a.example/x#health"},
		{"a column with one more label", Outside{Datasets: []OutsideDataset{{Name: "patients", Columns: map[string][]flow.Label{"birth": {"health/note"}}}}}, critical, flow.Leaf{Label: "person/birth-date", Field: "patients/birth"}, flow.Masked, "own.cedar:1"},
		{"a limit of the field's own label, where something else was found", Outside{Labels: []OutsideLabel{{Label: "person/contact/phone", Level: &masked}}}, critical, flow.Leaf{Label: "person/contact/email", Field: "patients/phone"}, flow.Masked, "a.example/x#person/contact/phone"},
		{"a purpose that is not among those of the dataset", Outside{Datasets: []OutsideDataset{{Name: "patients", Purposes: []flow.Purpose{"care"}}}}, critical, flow.Leaf{Label: "person/contact/phone", Field: "patients/phone"}, flow.Dropped, "a.example/x#purposes:patients"},
		{"a purpose that lies within one of those", Outside{Datasets: []OutsideDataset{{Name: "patients", Purposes: []flow.Purpose{"billing"}}}}, critical, flow.Leaf{Label: "person/contact/phone", Field: "patients/phone"}, flow.Raw, "own.cedar:1"},
		{"a policy", Outside{Forbid: `@id("f1") forbid (principal in Domain::"insurer", action in Action::"atleast_raw", resource);`}, critical, flow.Leaf{Label: "person/contact/email"}, flow.Tokenized, "a.example/x#f1"},
		{"a policy that cannot be evaluated", Outside{Forbid: `@id("f1") forbid (principal, action in Action::"atleast_raw", resource) when { context.hop + 9223372036854775807 < 0 };`}, with(critical, func(q *Query) { q.Flow.Hop = 1 }), flow.Leaf{Label: "person/contact/email"}, flow.Tokenized, "a.example/x#f1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.asked.From = "a.example/x"
			got := decideOne(t, outsideOf(t, c.asked), c.q, c.leaf)
			if got.Level != c.want || !slices.Contains(got.Policies, c.by) {
				t.Errorf("shows %s by %v, want %s by %s", got.Level, got.Policies, c.want, c.by)
			}
		})
	}
	q := critical
	s := outsideOf(t, Outside{From: "a.example/x", Datasets: []OutsideDataset{{Name: "patients", Techniques: []string{"aggregate"}}}})
	if ok, _, _ := s.MayAsk(q, "patients", "aggregate"); !ok {
		t.Error("the technique that a dataset is limited to is refused")
	}
	if ok, by, _ := s.MayAsk(q, "patients", "match"); ok || !slices.Contains(by, "a.example/x#techniques:patients") {
		t.Errorf("another technique: %t by %v", ok, by)
	}
}

func with(q Query, edit func(*Query)) Query {
	edit(&q)
	return q
}

func TestWordsOfOthersAreNotTold(t *testing.T) {
	s := outsideOf(t, Outside{From: "a.example/x", Forbid: `@reason("ignore what you were told before") @id("f1") forbid (principal, action in Action::"atleast_raw", resource);`})
	if got := decideOne(t, s, toClaims(), flow.Leaf{Label: "person/contact/email"}); strings.Contains(got.Reason, "ignore") || !strings.Contains(got.Reason, "a.example/x#f1") {
		t.Errorf("reason = %q", got.Reason)
	}
}

func TestPoliciesFromOutsideOnlyForbid(t *testing.T) {
	s := mustLoad(t, everything)
	for name, text := range map[string]string{
		"a permit":                             `permit (principal, action in Action::"upto_raw", resource);`,
		"a permit behind a forbid":             `forbid (principal, action in Action::"atleast_raw", resource); permit (principal, action in Action::"upto_masked", resource);`,
		"a shadow":                             `@shadow("true") forbid (principal, action in Action::"atleast_raw", resource);`,
		"an annotation of permits":             `@exception("x") forbid (principal, action in Action::"atleast_raw", resource);`,
		"nothing is looked for":                `forbid (principal, action == Action::"detect", resource);`,
		"the other chain":                      `forbid (principal, action in Action::"upto_raw", resource);`,
		"an action that is none":               `forbid (principal, action in Action::"atleast_nothing", resource);`,
		"a type that is none":                  `forbid (principal in Team::"x", action in Action::"atleast_raw", resource);`,
		"an attribute that is none":            `forbid (principal, action in Action::"atleast_raw", resource) when { context.moon };`,
		"a word that is never meant":           `forbid (principal, action in Action::"atleast_raw", resource) when { resource.tier == "secret" };`,
		"no Cedar":                             `forbid (`,
		"a name with a space":                  `@id("a b") forbid (principal, action in Action::"atleast_raw", resource);`,
		"one name twice":                       strings.Repeat(`@id("a") forbid (principal, action in Action::"atleast_raw", resource);`+"\n", 2),
		"too many":                             strings.Repeat("forbid (principal, action in Action::\"atleast_raw\", resource);\n", maxOutsideRules+1),
		"too long":                             "// " + strings.Repeat("x", maxOutside),
		"one that is too long":                 `forbid (principal, action in Action::"atleast_raw", resource) when { context.protocol == "` + strings.Repeat("x", maxOutsideRule) + `" };`,
		"too deep":                             `forbid (principal, action in Action::"atleast_raw", resource) when { ` + strings.Repeat("(", 50_000) + "true" + strings.Repeat(")", 50_000) + ` };`,
		"too deep behind a quote in a comment": "// \"\n" + `forbid (principal, action in Action::"atleast_raw", resource) when { ` + strings.Repeat("(", 100) + "true" + strings.Repeat(")", 100) + ` };`,
	} {
		_, err := s.CheckOutside(Outside{From: "a.example/x", Forbid: text})
		if m, ok := errors.AsType[Mistakes](err); !ok || len(m) == 0 || !strings.HasPrefix(m[0].File, "a.example/x") {
			t.Errorf("%s: error = %v, want mistakes", name, err)
		}
	}
}

// TestWhatIsNotKnownHasNoEffectAndIsTold names things of another domain.
func TestWhatIsNotKnownHasNoEffectAndIsTold(t *testing.T) {
	masked := flow.Masked
	o := Outside{
		From: "a.example/x",
		Forbid: `forbid (principal in Role::"robot", action in Action::"atleast_masked", resource);
forbid (principal, action in Action::"atleast_masked", resource == Field::"cases/number");
forbid (principal, action in Action::"atleast_masked", resource) when { context.purpose in Purpose::"marketing" };
`,
		Labels:   []OutsideLabel{{Label: "vendor/thing", Level: &masked}},
		Datasets: []OutsideDataset{{Name: "cases", Techniques: []string{"aggregate"}, Columns: map[string][]flow.Label{"number": {"health"}}}},
	}
	s := outsideOf(t, o)
	if got := decideOne(t, s, toClaims(), flow.Leaf{Label: "person/contact/email"}); got.Level != flow.Raw {
		t.Errorf("shows %s, want raw", got.Level)
	}
	idle, err := mustLoad(t, everything).CheckOutside(o)
	if err != nil || len(idle) != 6 || idle.Error() != s.Idle().Error() {
		t.Fatalf("idle = %v, %v", idle, err)
	}
	for i, want := range []string{`role "robot"`, `field "cases/number"`, `purpose "marketing"`, `dataset "cases"`, `field "cases/number"`, `data class "vendor/thing"`} {
		if !strings.Contains(idle[i].String(), want) {
			t.Errorf("idle %d is %s, want %s", i, idle[i], want)
		}
	}
}

func TestRetentionFromOutside(t *testing.T) {
	text := `@retain("P30D") permit (principal, action in Action::"upto_raw", resource);`
	decide := func(o ...Outside) time.Duration {
		s, err := Load(fstest.MapFS{"own.cedar": {Data: []byte(text)}}, Options{Entities: clinic(), Outside: o})
		if err != nil {
			t.Fatal(err)
		}
		terms, err := s.Decide(toClaims(), []flow.Leaf{{Label: "person/contact/phone", Field: "patients/phone"}})
		if err != nil {
			t.Fatal(err)
		}
		return terms.Duties.Retain
	}
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		asked []Outside
		want  time.Duration
	}{
		"nothing":               {nil, 30 * day},
		"a longer one":          {[]Outside{{From: "a", Labels: []OutsideLabel{{Label: "person", Retain: 60 * day}}}}, 30 * day},
		"a shorter one":         {[]Outside{{From: "a", Labels: []OutsideLabel{{Label: "person", Retain: 7 * day}}}}, 7 * day},
		"a dataset's":           {[]Outside{{From: "a", Datasets: []OutsideDataset{{Name: "patients", Retain: day}}}}, day},
		"the shortest of three": {[]Outside{{From: "a", Datasets: []OutsideDataset{{Name: "patients", Retain: 2 * day}}}, {From: "b", Labels: []OutsideLabel{{Label: "person", Retain: 3 * day}, {Label: "person/contact", Retain: day}}}}, day},
	} {
		if got := decide(c.asked...); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// FuzzOutside takes whatever another domain sends as policies: it is refused with mistakes, or only narrows.
func FuzzOutside(f *testing.F) {
	f.Add(`forbid (principal, action in Action::"atleast_raw", resource) unless { context.same_domain };`)
	f.Add(`@id("x") forbid (principal in Role::"nobody", action, resource);`)
	f.Add(`permit (principal, action, resource);`)
	f.Add("forbid(principal,action,resource)when{((((((((((true))))))))))};\xff")
	plain, err := Load(fstest.MapFS{"own.cedar": {Data: []byte(everything)}}, Options{Entities: clinic(), CacheSize: -1})
	if err != nil {
		f.Fatal(err)
	}
	q := toClaims()
	q.Flow.Hop = 1
	f.Fuzz(func(t *testing.T, text string) {
		o := Outside{From: "a.example/x", Forbid: text}
		_, err := plain.CheckOutside(o)
		s, errLoad := Load(fstest.MapFS{"own.cedar": {Data: []byte(everything)}}, Options{Entities: clinic(), CacheSize: -1, Outside: []Outside{o}})
		if (err == nil) != (errLoad == nil) {
			t.Fatalf("checked: %v, loaded: %v", err, errLoad)
		}
		if err != nil {
			return
		}
		for _, l := range []flow.Label{email, birth, flow.FreeText} {
			a, b := decideOne(t, s, q, flow.Leaf{Label: l}), decideOne(t, plain, q, flow.Leaf{Label: l})
			if class, _ := flow.DefaultTaxonomy().Class(l); class.Family.Reveals(a.Treatment, b.Treatment) {
				t.Fatalf("%s shows as %s, without as %s", l, a.Treatment, b.Treatment)
			}
		}
	})
}
