package policy

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// changed draws a change of some policies that may or may not reveal more.
func (w world) changed(policies []string) []string {
	out := slices.Clone(policies)
	for range 1 + w.IntN(2) {
		i := w.IntN(len(out))
		if w.IntN(2) == 0 {
			i = max(0, len(out)-1-w.IntN(6)) // one that others overlap
		}
		switch w.IntN(10) {
		case 9:
			out[i] = strings.NewReplacer("k >= 2", "k >= 5", "k >= 5", "k >= 2", `, Action::"match"`, "", ` when { context.consent }`, "").Replace(out[i])
		case 0:
			out = append(out, w.policy(true, false))
		case 1:
			if len(out) > 1 {
				out = slices.Delete(out, i, i+1)
			}
		case 2:
			out[i] = strings.Replace(out[i], ";", " when { "+pick(w, "context.consent", "context.hop < 1", overflow, `context.purpose in Purpose::"billing"`)+" };", 1)
		case 3:
			out[i] = strings.Replace(out[i], "upto_raw", pick(w, "upto_masked", "upto_tokenized", "upto_generalized"), 1)
		case 4:
			out[i] = strings.Replace(out[i], "atleast_raw", pick(w, "atleast_masked", "atleast_tokenized"), 1)
		case 5:
			if strings.Contains(out[i], "permit") {
				out[i] = pick(w, `@retain("P1D") `, `@notify("dpo") `, `@handle("PT5M") `) + strings.NewReplacer(`@retain("P1D") `, "", `@notify("dpo") `, "", `@handle("PT5M") `, "").Replace(out[i])
			}
		case 6:
			out[i] = pick(w, strings.NewReplacer(`"month"`, `"year"`, `"keep:3"`, `"keep:2"`, `"oneway"`, `"surrogate"`), strings.NewReplacer(`"month"`, `"day"`, `"keep:1"`, `"keep:2"`)).Replace(out[i])
		case 7:
			out[i] = strings.NewReplacer(`Role::"staff"`, `Role::"adjuster"`, `DataClass::"person"`, `DataClass::"person/contact"`, `@exception("agreed") `, "").Replace(out[i])
		default:
			out = append(out, w.policy(w.IntN(2) == 0, true))
		}
	}
	return out
}

// overlapping draws policies that hold together, so that one less of them may show more.
func (w world) overlapping() []string {
	const on = `(principal, action in Action::"upto_generalized", resource in DataClass::"person/birth-date")`
	out := []string{
		pick(w, `@generalize("month") `, `@generalize("day") @retain("P1D") `) + "permit " + on + ";\n",
		pick(w, `@generalize("year") `, `@generalize("decade") @retain("P1D") `, "") + "permit " + on + w.condition() + ";\n",
	}
	return append(out[:1+w.IntN(2)],
		"permit "+on+" when { context.hop + "+pick(w, "9223372036854775807", "9223372036854775806")+" > 0 };\n",
		`permit (principal, action == Action::"open", resource in DataClass::"person")`+w.condition()+";\n",
		fmt.Sprintf("permit (principal, action == Action::\"extract\", resource is Dataset) when { !resource.formal && context.k >= %d };\n", 2+w.IntN(4)),
		`permit (principal, action in [Action::"aggregate", Action::"match"], resource is Dataset)`+pick(w, "", " when { context.consent }", " unless { context.same_domain }")+";\n",
	)
}

