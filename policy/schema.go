package policy

import (
	"fmt"
	"strings"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// contextAttributes are what a policy may ask of every flow, in the order in which the schema lists them.
var contextAttributes = []struct{ name, typ, doc string }{
	{"purpose", "Purpose", "why the flow happens"},
	{"from", "Agent", "the sender; the principal is the recipient"},
	{"task", "Task", "the piece of work"},
	{"criticality", "String", "low, routine or critical"},
	{"attested", "Bool", "the recipient's runtime was attested"},
	{"hop", "Long", "gateways passed before this one"},
	{"consent", "Bool", "the subjects' consent was verified"},
	{"approved", "Bool", "a person approved this flow"},
	{"same_domain", "Bool", "sender and recipient live in one domain"},
	{"direction", "String", "request or response"},
	{"capabilities", "Set<String>", "names that the root grant gives"},
	{"contract", "Set<String>", "contracts in force between the two domains for this purpose: ids, and names as domain:name"},
	{"protocol", "String", "a2a/1.0, mcp/2026-07-28"},
	{"skill", "String", "the skill or tool"},
}

// leafAttributes are what a policy may ask of each leaf besides.
var leafAttributes = []struct{ name, typ, doc string }{
	{attrScore, "Long", "how sure the detector is, from 1 to 100 percent; what was not found in text has 100"},
}

// openAttributes are what a policy on the action open may ask besides.
var openAttributes = []struct{ name, typ, doc string }{
	{"same_task", "Bool", "the token was minted in this task"},
	{"is_supplier", "Bool", "the recipient supplied the value"},
	{"minted_for", "Domain", "the domain that was given the token"},
}

const schemaHead = `// The schema of policies, generated from the taxonomy and the configuration.
//
// The principal of a flow is its recipient. The resource is a field of the catalog, or else a data class.

entity Domain;
entity Role in [Role];
entity Agent in [Role, Domain] { domain: Domain, attested: Bool };
entity Purpose in [Purpose];
entity Task;
entity DataClass in [DataClass] { tier: String, special: Bool, family: String, kind: String };
// What data contracts say of use is in force whatever policies say. Empty sets: not restricted; retain is in seconds, 0: not said.
entity Dataset { formal: Bool, purposes: Set<Purpose>, techniques: Set<String>, retain: Long };
entity Field in [DataClass, Dataset] {
	tier: String, special: Bool, family: String, kind: String, dataset: Dataset,
	purposes: Set<Purpose>, techniques: Set<String>, retain: Long
};
`

const schemaActions = `
// Permits name upto_LEVEL: that level and all that reveals less.
action upto_raw;
action upto_tokenized, upto_generalized in [upto_raw];
action upto_masked in [upto_tokenized, upto_generalized];

// Forbids name atleast_LEVEL: that level and all that reveals more.
action atleast_masked;
action atleast_tokenized, atleast_generalized in [atleast_masked];
action atleast_raw in [atleast_tokenized, atleast_generalized];

// The levels themselves, asked from raw downwards in the order of the label's family.
action raw in [upto_raw, atleast_raw] appliesTo { principal: [Agent], resource: [Field, DataClass], context: Context };
action tokenized in [upto_tokenized, atleast_tokenized] appliesTo { principal: [Agent], resource: [Field, DataClass], context: Context };
action generalized in [upto_generalized, atleast_generalized] appliesTo { principal: [Agent], resource: [Field, DataClass], context: Context };
action masked in [upto_masked, atleast_masked] appliesTo { principal: [Agent], resource: [Field, DataClass], context: Context };

// To be looked for in text, without being shown.
action detect appliesTo { principal: [Agent], resource: [Field, DataClass], context: Context };

// A token replaced by the value behind it.
action open appliesTo { principal: [Agent], resource: [DataClass], context: OpenContext };

// Techniques on whole datasets.
action aggregate, synthesize, match, compute, score, train appliesTo { principal: [Agent], resource: [Dataset], context: Context };

// Rows of a dataset leaving as a table, with what the table guarantees.
action extract appliesTo { principal: [Agent], resource: [Dataset], context: TableContext };
`

// compileSchema writes the schema of the snapshot and readies the validator.
func (sn *snapshot) compileSchema() error {
	sn.schema = sn.schemaText()
	var s schema.Schema
	s.SetFilename("generated.cedarschema")
	if err := s.UnmarshalCedar([]byte(sn.schema)); err != nil {
		return fmt.Errorf("parsing the generated schema: %w", err)
	}
	resolved, err := s.Resolve()
	if err != nil {
		return fmt.Errorf("resolving the generated schema: %w", err)
	}
	sn.validator = validate.New(resolved, validate.WithStrict())
	return nil
}

func (sn *snapshot) schemaText() string {
	var b strings.Builder
	b.WriteString(schemaHead)
	for _, t := range []cedar.EntityType{typeDomain, typeRole, typeAgent, typePurpose, typeClass, typeDataset, typeField} {
		writeNames(&b, t, sn.known[t])
	}
	b.WriteString("\ntype Context = {\n")
	for _, a := range contextAttributes {
		fmt.Fprintf(&b, "\t%s: %s, // %s\n", a.name, a.typ, a.doc)
	}
	for _, a := range leafAttributes {
		fmt.Fprintf(&b, "\t%s: %s, // %s\n", a.name, a.typ, a.doc)
	}
	b.WriteString("};\n\ntype OpenContext = {\n")
	for _, a := range contextAttributes {
		fmt.Fprintf(&b, "\t%s: %s,\n", a.name, a.typ)
	}
	for _, a := range openAttributes {
		fmt.Fprintf(&b, "\t%s: %s, // %s\n", a.name, a.typ, a.doc)
	}
	b.WriteString("};\n\ntype TableContext = {\n")
	for _, a := range contextAttributes {
		fmt.Fprintf(&b, "\t%s: %s,\n", a.name, a.typ)
	}
	for _, a := range tableAttributes {
		fmt.Fprintf(&b, "\t%s: %s, // %s\n", a.name, a.typ, a.doc)
	}
	b.WriteString("};\n")
	b.WriteString(schemaActions)
	return b.String()
}

// writeNames lists the names that policies may use as a comment: Cedar schemas declare types, not instances.
func writeNames(b *strings.Builder, t cedar.EntityType, names []string) {
	const most = 200
	if len(names) == 0 {
		return
	}
	fmt.Fprintf(b, "\n// Known as %s:\n", t)
	for _, n := range names[:min(len(names), most)] {
		fmt.Fprintf(b, "//   %s\n", uid(t, n))
	}
	if len(names) > most {
		fmt.Fprintf(b, "//   and %d more\n", len(names)-most)
	}
}
