package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/scrimhq/scrim/flow"
)

const maxTestFile = 1 << 20

// testReader reads one file of policy tests and collects what is wrong with it.
type testReader struct {
	set      *Set
	file     string
	mistakes Mistakes
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// readTests returns the tests of a file, or its mistakes.
func (s *Set) readTests(file string, text []byte) (cases []testCase, mistakes Mistakes) {
	r := &testReader{set: s, file: file}
	if len(text) > maxTestFile {
		return nil, Mistakes{{File: file, Message: fmt.Sprintf("the file is larger than %d MiB", maxTestFile>>20)}}
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			m := Mistake{File: file, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
			if at := yamlLine.FindStringSubmatch(m.Message); at != nil {
				m.Line, _ = strconv.Atoi(at[1])
				m.Column = 1
			}
			r.mistakes = append(r.mistakes, m)
			break
		}
		cases = append(cases, r.document(&doc)...)
	}
	if len(r.mistakes) > 0 {
		return nil, r.mistakes
	}
	return cases, nil
}

func (r *testReader) wrong(n *yaml.Node, hint, format string, args ...any) {
	r.mistakes = append(r.mistakes, Mistake{File: r.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (r *testReader) document(doc *yaml.Node) (cases []testCase) {
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil // nothing but comments
	}
	list := root
	if root.Kind == yaml.MappingNode {
		list = nil
		r.members(root, func(key string, k, v *yaml.Node) {
			if key == "tests" {
				list = v
				return
			}
			r.wrong(k, "the list of tests is called tests", "%q is not known here", key)
		})
	}
	if list == nil || list.Kind != yaml.SequenceNode {
		r.wrong(root, "write tests: and below it a list", "the file holds no list of tests")
		return nil
	}
	for _, item := range list.Content {
		if item.Kind != yaml.MappingNode {
			r.wrong(item, "", "a test is a mapping")
			continue
		}
		cases = append(cases, r.test(item))
	}
	return cases
}

// members calls f for each member of a mapping, and reports keys given twice.
func (r *testReader) members(n *yaml.Node, f func(key string, k, v *yaml.Node)) {
	seen := make(map[string]bool)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || seen[k.Value] {
			r.wrong(k, "", "a key is given twice or is not a word")
			continue
		}
		seen[k.Value] = true
		f(k.Value, k, v)
	}
}

// testMembers are the members of a test, with what reads each.
var testMembers = map[string]func(r *testReader, c *testCase, v *yaml.Node){
	"name": func(r *testReader, c *testCase, v *yaml.Node) { c.name = r.text(v) },
	"from": func(r *testReader, c *testCase, v *yaml.Node) { c.query.Flow.From = r.party(v) },
	"to":   func(r *testReader, c *testCase, v *yaml.Node) { c.query.Flow.To = r.party(v) },
	"purpose": func(r *testReader, c *testCase, v *yaml.Node) {
		c.query.Flow.Purpose = flow.Purpose(r.known(v, "purpose"))
	},
	"criticality": func(r *testReader, c *testCase, v *yaml.Node) {
		var err error
		if c.query.Flow.Task.Criticality, err = flow.ParseCriticality(r.text(v)); err != nil {
			r.wrong(v, "", "%v", err)
		}
	},
	"direction": func(r *testReader, c *testCase, v *yaml.Node) {
		if err := c.query.Flow.Direction.UnmarshalText([]byte(r.text(v))); err != nil {
			r.wrong(v, "", "%v", err)
		}
	},
	"task":         func(r *testReader, c *testCase, v *yaml.Node) { c.query.Flow.Task.ID = flow.TaskID(r.text(v)) },
	"protocol":     func(r *testReader, c *testCase, v *yaml.Node) { c.query.Flow.Protocol = r.text(v) },
	"skill":        func(r *testReader, c *testCase, v *yaml.Node) { c.query.Flow.Subject = r.text(v) },
	"hop":          func(r *testReader, c *testCase, v *yaml.Node) { r.decode(v, &c.query.Flow.Hop, "a whole number") },
	"consent":      func(r *testReader, c *testCase, v *yaml.Node) { r.decode(v, &c.query.Consent, "true or false") },
	"approved":     func(r *testReader, c *testCase, v *yaml.Node) { r.decode(v, &c.query.Approved, "true or false") },
	"capabilities": func(r *testReader, c *testCase, v *yaml.Node) { c.query.Capabilities = r.texts(v) },
	"contract":     func(r *testReader, c *testCase, v *yaml.Node) { c.query.Contracts = r.texts(v) },
	"label":        func(r *testReader, c *testCase, v *yaml.Node) { c.labels = append(c.labels, r.labels(v)...) },
	"labels":       func(r *testReader, c *testCase, v *yaml.Node) { c.labels = append(c.labels, r.labels(v)...) },
	"field":        func(r *testReader, c *testCase, v *yaml.Node) { c.field = r.known(v, "field") },
	"need": func(r *testReader, c *testCase, v *yaml.Node) {
		t := r.treatment(v)
		c.need = &t
	},
	"score": func(r *testReader, c *testCase, v *yaml.Node) {
		var err error
		if c.score, err = parseScore(r.text(v)); err != nil {
			r.wrong(v, "", "%v", err)
		}
	},
	"expect": func(r *testReader, c *testCase, v *yaml.Node) { r.treatment(v); c.expect = v.Value },
	"reason": func(r *testReader, c *testCase, v *yaml.Node) { c.reason = r.text(v) },
	"by": func(r *testReader, c *testCase, v *yaml.Node) {
		if c.by = r.text(v); !slices.Contains([]string{"policy", "need", "tier"}, c.by) {
			r.wrong(v, "", "by is policy, need or tier")
		}
	},
	"may_open": func(r *testReader, c *testCase, v *yaml.Node) {
		c.mayOpen = new(bool)
		r.decode(v, c.mayOpen, "true or false")
	},
	"may_extract": func(r *testReader, c *testCase, v *yaml.Node) {
		c.extract = new(bool)
		r.decode(v, c.extract, "true or false")
	},
	"dataset": func(r *testReader, c *testCase, v *yaml.Node) { c.table.Dataset = r.known(v, "dataset") },
	"covered": func(r *testReader, c *testCase, v *yaml.Node) { r.decode(v, &c.covered, "true or false") },
	"k":       func(r *testReader, c *testCase, v *yaml.Node) { r.decode(v, &c.table.Model.K, "a whole number") },
	"l":       func(r *testReader, c *testCase, v *yaml.Node) { r.decode(v, &c.table.Model.L, "a whole number") },
	"t": func(r *testReader, c *testCase, v *yaml.Node) {
		r.decode(v, &c.table.Model.T, "a whole number of thousandths")
	},
	"risk": func(r *testReader, c *testCase, v *yaml.Node) {
		r.decode(v, &c.table.Model.Risk, "a whole number of thousandths")
	},
	"same_task":  func(r *testReader, c *testCase, v *yaml.Node) { r.decode(v, &c.open.SameTask, "true or false") },
	"supplier":   func(r *testReader, c *testCase, v *yaml.Node) { c.open.Supplier = flow.AgentID(r.known(v, "agent")) },
	"minted_for": func(r *testReader, c *testCase, v *yaml.Node) { c.open.MintedFor = flow.DomainID(r.known(v, "domain")) },
}

func testWords() (words []string) {
	for w := range testMembers {
		words = append(words, w)
	}
	slices.Sort(words)
	return words
}

func (r *testReader) test(n *yaml.Node) testCase {
	c := testCase{line: n.Line}
	r.members(n, func(key string, k, v *yaml.Node) {
		if read, ok := testMembers[key]; ok {
			read(r, &c, v)
			return
		}
		r.wrong(k, didYouMean(key, testWords()), "%q is not a member of a test", key)
	})
	if c.field != "" && len(c.labels) == 0 {
		c.labels = []flow.Label{r.set.snap.fields[c.field].Label}
	}
	if c.field != "" && c.score > 0 {
		r.wrong(n, "leave out one of them", "a field is certain and has no score")
	}
	if c.name == "" {
		c.name = "test"
	}
	if len(c.labels) == 0 && c.extract == nil {
		r.wrong(n, "name a label, labels or a field", "the test asks about nothing")
	}
	if c.expect == "" && c.by == "" && c.reason == "" && c.mayOpen == nil && c.extract == nil {
		r.wrong(n, "write expect, by, reason, may_open or may_extract", "the test expects nothing")
	}
	if c.mayOpen != nil && c.asksTable() {
		r.wrong(n, "write one test each", "opening a token and extracting a table are two questions")
	}
	return c
}

func (r *testReader) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		r.wrong(n, "", "this must be a word or a text")
		return ""
	}
	return n.Value
}