func TestWhatDoesNotWidenNeverRevealsMore(t *testing.T) {
	w := newWorld(t, 77)
	changed, narrower, less, wider := 0, 0, 0, 0
	rounds := 300
	if os.Getenv("SCRIM_LONG") != "" {
		rounds = 6000
	}
	for range rounds {
		before := append(w.policies(1+w.IntN(4), true), w.overlapping()...)
		after := w.changed(before)
		old, ok := w.load(before)
		next, also := w.load(after)
		if !ok || !also {
			continue
		}
		why := Widens(old, next)
		changed++
		if len(why) == 0 {
			narrower++
		}
		for range 25 {
			q, leaf := w.query(), w.leaf()
			if w.IntN(3) > 0 {
				leaf, q.Flow.Task.Criticality = flow.Leaf{Label: "person/birth-date"}, flow.Critical
			}
			more, fewer := reveals(t, old, next, q, leaf)
			if more != "" && len(why) == 0 {
				t.Fatalf("a change that was said to reveal no more does: %s\nquery %+v\nleaf %+v\nbefore:\n%s\nafter:\n%s", more, q, leaf, strings.Join(before, ""), strings.Join(after, ""))
			}
			if more != "" {
				wider++
			}
			if fewer && len(why) == 0 {
				less++
			}
		}
	}
	t.Logf("%d changes, %d provably narrower, which showed less %d times; %d times others showed more", changed, narrower, less, wider)
	if narrower < changed/10 || less < rounds/50 || wider < rounds/50 {
		t.Error("the changes drawn say little")
	}
}

// reveals says what the next set lets be seen, opened, kept or asked that the old one does not.
func reveals(t *testing.T, old, next *Set, q Query, leaf flow.Leaf) (more string, less bool) {
	t.Helper()
	a, err := old.Decide(q, []flow.Leaf{leaf})
	b, err2 := next.Decide(q, []flow.Leaf{leaf})
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	was, is := a.Leaves[0], b.Leaves[0]
	class, _ := old.Taxonomy().Class(labelOf(leaf))
	if class.Family.Reveals(is.Treatment, was.Treatment) {
		return fmt.Sprintf("%s instead of %s", is.Treatment, was.Treatment), false
	}
	if is.Level != flow.Dropped {
		switch {
		case b.Duties.Retain > a.Duties.Retain:
			return fmt.Sprintf("kept %s instead of %s", b.Duties.Retain, a.Duties.Retain), false
		case len(union(b.Duties.Notify, a.Duties.Notify)) > len(b.Duties.Notify):
			return "nobody is notified", false
		case was.Handle > 0 && (is.Handle == 0 || is.Handle > was.Handle):
			return fmt.Sprintf("by reference for %s instead of %s", is.Handle, was.Handle), false
		}
	}
	if yes, _, _, err := next.MayOpen(OpenQuery{Query: q, Label: leaf.Label, MintedFor: q.Flow.From.Domain}); err != nil || yes {
		if before, _, _, err2 := old.MayOpen(OpenQuery{Query: q, Label: leaf.Label, MintedFor: q.Flow.From.Domain}); err != nil || err2 != nil || !before {
			return fmt.Sprintf("a token is opened (%v, %v)", err, err2), false
		}
	}
	for _, k := range []int{1, 2, 4} {
		if q.Flow.Hop > 0 { // some of the requests will do
			break
		}
		tq := TableQuery{Query: q, Dataset: "claims", Model: Model{K: k}, Covered: []bool{k%2 == 0}}
		before, err := old.DecideTable(tq, []flow.Leaf{leaf})
		after, err2 := next.DecideTable(tq, []flow.Leaf{leaf})
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if after.Allowed && (!before.Allowed || after.Leaves[0].Level.Reveals(before.Leaves[0].Level)) {
			return fmt.Sprintf("a table of k %d has %s instead of %s", k, after.Leaves[0].Treatment, before.Leaves[0].Treatment), false
		}
	}
	for _, d := range []string{"patients", "claims"} {
		if yes, _, _ := next.MayAsk(q, d, "aggregate"); yes {
			if before, _, _ := old.MayAsk(q, d, "aggregate"); !before {
				return "a question is answered", false
			}
		}
	}
	return "", class.Family.Reveals(was.Treatment, is.Treatment)
}

