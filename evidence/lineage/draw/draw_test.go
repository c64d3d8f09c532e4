package draw_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/draw"
)

func name(ns, n string) lineage.Name { return lineage.Name{Namespace: ns, Name: n} }

func col(d lineage.Name, f string) lineage.Column { return lineage.Column{Dataset: d, Field: f} }

var (
	patients = name("scrim://hospital", "patients")
	got      = name("scrim://hospital", "agents/intake/from/records/get_record")
	sent     = name("scrim://insurer", "agents/prior-auth/from/intake/SendMessage")
	noon     = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
)

func picture() *lineage.Picture {
	job := name("scrim://hospital", "flow/intake/prior-auth@insurer/SendMessage/request")
	return &lineage.Picture{
		Datasets: []lineage.Seen{{Name: got, Columns: []string{"birthDate"}}, {Name: patients, Columns: []string{"birth_date"}}, {Name: sent, Columns: []string{"patient.birthDate"}}},
		Links: []lineage.Link{
			{From: col(patients, "birth_date"), To: col(got, "birthDate"), Job: name("scrim://hospital", "flow/records/intake/get_record/response"), How: "DIRECT/IDENTITY", Run: "r"},
			{From: col(got, "birthDate"), To: col(sent, "patient.birthDate"), Job: job, How: "INDIRECT", Masking: true},
			{From: col(got, "birthDate"), To: col(sent, "patient.birthDate"), Job: job, How: "DIRECT/TRANSFORMATION:generalized(year)", Masking: true, Teller: "etl@hospital"},
			{From: col(sent, ""), To: col(got, ""), Job: job},
		},
		Deliveries: []lineage.Delivery{{Dataset: sent, Agent: "prior-auth", Domain: "insurer", Purpose: "care", Policy: "sha256:01", Level: "generalized", Count: 3, First: noon, Last: noon}},
		Cut:        true,
	}
}

func write(t testing.TB, format string, p *lineage.Picture) string {
	t.Helper()
	var b bytes.Buffer
	if err := draw.Write(&b, format, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMermaid(t *testing.T) {
	want := `flowchart LR
  subgraph n0["scrim://hospital"]
    subgraph d0["agents/intake/from/records/get_record"]
      d0c0["birthDate"]
    end
    subgraph d1["patients"]
      d1c0["birth_date"]
    end
  end
  subgraph n2["scrim://insurer"]
    subgraph d2["agents/prior-auth/from/intake/SendMessage"]
      d2c0["patient.birthDate"]
      d2r0(["to prior-auth@insurer, generalized, 3×"])
    end
  end
  d1c0 --> d0c0
  d0c0 -.->|"masked"| d2c0
  d0c0 -->|"generalized#40;year#41;"| d2c0
  d2 -.-> d0
  more["there is more"]
`
	if got := write(t, "mermaid", picture()); got != want {
		t.Errorf("Mermaid is\n%s\nwant\n%s", got, want)
	}
}

// hostile names are what a reporter could try: to close a text, to begin a tag, to run something, to turn the line round.
var hostile = []string{`"]`, `</text><script>alert(1)</script>`, `" onload="alert(1)`, "a\nclick d0 href \"javascript:alert(1)\"", "%%{init: {}}%%", "--> x", "]]>", "&amp;<!ENTITY x>", "\u202egnp\x00\x1b[31m", "#quot;", "\xff\xfe", "x`y`", "end"}

func TestHostileNamesAreText(t *testing.T) {
	p := &lineage.Picture{}
	for i, h := range hostile {
		d := name(h, h+fmt.Sprint(i))
		p.Datasets = append(p.Datasets, lineage.Seen{Name: d, Columns: []string{h}})
		p.Links = append(p.Links, lineage.Link{From: col(d, h), To: col(name(hostile[0], hostile[0]+"0"), hostile[0]), Job: name(h, h), How: "DIRECT/" + strings.Fields(h + " x")[0], Teller: h})
		p.Deliveries = append(p.Deliveries, lineage.Delivery{Dataset: d, Level: h})
	}
	svg := write(t, "svg", p)
	for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("the drawing is no XML: %v", err)
		}
		if e, ok := tok.(xml.StartElement); ok {
			if !strings.Contains(" svg title style defs marker path g rect text ", " "+e.Name.Local+" ") {
				t.Errorf("there is an element %s", e.Name.Local)
			}
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || strings.Contains(a.Name.Local, "href") {
					t.Errorf("there is an attribute %s", a.Name.Local)
				}
			}
		}
	}
	line := regexp.MustCompile(`^( *(flowchart LR|end|subgraph [nd]\d+\["[^"<>\x60]*"\]|d\d+[cr]\d+\(?\["[^"<>\x60]*"\]\)?|d\d+(c\d+)? (-->|-\.->)(\|"[^"<>\x60]*"\|)? d\d+(c\d+)?))$`)
	for _, l := range strings.Split(strings.TrimSuffix(write(t, "mermaid", p), "\n"), "\n") {
		if !line.MatchString(l) {
			t.Errorf("a line of Mermaid is %q", l)
		}
	}
	for _, format := range draw.Formats() {
		if s := write(t, format, p); format != "json" && strings.ContainsAny(s, "\x00\x1b\u202e") {
			t.Errorf("%s holds a control character", format)
		}
	}
}

