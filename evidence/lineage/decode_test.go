package lineage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// official compiles the schemas of OpenLineage.
func official(t testing.TB) *jsonschema.Compiler {
	t.Helper()
	data := os.Getenv("SCRIM_DATA")
	if data == "" {
		data = "../../../shared/data"
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
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(doc.(map[string]any)["$id"].(string), doc); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func valid(t testing.TB, c *jsonschema.Compiler, url string, raw []byte) error {
	t.Helper()
	s, err := c.Compile(url)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

// facet writes a facet.
func facet(rest string) string {
	return `{"_producer":"https://example.com/etl","_schemaURL":"https://openlineage.io/spec/facets/1-0-0/F.json#/$defs/F",` + rest + `}`
}

const head = `"eventTime":"2026-11-27T12:00:00.000Z","producer":"https://example.com/etl","schemaURL":"https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"`

// visitsEvent is what an engine tells when a job is done.
func visitsEvent() string {
	return `{` + head + `,"eventType":"COMPLETE","run":{"runId":"01890a5d-ac96-774b-bcce-b302099a8057","facets":{
		"parent":` + facet(`"run":{"runId":"01890A5D-AC96-774B-BCCE-B302099A8050"},"job":{"namespace":"airflow","name":"nightly"}`) + `,
		"engine_plan":` + facet(`"plan":{"sql":"SELECT 'Jane Doe'"}`) + `}},
	"job":{"namespace":"airflow","name":"nightly.visits"},
	"inputs":[{"namespace":"postgres://db:5432","name":"clinic.patients","facets":{"schema":` + facet(`"fields":[{"name":"name","type":"VARCHAR"},{"name":"home","fields":[{"name":"city"}]}]`) + `}}],
	"outputs":[{"namespace":"s3://lake","name":"visits","facets":{
		"version":` + facet(`"datasetVersion":"7"`) + `,
		"symlinks":` + facet(`"identifiers":[{"namespace":"hive://meta:9083","name":"clinic.visits","type":"TABLE"}]`) + `,
		"lifecycleStateChange":` + facet(`"lifecycleStateChange":"RENAME","previousIdentifier":{"namespace":"s3://lake","name":"visits_v1"}`) + `,
		"columnLineage":` + facet(`"fields":{"who":{"inputFields":[{"namespace":"postgres://db:5432","name":"clinic.patients","field":"name","transformations":[{"type":"DIRECT","subtype":"TRANSFORMATION","description":"upper('Jane Doe')","masking":true}]}]}},
			"dataset":[{"namespace":"postgres://db:5432","name":"clinic.patients","field":"home.city","transformations":[{"type":"INDIRECT","subtype":"FILTER"}]}]`) + `},
		"outputFacets":{"outputStatistics":` + facet(`"rowCount":3`) + `}}]}`
}

// What an engine tells is read, and what may hold values is left behind.
func TestDecode(t *testing.T) {
	raw := visitsEvent()
	if err := valid(t, official(t), SpecURL, []byte(raw)); err != nil {
		t.Fatalf("the example is no OpenLineage: %v", err)
	}
	ev, err := Decode([]byte(raw), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if ev.Type != Complete || ev.Run.Parent == nil || ev.Run.Parent.Run != "01890a5d-ac96-774b-bcce-b302099a8050" || ev.Job.Name.Name != "nightly.visits" {
		t.Errorf("run and job are %+v, %+v", ev.Run, ev.Job)
	}
	if got := ev.Inputs[0].Schema; !slices.Equal(got, []Field{{Name: "name"}, {Name: "home"}, {Name: "home.city"}}) {
		t.Errorf("schema of the input is %+v", got)
	}
	out := ev.Outputs[0]
	if out.Version != "7" || len(out.Symlinks) != 1 || out.Previous == nil || out.Previous.Name != "visits_v1" {
		t.Errorf("output is %+v", out)
	}
	if c := out.Columns; len(c.Fields) != 1 || len(c.Fields[0].Inputs) != 1 || !c.Fields[0].Inputs[0].How[0].Masking || len(c.Dataset) != 1 || c.Dataset[0].Field != "home.city" {
		t.Errorf("column lineage is %+v", c)
	}
	again, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(again, []byte("Jane")) {
		t.Errorf("a value from a description or an unknown facet was kept: %s", again)
	}
	if err := valid(t, official(t), SpecURL, again); err != nil {
		t.Errorf("what is encoded again is no OpenLineage: %v", err)
	}
}

// Explicit lineage, of a job or a dataset, says what column lineage says.
func TestDecodeExplicitLineage(t *testing.T) {
	source := `{"namespace":"n","name":"a","type":"DATASET","field":"x","transformations":[{"type":"DIRECT"}]}`
	raw := `{` + head + `,"job":{"namespace":"j","name":"j","facets":{"lineage":` + facet(`"entries":[
		{"type":"DATASET","namespace":"n","name":"b","inputs":[{"namespace":"n","name":"c","type":"DATASET"},{"type":"JOB"}],"fields":{"y":{"inputs":[`+source+`]}}},
		{"type":"JOB","inputs":[{"namespace":"n","name":"d","type":"DATASET"}]},
		{"type":"JOB","namespace":"j","name":"other","inputs":[{"namespace":"n","name":"e","type":"DATASET"}]}]`) + `}}}`
	c := official(t)
	if err := valid(t, c, SpecURL, []byte(raw)); err != nil {
		t.Fatalf("the example is no OpenLineage: %v", err)
	}
	ev, err := Decode([]byte(raw), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(ev.Inputs) != 1 || ev.Inputs[0].Name.Name != "d" {
		t.Errorf("inputs are %+v, want d alone", ev.Inputs)
	}
	if len(ev.Outputs) != 1 || len(ev.Outputs[0].Columns.Fields) != 1 || ev.Outputs[0].Columns.Dataset[0].Dataset.Name != "c" {
		t.Errorf("outputs are %+v, want b with y, of c", ev.Outputs)
	}
	raw = `{` + head + `,"dataset":{"namespace":"n","name":"b","facets":{"lineage":` + facet(`"fields":{"y":{"inputs":[`+source+`]}}`) + `}}}`
	if ev, err = Decode([]byte(raw), Limits{}); err != nil || ev.Dataset == nil || len(ev.Dataset.Columns.Fields) != 1 {
		t.Errorf("an event about a dataset is %+v, %v", ev, err)
	}
}

// What strangers may send is refused with its place and the reason, and without repeating it.
func TestHostileEventsAreRefused(t *testing.T) {
	const secret = "jane-doe-4711"
	job := `,"job":{"namespace":"n","name":"j"}`
	run := `,"run":{"runId":"01890a5d-ac96-774b-bcce-b302099a8057"}`
	out := func(facets string) string {
		return job + `,"outputs":[{"namespace":"n","name":"o","facets":{` + facets + `}}]`
	}
	many := func(n int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }
	for _, c := range []struct{ name, raw, place, reason string }{
		{"no JSON", `{` + secret, "", "not valid JSON"},
		{"a member twice", `{` + head + job + `,"job":{}}`, "", "twice"},
		{"too deep", strings.Repeat(`[`, 300) + strings.Repeat(`]`, 300), "", "deep"},
		{"a list", `[]`, "", "expected: object"},
		{"no time", `{"producer":"a:b","schemaURL":"a:b"` + job + `}`, "", "eventTime is missing"},
		{"a wrong time", `{"eventTime":"` + secret + `","producer":"a:b","schemaURL":"a:b"` + job + `}`, "/eventTime", "not a time"},
		{"producer is no URI", `{"eventTime":"2026-11-27T12:00:00Z","producer":"` + secret + `","schemaURL":"a:b"` + job + `}`, "/producer", "not a URI"},
		{"a later version", `{"eventTime":"2026-11-27T12:00:00Z","producer":"a:b","schemaURL":"https://openlineage.io/spec/3-0-0/OpenLineage.json"` + job + `}`, "/schemaURL", "not version"},
		{"a run without a job", `{` + head + run + `}`, "", "job or dataset is missing"},
		{"dataset and job", `{` + head + job + `,"dataset":{"namespace":"n","name":"d"}}`, "", "beside"},
		{"no UUID", `{` + head + job + `,"run":{"runId":"` + secret + `"}}`, "/run/runId", "not a UUID"},
		{"another transition", `{` + head + job + run + `,"eventType":"` + secret + `"}`, "/eventType", "not one of"},
		{"an empty name", `{` + head + `,"job":{"namespace":"n","name":""}}`, "/job/name", "empty"},
		{"a number for a name", `{` + head + `,"job":{"namespace":"n","name":7}}`, "/job/name", "expected: string"},
		{"null", `{` + head + job + `,"inputs":null}`, "/inputs", "expected: array"},
		{"a long name", `{` + head + `,"job":{"namespace":"n","name":"` + strings.Repeat("x", 2000) + `"}}`, "/job/name", "longer than 1024"},
		{"a control character", `{` + head + `,"job":{"namespace":"n","name":"a\u0000b"}}`, "/job/name", "control"},
		{"text that runs backwards", `{` + head + `,"job":{"namespace":"n","name":"a\u202eb"}}`, "/job/name", "control"},
		{"a facet without a producer", `{` + head + out(`"`+secret+`":{"_schemaURL":"a:b"}`) + `}`, "/outputs/0/facets/*", "_producer is missing"},
		{"a facet that is no object", `{` + head + out(`"schema":[]`) + `}`, "/outputs/0/facets/schema", "expected: object"},
		{"lineage without fields", `{` + head + out(`"columnLineage":`+facet(`"x":1`)) + `}`, "/outputs/0/facets/columnLineage", "fields is missing"},
		{"an input without a field", `{` + head + out(`"columnLineage":`+facet(`"fields":{"`+secret+`":{"inputFields":[{"namespace":"n","name":"a"}]}}`)) + `}`, "/outputs/0/facets/columnLineage/fields/*/inputFields/0", "field is missing"},
		{"masking is no truth", `{` + head + out(`"columnLineage":`+facet(`"fields":{"c":{"inputFields":[{"namespace":"n","name":"a","field":"x","transformations":[{"type":"DIRECT","masking":"true"}]}]}}`)) + `}`, "/outputs/0/facets/columnLineage/fields/*/inputFields/0/transformations/0/masking", "true or false"},
		{"too many datasets", `{` + head + job + `,"inputs":[` + many(mostDatasets+1, `{"namespace":"n","name":"i"}`) + `]}`, "/inputs", "more than 1000"},
		{"too many transformations", `{` + head + out(`"columnLineage":`+facet(`"fields":{"c":{"inputFields":[{"namespace":"n","name":"a","field":"x","transformations":[`+many(mostHow+1, `{"type":"DIRECT"}`)+`]}]}}`)) + `}`, "/outputs/0/facets/columnLineage/fields/*/inputFields/0/transformations", "more than 32"},
		{"too many columns", `{` + head + out(`"schema":`+facet(`"fields":[`+many(mostFields+1, `{"name":"c"}`)+`]`)) + `}`, "/outputs/0/facets/schema/fields", "more than 10000"},
		{"structures without an end", `{` + head + out(`"schema":`+facet(strings.Repeat(`"fields":[{"name":"c",`, 40)+`"x":1`+strings.Repeat(`}]`, 40))) + `}`, "/outputs/0/facets/schema/fields/0" + strings.Repeat("/fields/0", 32), "more than 32 deep"},
		{"too large", `{` + head + job + `,"x":"` + strings.Repeat("x", 5<<20) + `"}`, "", "too many bytes"},
	} {
		ev, err := Decode([]byte(c.raw), Limits{})
		no, ok := errors.AsType[*Refused](err)
		if !ok || ev != nil {
			t.Errorf("%s: %v, want it refused", c.name, err)
			continue
		}
		if string(no.Place) != c.place || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: refused at %q: %v, want %q and %q", c.name, no.Place, err, c.place, c.reason)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the refusal repeats what was sent: %v", c.name, err)
		}
	}
}

// A reporter tells of its own namespaces, under whatever name: what it says of others' data is not heard.
func TestReportersKeepToTheirNamespaces(t *testing.T) {
	for _, c := range []struct {
		name, place string
		namespaces  []string
	}{
		{"all of them", "", []string{"s3://lake", "hive://*"}},
		{"not the output's", "/outputs/0/namespace", []string{"s3://other", "s3://lak", "hive://*"}},
		{"not the other name's", "/outputs/0/facets/symlinks/identifiers/0/namespace", []string{"s3://lake"}},
		{"none", "/outputs/0/namespace", nil},
	} {
		ev, err := Decode([]byte(visitsEvent()), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		err = ev.Allow(c.namespaces, "")
		no, refused := errors.AsType[*Refused](err)
		if refused != (c.place != "") || refused && string(no.Place) != c.place {
			t.Errorf("%s: %v, want it refused at %q", c.name, err, c.place)
		}
		if err == nil && ev.Inputs[0].Schema != nil {
			t.Errorf("%s: columns of a foreign input are kept: %+v", c.name, ev.Inputs[0])
		}
	}
	ev := run(run1, "j", nil, Dataset{Name: table("a"), Previous: &Name{Namespace: "other", Name: "b"}})
	if err := ev.Allow([]string{"postgres://db:5432"}, ""); err == nil {
		t.Error("a dataset of another namespace was renamed")
	}
}

// Whatever is accepted is an event of OpenLineage, encodes to one, and goes into the graph or is told that there is too much of it.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(visitsEvent()))
	f.Add([]byte(`{` + head + `,"dataset":{"namespace":"n","name":"b"}}`))
	f.Add([]byte(`{` + head + `,"job":{"namespace":"j","name":"j","facets":{"lineage":` + facet(`"entries":[{"type":"DATASET","namespace":"n","name":"b","fields":{"y":{"inputs":[{"namespace":"n","name":"a","type":"DATASET"}]}}}]`) + `}}}`))
	for i := range 3 {
		f.Add(fmt.Appendf(nil, `{%s,"eventType":"START","run":{"runId":"01890a5d-ac96-774b-bcce-b302099a805%d"},"job":{"namespace":"n","name":"j"},"inputs":[{"namespace":"n","name":"i"}],"outputs":[{"namespace":"n","name":"o%d"}]}`, head, i, i))
	}
	c := official(f)
	core, err := c.Compile(SpecURL)
	if err != nil {
		f.Fatal(err)
	}
	g := open(f, Options{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		ev, err := Decode(raw, Limits{})
		if err != nil {
			if _, ok := errors.AsType[*Refused](err); !ok || ev != nil {
				t.Fatalf("%v is not said with place and reason", err)
			}
			return
		}
		for i, text := range [][]byte{raw, must(json.Marshal(ev))} {
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := core.Validate(doc); err != nil {
				t.Fatalf("accepted (%d), and no OpenLineage: %v", i, err)
			}
		}
		if _, err := Decode(must(json.Marshal(ev)), Limits{}); err != nil {
			t.Fatalf("what was accepted is not when it is encoded: %v", err)
		}
		if _, err := g.Tell(t.Context(), ev, etl); err != nil && !errors.Is(err, ErrRun) && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	})
}

func must(raw []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return raw
}

// Nobody tells of what the gateway itself tells of, though every namespace is listed for it.
func TestNobodyTellsOfTheOwnNamespace(t *testing.T) {
	const own = "scrim://clinic"
	agents := Name{Namespace: own, Name: "agents/intake"}
	for name, out := range map[string]Dataset{
		"it":           {Name: agents},
		"another name": {Name: table("a"), Symlinks: []Name{agents}},
		"renamed":      {Name: table("a"), Previous: &agents},
	} {
		ev := run(run1, "j", nil, out)
		if err := ev.Allow([]string{"*", "scrim://*", own}, own); err == nil {
			t.Errorf("%s: the event is taken", name)
		}
	}
	ev := run(run1, "j", []Name{agents}, Dataset{Name: table("a")})
	ev.Inputs[0].Symlinks = []Name{table("b")}
	if err := ev.Allow([]string{"*"}, own); err != nil || len(ev.Inputs[0].Symlinks) > 0 {
		t.Errorf("what is read of it: error %v, %+v, want its name alone", err, ev.Inputs)
	}
}
