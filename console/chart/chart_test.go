package chart_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/chart"
	"github.com/scrimhq/scrim/flow"
)

var update = flag.Bool("update", false, "write the golden files")

// examples are one picture of each kind.
func examples() map[string]chart.Chart {
	raw, masked := chart.LevelClass(flow.Raw), chart.LevelClass(flow.Masked)
	return map[string]chart.Chart{
		"tree": &chart.Tree{Title: "Delegations", Desc: "Who handed on what.", Roots: []chart.Node{
			{Text: "root of hospital", Note: "3 uses left", Class: raw, Href: "/capabilities/1", Children: []chart.Node{
				{Text: "intake", Children: []chart.Node{{Text: "scheduler", Note: "revoked", Class: chart.Refused}}}, {Text: "billing"},
			}},
			{Text: "root of insurer"},
		}},
		"graph": &chart.Graph{Title: "Lineage", Desc: "Where it came from.", Vertices: []chart.Vertex{
			{ID: "a", Text: "patients", Note: "dataset", Href: "/lineage?of=patients"}, {ID: "b", Text: "visits", Note: "dataset"}, {ID: "c", Text: "answer", Class: masked}, {ID: "d", Text: "insurer"}, {ID: "e", Text: "alone"},
		}, Edges: []chart.Edge{{From: "a", To: "c", Text: "masked"}, {From: "b", To: "c"}, {From: "c", To: "d", Class: masked}, {From: "d", To: "a", Text: "comes back"}}},
		"domains": &chart.Domains{Title: "Domains", Desc: "What flows between them.", Own: "hospital", Unit: "flows", Ways: []chart.Way{
			{From: "hospital", To: "insurer", Volume: 12_345, Class: raw, Note: "raw", Href: "/live?to=insurer"}, {From: "insurer", To: "hospital", Volume: 200, Class: masked, Note: "masked"},
			{From: "hospital", To: "hospital", Volume: 50, Class: raw, Note: "raw"}, {From: "lab", To: "hospital", Volume: 3, Class: chart.Refused, Note: "refused"},
		}},
		"sankey": &chart.Sankey{Title: "Labels to recipients", Desc: "At which level.", LeftOf: "Label", RightOf: "Recipient", Unit: "values", Bands: []chart.Band{
			{From: "person/name", To: "insurer", Class: masked, Note: "masked", Volume: 40}, {From: "person/name", To: "lab", Class: raw, Note: "raw", Volume: 10}, {From: "health/diagnosis", To: "insurer", Class: raw, Note: "raw", Volume: 2},
		}},
		"bars": &chart.Bars{Title: "Flows by the minute", Desc: "And how they ended.", Of: "Minute", Unit: "flows", Parts: []chart.Part{{"released", ""}, {"refused", chart.Refused}}, Bars: []chart.Bar{
			{"09:00", []int64{5, 1}}, {"09:01", []int64{0, 0}}, {"09:02", []int64{17}},
		}},
		"sparkline": &chart.Sparkline{Title: "Spent", Unit: "ε", Amounts: []int64{1, 4, 2, 8}},
	}
}

// TestPicturesAreTheSame: the same picture gives the same bytes, which are those that were looked at.
func TestPicturesAreTheSame(t *testing.T) {
	for name, c := range examples() {
		got := string(chart.Figure("x-"+name, c))
		file := filepath.Join("testdata", name+".html")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is not the picture of %s; look at it, and run with -update", name, file)
		}
	}
}

var hostile = []string{
	`<script>alert("x")</script>`, `"><img src=x onerror=alert(1)>`, `' onload='x`, "a\x00b\x1b[31m", "\u202egnp.exe", "]]>&amp;&lt;", "</title><script>", "</svg><style>*{}</style>",
	strings.Repeat("very-long-name-", 400), "日本語の名前はとても長いことがあります日本語の名前", "", "\xff\xfe", "javascript:alert(1)",
}