// Each box is right of what it was made of, and none lies over another; a circle does not keep it from ending.
func TestBoxesAreBesideEachOther(t *testing.T) {
	svg := write(t, "svg", picture())
	var box []struct{ x, y, w, h float64 }
	for _, m := range regexp.MustCompile(`<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"`).FindAllStringSubmatch(svg, -1) {
		var b struct{ x, y, w, h float64 }
		for i, v := range []*float64{&b.x, &b.y, &b.w, &b.h} {
			if _, err := fmt.Sscan(m[i+1], v); err != nil {
				t.Fatal(err)
			}
		}
		box = append(box, b)
	}
	if len(box) != 3 {
		t.Fatalf("there are %d boxes, want 3", len(box))
	}
	for i, a := range box {
		for _, b := range box[i+1:] {
			if a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h {
				t.Errorf("boxes %v and %v overlap", a, b)
			}
		}
	}
	if g, p, s := box[0], box[1], box[2]; !(p.x+p.w < g.x && g.x+g.w < s.x) {
		t.Errorf("from left to right they are not patients %v, intake %v, prior-auth %v", p, g, s)
	}
	for _, want := range []string{"generalized(year)", "prefers-color-scheme:dark", "there is more", "prior-auth@insurer"} {
		if !strings.Contains(svg, want) {
			t.Errorf("the drawing does not say %q", want)
		}
	}
	if dir := os.Getenv("SCRIM_KEEP"); dir != "" {
		_ = os.WriteFile(dir+"/lineage.svg", []byte(svg), 0o600)
	}
}

func TestPROV(t *testing.T) {
	var doc map[string]map[string]map[string]any
	raw := write(t, "prov", picture())
	var whole map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &whole); err != nil {
		t.Fatal(err)
	}
	delete(whole, "prefix")
	rest, _ := json.Marshal(whole)
	if err := json.Unmarshal(rest, &doc); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{
		"prov:entity": "entity", "prov:collection": "entity", "prov:usedEntity": "entity", "prov:generatedEntity": "entity", "prov:activity": "activity", "prov:agent": "agent",
	}
	for relation, all := range doc {
		if relation == "entity" || relation == "activity" || relation == "agent" {
			continue
		}
		for id, one := range all {
			for member, kind := range kinds {
				if ref, ok := one[member].(string); ok && doc[kind][ref] == nil {
					t.Errorf("%s %s names %s, which is no %s", relation, id, ref, kind)
				}
			}
		}
	}
	for relation, n := range map[string]int{"entity": 6, "activity": 4, "agent": 1, "hadMember": 3, "wasDerivedFrom": 4, "used": 5, "wasGeneratedBy": 4, "wasAssociatedWith": 1} {
		if len(doc[relation]) != n {
			t.Errorf("there are %d of %s, want %d", len(doc[relation]), relation, n)
		}
	}
}

func TestNothingAndTheUnknown(t *testing.T) {
	for _, format := range draw.Formats() {
		if s := write(t, format, &lineage.Picture{}); s == "" {
			t.Errorf("%s of nothing is nothing", format)
		}
	}
	if err := draw.Write(io.Discard, "dot", &lineage.Picture{}); !errors.Is(err, draw.ErrFormat) {
		t.Errorf("Write() of an unknown format error = %v, want ErrFormat", err)
	}
}

func TestCoarsePicturesHaveOneLinkOfTwoDatasets(t *testing.T) {
	p := picture()
	c := draw.Coarse(p)
	if len(c.Links) != 3 || len(c.Datasets) != 3 || len(c.Deliveries) != 1 || len(p.Datasets[0].Columns) != 1 {
		t.Fatalf("%d links of %d datasets, want 3 of 3", len(c.Links), len(c.Datasets))
	}
	if m := string(draw.Mermaid(c)); !strings.Contains(m, `    d2["agents/prior-auth/from/intake/SendMessage<br/>to prior-auth@insurer, generalized, 3×"]`) || !strings.Contains(m, "  d1 --> d0\n") {
		t.Errorf("Mermaid is\n%s", m)
	}
	if l := c.Links[1]; l.How != "DIRECT/TRANSFORMATION:generalized(year) INDIRECT" || !l.Masking || l.From.Field != "" || l.To.Field != "" {
		t.Errorf("the second link is %+v", l)
	}
}
