package trace_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

// journal is rows in memory, with what is sealed in them beside.
type journal struct {
	rows   []audit.Entry
	inputs map[int64]trace.Decision
}

var day = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func (j *journal) add(ev flow.Event, places ...place) {
	seq := int64(len(j.rows) + 1)
	if ev.Time.IsZero() {
		ev.Time = day.Add(time.Duration(seq) * time.Second)
	}
	e := audit.Entry{Seq: seq, Event: ev}
	if places != nil {
		e.Sealed = []byte("sealed")
		var d trace.Decision
		for _, p := range places {
			l := flow.Leaf{Path: p.path, Label: p.label, Field: p.field, Origin: flow.Catalogued, Need: p.need}
			if strings.HasSuffix(string(p.path), "/text") {
				l.Origin = flow.Detected
			}
			d.Leaves, d.Terms = append(d.Leaves, l), append(d.Terms, flow.LeafTerms{Treatment: p.how, By: p.by})
		}
		if j.inputs == nil {
			j.inputs = map[int64]trace.Decision{}
		}
		j.inputs[seq] = d
	}
	j.rows = append(j.rows, e)
}

// place is one leaf with its terms.
type place struct {
	path  flow.Path
	label flow.Label
	field string
	how   flow.Treatment
	by    flow.Limit
	need  *flow.Treatment
}

func (j *journal) entries(_ context.Context, q audit.Query) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		n := 0
		for _, e := range j.rows {
			if e.Seq < q.From || q.To > 0 && e.Seq > q.To || q.Flow != "" && e.Event.Flow.ID != q.Flow {
				continue
			}
			if n++; q.Limit > 0 && n > q.Limit || !yield(e, nil) {
				return
			}
		}
	}
}

var errSealed = errors.New("the seal is broken")

func (j *journal) open(e audit.Entry) (trace.Decision, error) {
	d, ok := j.inputs[e.Seq]
	if !ok {
		return d, errSealed
	}
	return d, nil
}

// rig is a tracer over a journal in memory and a graph in a store.
type rig struct {
	*trace.Tracer
	journal *journal
	graph   *lineage.Graph
	db      store.DB
	errs    []error
}

func newRig(t testing.TB, j *journal, opt lineage.Options) *rig {
	t.Helper()
	r := &rig{journal: j, db: storetest.Open(t, lineage.Schema(), trace.Schema())}
	r.graph = lineage.New(r.db, opt)
	r.Tracer = r.again(r.db)
	return r
}

// again is another tracer over the same, as after a start.
func (r *rig) again(db store.DB) *trace.Tracer {
	return trace.New(trace.Options{
		DB: db, Domain: "hospital", Graph: r.graph, Entries: r.journal.entries, Open: r.journal.open,
		OnError: func(err error) { r.errs = append(r.errs, err) },
	})
}

