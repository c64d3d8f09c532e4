package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/flow"
)

const unsure = `
@id("unsure") @below_score("60") @exception("a slip of the detector is no secret")
permit (principal in Role::"staff", action in Action::"upto_raw", resource in DataClass::"person/name");
@id("sure") permit (principal, action in Action::"upto_masked", resource in DataClass::"person");
`

func found(label flow.Label, score uint8) flow.Leaf {
	return flow.Leaf{Path: "/text", Label: label, Origin: flow.Detected, Score: score}
}

func TestAPermitBelowAScore(t *testing.T) {
	const when = `permit (principal, action in Action::"upto_raw", resource in DataClass::"person/name") when { %s };
		@id("sure") permit (principal, action in Action::"upto_masked", resource in DataClass::"person");`
	for _, policies := range []string{
		unsure,
		fmt.Sprintf(when, "context.score < 60"), fmt.Sprintf(when, "context.score <= 59"), fmt.Sprintf(when, "60 > context.score"),
		fmt.Sprintf(when, "59 >= context.score"), fmt.Sprintf(when, "!(context.score >= 60)"), fmt.Sprintf(when, "!(59 < context.score)"),
		strings.Replace(fmt.Sprintf(when, "context.score > 59"), "when", "unless", 1),
	} {
		s := mustLoad(t, policies)
		for score := range uint8(102) {
			want := flow.Masked
			if 0 < score && score < 60 {
				want = flow.Raw
			}
			if got := decideOne(t, s, toClaims(), found("person/name", score)); got.Level != want {
				t.Errorf("score %d: %s, want %s\n%s", score, got.Level, want, policies)
			}
		}
		if n := len(s.cuts); n != 1 {
			t.Errorf("%d bounds, want 1\n%s", n, policies)
		}
	}
}

func TestNobodyIsShownAnythingForItsScoreAlone(t *testing.T) {
	q := toClaims()
	q.Flow.To = clinic().Agents[3]
	if got := decideOne(t, mustLoad(t, unsure), q, found("person/name", 1)); got.Level != flow.Masked {
		t.Errorf("another recipient: %s", got)
	}
	if got := decideOne(t, mustLoad(t, unsure), toClaims(), found("finance/iban", 1)); got.Level != flow.Dropped {
		t.Errorf("what no policy names: %s", got)
	}
	forbidden := mustLoad(t, unsure+`forbid (principal, action in Action::"atleast_masked", resource in DataClass::"person/name");`)
	if got := decideOne(t, forbidden, toClaims(), found("person/name", 1)); got.Level != flow.Dropped {
		t.Errorf("what is forbidden: %s", got)
	}
}

// A score on what a schema or the catalog declares, or on what nobody says was detected, is worth nothing.
func TestNoScoreWeakensWhatIsDeclared(t *testing.T) {
	s := mustLoad(t, unsure+`@below_score("100") permit (principal, action in Action::"upto_raw", resource);`)
	for _, leaf := range []flow.Leaf{
		{Label: "person/name", Origin: flow.Catalogued, Score: 1},
		{Label: "person/name", Origin: flow.Supplied, Score: 1},
		{Label: "person/name", Origin: flow.Detected},
		{Label: "person/name", Origin: flow.Detected, Score: 100},
		{Label: "person/name", Origin: flow.Detected, Score: 255},
		{Label: "person/name", Origin: flow.Detected, Field: "patients/note", Score: 1},
		{Label: "person/name", Origin: flow.Detected, Field: "un/known", Score: 1},
	} {
		if got := decideOne(t, s, toClaims(), leaf); got.Level > flow.Masked {
			t.Errorf("%+v: %s", leaf, got)
		}
		unsureOne := found("person/name", 1) // in one message, too, and whoever comes first
		for _, leaves := range [][]flow.Leaf{{unsureOne, leaf}, {leaf, unsureOne}} {
			terms, err := s.Decide(toClaims(), leaves)
			if err != nil {
				t.Fatal(err)
			}
			for i, l := range leaves {
				if raw := terms.Leaves[i].Level == flow.Raw; raw != (l == unsureOne) {
					t.Errorf("%+v beside another: %s", l, terms.Leaves[i])
				}
			}
		}
	}
}

