package impact_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy"
)

const rules = `
@id("days") @generalize("month") permit (principal, action in Action::"upto_generalized", resource in DataClass::"health/visit-date");
@id("codes") @exception("agreed") permit (principal in Role::"claims", action in Action::"upto_raw", resource in DataClass::"health/diagnosis");
@id("names") permit (principal, action in Action::"upto_tokenized", resource in DataClass::"person");
`

func change(t testing.TB, from, to string) string {
	t.Helper()
	if !strings.Contains(rules, from) {
		t.Fatalf("%q is not in the rules", from)
	}
	return strings.Replace(rules, from, to, 1)
}

func visit(to flow.AgentID, purpose flow.Purpose) policy.Query {
	domains := map[flow.AgentID]flow.Party{
		"payer": {Agent: "payer", Domain: "insurer", Roles: []flow.Role{"claims"}}, "lab": {Agent: "lab", Domain: "lab"},
	}
	return policy.Query{Flow: flow.Flow{
		From: flow.Party{Agent: "records", Domain: "hospital", Roles: []flow.Role{"clinic"}}, To: domains[to], Purpose: purpose, Task: flow.Task{ID: "t", Criticality: flow.Critical},
		Protocol: "mcp/2025-11-25", Method: "tools/call", Subject: "visits", Direction: flow.Response,
	}}
}

func leaves() []flow.Leaf {
	return []flow.Leaf{
		{Path: "/day", Label: "health/visit-date", Field: "visits/day", Origin: flow.Catalogued},
		{Path: "/code", Label: "health/diagnosis", Field: "visits/code", Origin: flow.Catalogued},
		{Path: "/code", Label: "health/diagnosis", Field: "visits/code", Origin: flow.Catalogued},
		{Path: "/name", Label: "person/name", Field: "visits/name", Origin: flow.Catalogued},
	}
}

func moves(out *impact.Impact) (all []string) {
	for _, m := range out.Moves {
		all = append(all, fmt.Sprintf("%s %s: %s to %s, %d", m.Domain, m.Label, m.From, m.To, m.Values))
	}
	slices.Sort(all)
	return all
}

func TestCompareTellsWhomAChangeOpens(t *testing.T) {
	j := openJournal(t)
	old := set(t, nil, rules)
	for range 3 {
		j.write(j.decision(old, visit("payer", "payment"), leaves(), nil), j.decision(old, visit("lab", "research"), leaves(), nil))
	}
	out := j.compare(j.source(), side(old), side(old), impact.Options{})
	if out.Flows.Same != 6 || out.Values.Same != 24 || out.Checked != 6 || len(out.Moves) > 0 {
		t.Errorf("the same rules: %+v", out)
	}
	wider := set(t, nil, change(t, `in Role::"claims"`, ``)+`forbid (principal == Agent::"payer", action in Action::"atleast_tokenized", resource in DataClass::"person/name");`)
	out = j.compare(j.source(), side(old), side(wider), impact.Options{Workers: 3})
	want := []string{"insurer person/name: tokenized(reversible) to masked, 3", "lab health/diagnosis: dropped to raw, 6"}
	if got := moves(out); !slices.Equal(got, want) {
		t.Errorf("moves:\n%q\nwant\n%q", got, want)
	}
	if out.Flows != (impact.Change{Open: 3, Close: 3}) || out.Values != (impact.Change{Same: 15, Open: 6, Close: 3}) {
		t.Errorf("flows %+v, values %+v", out.Flows, out.Values)
	}
	if len(out.Recipients) != 2 || out.Recipients[1].Agent != "lab" || out.Recipients[1].Flows.Open != 3 || len(out.Purposes) != 2 || out.Purposes[1].Values.Open != 6 {
		t.Errorf("recipients %+v, purposes %+v", out.Recipients, out.Purposes)
	}
	for _, p := range out.Policies {
		if p.Name == "codes" && p.Values.Open != 6 || p.Name == "days" {
			t.Errorf("policies %+v", out.Policies)
		}
	}
	if len(out.Examples) != 6 || !out.Examples[0].Opens || out.Examples[0].Seq != 2 {
		t.Errorf("examples %+v", out.Examples)
	}
}

