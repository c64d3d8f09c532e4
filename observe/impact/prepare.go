package impact

import (
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// The settings by which places get labels outside contracts, see [Side].
const (
	schemaSettings = "schemas/"     // schemas/DIRECTION/KIND/AGENT/NAME: digests of the schemas that are bound there
	publicSettings = "transparent/" // what is declared to be public
)

// binding is where a schema is bound.
type binding struct {
	dir, kind, agent, name string
}

// prepare compares what the sides say beside policies.
func (c *comparison) prepare() {
	c.oldFields, c.newFields = fieldsOf(c.old.Policy), fieldsOf(c.next.Policy)
	for _, d := range settingsDiffer(c.old.Settings, c.next.Settings) {
		rest, schema := strings.CutPrefix(d.Path, schemaSettings)
		parts := strings.SplitN(rest, "/", 4)
		switch {
		case matches(silent, d.Path):
			continue
		case schema && len(parts) == 4:
			c.schemas = append(c.schemas, binding{parts[0], parts[1], parts[2], parts[3]})
		case strings.HasPrefix(d.Path, publicSettings):
			c.public = true
		}
		c.beside = append(c.beside, d)
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