// nasty are pictures of any size whose every text is hostile.
func nasty(rng *rand.Rand) map[string]chart.Chart {
	word := func() string {
		if rng.IntN(3) == 0 {
			return hostile[rng.IntN(len(hostile))]
		}
		return fmt.Sprintf("%s%d", hostile[rng.IntN(len(hostile))], rng.IntN(60))
	}
	amount := func() int64 { return []int64{0, 1, 7, 1_000, 1 << 40, -5}[rng.IntN(6)] }
	var node func(depth int) chart.Node
	node = func(depth int) chart.Node {
		n := chart.Node{Text: word(), Note: word(), Class: word(), Href: word()}
		for range rng.IntN(4) {
			if depth < 20 {
				n.Children = append(n.Children, node(depth+1+rng.IntN(8)))
			}
		}
		return n
	}
	tree, graph := &chart.Tree{Title: word(), Desc: word()}, &chart.Graph{Title: word(), Desc: word()}
	domains := &chart.Domains{Title: word(), Desc: word(), Own: word(), Unit: word()}
	sankey := &chart.Sankey{Title: word(), Desc: word(), LeftOf: word(), RightOf: word(), Unit: word()}
	bars := &chart.Bars{Title: word(), Desc: word(), Of: word(), Unit: word(), Parts: []chart.Part{{word(), word()}, {word(), word()}}}
	spark := &chart.Sparkline{Title: word(), Unit: word()}
	for range rng.IntN(40) {
		tree.Roots = append(tree.Roots, node(0))
		graph.Vertices = append(graph.Vertices, chart.Vertex{ID: fmt.Sprint(rng.IntN(30)), Text: word(), Note: word(), Class: word(), Href: word()})
		domains.Ways = append(domains.Ways, chart.Way{From: word(), To: word(), Volume: amount(), Class: word(), Note: word(), Href: word()})
		sankey.Bands = append(sankey.Bands, chart.Band{From: word(), To: word(), Volume: amount(), Class: word(), Note: word(), Href: word()})
		bars.Bars = append(bars.Bars, chart.Bar{Text: word(), Amounts: []int64{amount(), amount(), amount()}})
		spark.Amounts = append(spark.Amounts, amount())
		for range 3 {
			graph.Edges = append(graph.Edges, chart.Edge{From: fmt.Sprint(rng.IntN(33)), To: fmt.Sprint(rng.IntN(33)), Text: word(), Class: word()})
		}
	}
	return map[string]chart.Chart{"tree": tree, "graph": graph, "domains": domains, "sankey": sankey, "bars": bars, "sparkline": spark}
}

var (
	allowed = map[string]bool{}
	numbers = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?`)
)

func init() {
	for _, n := range strings.Fields("figure svg title desc path circle rect text tspan a g details summary div table caption thead tbody tr th td") {
		allowed[n] = true
	}
}

// TestHostileNamesAreText: whatever names hold, a picture is well-formed, has none but its own elements, no style, no script, links to nowhere but the
// console, and draws nothing outside its bounds.
func TestHostileNamesAreText(t *testing.T) {
	for seed := range uint64(20) {
		for name, c := range nasty(rand.New(rand.NewPCG(seed, 1))) {
			if err := sound(string(chart.Figure(`x"<`, c))); err != nil {
				t.Fatalf("seed %d, %s: %v", seed, name, err)
			}
		}
	}
}

// sound looks at all elements of a figure.
func sound(figure string) error {
	dec := xml.NewDecoder(strings.NewReader(figure))
	var w, h float64
	inside, titled := false, false
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if !titled {
				return errors.New("it has no title")
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is not well-formed: %w", err)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		if !allowed[e.Name.Local] {
			return fmt.Errorf("it has an element %q", e.Name.Local)
		}
		at := map[string]string{}
		for _, a := range e.Attr {
			at[a.Name.Local] = a.Value
			if n := a.Name.Local; n == "style" || strings.HasPrefix(n, "on") {
				return fmt.Errorf("it has an attribute %q", n)
			}
			if a.Name.Local == "href" && (!strings.HasPrefix(a.Value, "/") || strings.HasPrefix(a.Value, "//")) {
				return errors.New("it leads elsewhere")
			}
		}
		switch e.Name.Local {
		case "svg":
			f := strings.Fields(at["viewBox"])
			w, _ = strconv.ParseFloat(f[2], 64)
			h, _ = strconv.ParseFloat(f[3], 64)
			inside, titled = true, at["aria-labelledby"] != ""
		case "rect", "circle", "text", "tspan", "path":
			if !inside {
				return fmt.Errorf("%s outside of a picture", e.Name.Local)
			}
			if err := within(e.Name.Local, at, w, h); err != nil {
				return err
			}
		}
	}
}

func within(name string, at map[string]string, w, h float64) error {
	n := func(k string) float64 { f, _ := strconv.ParseFloat(at[k], 64); return f }
	in := func(x, y float64) error {
		if x < -.1 || y < -.1 || x > w+.1 || y > h+.1 || x != x || y != y {
			return fmt.Errorf("a %s reaches %v, %v beyond %v, %v: %v", name, x, y, w, h, at)
		}
		return nil
	}
	switch name {
	case "rect":
		return errors.Join(in(n("x"), n("y")), in(n("x")+n("width"), n("y")+n("height")))
	case "circle":
		return errors.Join(in(n("cx")-n("r"), n("cy")-n("r")), in(n("cx")+n("r"), n("cy")+n("r")))
	case "path":
		if strings.ContainsAny(at["d"], "AHV") {
			return nil // of an arc not every number is a place
		}
		all := numbers.FindAllString(at["d"], -1)
		for i := 0; i+1 < len(all); i += 2 {
			x, _ := strconv.ParseFloat(all[i], 64)
			y, _ := strconv.ParseFloat(all[i+1], 64)
			if err := in(x, y); err != nil {
				return err
			}
		}
	default:
		if at["x"] != "" && at["y"] != "" {
			return in(n("x"), n("y"))
		}
	}
	return nil
}