func TestCompareTellsDutiesApart(t *testing.T) {
	j := openJournal(t)
	old := set(t, nil, change(t, `@generalize("month")`, `@generalize("month") @retain("P1D") @notify("dpo")`))
	j.write(j.decision(old, visit("payer", "payment"), leaves()[:1], nil))
	longer := set(t, nil, change(t, `@generalize("month")`, `@generalize("month") @retain("P2D") @notify("dpo")`))
	quiet := set(t, nil, change(t, `@generalize("month")`, `@generalize("month") @retain("P1D")`))
	for _, next := range []*policy.Set{longer, quiet} {
		if out := j.compare(j.source(), side(old), side(next), impact.Options{}); out.Flows.Duties != 1 || out.Values.Same != 1 {
			t.Errorf("weaker duties: %+v", out.Flows)
		}
	}
	if out := j.compare(j.source(), side(longer), side(old), impact.Options{Since: j.now.Add(time.Hour)}); out.Decisions != 0 {
		t.Errorf("after the last: %+v", out)
	}
}

// What cannot be decided again is counted, by reason, and never guessed.
func TestCompareCountsWhatItCannotDecide(t *testing.T) {
	j := openJournal(t)
	old, earlier := set(t, nil, rules), set(t, nil, change(t, `"month"`, `"year"`))
	row := func(alter func(*written)) written {
		w := j.decision(old, visit("payer", "payment"), leaves(), nil)
		alter(&w)
		return w
	}
	outcome := func(o flow.Outcome) func(*written) { return func(w *written) { w.ev.Outcome = o } }
	lost := j.decision(old, visit("payer", "payment"), leaves(), func(all []flow.LeafTerms) { all[1].Level = flow.Generalized })
	more := j.decision(old, visit("lab", "payment"), leaves(), func(all []flow.LeafTerms) {
		all[1].Treatment = flow.Treatment{Level: flow.Generalized, Param: "prefix:2"}
	})
	j.write(
		row(func(*written) {}),
		row(func(w *written) { w.inputs = nil }),
		row(func(w *written) { w.as = "another" }), // it does not open
		j.decision(earlier, visit("payer", "payment"), leaves(), nil),
		row(outcome(flow.Watched)), row(outcome(flow.Replayed)), row(outcome(flow.Refused)),
		row(func(w *written) { w.ev.Outcome, w.ev.Table = flow.Opened, &flow.Table{} }), row(func(w *written) { w.ev.Outcome, w.ev.Table = flow.Closed, &flow.Table{} }),
		row(func(w *written) { w.ev.Question = &flow.Question{Dataset: "visits"} }),
		row(outcome(flow.Opened)), row(outcome(flow.Changed)), row(outcome(flow.Erased)), // no decisions on what is shown
		lost, more,
	)
	want := map[impact.Reason]int64{
		impact.Pruned: 1, impact.Unreadable: 1, impact.Unknown: 1, impact.Watching: 1, impact.Again: 1, impact.Turned: 1, impact.Tables: 1, impact.Questions: 1, impact.Otherwise: 1,
	}
	out := j.compare(j.source(), side(old), side(old), impact.Options{})
	if fmt.Sprint(out.Not) != fmt.Sprint(want) || out.Decided != 2 || out.Entries != 15 || out.Decisions != 11 {
		t.Errorf("not decided: %v, want %v; decided %d of %d, in %d entries", out.Not, want, out.Decided, out.Decisions, out.Entries)
	}

	src := j.source()
	src.Sets = func(_ context.Context, hash string) (*policy.Set, error) {
		if hash == earlier.Hash() {
			return earlier, nil
		}
		return nil, nil
	}
	if out := j.compare(src, side(old), side(old), impact.Options{}); out.Not[impact.Unknown] != 0 || out.Decided != 3 {
		t.Errorf("with the rules of an earlier time: %v", out.Not)
	}
	src.Sets = func(context.Context, string) (*policy.Set, error) { return old, nil } // that are not the rules of that time
	if out := j.compare(src, side(old), side(old), impact.Options{}); out.Not[impact.Otherwise] != 2 {
		t.Errorf("with other rules than those of the time: %v", out.Not)
	}
	broken := errors.New("broken")
	src.Sets = func(context.Context, string) (*policy.Set, error) { return nil, broken }
	if _, err := impact.Compare(t.Context(), src, side(old), side(old), impact.Options{}); !errors.Is(err, broken) {
		t.Errorf("Compare() error = %v, want the one of the rules", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if out, err := impact.Compare(ctx, j.source(), side(old), side(old), impact.Options{}); !errors.Is(err, context.Canceled) || out != nil {
		t.Errorf("Compare() that was cancelled = %v, %v", out, err)
	}
}

// What was held down by more than policy stays within what was recorded.
func TestCompareKeepsToWhatHeldBesidePolicy(t *testing.T) {
	old := set(t, nil, rules)
	raw := set(t, nil, change(t, `"names") permit (principal, action in Action::"upto_tokenized"`, `"names") permit (principal, action in Action::"upto_raw"`))
	dropped := set(t, nil, change(t, `upto_tokenized`, `upto_masked`))
	for _, c := range []struct {
		name       string
		recorded   flow.LeafTerms
		next       *policy.Set
		move       string
		limited    int64
		notDecided impact.Reason
	}{
		{"policy alone", flow.LeafTerms{Treatment: flow.Treatment{Level: flow.Tokenized, Param: flow.TokenReversible}}, raw, "tokenized(reversible) to raw", 0, ""},
		{"a capability", flow.LeafTerms{Treatment: flow.Treatment{Level: flow.Masked}, By: flow.ByCapability}, raw, "", 1, ""},
		{"memory of exposure", flow.LeafTerms{By: flow.ByExposure}, raw, "", 1, ""},
		{"a contract, and less by policy", flow.LeafTerms{Treatment: flow.Treatment{Level: flow.Tokenized, Param: flow.TokenOneWay}, By: flow.ByContract}, dropped, "tokenized(oneway) to masked", 1, ""},
		{"a value that has no token", flow.LeafTerms{Treatment: flow.Treatment{Level: flow.Masked}}, raw, "masked to raw", 0, ""},
		{"a value that has no token, and less by policy", flow.LeafTerms{Treatment: flow.Treatment{Level: flow.Masked}}, dropped, "", 0, ""},
		{"a token that was opened", flow.LeafTerms{Treatment: flow.Treatment{Level: flow.Raw}}, raw, "", 0, impact.StandIn},
	} {
		j := openJournal(t)
		j.write(j.decision(old, visit("payer", "payment"), leaves()[3:], func(all []flow.LeafTerms) { all[0] = c.recorded }))
		out := j.compare(j.source(), side(old), side(c.next), impact.Options{})
		got := ""
		for _, m := range out.Moves {
			got = m.From + " to " + m.To
		}
		if got != c.move || out.Limited != c.limited || c.notDecided != "" && out.Of[c.notDecided] != 1 || out.Decided != 1 {
			t.Errorf("%s: it moves %q, limited %d, values not decided %v, decisions not decided %v", c.name, got, out.Limited, out.Of, out.Not)
		}
	}
}

// A field with another label is decided by that, and one that is gone is not decided.
func TestCompareFollowsTheCatalog(t *testing.T) {
	j := openJournal(t)
	old := set(t, nil, rules)
	stricter := leaves()[3:]
	stricter[0].Label = "secret/password" // a detector found it
	j.write(j.decision(old, visit("payer", "payment"), leaves(), nil), j.decision(old, visit("payer", "payment"), stricter, nil))
	relabelled := set(t, func(e *policy.Entities) { e.Fields[2].Label = "health/visit-date" }, rules)
	out := j.compare(j.source(), side(old), side(relabelled), impact.Options{})
	if got := moves(out); !slices.Equal(got, []string{"insurer health/visit-date: tokenized(reversible) to generalized(month), 1"}) {
		t.Errorf("moves %q", got)
	}
	gone := set(t, func(e *policy.Entities) { e.Fields = e.Fields[:2] }, rules)
	if out := j.compare(j.source(), side(old), side(gone), impact.Options{}); out.Of[impact.Gone] != 2 || out.Values.Same != 3 {
		t.Errorf("values not decided %v, others %+v", out.Of, out.Values)
	}
	bound := set(t, func(e *policy.Entities) { e.Fields[0].Use.Purposes = []flow.Purpose{"care"} }, rules)
	out = j.compare(j.source(), side(old), side(bound), impact.Options{})
	if got := moves(out); !slices.Equal(got, []string{"insurer health/visit-date: generalized(month) to dropped, 1"}) {
		t.Errorf("a contract that lets data be used for care alone: moves %q", got)
	}
	was, is := side(old), side(old)
	schema := func(agent, tool, direction, digest string) map[string]string {
		return map[string]string{"schemas/0/file": "./v.json", "schemas/0/agent": agent, "schemas/0/tool": tool, "schemas/0/direction": direction, "file:v.json": digest}
	}
	was.Settings, is.Settings = schema("records", "visits", "response", "abc"), schema("records", "visits", "response", "def")
	is.Settings["transparent/0/agent"] = "records"
	if out := j.compare(j.source(), was, is, impact.Options{}); out.Of[impact.OtherSchema] != 5 || len(out.Beside) != 2 {
		t.Errorf("another schema: values not decided %v, beside %v", out.Of, out.Beside)
	}
	for _, other := range [][3]string{{"records", "visits", "request"}, {"records", "other", "response"}, {"clinic", "visits", "response"}} {
		was.Settings, is.Settings = schema(other[0], other[1], other[2], "abc"), schema(other[0], other[1], other[2], "def")
		if out := j.compare(j.source(), was, is, impact.Options{}); out.Of[impact.OtherSchema] != 0 {
			t.Errorf("a schema of something else, %v: values not decided %v", other, out.Of)
		}
	}
}

// TestCompareAgreesWithDecidingEachLeaf decides random flows leaf by leaf, and holds what Reveals says against it.
func TestCompareAgreesWithDecidingEachLeaf(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	labels := []flow.Label{"person/name", "person/birth-date", "health/visit-date", "health/diagnosis", "finance/iban", "text/free", "unlabelled"}
	pick := func(list ...string) string { return list[rng.IntN(len(list))] }
	random := func() string {
		if rng.IntN(3) == 0 {
			return fmt.Sprintf("forbid (%s, action in Action::%q, resource in DataClass::%q);\n", pick("principal", `principal in Role::"claims"`, `principal == Agent::"lab"`),
				"atleast_"+pick("raw", "tokenized", "masked"), labels[rng.IntN(len(labels))])
		}
		return fmt.Sprintf("permit (%s, action in Action::%q, resource%s)%s;\n", pick("principal", `principal in Role::"claims"`, `principal == Agent::"lab"`),
			"upto_"+pick("raw", "tokenized", "generalized", "masked"), pick("", ` in DataClass::"person"`, ` in DataClass::"health"`), pick("", "", ` when { context.purpose == Purpose::"payment" }`, ` unless { context.consent }`))
	}
	rounds := 25
	if os.Getenv("SCRIM_LONG") != "" {
		rounds = 400
	}
	narrower, opened := 0, 0
	for range rounds {
		var before []string
		for range 2 + rng.IntN(6) {
			before = append(before, random())
		}
		after := slices.Clone(before)
		if i := rng.IntN(len(after)); rng.IntN(2) == 0 {
			after = slices.Delete(after, i, i+1)
		} else {
			after = append(after, random())
		}
		old, next := set(t, nil, strings.Join(before, "")), set(t, nil, strings.Join(after, ""))
		j := openJournal(t)
		var rows []written
		var want impact.Change
		for range 40 {
			q := visit(flow.AgentID(pick("payer", "lab")), flow.Purpose(pick("payment", "research")))
			q.Consent = rng.IntN(2) == 0
			q.Flow.Task.Criticality = flow.Criticality(rng.IntN(3))
			var ls []flow.Leaf
			for range 1 + rng.IntN(8) {
				ls = append(ls, flow.Leaf{Path: "/x", Label: labels[rng.IntN(len(labels))], Origin: flow.Catalogued})
			}
			rows = append(rows, j.decision(old, q, ls, nil))
			for _, l := range ls {
				a, _ := old.Explain(q, l)
				b, _ := next.Explain(q, l)
				switch f := a.Class.Family; {
				case f.Reveals(b.Result.Treatment, a.Result.Treatment):
					want.Open++
				case f.Reveals(a.Result.Treatment, b.Result.Treatment):
					want.Close++
				default:
					want.Same++
				}
			}
		}
		j.write(rows...)
		out := j.compare(j.source(), side(old), side(next), impact.Options{})
		if out.Values != want || out.Decided != 40 {
			t.Fatalf("values %+v, want %+v\nbefore:\n%s\nafter:\n%s", out.Values, want, strings.Join(before, ""), strings.Join(after, ""))
		}
		reveals, why := impact.Reveals(side(old), side(next))
		if !reveals {
			narrower++
		}
		if want.Open > 0 {
			opened++
		}
		if !reveals && (out.Values.Open > 0 || out.Flows.Duties > 0) || reveals != (len(why) > 0) {
			t.Fatalf("Reveals() = %v, %q, yet %+v\nbefore:\n%s\nafter:\n%s", reveals, why, out.Values, strings.Join(before, ""), strings.Join(after, ""))
		}
	}
	if narrower < rounds/6 || opened < rounds/10 {
		t.Errorf("of %d changes %d were provably narrower and %d opened something: the draw says little", rounds, narrower, opened)
	}
}
