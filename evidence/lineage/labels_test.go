package lineage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

const (
	email     flow.Label = "person/contact/email"
	name      flow.Label = "person/name"
	diagnosis flow.Label = "health/diagnosis"
)

// clinic is what an owner declared: two sources and what is made of them.
func clinic() Rules {
	return Rules{Taxonomy: flow.DefaultTaxonomy(), Declared: []Declared{
		{Name: table("patients"), Of: "patients", Columns: map[string]flow.Label{"name": name, "mail": email, "ward": flow.PublicData}},
		{Name: table("stays"), Of: "stays", Columns: map[string]flow.Label{"patient": name, "why": diagnosis}},
		{Name: table("mart"), Of: "mart", Columns: map[string]flow.Label{"a": flow.PublicData, "b": flow.PublicData}},
	}}
}

func carried(t testing.TB, g *Graph, r Rules) *Labels {
	t.Helper()
	l, err := g.Labels(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// reached are the labels that reached a declared column, in order.
func (l *Labels) reached(of, field string) string {
	var all []string
	for _, c := range l.Columns {
		if c.Of == of && c.Column.Field == field {
			for _, one := range c.Carried {
				all = append(all, string(one.Label))
			}
		}
	}
	return strings.Join(all, " ")
}

func start(ev *Event) *Event { ev.Type = Start; return ev }

func mart(c *ColumnLineage) Dataset { return Dataset{Name: table("mart"), Columns: c} }

var (
	ofMail   = of(map[string][]Column{"a": {{table("patients"), "mail"}}, "b": {{table("patients"), "ward"}}})
	patients = []Name{table("patients")}
	both     = []Name{table("patients"), table("stays")}
	masking  = Transformation{Type: "DIRECT", Subtype: "TRANSFORMATION", Masking: true}
)

// Labels go with the data, whatever became of it on the way, and only ever add.
func TestLabelsAreCarried(t *testing.T) {
	tmp := func(c *ColumnLineage) Dataset { return Dataset{Name: table("tmp"), Columns: c} }
	all := "health/diagnosis person/contact/email person/name"
	for _, c := range []struct {
		name   string
		events []*Event
		a, b   string
	}{
		{"nothing was told", nil, "", ""},
		{"a copy", []*Event{run(run1, "j", patients, mart(ofMail))}, "person/contact/email", ""},
		{"a public column is carried nowhere", []*Event{run(run1, "j", patients, mart(of(map[string][]Column{"a": {{table("patients"), "ward"}}, "b": {{table("patients"), "ward"}}})))}, "", ""},
		{"a join gives all columns the label", []*Event{run(run1, "j", both, mart(&ColumnLineage{Fields: ofMail.Fields, Dataset: []Input{{Column{table("stays"), "why"}, []Transformation{{Type: "INDIRECT", Subtype: "JOIN"}}}}}))},
			"health/diagnosis person/contact/email", "health/diagnosis"},
		{"nobody says how", []*Event{run(run1, "j", both, mart(nil))}, all, all},
		{"nothing is said by an empty list", []*Event{run(run1, "j", both, mart(of(map[string][]Column{"a": nil, "b": nil})))}, all, all},
		{"a column that the facet leaves out", []*Event{run(run1, "j", both, mart(of(map[string][]Column{"a": {{table("patients"), "ward"}}})))}, "", all},
		{"a column that a later run leaves out", []*Event{run(run1, "j", both, mart(ofMail)), run(run2, "j", both, Dataset{Name: table("mart"), Schema: []Field{{Name: "a"}, {Name: "B"}}, Columns: of(map[string][]Column{"a": {{table("patients"), "mail"}}})})}, "person/contact/email", all},
		{"a function that nobody looks into", []*Event{run(run1, "j", patients, mart(of(map[string][]Column{"a": {{table("patients"), ""}}, "b": {{table("patients"), "ward"}}})))}, "person/contact/email person/name", ""},
		{"a run that says how in its end", []*Event{start(run(run1, "j", both, mart(nil))), run(run1, "j", both, mart(ofMail))}, "person/contact/email", ""},
		{"a run that never says how", []*Event{run(run1, "j", both, mart(ofMail)), start(run(run2, "j", both, mart(nil)))}, all, all},
		{"a run that reads in one event and writes in another", []*Event{start(run(run1, "j", both)), run(run1, "j", nil, mart(nil))}, all, all},
		{"two steps", []*Event{
			run(run1, "one", patients, tmp(of(map[string][]Column{"x": {{table("patients"), "mail"}}}))),
			run(run2, "two", []Name{table("tmp")}, mart(of(map[string][]Column{"a": {{table("tmp"), "x"}}, "b": {{table("tmp"), "x"}}}))),
		}, "person/contact/email", "person/contact/email"},
		{"two steps, told the other way round", []*Event{
			run(run2, "two", []Name{table("tmp")}, mart(of(map[string][]Column{"a": {{table("tmp"), "X"}}, "b": {{table("tmp"), "y"}}}))),
			run(run1, "one", patients, tmp(of(map[string][]Column{"x": {{table("patients"), "MAIL"}}, "y": {{table("patients"), "ward"}}}))),
		}, "person/contact/email", ""},
		{"a column that the source does not declare", []*Event{run(run1, "j", patients, mart(of(map[string][]Column{"a": {{table("patients"), "iban"}}, "b": {{table("patients"), "ward"}}})))}, "unlabelled", ""},
		{"a member of a structure", []*Event{
			run(run1, "one", patients, tmp(of(map[string][]Column{"p.mail": {{table("patients"), "mail"}}, "q": {{table("patients"), "ward"}}}))),
			run(run2, "two", []Name{table("tmp")}, mart(of(map[string][]Column{"a": {{table("tmp"), "p"}}, "b": {{table("tmp"), "q"}}}))),
		}, "person/contact/email", ""},
		{"masking lowers nothing", []*Event{run(run1, "j", patients, mart(of(map[string][]Column{"a": {{table("patients"), "mail"}}, "b": {{table("patients"), "ward"}}}, masking)))}, "person/contact/email", ""},
		{"a circle", []*Event{
			run(run1, "one", []Name{table("mart")}, tmp(of(map[string][]Column{"x": {{table("mart"), "a"}, {table("patients"), "mail"}}}))),
			run(run2, "two", []Name{table("tmp")}, mart(of(map[string][]Column{"a": {{table("tmp"), "x"}}, "b": {{table("mart"), "b"}}}))),
		}, "person/contact/email", ""},
		{"a dataset with another name", []*Event{
			run(run1, "one", patients, tmp(ofMail)),
			{Producer: "https://example.com/etl", Dataset: &Dataset{Name: table("mart"), Symlinks: []Name{table("tmp")}}},
		}, "person/contact/email", ""},
		{"a dataset that was renamed", []*Event{
			run(run1, "one", patients, tmp(ofMail)),
			{Producer: "https://example.com/etl", Dataset: &Dataset{Name: table("mart"), Previous: &Name{table("tmp").Namespace, "tmp"}}},
		}, "person/contact/email", ""},
		{"lineage of a dataset without a job", []*Event{{Producer: "https://example.com/etl", Dataset: &Dataset{Name: table("mart"), Columns: ofMail}}}, "person/contact/email", ""},
		{"a job without a run", []*Event{{Producer: "https://example.com/etl", Job: &Job{Name: Name{"airflow", "j"}}, Inputs: []Dataset{{Name: table("stays")}}, Outputs: []Dataset{mart(nil)}}}, "health/diagnosis person/name", "health/diagnosis person/name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := open(t, Options{})
			for _, ev := range c.events {
				tell(t, g, ev, etl)
			}
			l := carried(t, g, clinic())
			if a, b := l.reached("mart", "a"), l.reached("mart", "b"); a != c.a || b != c.b {
				t.Errorf("a has %q and b %q, want %q and %q", a, b, c.a, c.b)
			}
			if got := l.reached("patients", "mail"); got != "" && !strings.Contains(c.name, "circle") {
				t.Errorf("a source got labels of what was made of it: %q", got)
			}
		})
	}
}

// A run that nobody explained stays so, whoever else has a run, a job or a dataset of the same name.
func TestNobodySettlesTheRunOfAnother(t *testing.T) {
	g := open(t, Options{})
	tell(t, g, run(run1, "j", both, mart(nil)), etl)
	tell(t, g, run(run1, "j", both, mart(ofMail)), Told{Agent: "other", Domain: "hospital"})
	if got := carried(t, g, clinic()).reached("mart", "b"); !strings.Contains(got, "health/diagnosis") {
		t.Errorf("b has %q: another reporter explained the run away", got)
	}
	tell(t, g, run(run1, "j", both, mart(ofMail)), etl)
	if got := carried(t, g, clinic()).reached("mart", "b"); got != "" {
		t.Errorf("b has %q, want none once its own reporter said how", got)
	}
}

// Masking is believed where the owner says so: of the reporter, for the column, and as long as nobody says that it did not mask.
func TestMaskingIsBelievedByTheOwnersWordAlone(t *testing.T) {
	masked := mart(of(map[string][]Column{"a": {{table("patients"), "mail"}}, "b": {{table("patients"), "mail"}}}, masking))
	rules := clinic()
	rules.Masked = []Masked{{Column: Column{table("mar*"), "A"}, Teller: "etl@hospital", Label: "technical/record-id"}}
	g := open(t, Options{})
	tell(t, g, run(run1, "j", patients, masked), etl)
	l := carried(t, g, rules)
	if a, b := l.reached("mart", "a"), l.reached("mart", "b"); a != "technical/record-id" || b != "person/contact/email" {
		t.Errorf("a has %q and b %q, want the owner's label for a alone", a, b)
	}
	tell(t, g, run(run1, "j", patients, masked), Told{Agent: "other", Domain: "hospital"})
	if a := carried(t, g, rules).reached("mart", "a"); !strings.Contains(a, string(email)) {
		t.Errorf("a has %q: masking was believed of another", a)
	}
	g = open(t, Options{})
	tell(t, g, run(run1, "j", patients, masked), etl)
	if news := tell(t, g, run(run2, "j", patients, mart(ofMail)), etl); !news {
		t.Error("a run that did not mask is no news")
	}
	tell(t, g, run(run1, "j", patients, masked), etl)
	if a := carried(t, g, rules).reached("mart", "a"); !strings.Contains(a, string(email)) {
		t.Errorf("a has %q, though one run did not mask", a)
	}
}

// What is too far away to be looked at counts as unlabelled; a dataset that many are declared by is found under each of its names.
func TestALabelThatIsTooFarAwayIsUnlabelled(t *testing.T) {
	g := open(t, Options{})
	last := Column{table("patients"), "mail"}
	for i := range 40 {
		next := Name{"s3://lake", fmt.Sprintf("step/%02d", i)}
		tell(t, g, run(fmt.Sprintf("01890a5d-ac96-774b-bcce-b302099a80%02d", i), next.Name, nil, Dataset{Name: next, Columns: of(map[string][]Column{"x": {last}})}), etl)
		last = Column{next, "x"}
	}
	tell(t, g, run(run1, "last", nil, mart(of(map[string][]Column{"a": {last}, "b": {last}}))), etl)
	rules := clinic()
	l := carried(t, g, rules)
	if got := l.reached("mart", "a"); got != string(email) || l.Cut {
		t.Errorf("40 steps away it has %q", got)
	}
	for _, c := range l.Columns {
		if c.Of == "mart" && c.Column.Field == "a" {
			if n := len(c.Carried[0].Trail); n != longTrail || c.Carried[0].Trail[0].Field != "mail" || c.Carried[0].Job.Name != "last" {
				t.Errorf("the trail has %d columns and begins with %v, by job %v", n, c.Carried[0].Trail[0], c.Carried[0].Job)
			}
		}
	}
	rules.Reach = Reach{Steps: 10}
	if l = carried(t, g, rules); l.reached("mart", "a") != string(flow.Unlabelled) || !l.Cut {
		t.Errorf("beyond 10 steps it has %q, want unlabelled", l.reached("mart", "a"))
	}
	rules = clinic()
	rules.Declared = append(rules.Declared, Declared{Name: Name{"s3://lake", "step/*"}, Of: "steps", Columns: map[string]flow.Label{"x": flow.PublicData}})
	n := 0
	for _, c := range carried(t, g, rules).Columns {
		if c.Of == "steps" && c.Label == email {
			n++
		}
	}
	if n != 40 {
		t.Errorf("%d of 40 datasets of one declaration have the label", n)
	}
}

// Two labels of which none says what the other does are both in force.
func TestStrictest(t *testing.T) {
	tax := flow.DefaultTaxonomy()
	for _, c := range []struct {
		own, label flow.Label
		carried    []flow.Label
		more       string
	}{
		{flow.PublicData, email, []flow.Label{email}, "[]"},
		{email, email, nil, "[]"},
		{"person/contact", email, []flow.Label{email}, "[]"},
		{email, email, []flow.Label{"person/contact"}, "[]"},
		{flow.Unlabelled, flow.Unlabelled, []flow.Label{email}, "[person/contact/email]"},
		{name, diagnosis, []flow.Label{diagnosis}, "[person/name]"},
		{"", name, []flow.Label{name}, "[]"},
	} {
		label, more := Strictest(tax, c.own, c.carried)
		if label != c.label || fmt.Sprint(more) != c.more {
			t.Errorf("%s with %v is %s and %v, want %s and %s", c.own, c.carried, label, more, c.label, c.more)
		}
	}
}

// Whatever else is told, a label that reached a column stays; and it is found just where a plain search for a path finds it.
func TestLabelsOnlyAdd(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for round := range 25 {
		g := open(t, Options{})
		rules := Rules{Taxonomy: flow.DefaultTaxonomy()}
		own := map[Column]flow.Label{}
		some := []flow.Label{email, name, diagnosis, flow.PublicData}
		for i := range 8 {
			d := Declared{Name: table(fmt.Sprint("t", i)), Of: fmt.Sprint("t", i), Columns: map[string]flow.Label{}}
			for _, f := range []string{"x", "y", "z"} {
				l := some[rng.IntN(len(some))]
				d.Columns[f], own[Column{d.Name, f}] = l, l
			}
			rules.Declared = append(rules.Declared, d)
		}
		into := map[Column][]Column{}
		before := &Labels{}
		for step := range 6 {
			to := table(fmt.Sprint("t", rng.IntN(8)))
			fields := map[string][]Column{}
			for _, f := range []string{"x", "y", "z"} { // all, so that none is untold
				from := Column{table(fmt.Sprint("t", rng.IntN(8))), string(rune('x' + rng.IntN(3)))}
				fields[f] = []Column{from}
				into[Column{to, f}] = append(into[Column{to, f}], from)
			}
			tell(t, g, run(fmt.Sprintf("01890a5d-ac96-774b-bcce-b302099a800%d", step), fmt.Sprint("j", step), nil, Dataset{Name: to, Columns: of(fields)}), etl)
			now := carried(t, g, rules)
			for _, c := range before.Columns {
				for _, one := range c.Carried {
					if !slices.Contains(strings.Fields(now.reached(c.Of, c.Column.Field)), string(one.Label)) {
						t.Fatalf("round %d: %s lost %s", round, c.Of, one.Label)
					}
				}
			}
			before = now
		}
		for at, l := range own {
			var want []string
			seen := map[Column]bool{}
			var search func(Column)
			search = func(c Column) {
				for _, from := range into[c] {
					if got := own[from]; got != l && got != flow.PublicData && !slices.Contains(want, string(got)) {
						want = append(want, string(got))
					}
					if !seen[from] {
						seen[from] = true
						search(from)
					}
				}
			}
			search(at)
			slices.Sort(want)
			if got := before.reached(at.Dataset.Name, at.Field); got != strings.Join(want, " ") {
				t.Fatalf("round %d: %v has %q, want %q", round, at, got, want)
			}
		}
	}
}

// One reporter fills half of the room at most, and what was too much left nothing behind.
func TestAReporterTakesNoRoomOfOthers(t *testing.T) {
	g := open(t, Options{Nodes: 60, Edges: 60})
	var err error
	n := 0
	for ; err == nil; n++ {
		out := Dataset{Name: Name{"s3://lake", fmt.Sprint("d", n)}, Columns: of(map[string][]Column{"x": {{table("patients"), "mail"}}})}
		_, err = g.Tell(t.Context(), run(run1, "j", nil, out), etl)
	}
	if n < 5 || n > 30 {
		t.Errorf("after %d events: %v", n, err)
	}
	if _, err := g.Upstream(t.Context(), Column{Name{"s3://lake", fmt.Sprint("d", n-1)}, ""}, Reach{}); err == nil {
		t.Error("an event that there was no room for left a dataset behind")
	}
	tell(t, g, run(run1, "j", patients, mart(ofMail)), Told{Agent: "other", Domain: "hospital"})
}