func TestScoreMistakes(t *testing.T) {
	const permit, forbid = `permit (principal, action in Action::"upto_raw", resource)`, `forbid (principal, action in Action::"atleast_raw", resource)`
	for policy, want := range map[string]string{
		`@below_score("60") ` + forbid + `;`:                                                  "@below_score says nothing on a forbid",
		`@below_score("0") ` + permit + `;`:                                                   "from 1 to 100",
		`@below_score("101") ` + permit + `;`:                                                 "from 1 to 100",
		`@below_score("+60") ` + permit + `;`:                                                 "from 1 to 100",
		`@below_score("60 %") ` + permit + `;`:                                                "from 1 to 100",
		`@below_score("0.6") ` + permit + `;`:                                                 "from 1 to 100",
		`@below_score ` + permit + `;`:                                                        "from 1 to 100",
		`@below_score("60") permit (principal, action == Action::"open", resource);`:          "is for levels",
		`@min_score("60") ` + permit + `;`:                                                    "@min_score is not an annotation",
		forbid + ` when { context.score >= 60 };`:                                             "a forbid holds whatever the score",
		forbid + ` unless { context.score < 60 };`:                                            "a forbid holds whatever the score",
		permit + ` when { context.score >= 60 };`:                                             "a surer finding may not show more",
		permit + ` when { !(context.score < 60) };`:                                           "a surer finding may not show more",
		permit + ` unless { context.score < 60 };`:                                            "a surer finding may not show more",
		permit + ` unless { 60 >= context.score && context.consent };`:                        "a surer finding may not show more",
		permit + ` when { context.score == 60 };`:                                             "compared with a whole number",
		permit + ` when { context.score < context.hop };`:                                     "compared with a whole number",
		permit + ` when { context.score + 1 < 60 };`:                                          "compared with a whole number",
		permit + ` when { context.score < 101 };`:                                             "compared with a whole number",
		permit + ` when { (context.score < 60) == context.consent };`:                         "compared with a whole number",
		permit + ` when { if context.score < 60 then context.consent else true };`:            "compared with a whole number",
		permit + ` when { [1, 2].contains(context.score) };`:                                  "compared with a whole number",
		permit + ` when { {a: context.score}.a < 60 };`:                                       "compared with a whole number",
		permit + ` when { (if context.consent then context else context).score < 60 };`:       "the context is no value by itself",
		permit + ` when { {a: context}.a.score < 60 };`:                                       "compared with a whole number",
		permit + ` when { context["score"] > 60 };`:                                           "a surer finding may not show more",
		`permit (principal, action == Action::"open", resource) when { context.score < 60 };`: "score",
		permit + ` when { context.skore < 60 };`:                                              `did you mean "score"?`,
	} {
		_, err := Load(fstest.MapFS{"t.cedar": {Data: []byte(policy)}}, Options{Entities: clinic()})
		if _, ok := errors.AsType[Mistakes](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nLoad() error = %v\nwant one that contains %s", policy, err, want)
		}
	}
}

// unsurePermits are permits of which most ask for the score, some by the annotation.
func (w world) unsurePermits(n int) []string {
	out := w.policies(n, true)
	for i := range out {
		if strings.Contains(out[i], "permit (") && w.IntN(2) == 0 {
			out[i] = fmt.Sprintf("@below_score(%q) ", fmt.Sprint(1+w.IntN(100))) + out[i]
		}
	}
	return out
}

func TestASurerFindingNeverShowsMore(t *testing.T) {
	w := newWorld(t, 60)
	compared, differ := 0, 0
	for range 300 {
		policies := w.unsurePermits(1 + w.IntN(10))
		s, ok := w.load(policies)
		if !ok {
			continue
		}
		for range 20 {
			q, leaf := w.query(), w.leaf()
			leaf.Origin, leaf.Field = flow.Detected, ""
			var before Explanation
			for score := uint8(1); score <= flow.Certain; score += 1 + uint8(w.IntN(9)) {
				leaf.Score = score
				e, err := s.Explain(q, leaf)
				if err != nil {
					t.Fatal(err)
				}
				erred := func(a Asked) bool { return len(a.Errors) > 0 }
				if slices.ContainsFunc(e.Asked, erred) || slices.ContainsFunc(before.Asked, erred) {
					before = e // a condition that errs for some scores only closes, for those
					continue
				}
				if before.Asked != nil {
					if e.Result.Level.Reveals(before.Result.Level) {
						t.Fatalf("score %d shows more\n%s\nthan a lower one\n%s\n%s", score, e, before, strings.Join(policies, ""))
					}
					if compared++; e.Result.Level != before.Result.Level {
						differ++
					}
				}
				before = e
			}
		}
	}
	if compared < 20_000 || differ < 100 {
		t.Errorf("compared %d scores of which %d differ: too few to say anything", compared, differ)
	}
}