// follow follows all there is.
func (r *rig) follow(t testing.TB) {
	t.Helper()
	for {
		n, err := r.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// all are the events of all rows, by their form on the wire.
func (r *rig) all(t testing.TB) (out []*lineage.Event) {
	t.Helper()
	rows, err := r.Rows(t.Context(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		out = append(out, row.Events...)
	}
	return out
}

// last is the event that ends the run of a flow, or the newest of one that goes on.
func (r *rig) last(t testing.TB, id flow.ID) (last *lineage.Event) {
	t.Helper()
	for _, ev := range r.all(t) {
		if ev.Run.ID == trace.RunID(id) {
			last = ev
		}
	}
	if last == nil {
		t.Fatalf("flow %s is no run", id)
	}
	return last
}

// made tells of the only output how each column was made.
func made(t testing.TB, ev *lineage.Event) map[string]string {
	t.Helper()
	if len(ev.Outputs) != 1 {
		t.Fatalf("there are %d outputs, want one", len(ev.Outputs))
	}
	out := map[string]string{}
	if ev.Outputs[0].Columns == nil {
		return out
	}
	for _, f := range ev.Outputs[0].Columns.Fields {
		var all []string
		for _, in := range f.Inputs {
			for _, h := range in.How {
				all = append(all, strings.TrimSpace(fmt.Sprintf("%s.%s %s/%s %t %s", in.Dataset.Name, in.Field, h.Type, h.Subtype, h.Masking, h.Description)))
			}
		}
		out[f.Field] = strings.Join(all, "; ")
	}
	return out
}

var (
	intake = flow.Party{Agent: "intake", Domain: "hospital"}
	record = flow.Party{Agent: "records", Domain: "hospital"}
	prior  = flow.Party{Agent: "prior-auth", Domain: "insurer"}
	cohort = flow.Party{Agent: "cohort", Domain: "lab"}
	own    = flow.Party{Domain: "hospital"}
)

func message(id, parent string, from, to flow.Party, method, subject string, d flow.Direction) flow.Event {
	return flow.Event{
		Outcome: flow.Released, PolicyHash: "sha256:01", ConfigHash: "sha256:02", Took: 3 * time.Millisecond, Subjects: 1,
		Flow: flow.Flow{ID: flow.ID(id), Parent: flow.ID(parent), From: from, To: to, Purpose: "care", Protocol: "mcp/2026-07-28", Method: method, Subject: subject, Direction: d, Task: flow.Task{ID: "t"}},
	}
}

func of(ev flow.Event, o flow.Outcome, reason string) flow.Event {
	ev.Outcome, ev.Reason = o, reason
	return ev
}

func treat(l flow.Level, p flow.Param) flow.Treatment { return flow.Treatment{Level: l, Param: p} }

var raw = treat(flow.Raw, "")

// story is what happens at a hospital: a record is looked up and sent on, a stream, a question, a table, a stream of counts, refusals.
func story() *journal {
	j := &journal{}
	j.add(message("q1", "", intake, record, "tools/call", "get_record", flow.Request), place{path: "/params/arguments/mrn", label: "health/record-number", field: "patients/mrn", how: raw})
	j.add(message("a1", "q1", record, intake, "tools/call", "get_record", flow.Response),
		place{path: "/result/structuredContent/birthDate", label: "person/birth-date", field: "patients/birth_date", how: raw},
		place{path: "/result/structuredContent/conditions/0/code", label: "health/diagnosis", field: "conditions/code", how: raw},
		place{path: "/result/structuredContent/conditions/1/code", label: "health/diagnosis", field: "conditions/code", how: raw},
		place{path: "/result/structuredContent/email", label: "person/contact/email", field: "patients/email", how: treat(flow.Dropped, "")})
	sent := message("q2", "", intake, prior, "SendMessage", "", flow.Request)
	sent.Flow.Protocol, sent.Flow.Chain = "a2a/1.0", []flow.Party{intake}
	sent.Flow.Capability = &flow.Capability{Issuer: "hospital", Tokens: []string{"aa", "bb"}}
	sent.Levels, sent.Policies, sent.Contracts = []flow.LevelCount{{Label: "person/name", Level: flow.Tokenized, Param: "surrogate", Count: 1}}, []flow.PolicyID{"p1"}, []string{"c1"}
	j.add(sent,
		place{path: "/params/message/parts/0/text", label: "text/free", how: raw},
		place{path: "/params/message/parts/0/text", label: "person/name", how: treat(flow.Masked, "")},
		place{path: "/params/message/parts/1/data/patient/name", label: "person/name", how: treat(flow.Tokenized, "surrogate")},
		place{path: "/params/message/parts/1/data/patient/birthDate", label: "person/birth-date", how: treat(flow.Generalized, "year")},
		place{path: "/params/message/parts/1/data/patient/phone", label: "person/contact/phone", how: treat(flow.Masked, "keep:2")},
		place{path: "/params/message/parts/1/data/patient/sex", label: "person/gender", how: treat(flow.Dropped, "")},
		place{path: "/params/message/parts/1/data/request/notes/*", label: "text/free", how: raw},
		place{path: "/params/message/parts/2/data/scan", label: "health/diagnosis", by: flow.ByHandle})
	answer := message("a2", "q2", prior, intake, "SendMessage", "", flow.Response)
	j.add(of(answer, flow.Opened, ""))
	j.add(of(answer, flow.Segment, ""), place{path: "/result/status/message/parts/0/text", label: "text/free", how: raw})
	j.add(of(answer, flow.Segment, ""), place{path: "/result/artifact/parts/0/data/decision", label: "business/decision", how: raw})
	j.add(of(answer, flow.Closed, ""))
	ask := message("q3", "", cohort, flow.Party{Agent: "scrim", Domain: "hospital"}, "tools/call", "query", flow.Request)
	ask.Question = &flow.Question{Dataset: "visits", Technique: "aggregate", Columns: []string{"age", "ward"}}
	ask.Cost = flow.Cost{EpsilonNano: 200_000_000, DeltaPico: 1}
	j.add(ask)
	told := message("a3", "q3", flow.Party{Agent: "scrim", Domain: "hospital"}, cohort, "tools/call", "query", flow.Response)
	told.Question = ask.Question
	j.add(told)
	j.add(flow.Event{Outcome: flow.Segment, Reason: "step 1", Question: &flow.Question{Dataset: "visits", Stream: "admissions"},
		Flow: flow.Flow{ID: "s1", From: own, To: own, Protocol: "stream", Method: "publish", Subject: "visits/admissions"}})
	read := message("a4", "q4", flow.Party{Agent: "scrim", Domain: "hospital"}, cohort, "tools/call", "read_stream", flow.Response)
	read.Question = &flow.Question{Dataset: "visits", Stream: "admissions", Technique: "aggregate", Columns: []string{"day"}}
	j.add(read)
	table := flow.Event{Outcome: flow.Opened, Flow: flow.Flow{ID: "r1", From: own, To: cohort, Purpose: "research", Protocol: "scrim/table", Method: "anonymize", Subject: "registry", Direction: flow.Response}, Table: &flow.Table{Plan: "p", K: 5}}
	generalized, dropped := treat(flow.Generalized, ""), treat(flow.Dropped, "")
	j.add(table,
		place{path: "/birth_date", label: "person/birth-date", field: "registry/birth_date", how: raw, need: &generalized},
		place{path: "/sex", label: "person/gender", field: "registry/sex", how: raw, need: &raw},
		place{path: "/zip", label: "location/postal", field: "registry/zip", how: raw, need: &raw},
		place{path: "/mrn", label: "health/record-number", field: "registry/mrn", how: raw, need: &dropped})
	closed := of(table, flow.Closed, "release closed")
	closed.Table = &flow.Table{Plan: "p", In: 10, Out: 9, K: 6}
	j.add(closed,
		place{path: "/birth_date", label: "person/birth-date", field: "registry/birth_date", how: raw, need: &generalized},
		place{path: "/sex", label: "person/gender", field: "registry/sex", how: raw, need: &raw},
		place{path: "/zip", label: "location/postal", field: "registry/zip", how: raw, need: &generalized},
		place{path: "/mrn", label: "health/record-number", field: "registry/mrn", how: raw, need: &dropped})
	j.add(of(message("q5", "hop:abcd", cohort, record, "tools/call", "find_patient", flow.Request), flow.Refused, "policy /params/arguments/diagnosis"))
	j.add(flow.Event{Outcome: flow.Changed, Reason: "reloaded", Flow: flow.Flow{ID: "c1", From: own, To: own}})
	j.add(flow.Event{Outcome: flow.Budgeted, Flow: flow.Flow{ID: "b1", From: own, To: own, Protocol: "budget", Subject: "visits"}})
	j.add(of(message("w1", "", intake, record, "tools/call", "get_record", flow.Request), flow.Watched, ""), place{path: "/params/arguments/mrn", label: "health/record-number", how: treat(flow.Dropped, "")})
	return j
}

// official compiles the schemas of OpenLineage and our own.
func official(t testing.TB) *jsonschema.Compiler {
	t.Helper()
	data := os.Getenv("SCRIM_DATA")
	if data == "" {
		data = "../../../../shared/data"
	}
	files, _ := filepath.Glob(filepath.Join(data, "schemas", "openlineage", "*.json"))
	if len(files) == 0 {
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal("the OpenLineage schemas are not there")
		}
		t.Skip("the OpenLineage schemas are not there; set SCRIM_DATA")
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	add := func(raw []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err == nil {
			err = c.AddResource(doc.(map[string]any)["$id"].(string), doc)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range files {
		add(os.ReadFile(name))
	}
	names, err := fs.Glob(trace.FacetSchemas(), "*.json")
	if err != nil || len(names) != 3 {
		t.Fatalf("there are %d schemas of our own (%v), want 3", len(names), err)
	}
	for _, name := range names {
		add(fs.ReadFile(trace.FacetSchemas(), name))
	}
	return c
}

// check holds an event and each of its facets to the schema that it names.
func check(t testing.TB, c *jsonschema.Compiler, text []byte) (facets []string) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	valid := func(url string, v any) {
		s, err := c.Compile(url)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v\n%s", url, err, text)
		}
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, m := range v {
				if f, ok := m.(map[string]any); ok && f["_schemaURL"] != nil {
					facets = append(facets, name)
					valid(f["_schemaURL"].(string), m)
				}
				walk(m)
			}
		case []any:
			for _, m := range v {
				walk(m)
			}
		}
	}
	valid(doc.(map[string]any)["schemaURL"].(string), doc)
	walk(doc)
	return facets
}

func text(t testing.TB, ev *lineage.Event) []byte {
	t.Helper()
	b, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