// TestBoxesDoNotOverlap: of a graph no box lies upon another, whatever its edges are.
func TestBoxesDoNotOverlap(t *testing.T) {
	box := regexp.MustCompile(`<rect class="box[^"]*" x="([0-9.]+)" y="([0-9.]+)" width="([0-9.]+)" height="([0-9.]+)"`)
	for seed := range uint64(20) {
		g := nasty(rand.New(rand.NewPCG(seed, 2)))["graph"].(*chart.Graph)
		for i := range g.Vertices {
			g.Vertices[i].Class = ""
		}
		all := box.FindAllStringSubmatch(string(g.SVG("x")), -1)
		if len(all) != len(g.Vertices) {
			t.Fatalf("%d boxes for %d vertices", len(all), len(g.Vertices))
		}
		var at [][4]float64
		for _, m := range all {
			var b [4]float64
			for i := range b {
				b[i], _ = strconv.ParseFloat(m[i+1], 64)
			}
			for _, o := range at {
				if b[0] < o[0]+o[2] && o[0] < b[0]+b[2] && b[1] < o[1]+o[3] && o[1] < b[1]+b[3] {
					t.Fatalf("seed %d: boxes at %v and %v overlap", seed, b, o)
				}
			}
			at = append(at, b)
		}
	}
}

// TestTablesSayAll: what a picture has no room for is in its table.
func TestTablesSayAll(t *testing.T) {
	d, s, g, tr := &chart.Domains{Own: "us"}, &chart.Sankey{}, &chart.Graph{}, &chart.Tree{}
	for i := range 500 {
		n := fmt.Sprintf("name-%d", i)
		d.Ways = append(d.Ways, chart.Way{From: "us", To: n, Volume: int64(i)})
		s.Bands = append(s.Bands, chart.Band{From: n, To: "them", Volume: int64(i)})
		g.Vertices = append(g.Vertices, chart.Vertex{ID: n, Text: n})
		tr.Roots = append(tr.Roots, chart.Node{Text: n})
	}
	for name, c := range map[string]chart.Chart{"domains": d, "sankey": s, "graph": g, "tree": tr} {
		if got := len(c.Table().Rows); got != 500 {
			t.Errorf("the table of %s has %d rows, want 500", name, got)
		}
		if n := len(c.SVG("x")); n > 200_000 {
			t.Errorf("the picture of %s takes %d bytes", name, n)
		}
	}
	if !strings.Contains(string(d.SVG("x")), chart.Rest) {
		t.Error("the map does not say that there are others")
	}
}

// TestColoursCanBeRead: each class of the style is there in light and dark, and against the page has the contrast that WCAG asks of graphics and text.
func TestColoursCanBeRead(t *testing.T) {
	style := string(chart.Style)
	light, dark, ok := strings.Cut(style, "@media")
	if !ok {
		t.Fatal("there is no dark style")
	}
	for where, c := range map[string]struct{ css, page string }{"light": {light, "#ffffff"}, "dark": {dark, "#161b22"}} {
		for _, n := range []string{"level-raw", "level-generalized", "level-tokenized", "level-masked", "level-dropped", "refused"} {
			m := regexp.MustCompile(`--` + n + `: (#[0-9a-f]{6})`).FindStringSubmatch(c.css)
			if m == nil {
				t.Errorf("%s has no colour for %s", where, n)
				continue
			}
			if r := contrast(m[1], c.page); r < 4.5 {
				t.Errorf("%s %s has a contrast of %.1f, want 4.5", where, n, r)
			}
		}
	}
	for l := flow.Dropped; l <= flow.Raw; l++ {
		if !strings.Contains(style, "."+chart.LevelClass(l)) {
			t.Errorf("the style has no class for %v", l)
		}
	}
}

func contrast(a, b string) float64 {
	x, y := luminance(a), luminance(b)
	if x < y {
		x, y = y, x
	}
	return (x + .05) / (y + .05)
}

// luminance is that of WCAG 2.2.
func luminance(c string) float64 {
	n, _ := strconv.ParseUint(c[1:], 16, 32)
	part := func(shift uint) float64 {
		v := float64(n>>shift&255) / 255
		if v <= .04045 {
			return v / 12.92
		}
		return math.Pow((v+.055)/1.055, 2.4)
	}
	return .2126*part(16) + .7152*part(8) + .0722*part(0)
}

// TestClassesAreOfPicturesAlone: the page's own style sheet says nothing of the classes that shapes have, but for levels: a rule for something else of the same
// name would set their sizes.
func TestClassesAreOfPicturesAlone(t *testing.T) {
	sheet, err := os.ReadFile("../page/static/scrim.css")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range examples() {
		for _, m := range regexp.MustCompile(`<(?:rect|path|circle|text|tspan)[^>]* class="([^"]+)"`).FindAllStringSubmatch(string(c.SVG("x")), -1) {
			for _, class := range strings.Fields(m[1]) {
				if strings.HasPrefix(class, "level-") || class == chart.Refused {
					continue
				}
				if regexp.MustCompile(`(?m)(^|[\s,}])\.` + class + `[\s,{.:]`).Match(sheet) {
					t.Errorf("%s: the page has rules of its own for class %q", name, class)
				}
			}
		}
	}
}
