package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Proposals are what learn mode would have somebody write: files to look through, not to trust.
type Proposals struct {
	Schemas  []ProposedSchema `json:"schemas"`
	Bindings string           `json:"bindings"` // lines for scrim.yaml
	Policy   string           `json:"policy"`   // Cedar
	Unnamed  int              `json:"unnamed"`  // places whose names are not shown
}

// ProposedSchema is a JSON Schema with x-scrim-label where a label is likely.
type ProposedSchema struct {
	File string          `json:"file"`
	JSON json.RawMessage `json:"schema"`
}

// Propose makes proposals of what was seen. Nothing in them comes from a value.
func Propose(seen Seen) Proposals {
	var out Proposals
	labels := map[flow.Label]int{}
	var bindings strings.Builder
	for _, s := range seen.Sources {
		root := &shape{}
		for _, p := range s.Places {
			if p.Label != "" && p.Label != flow.FreeText && p.Label != flow.Unlabelled && p.Label != flow.PublicData {
				labels[p.Label] += p.Count
			}
			if p.Path == "" {
				continue
			}
			if strings.Contains(string(p.Path), "*") {
				out.Unnamed++
			}
			root.add(strings.Split(string(p.Path[1:]), "/"), p)
		}
		if len(root.members) == 0 && root.items == nil {
			continue
		}
		file := schemaFile(s)
		raw, err := json.MarshalIndent(root.schema(true), "", "  ")
		if err != nil {
			panic(err) // maps of texts always encode
		}
		out.Schemas = append(out.Schemas, ProposedSchema{File: file, JSON: raw})
		fmt.Fprintf(&bindings, "  - {file: %s, agent: %s", file, s.Agent)
		if s.Name != "" {
			fmt.Fprintf(&bindings, ", %s: %q", s.Kind, s.Name)
		} else if s.Kind != "data" {
			fmt.Fprintf(&bindings, ", %s: \"*\"", s.Kind)
		}
		fmt.Fprintf(&bindings, ", direction: %s}\n", s.Direction)
	}
	if bindings.Len() > 0 {
		out.Bindings = "schemas:\n" + bindings.String()
	}
	out.Policy = proposePolicy(labels)
	return out
}

// schemaFile names a proposed schema after what it describes.
func schemaFile(s Source) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, strings.ToLower(s.Name))
	parts := []string{string(s.Agent)}
	if name != "" {
		parts = append(parts, name)
	}
	return "schemas/" + strings.Join(append(parts, s.Direction.String()), ".") + ".json"
}

// proposePolicy writes a permit for each label seen, commented out: who may see what is for people to say.
func proposePolicy(labels map[flow.Label]int) string {
	if len(labels) == 0 {
		return ""
	}
	tax := flow.DefaultTaxonomy()
	var b bytes.Buffer
	b.WriteString("// Labels that were seen, most restricted first. Each rule is a suggestion: name who may see it, and why, and take the comment signs off.\n")
	all := slices.Collect(maps.Keys(labels))
	slices.SortFunc(all, func(a, b flow.Label) int {
		ca, _ := tax.Class(a)
		cb, _ := tax.Class(b)
		if ca.Tier != cb.Tier {
			return int(ca.Tier) - int(cb.Tier)
		}
		return strings.Compare(string(a), string(b))
	})
	for _, l := range all {
		c, _ := tax.Class(l)
		level := c.Family.Second()
		if c.Tier == flow.Restricted {
			level = flow.Masked
		}
		fmt.Fprintf(&b, "\n// %s: %s, seen at %d values\n", l, c.Tier, labels[l])
		fmt.Fprintf(&b, "// permit (principal in Role::\"WHO\", action in Action::\"upto_%s\", resource in DataClass::%q)\n//   when { context.purpose in Purpose::\"WHY\" };\n", level, string(l))
	}
	return b.String()
}

// shape is a tree of places.
type shape struct {
	members map[string]*shape
	items   *shape
	place   *Place
}

func (s *shape) add(names []string, p Place) {
	if len(names) == 0 || len(names) == 1 && names[0] == "" {
		s.place = &p
		return
	}
	next := &s.items
	if names[0] != "[]" {
		if s.members == nil {
			s.members = map[string]*shape{}
		}
		child := s.members[names[0]]
		next = &child
		if child == nil {
			child = &shape{}
			s.members[names[0]] = child
		}
	} else if s.items == nil {
		s.items = &shape{}
	}
	(*next).add(names[1:], p)
}

// schema is the JSON Schema of the tree. Members whose names are not shown are left to be written in.
func (s *shape) schema(root bool) map[string]any {
	out := map[string]any{}
	if root {
		out["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	}
	if len(s.members) > 0 {
		out["type"] = "object"
		props := map[string]any{}
		for name, child := range s.members {
			if name == "*" {
				out["$comment"] = "There are members here whose names nothing declares, so they are not shown. Write them in."
				continue
			}
			props[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)] = child.schema(false)
		}
		out["properties"] = props
	}
	if s.items != nil {
		out["type"], out["items"] = "array", s.items.schema(false)
	}
	if s.place != nil && s.place.Label != "" && s.place.Label != flow.Unlabelled {
		out["x-scrim-label"] = string(s.place.Label)
	}
	return out
}