func TestWidens(t *testing.T) {
	w := newWorld(t, 1)
	const base = `
@id("staff") @retain("P1D") permit (principal in Role::"staff", action in Action::"upto_raw", resource in DataClass::"person");
@id("dates") @generalize("month") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/birth-date");
@id("years") @generalize("year") @retain("P1D") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/birth-date") when { context.consent };
@id("shy") forbid (principal, action in Action::"atleast_tokenized", resource in DataClass::"person/contact") unless { context.consent };
@id("open") permit (principal, action == Action::"open", resource) when { context.is_supplier };
@id("fails") permit (principal, action in Action::"upto_masked", resource in DataClass::"health") when { context.hop + 1 < 3 };
@id("out") permit (principal, action == Action::"extract", resource is Dataset) when { !resource.formal && context.k >= 5 };
`
	change := func(from, to string) string {
		if !strings.Contains(base, from) {
			t.Fatalf("%q is not in the policies", from)
		}
		return strings.Replace(base, from, to, 1)
	}
	without := func(id string) string {
		var out []string
		for line := range strings.Lines(base) {
			if !strings.Contains(line, `@id("`+id+`")`) {
				out = append(out, line)
			}
		}
		return strings.Join(out, "")
	}
	for _, c := range []struct {
		name, policies string
		widens         bool
	}{
		{"nothing", base, false},
		{"another name and a comment", change(`@id("staff")`, "// of the house\n"+`@id("house") @reason("because")`), false},
		{"a forbid more", base + `forbid (principal, action in Action::"atleast_raw", resource);`, false},
		{"a forbid for all actions more", base + `forbid (principal, action, resource) when { context.hop > 1 };`, false},
		{"a shadow permit more", base + `@shadow("true") permit (principal, action in Action::"upto_raw", resource);`, false},
		{"a permit of raw less", without("staff"), false},
		{"a permit for fewer", change(`in Role::"staff"`, `in Role::"adjuster"`), false},
		{"a permit of less", change(`upto_raw`, `upto_tokenized`), false},
		{"a forbid of more", change(`atleast_tokenized`, `atleast_masked`), false},
		{"a forbid without its exception", change(` unless { context.consent };`, `;`), false},
		{"a condition more", change(`{ context.is_supplier }`, `{ context.is_supplier && context.same_task }`), false},
		{"a reference in the data's place", change(`@id("dates")`, `@id("dates") @handle("PT5M")`), false},
		{"a coarser parameter", change(`"month"`, `"year"`), false},
		{"a shorter time", change(`"P1D"`, `"PT1H"`), false},
		{"a permit more", base + `permit (principal, action in Action::"upto_masked", resource in DataClass::"finance");`, true},
		{"a forbid less", without("shy"), true},
		{"a forbid for fewer", change(`{ context.consent };`+"\n"+`@id("open")`, `{ context.consent || context.approved };`+"\n"+`@id("open")`), true},
		{"a finer parameter", change(`"year"`, `"day"`), true},
		{"the permit with the coarser parameter less", without("years"), true},
		{"a longer time", change(`"P1D"`, `"P2D"`), true},
		{"an exception", change(`@id("staff")`, `@id("staff") @exception("agreed")`), true},
		{"a permit for more", change(`in Role::"staff"`, ``), true},
		{"a condition less", change(` when { context.is_supplier }`, ``), true},
		{"what may fail less", without("fails"), true},
		{"a weaker guarantee", change(`context.k >= 5`, `context.k >= 2`), true},
		{"a finer parameter beside a coarser one", change(`@id("dates") @generalize("month")`, `@id("dates") @generalize("day")`), true},
	} {
		old, ok := w.load([]string{base})
		next, also := w.load([]string{strings.ReplaceAll(c.policies, "principal ,", "principal,")})
		if !ok || !also {
			_, err := w.snap.loadFiles([]source{{"p.cedar", c.policies}}, nil, -1)
			t.Fatalf("%s: the policies do not load: %v", c.name, err)
		}
		if why := Widens(old, next); len(why) > 0 != c.widens {
			t.Errorf("%s: Widens() = %q, want reasons: %v", c.name, why, c.widens)
		}
	}
}