// No decision for one score is given for another: not from the cache, and not within a message.
func TestScoresDoNotShareDecisions(t *testing.T) {
	w := newWorld(t, 61)
	differ := 0
	for range 60 {
		policies := w.unsurePermits(1 + w.IntN(12))
		plain, ok := w.load(policies)
		if !ok {
			continue
		}
		cached, err := w.snap.load(fstest.MapFS{"p.cedar": {Data: []byte(strings.Join(policies, ""))}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		q, label := w.query(), flow.Label(pick(w, worldLabels...))
		var leaves []flow.Leaf
		for _, i := range w.Perm(102) {
			leaves = append(leaves, found(label, uint8(i)))
		}
		got, err := cached.Decide(q, leaves)
		if err != nil {
			t.Fatal(err)
		}
		for i, leaf := range leaves {
			want := fmt.Sprint(decideOne(t, plain, q, leaf))
			if fmt.Sprint(got.Leaves[i]) != want || fmt.Sprint(decideOne(t, cached, q, leaf)) != want {
				t.Fatalf("score %d of %s: %v, then %v, afresh %s\n%s", leaf.Score, label, got.Leaves[i], decideOne(t, cached, q, leaf), want, strings.Join(policies, ""))
			}
			if got.Leaves[i].Level != got.Leaves[0].Level {
				differ++
			}
		}
	}
	if differ < 100 {
		t.Errorf("%d scores made a difference: too few to say anything", differ)
	}
}

func cachedDecisions(s *Set) (n int) {
	for i := range s.cache.shards {
		n += len(s.cache.shards[i].m)
	}
	return n
}

// Who sends many scores fills no cache: there are as many decisions as policies tell apart.
func TestScoresDoNotFillTheCache(t *testing.T) {
	for policies, want := range map[string]int{
		unsure: 2,
		unsure + `@below_score("30") permit (principal, action in Action::"upto_raw", resource in DataClass::"time");`: 3,
		`permit (principal, action in Action::"upto_raw", resource);`:                                                  1,
	} {
		s := mustLoad(t, policies)
		for score := range uint8(255) {
			decideOne(t, s, toClaims(), found("person/name", score))
		}
		if n := cachedDecisions(s); n != want {
			t.Errorf("%d decisions are kept, want %d\n%s", n, want, policies)
		}
	}
}

func TestShadowPoliciesAskForTheScore(t *testing.T) {
	s, err := Load(fstest.MapFS{
		"a.cedar":        {Data: []byte(`permit (principal, action in Action::"upto_masked", resource);`)},
		"b.shadow.cedar": {Data: []byte(`@below_score("60") permit (principal, action in Action::"upto_raw", resource);`)},
	}, Options{Entities: clinic()})
	if err != nil {
		t.Fatal(err)
	}
	terms, err := s.Decide(toClaims(), []flow.Leaf{found("person/name", 70), found("person/name", 50)})
	if err != nil || terms.Leaves[1].Level != flow.Masked || terms.Shadow[0].Level != flow.Masked || terms.Shadow[1].Level != flow.Raw {
		t.Errorf("%+v, error %v", terms, err)
	}
}

func TestPolicyTestsState(t *testing.T) {
	s := mustLoad(t, unsure)
	run := func(text string) ([]TestResult, error) {
		return RunTestFile(s, "t.test.yaml", strings.NewReader(text))
	}
	const flowOf = `from: desk, to: claims, criticality: critical, label: person/name, `
	got, err := run(`tests:
  - {` + flowOf + `score: 59, expect: raw}
  - {` + flowOf + `score: 60, expect: masked}
  - {` + flowOf + `expect: masked}
  - {` + flowOf + `score: 59, expect: masked}
`)
	if err != nil || len(got) != 4 || !got[0].Passed || !got[1].Passed || !got[2].Passed || got[3].Passed {
		t.Errorf("%+v, error %v", got, err)
	}
	for text, want := range map[string]string{
		`{` + flowOf + `score: 0, expect: raw}`:                                  "from 1 to 100",
		`{` + flowOf + `score: 0.6, expect: raw}`:                                "from 1 to 100",
		`{` + flowOf + `score: [60], expect: raw}`:                               "from 1 to 100",
		`{from: desk, to: claims, field: patients/phone, score: 5, expect: raw}`: "a field is certain",
	} {
		if _, err := run("tests:\n  - " + text + "\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that contains %s", text, err, want)
		}
	}
}

// BenchmarkScores decides a message of 20 findings of differing scores, where 1,000 policies stand beside three bounds. It
// tells how many of the decisions came from the cache or from a finding before.
func BenchmarkScores(b *testing.B) {
	for _, bounds := range []int{0, 3} {
		b.Run(fmt.Sprintf("bounds=%d", bounds), func(b *testing.B) {
			s, queries, leaves := scored(b, bounds)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := s.Decide(queries[i%512], leaves); err != nil {
					b.Fatal(err)
				}
			}
			if b.N > 512 {
				b.ReportMetric(float64(cachedDecisions(s))/512, "decisions/flow")
			}
		})
	}
}

func scored(tb testing.TB, bounds int) (*Set, []Query, []flow.Leaf) {
	var more strings.Builder
	for i := range bounds {
		fmt.Fprintf(&more, "@below_score(%q) permit (principal, action in Action::\"upto_raw\", resource in DataClass::\"person\");\n", fmt.Sprint(30+20*i))
	}
	s, queries, _ := populationAnd(tb, 1000, 0, more.String())
	var leaves []flow.Leaf
	for i := range 20 {
		leaves = append(leaves, found([]flow.Label{"person/name", "location/city", "organization", "time"}[i%4], uint8(1+i*5)))
	}
	return s, queries, leaves
}
