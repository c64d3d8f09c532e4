package trace_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

func TestEventsAreOpenLineage(t *testing.T) {
	c := official(t)
	r := newRig(t, story(), lineage.Options{})
	r.follow(t)
	seen := map[string]bool{}
	all := r.all(t)
	for _, ev := range all {
		for _, name := range check(t, c, text(t, ev)) {
			seen[name] = true
		}
	}
	want := []string{"columnLineage", "jobType", "outputStatistics", "parent", "schema", "scrim_capability", "scrim_disclosure", "scrim_privacyCost", "tags"}
	if got := keys(seen); !slices.Equal(got, want) || len(all) < 20 {
		t.Errorf("%d events have the facets %q, want %q", len(all), got, want)
	}
	if len(r.errs) > 0 {
		t.Error(r.errs)
	}
}

func TestColumnsAreMadeAsTheyWereDecided(t *testing.T) {
	r := newRig(t, story(), lineage.Options{})
	r.follow(t)
	for id, want := range map[flow.ID]map[string]string{
		"q1": {"mrn": "patients.mrn DIRECT/IDENTITY false"},
		"a1": {"birthDate": "patients.birth_date DIRECT/IDENTITY false", "conditions.code": "conditions.code DIRECT/IDENTITY false"},
		"q2": {
			"message.parts.text":             "agents/intake/to/prior-auth/SendMessage.message.parts.text DIRECT/IDENTITY false",
			"message.parts.text.person/name": "agents/intake/to/prior-auth/SendMessage.message.parts.text.person/name DIRECT/TRANSFORMATION true masked",
			"patient.name":                   "agents/intake/to/prior-auth/SendMessage.patient.name DIRECT/TRANSFORMATION true tokenized(surrogate)",
			"patient.birthDate": "agents/intake/to/prior-auth/SendMessage.patient.birthDate DIRECT/TRANSFORMATION true generalized(year); " +
				"agents/intake/from/records/get_record.birthDate INDIRECT/ true held by the sender",
			"patient.phone":   "agents/intake/to/prior-auth/SendMessage.patient.phone DIRECT/TRANSFORMATION true masked(keep:2)",
			"request.notes.*": "agents/intake/to/prior-auth/SendMessage.request.notes.* DIRECT/IDENTITY false",
		},
		"a2": {
			"status.message.parts.text": "agents/prior-auth/to/intake/SendMessage.status.message.parts.text DIRECT/IDENTITY false",
			"decision":                  "agents/prior-auth/to/intake/SendMessage.decision DIRECT/IDENTITY false",
		},
		"a3": {"answer": "visits.age DIRECT/AGGREGATION true aggregate; visits.ward DIRECT/AGGREGATION true aggregate"},
		"a4": {"answer": "streams/visits/admissions.released DIRECT/IDENTITY false"},
		"r1": {"birth_date": "registry.birth_date DIRECT/TRANSFORMATION true generalized", "sex": "registry.sex DIRECT/IDENTITY false", "zip": "registry.zip DIRECT/TRANSFORMATION true generalized"},
		"w1": {"mrn": "agents/intake/to/records/get_record.mrn DIRECT/IDENTITY false"}, // nothing was enforced
	} {
		ev := r.last(t, id)
		got := made(t, ev)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("flow %s made\n%v\nwant\n%v", id, got, want)
		}
		var schema []string
		for _, f := range ev.Outputs[0].Schema {
			schema = append(schema, f.Name)
		}
		if slices.Sort(schema); !slices.Equal(schema, keys(want)) {
			t.Errorf("flow %s gave the columns %q, want %q", id, schema, keys(want))
		}
	}
}

// A stream is one run: it begins, goes on, and at its end says all that it gave. What nobody enforced or what was refused gave nothing.
func TestRunsBeginOnceAndEndOnce(t *testing.T) {
	r := newRig(t, story(), lineage.Options{})
	r.follow(t)
	runs := map[string][]string{}
	for _, ev := range r.all(t) {
		runs[ev.Run.ID] = append(runs[ev.Run.ID], string(ev.Type))
	}
	for id, want := range map[flow.ID]string{
		"q1": "START COMPLETE", "a2": "START RUNNING RUNNING COMPLETE", "r1": "START COMPLETE", "q5": "START FAIL", "s1": "START COMPLETE", "c1": "", "b1": "",
	} {
		if got := strings.Join(runs[trace.RunID(id)], " "); got != want {
			t.Errorf("flow %s is a run of %q, want %q", id, got, want)
		}
	}
	if ev := r.last(t, "q5"); len(ev.Inputs)+len(ev.Outputs) > 0 {
		t.Error("a refused flow reads or writes something")
	}
}