func TestWidensLooksAtEntities(t *testing.T) {
	w := newWorld(t, 1)
	old, ok := w.load([]string{`permit (principal in Role::"staff", action in Action::"upto_raw", resource);`})
	if !ok {
		t.Fatal("the policies do not load")
	}
	again := func(change func(*Entities)) *Set {
		k := old.Keep()
		k.Entities = k.Entities.copied()
		change(&k.Entities)
		snap, err := newSnapshot(Options{Entities: k.Entities})
		if err != nil {
			t.Fatal(err)
		}
		s, err := snap.loadFiles(old.files, nil, -1)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if why := Widens(old, again(func(*Entities) {})); len(why) > 0 {
		t.Errorf("the same entities: Widens() = %q", why)
	}
	for name, change := range map[string]func(*Entities){
		"an agent":      func(e *Entities) { e.Agents = append(e.Agents, flow.Party{Agent: "new", Domain: "lab"}) },
		"a role of one": func(e *Entities) { e.Agents[0].Roles = append(e.Agents[0].Roles, "staff") },
		"a role":        func(e *Entities) { e.RoleParents["auditor"] = []flow.Role{"staff"} },
		"a purpose":     func(e *Entities) { e.Purposes["research"] = []flow.Purpose{"care"} },
		"a label":       func(e *Entities) { e.Fields[0].Label = "public" },
		"formal":        func(e *Entities) { e.Datasets = append(e.Datasets, Dataset{Name: "claims", Formal: true}) },
	} {
		if len(Widens(old, again(change))) == 0 {
			t.Errorf("%s: Widens() gives no reason", name)
		}
	}
	using := func(u Use) *Set { return again(func(e *Entities) { e.Fields[0].Use = u }) }
	all, care, week := using(Use{}), using(Use{Purposes: []flow.Purpose{"care"}, Techniques: []string{"message"}, Retain: time.Hour}), using(Use{Retain: 7 * 24 * time.Hour})
	for _, c := range []struct{ from, to *Set }{{all, care}, {all, week}, {week, care}} {
		if why := Widens(c.from, c.to); len(why) > 0 {
			t.Errorf("a contract that lets data be used for less: Widens() = %q", why)
		}
		if len(Widens(c.to, c.from)) == 0 {
			t.Error("a contract that lets data be used for more: Widens() gives no reason")
		}
	}
	level := flow.Masked
	asked := old.Keep()
	snap, err := newSnapshot(Options{Entities: asked.Entities, Outside: []Outside{{From: "lab/all", Labels: []OutsideLabel{{Label: "person", Level: &level}}}}})
	if err != nil {
		t.Fatal(err)
	}
	held, err := snap.loadFiles(old.files, nil, -1)
	if err != nil {
		t.Fatal(err)
	}
	if why := Widens(old, held); len(why) > 0 {
		t.Errorf("what another domain asks for: Widens() = %q", why)
	}
	if len(Widens(held, old)) == 0 {
		t.Error("what another domain asked for is gone: Widens() gives no reason")
	}
	if again, err := Restore(held.Keep(), -1); err != nil || again.Hash() != held.Hash() {
		t.Errorf("Restore() of a set that others ask things of = %v, %v", again, err)
	}
	carrying := old.Carrying(map[string][]flow.Label{"patients/phone": {"health"}})
	if why := Widens(old, carrying); len(why) > 0 {
		t.Errorf("a field that carries more: Widens() = %q", why)
	}
	if len(Widens(carrying, old)) == 0 {
		t.Error("a field that carries less: Widens() gives no reason")
	}
}

func BenchmarkWidens(b *testing.B) {
	w := newWorld(b, 5)
	var policies []string
	for range 1000 {
		policies = append(policies, w.policy(w.IntN(4) == 0, false))
	}
	old, ok := w.load(policies)
	next, also := w.load(append(policies[1:], w.policy(true, false)))
	if !ok || !also {
		b.Fatal("the policies do not load")
	}
	for b.Loop() {
		Widens(old, next)
	}
}