// texts reads one text or a list of them.
func (r *testReader) texts(n *yaml.Node) (out []string) {
	if n.Kind != yaml.SequenceNode {
		return []string{r.text(n)}
	}
	for _, item := range n.Content {
		out = append(out, r.text(item))
	}
	return out
}

func (r *testReader) decode(n *yaml.Node, into any, what string) {
	if err := n.Decode(into); err != nil {
		r.wrong(n, "", "this must be %s", what)
	}
}

// known reads a name that the configuration must know, if it knows any of the kind.
func (r *testReader) known(n *yaml.Node, kind string) string {
	name := r.text(n)
	if name != "" && r.set.unknown(kind, name) {
		names, _ := r.set.knownNames(kind)
		r.wrong(n, didYouMean(name, names), "%s %q is not known", kind, name)
	}
	return name
}

func (r *testReader) labels(n *yaml.Node) (out []flow.Label) {
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items = n.Content
	}
	for _, item := range items {
		l := flow.Label(r.known(item, "label"))
		if l == "" {
			r.wrong(item, "", "a label is missing")
		}
		out = append(out, l)
	}
	return out
}

func (r *testReader) treatment(n *yaml.Node) flow.Treatment {
	t, err := parseTreatment(r.text(n))
	if err != nil {
		r.wrong(n, "write level or level/param, such as generalized/year", "%v", err)
	}
	return t
}

// party reads an agent's name, or a mapping of agent, domain, roles and attested for one that the configuration does not know
// or knows differently.
func (r *testReader) party(n *yaml.Node) (p flow.Party) {
	if n.Kind == yaml.ScalarNode {
		known, ok := r.set.snap.agents[flow.AgentID(n.Value)]
		if !ok {
			r.wrong(n, didYouMean(n.Value, r.set.snap.known[typeAgent]), "agent %q is not known", n.Value)
		}
		return known.party
	}
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "", "a party is an agent's name, or a mapping of agent, domain, roles and attested")
		return p
	}
	r.members(n, func(key string, k, v *yaml.Node) {
		switch key {
		case "agent":
			p.Agent = flow.AgentID(r.text(v))
		case "domain":
			p.Domain = flow.DomainID(r.text(v))
		case "roles":
			for _, role := range r.texts(v) {
				p.Roles = append(p.Roles, flow.Role(role))
			}
		case "attested":
			r.decode(v, &p.Attested, "true or false")
		default:
			r.wrong(k, didYouMean(key, []string{"agent", "domain", "roles", "attested"}), "%q is not a member of a party", key)
		}
	})
	return p
}
