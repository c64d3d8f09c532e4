package lineage

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/scrimhq/scrim/store"
)

func open(t testing.TB, opt Options) *Graph {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir(), []store.Schema{Schema()}, store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(db, opt)
}

var etl = Told{Agent: "etl", Domain: "hospital"}

func table(name string) Name { return Name{Namespace: "postgres://db:5432", Name: name} }

// of says that columns of a dataset were made of others, each "column": {"dataset.column", …}.
func of(fields map[string][]Column, how ...Transformation) *ColumnLineage {
	if how == nil {
		how = []Transformation{{Type: "DIRECT", Subtype: "TRANSFORMATION"}}
	}
	c := &ColumnLineage{}
	for f, all := range fields {
		one := FieldLineage{Field: f}
		for _, in := range all {
			one.Inputs = append(one.Inputs, Input{in, how})
		}
		c.Fields = append(c.Fields, one)
	}
	return c
}

func run(id, job string, in []Name, out ...Dataset) *Event {
	ev := &Event{
		Type: Complete, Time: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC), Producer: "https://example.com/etl",
		Run: &Run{ID: id}, Job: &Job{Name: Name{Namespace: "airflow", Name: job}}, Outputs: out,
	}
	for _, n := range in {
		ev.Inputs = append(ev.Inputs, Dataset{Name: n})
	}
	return ev
}

const (
	run1 = "01890a5d-ac96-774b-bcce-b302099a8057"
	run2 = "01890a5d-ac96-774b-bcce-b302099a8058"
)

func tell(t testing.TB, g *Graph, ev *Event, by Told) bool {
	t.Helper()
	news, err := g.Tell(t.Context(), ev, by)
	if err != nil {
		t.Fatal(err)
	}
	return news
}

func links(p *Picture) (all []string) {
	for _, l := range p.Links {
		all = append(all, l.From.Dataset.Name+"."+l.From.Field+" > "+l.To.Dataset.Name+"."+l.To.Field)
	}
	return all
}

// Where a column came from, and who received what came of it.
func TestUpstreamAndDownstream(t *testing.T) {
	g := open(t, Options{})
	visits := Dataset{Name: table("visits"), Columns: of(map[string][]Column{
		"who": {{table("patients"), "name"}}, "day": {{table("encounters"), "admitted"}},
	})}
	tell(t, g, run(run1, "visits", []Name{table("patients"), table("encounters")}, visits), etl)
	report := Dataset{Name: table("report"), Columns: of(map[string][]Column{"people": {{table("visits"), "who"}}})}
	own := run(run2, "release", []Name{table("visits")}, report)
	tell(t, g, own, Told{Deliveries: []Delivery{{Dataset: report.Name, Agent: "cohort", Domain: "lab", Purpose: "research", Policy: "abc", Flow: "f1"}}})

	up, err := g.Upstream(t.Context(), Column{table("report"), "people"}, Reach{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := links(up), []string{"visits.who > report.people", "patients.name > visits.who"}; !slices.Equal(got, want) {
		t.Errorf("upstream of report.people: %q, want %q", got, want)
	}
	down, err := g.Downstream(t.Context(), Column{table("patients"), "name"}, Reach{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := links(down), []string{"visits.who > report.people", "patients.name > visits.who"}; !slices.Equal(got, want) {
		t.Errorf("downstream of patients.name: %q, want %q", got, want)
	}
	if len(down.Deliveries) != 1 || down.Deliveries[0].Agent != "cohort" || down.Deliveries[0].Policy != "abc" {
		t.Errorf("who received it: %+v, want cohort under policy abc", down.Deliveries)
	}
	down, err = g.Downstream(t.Context(), Column{table("encounters"), "admitted"}, Reach{})
	if err != nil {
		t.Fatal(err)
	}
	if len(down.Deliveries) != 0 {
		t.Errorf("who received admitted: %+v, want nobody", down.Deliveries)
	}
	if news := tell(t, g, run(run2, "visits", []Name{table("patients"), table("encounters")}, visits), etl); news {
		t.Error("another run that did the same is news")
	}
}

func TestEventsEncode(t *testing.T) {
	n := int64(3)
	ev := run(run1, "visits", []Name{table("patients")}, Dataset{Name: table("visits"), Rows: &n, Schema: []Field{{Name: "who"}}, Columns: of(map[string][]Column{"who": {{table("patients"), "name"}}})})
	raw, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Outputs []struct{ Facets map[string]any }
	}
	if err := json.Unmarshal(raw, &back); err != nil || len(back.Outputs) != 1 || back.Outputs[0].Facets["columnLineage"] == nil {
		t.Errorf("encoded %s: %v, want an output with column lineage", raw, err)
	}
}
