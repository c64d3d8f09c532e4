package scrim_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/data/catalog"
	datajson "github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy"
)

var update = flag.Bool("update", false, "write the generated parts of pages anew")

// example returns the fenced text that follows a marker of a page.
func example(t *testing.T, page, marker string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "<!-- example: "+marker+" -->\n")
	if ok {
		_, rest, ok = strings.Cut(rest, "\n") // the fence's own line
	}
	text, _, closed := strings.Cut(rest, "```\n")
	if !ok || !closed {
		t.Fatalf("the page has no example %q", marker)
	}
	return text
}

func TestExamplesOfThePages(t *testing.T) {
	all := pages(t)
	t.Run("schema keywords", func(t *testing.T) { schemaExample(t, all["docs/spec/schema-keywords.md"]) })
	t.Run("policies", func(t *testing.T) { policyExample(t, all["docs/spec/policies.md"]) })
}

// schemaExample compiles the page's schema and holds its list of places to what the schema says.
func schemaExample(t *testing.T, page string) {
	s, err := catalog.ParseSchema("example.json", []byte(example(t, page, "schema")), catalog.SchemaOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var doc datajson.Doc
	if err := doc.Parse([]byte(example(t, page, "document")), s, datajson.Limits{}); err != nil {
		t.Fatal(err)
	}
	named := func(n int) bool { return s.Info(doc.Nodes[n].State).Named }
	var got []string
	for n, node := range doc.Nodes {
		if node.Kind == datajson.Object || node.Kind == datajson.Array {
			continue
		}
		info, at := s.Info(node.State), string(doc.Pointer(n, named))
		if !info.Declared {
			got = append(got, fmt.Sprintf("%-27s undeclared", at))
			continue
		}
		need, subject := "-", "-"
		if info.Need != nil {
			need = info.Need.String()
		}
		if who, ok := s.Subject(&doc, 0, n, node.State); ok {
			subject = string(doc.Pointer(who, named))
		}
		got = append(got, fmt.Sprintf("%-27s %-22s need %-22s subject %s", at, info.Label, need, subject))
	}
	said := strings.Split(strings.TrimSpace(example(t, page, "places")), "\n")
	for _, line := range said {
		if !slices.Contains(got, line) {
			t.Errorf("the page says\n%s\nthe schema says\n%s", line, strings.Join(got, "\n"))
		}
	}
	for _, keyword := range []string{"label", "need", "droppable", "subject", "unit", "field"} {
		if !strings.Contains(page, "| `x-scrim-"+keyword+"` |") {
			t.Errorf("the page does not describe x-scrim-%s", keyword)
		}
	}
}

// policyExample loads the page's policies and runs the page's tests of them.
func policyExample(t *testing.T, page string) {
	claims := flow.Party{Agent: "claims-agent", Domain: "insurer", Roles: []flow.Role{"claims"}}
	set, err := policy.Load(fstest.MapFS{"claims.cedar": {Data: []byte(example(t, page, "claims.cedar"))}}, policy.Options{
		Entities: policy.Entities{
			Agents:   []flow.Party{claims, {Agent: "desk", Domain: "hospital"}},
			Purposes: map[flow.Purpose][]flow.Purpose{"billing": nil, "prior-authorisation": {"billing"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	results, err := policy.RunTests(set, fstest.MapFS{"claims.test.yaml": {Data: []byte(example(t, page, "claims.test.yaml"))}})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) < 5 {
		t.Errorf("%d policy tests ran, want all that are on the page", len(results))
	}
	for _, r := range results {
		if !r.Passed {
			t.Error(r.Failure)
		}
	}
	for line := range strings.Lines(set.Schema()) {
		name, typ, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if _, doc, attribute := strings.Cut(typ, ", // "); ok && attribute && doc != "" && !strings.Contains(page, "`"+name+"`") {
			t.Errorf("the page does not describe context.%s", name)
		}
	}
}

const (
	keysBegin = "<!-- keys: written by go test . -run TestConfigurationPage -update -->\n"
	keysEnd   = "<!-- end of keys -->\n"
)

// The page of the configuration has every key that the file can have, as the file's own schema describes it.
func TestConfigurationPageHasEveryKey(t *testing.T) {
	const file = "docs/spec/configuration.md"
	var root map[string]any
	if err := json.Unmarshal(config.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	keys(&b, "", root)
	page := pages(t)[file]
	before, rest, ok := strings.Cut(page, keysBegin)
	said, after, closed := strings.Cut(rest, keysEnd)
	if !ok || !closed {
		t.Fatalf("%s has no place for the keys", file)
	}
	if said == b.String() {
		return
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+keysBegin+b.String()+keysEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	written := slices.Collect(strings.Lines(said))
	for line := range strings.Lines(b.String()) {
		if !slices.Contains(written, line) {
			t.Errorf("%s lacks %s", file, line)
		}
	}
	t.Errorf("%s is not what internal/config says; go test . -run TestConfigurationPage -update writes it", file)
}

// keys writes one table for an object of the schema, then those of the objects within.
func keys(b *strings.Builder, path string, object map[string]any) {
	props, _ := object["properties"].(map[string]any)
	title := "Top level"
	if path != "" {
		title = "`" + path + "`"
	}
	fmt.Fprintf(b, "\n### %s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", title)
	var names []string
	for name := range props {
		names = append(names, name)
	}
	slices.Sort(names)
	required, _ := object["required"].([]any)
	type within struct {
		path   string
		object map[string]any
	}
	var later []within
	for _, name := range names {
		p, _ := props[name].(map[string]any)
		value, def := valueOf(p), ""
		if d, ok := p["default"]; ok {
			def = fmt.Sprintf("`%v`", d)
		}
		if slices.Contains(required, any(name)) {
			def = "required"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, value, def, strings.ReplaceAll(fmt.Sprint(p["description"]), "|", "\\|"))
		at := strings.TrimPrefix(path+"."+name, ".")
		if sub, suffix := objectIn(p); sub != nil {
			later = append(later, within{at + suffix, sub})
		}
	}
	for _, w := range later {
		keys(b, w.path, w.object)
	}
}

// objectIn returns the object that a key holds: itself, in a list, or by name.
func objectIn(p map[string]any) (object map[string]any, suffix string) {
	for _, c := range []struct{ member, suffix string }{{"items", "[]"}, {"additionalProperties", ".NAME"}} {
		if sub, ok := p[c.member].(map[string]any); ok {
			if sub["properties"] != nil {
				return sub, c.suffix
			}
			return nil, ""
		}
	}
	if p["properties"] != nil {
		return p, ""
	}
	return nil, ""
}

// valueOf says in a word what a key takes.
func valueOf(p map[string]any) string {
	if words, ok := p["enum"].([]any); ok {
		var out []string
		for _, w := range words {
			out = append(out, fmt.Sprintf("`%v`", w))
		}
		return strings.Join(out, " ")
	}
	if c, ok := p["const"]; ok {
		return fmt.Sprintf("`%v`", c)
	}
	list, ok := p["type"].([]any)
	if !ok {
		list = []any{p["type"]}
	}
	pattern, _ := p["pattern"].(string)
	switch {
	case slices.Contains(list, any("array")):
		items, _ := p["items"].(map[string]any)
		return "list of " + plural(valueOf(items))
	case slices.Contains(list, any("object")) && p["properties"] == nil:
		values, _ := p["additionalProperties"].(map[string]any)
		return "mapping of names to " + plural(valueOf(values))
	case slices.Contains(list, any("object")):
		return "mapping"
	case strings.Contains(pattern, "KiB"):
		return "size"
	case strings.Contains(pattern, "ms|s|m|h"):
		return "duration"
	case p["format"] == "date-time":
		return "time"
	case slices.Contains(list, any("boolean")) && slices.Contains(list, any("number")):
		return "value"
	case slices.Contains(list, any("boolean")):
		return "`true` `false`"
	case slices.Contains(list, any("integer")):
		return "number"
	}
	return "text"
}

func plural(word string) string {
	switch word {
	case "mapping", "text", "number", "value":
		return word + "s"
	case "list of texts":
		return "lists of texts"
	}
	return word
}