func TestParentsAreTheHopsBefore(t *testing.T) {
	r := newRig(t, story(), lineage.Options{})
	r.follow(t)
	for id, want := range map[flow.ID]string{
		"a1": trace.RunID("q1") + " scrim://hospital flow/intake/records/get_record/request",
		"a2": trace.RunID("q2") + " scrim://hospital flow/intake/prior-auth@insurer/SendMessage/request",
		"q5": trace.RunID("hop:abcd") + " scrim://lab hop",
	} {
		p := r.last(t, id).Run.Parent
		if p == nil || p.Run+" "+p.Job.Namespace+" "+p.Job.Name != want {
			t.Errorf("the parent of %s is %+v, want %s", id, p, want)
		}
	}
	if p := r.last(t, "q1").Run.Parent; p != nil {
		t.Errorf("a first flow has the parent %+v", p)
	}
}

// Who received anything derived from a column, under which policies; and where did a column come from.
func TestTheGraphAnswers(t *testing.T) {
	r := newRig(t, story(), lineage.Options{})
	r.follow(t)
	born := lineage.Column{Dataset: lineage.Name{Namespace: "scrim://hospital", Name: "patients"}, Field: "birth_date"}
	p, err := r.graph.Downstream(t.Context(), born, lineage.Reach{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, d := range p.Deliveries {
		got[fmt.Sprintf("%s@%s %s %s %s %d", d.Agent, d.Domain, d.Purpose, d.Policy, d.Level, d.Count)] = true
	}
	for _, want := range []string{"intake@hospital care sha256:01 raw 1", "prior-auth@insurer care sha256:01 raw 1"} {
		if !got[want] {
			t.Errorf("received by %q, want %s among them", keys(got), want)
		}
	}
	at := lineage.Column{Dataset: lineage.Name{Namespace: "scrim://insurer", Name: "agents/prior-auth/from/intake/SendMessage"}, Field: "patient.birthDate"}
	if p, err = r.graph.Upstream(t.Context(), at, lineage.Reach{}); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(p.Links, func(l lineage.Link) bool { return l.From == born && !l.Masking }) {
		t.Errorf("the year of birth comes from %+v, want %v among it", p.Links, born)
	}
	phone := at
	phone.Field = "patient.phone"
	if p, err = r.graph.Upstream(t.Context(), phone, lineage.Reach{}); err != nil || slices.ContainsFunc(p.Links, func(l lineage.Link) bool { return l.From == born }) {
		t.Errorf("a telephone number comes from a date of birth (%v)", err)
	}
}

// cutting is a store whose transactions fail now and then: before they are durable, or after, when nobody is told any more.
type cutting struct {
	store.DB
	rnd *rand.Rand
}

var errCut = errors.New("cut")

func (c *cutting) Update(ctx context.Context, fn func(store.Tx) error) error {
	switch c.rnd.IntN(3) {
	case 0:
		return c.DB.Update(ctx, func(tx store.Tx) error { return errors.Join(fn(tx), errCut) })
	case 1:
		return errors.Join(c.DB.Update(ctx, fn), errCut)
	}
	return c.DB.Update(ctx, fn)
}

// However often the process ends, each row counts once.
func TestEachRowCountsOnce(t *testing.T) {
	const n = 2000
	j := &journal{}
	for i := range n {
		j.add(message(fmt.Sprint("f", i), "", intake, prior, "SendMessage", fmt.Sprint("skill", i%7), flow.Request), place{path: "/params/arguments/a", label: "person/name", how: raw})
	}
	r := newRig(t, j, lineage.Options{})
	db := &cutting{DB: r.db, rnd: rand.New(rand.NewPCG(1, 2))}
	cuts := 0
	for tr := r.again(db); ; {
		got, err := tr.Step(t.Context())
		if err != nil {
			if !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			if cuts++; cuts%2 == 0 {
				tr = r.again(db) // the process starts again, and knows nothing
			}
			continue
		}
		if got == 0 {
			break
		}
	}
	var count int64
	for i := range 7 {
		c := lineage.Column{Dataset: lineage.Name{Namespace: "scrim://insurer", Name: fmt.Sprint("agents/prior-auth/from/intake/skill", i)}}
		p, err := r.graph.Upstream(t.Context(), c, lineage.Reach{Steps: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range p.Deliveries {
			if d.Agent == "prior-auth" && d.Dataset == c.Dataset {
				count += d.Count
			}
		}
	}
	p, err := r.Progress(t.Context())
	if err != nil || count != n || p.Seq != n || cuts < 3 {
		t.Errorf("%d deliveries are counted of %d, up to row %d with %d cuts (%v)", count, n, p.Seq, cuts, err)
	}
}

// What is sent elsewhere does not depend on when it is asked for, nor on whether the process began anew.
func TestRowsSayTheSameWheneverTheyAreAskedFor(t *testing.T) {
	j := story()
	whole := newRig(t, j, lineage.Options{})
	whole.follow(t)
	var want []string
	for _, ev := range whole.all(t) {
		want = append(want, string(text(t, ev)))
	}
	var got []string
	part := &journal{inputs: j.inputs}
	r := newRig(t, part, lineage.Options{})
	for _, row := range j.rows {
		part.rows = append(part.rows, row)
		r.follow(t)
		r.Tracer = r.again(r.db)
		rows, err := r.Rows(t.Context(), row.Seq-1, 10)
		if err != nil || len(rows) != 1 {
			t.Fatalf("Rows() = %d rows, %v, want one", len(rows), err)
		}
		for _, ev := range rows[0].Events {
			got = append(got, string(text(t, ev)))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("events are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if rows, err := r.Rows(t.Context(), int64(len(j.rows)), 10); len(rows) > 0 || err != nil {
		t.Errorf("after the last row come %d (%v)", len(rows), err)
	}
}

// A graph without room, or a row that cannot be read, holds nothing up, and is counted and told.
func TestWhatCannotBeFollowedHoldsNothingUp(t *testing.T) {
	r := newRig(t, story(), lineage.Options{Nodes: 12})
	r.follow(t)
	p, err := r.Progress(t.Context())
	if err != nil || p.Skipped == 0 || p.Seq != int64(len(r.journal.rows)) || len(r.errs) == 0 || !errors.Is(r.errs[0], lineage.ErrFull) {
		t.Errorf("followed up to %d, %d left out, told %v (%v)", p.Seq, p.Skipped, r.errs, err)
	}
	j := story()
	delete(j.inputs, 2)
	r = newRig(t, j, lineage.Options{})
	r.follow(t)
	if p, err = r.Progress(t.Context()); err != nil || p.Seq != int64(len(j.rows)) || !slices.ContainsFunc(r.errs, func(err error) bool { return errors.Is(err, errSealed) }) {
		t.Errorf("followed up to %d, told %v (%v)", p.Seq, r.errs, err)
	}
	if ev := r.last(t, "a1"); ev.Type != lineage.Other {
		t.Errorf("a row that cannot be read is %s, want OTHER", ev.Type)
	}
}

// However long or odd declared names are, they go into every database: an index takes 2,700 bytes, a text no zero byte.
func TestLongAndOddNamesAreTaken(t *testing.T) {
	long := strings.Repeat("ä", 4000)
	j := &journal{}
	from := flow.Party{Agent: flow.AgentID("a\x00b" + long), Domain: "insurer"}
	j.add(message("f1", "", from, intake, "SendMessage", long+"\x1b", flow.Request),
		place{path: flow.Path("/params/arguments/x\x00\u202e" + long), label: "person/name", how: raw},
		place{path: "/params/arguments/y~1z~0/0/w", label: "person/name", field: "patients/" + long, how: raw},
		place{path: "/params", label: "person/name", how: raw})
	r := newRig(t, j, lineage.Options{})
	r.follow(t)
	got := keys(made(t, r.last(t, "f1")))
	if len(got) != 3 || !slices.Contains(got, "params") || !slices.Contains(got, "y/z~.w") || len(r.errs) > 0 {
		t.Errorf("columns are %q, told %v", got, r.errs)
	}
	for _, c := range got {
		if len(c) > 1100 || strings.ContainsAny(c, "\x00\x1b") {
			t.Errorf("a column is called %q", c)
		}
	}
	for _, d := range r.last(t, "f1").Outputs {
		if n := len(d.Namespace) + len(d.Name.Name); n > 700 || strings.ContainsAny(d.Name.Name, "\x00\x1b") {
			t.Errorf("a dataset is called %q", d.Name.Name)
		}
	}
}
