package impact

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// publicSettings are what is declared to be public, see [Side].
const publicSettings = "transparent/"

// binding is where a schema is bound.
type binding struct {
	dir, kind, agent, name string
}

// prepare compares what the sides say beside policies.
func (c *comparison) prepare() {
	c.oldFields, c.newFields = fieldsOf(c.old.Policy), fieldsOf(c.next.Policy)
	was, is := bindingsOf(c.old.Settings), bindingsOf(c.next.Settings)
	for b := range was {
		if is[b] != was[b] {
			c.schemas = append(c.schemas, b)
		}
	}
	for b := range is {
		if _, ok := was[b]; !ok {
			c.schemas = append(c.schemas, b)
		}
	}
	for _, d := range settingsDiffer(c.old.Settings, c.next.Settings) {
		if !matches(silent, d.Path) {
			c.public = c.public || strings.HasPrefix(d.Path, publicSettings)
			c.beside = append(c.beside, d)
		}
	}
}

// bindingsOf are where the schemas of a side are bound, with the digests of those that are bound there.
func bindingsOf(settings map[string]string) map[binding]string {
	out := map[binding]string{}
	for i := 0; ; i++ {
		at := fmt.Sprintf("schemas/%d/", i)
		file := settings[at+"file"]
		if file == "" {
			return out
		}
		what := settings["file:"+path.Clean(file)] + " " + settings[at+"foreign"] + "\n"
		bound := false
		for _, kind := range []string{"tool", "skill", "data", "resource", "prompt"} {
			if name := settings[at+kind]; name != "" {
				bound = true
				out[binding{settings[at+"direction"], kind, cmp.Or(settings[at+"agent"], "*"), name}] += what
			}
		}
		if !bound { // any data of the agent
			out[binding{settings[at+"direction"], "", cmp.Or(settings[at+"agent"], "*"), "*"}] += what
		}
	}
}

func fieldsOf(s *policy.Set) map[string]flow.Label {
	out := map[string]flow.Label{}
	for _, f := range s.Entities().Fields {
		out[f.Name] = f.Label
	}
	return out
}

// otherSchema reports whether a schema that may have labelled a flow's content differs between the sides. Data parts, resources and prompts are not
// named by the flow, so any of them counts.
func (c *comparison) otherSchema(f *flow.Flow) bool {
	for _, b := range c.schemas {
		named := b.kind == "tool" || b.kind == "skill"
		if b.dir == f.Direction.String() && (b.agent == "*" || b.agent == string(f.From.Agent) || b.agent == string(f.To.Agent)) &&
			(!named || b.name == "*" || b.name == f.Subject) {
			return true
		}
	}
	return false
}
