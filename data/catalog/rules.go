package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"go.yaml.in/yaml/v3"
)

// The customProperties that say what [Governance] holds. They may stand at a contract, a dataset and a field.
const (
	ownersProperty     = "scrim.owners"
	purposesProperty   = "scrim.purposes"
	basisProperty      = "scrim.legal_basis"
	retentionProperty  = "scrim.retention"
	techniquesProperty = "scrim.techniques"
	recipientsProperty = "scrim.recipients"
	transfersProperty  = "scrim.transfers"
	reviewProperty     = "scrim.review"
	foundProperty      = "scrim.found"
)

var governanceProperties = []string{
	ownersProperty, purposesProperty, basisProperty, retentionProperty, techniquesProperty, recipientsProperty,
	transfersProperty, reviewProperty, foundProperty,
}

// A term of a vocabulary, such as dpv:Consent or eu-gdpr:A6-1-a.
var termFormat = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}:[A-Za-z0-9][A-Za-z0-9._-]{0,100}$`)

// governance reads what the customProperties of a place say of the use of data, within what is said around it.
func (p *contractParser) governance(custom map[string]placed, outer Governance) Governance {
	g := Governance{
		Owners:     p.texts(custom[ownersProperty]),
		LegalBasis: p.texts(custom[basisProperty]),
		Techniques: p.texts(custom[techniquesProperty]),
		Recipients: p.texts(custom[recipientsProperty]),
		Transfers:  p.texts(custom[transfersProperty]),
	}
	for _, s := range p.texts(custom[purposesProperty]) {
		g.Purposes = append(g.Purposes, flow.Purpose(s))
	}
	p.each(custom[basisProperty], func(v *yaml.Node, place string) {
		if !termFormat.MatchString(v.Value) {
			p.wrong(v, place, "such as dpv:Consent", "a term of a vocabulary is expected")
		}
	})
	p.each(custom[techniquesProperty], func(v *yaml.Node, place string) {
		if !slices.Contains(Techniques(), v.Value) {
			p.wrong(v, place, hintOr(p.near(v.Value, Techniques()), strings.Join(Techniques(), ", ")), "not a technique")
		}
	})
	if v := custom[retentionProperty]; v.node != nil {
		var ok bool
		if g.Retention, ok = period(v.node.Value); !ok || g.Retention%time.Second != 0 {
			p.wrong(v.node, v.place, "such as 30d or 24h", "a time of whole seconds is expected")
		}
	}
	if v := custom[reviewProperty]; v.node != nil {
		day, err := time.Parse(time.DateOnly, v.node.Value)
		if err != nil {
			p.wrong(v.node, v.place, "such as 2027-01-31", "a day is expected")
		}
		g.Review = day
	}
	p.narrower(custom, g, outer)
	return g.Within(outer)
}

// narrower reports where a place would allow what the places around it do not. Purposes have a hierarchy that
// contracts do not know: whoever does compares them.
func (p *contractParser) narrower(custom map[string]placed, g, outer Governance) {
	if outer.Retention > 0 && g.Retention > outer.Retention {
		v := custom[retentionProperty]
		p.wrong(v.node, v.place, "shorten it here, or lengthen it there", "it may be kept for longer than what is around it says")
	}
	if len(outer.Techniques) > 0 {
		p.each(custom[techniquesProperty], func(v *yaml.Node, place string) {
			if slices.Contains(Techniques(), v.Value) && !slices.Contains(outer.Techniques, v.Value) {
				p.wrong(v, place, "add it there, or take it away here", "%s is not among the techniques that what is around it allows", v.Value)
			}
		})
	}
}

// near is [nearHint] for names of the length of names, as long as mistakes are kept.
func (p *contractParser) near(got string, names []string) string {
	if len(got) > 60 || len(p.mistakes) >= maxMistakes {
		return ""
	}
	return nearHint(got, names)
}

func (p *contractParser) nearLabel(got string) string {
	if len(got) > 60 || len(p.mistakes) >= maxMistakes {
		return ""
	}
	return labelHint(got, p.tax)
}

func hintOr(hint, other string) string {
	if hint == "" {
		return other
	}
	return hint
}

// texts reads a list of texts, each given once. An empty list says nothing, which would be easy to take for "none".
func (p *contractParser) texts(v placed) (out []string) {
	if v.node == nil {
		return nil
	}
	if v.node.Kind != yaml.SequenceNode || len(v.node.Content) == 0 {
		p.wrong(v.node, v.place, "leave the property out where nothing is to be said", "a list of texts is expected")
		return nil
	}
	seen := map[string]bool{}
	p.each(v, func(n *yaml.Node, place string) {
		switch {
		case n.Kind != yaml.ScalarNode || n.Tag != "!!str" || strings.TrimSpace(n.Value) != n.Value || n.Value == "":
			p.wrong(n, place, "", "a text is expected")
		case seen[n.Value]:
			p.wrong(n, place, "", "it is given twice")
		default:
			seen[n.Value] = true
			out = append(out, n.Value)
		}
	})
	return out
}

// each calls f with every element of a list.
func (p *contractParser) each(v placed, f func(n *yaml.Node, place string)) {
	if v.node == nil || v.node.Kind != yaml.SequenceNode {
		return
	}
	for i, n := range v.node.Content {
		f(n, fmt.Sprintf("%s/%d", v.place, i))
	}
}

// team returns who of the team answers for the data: those whose role says owner or steward, and who have not left.
func (p *contractParser) team(n *yaml.Node) (owners []string) {
	team, place := member(n, "team"), "/team"
	if team != nil && team.Kind == yaml.MappingNode {
		team, place = member(team, "members"), "/team/members"
	}
	if team == nil {
		return nil
	}
	if team.Kind != yaml.SequenceNode {
		p.wrong(team, place, "", "a list is expected")
		return nil
	}
	seen := map[string]bool{}
	for i, m := range team.Content {
		at := fmt.Sprintf("%s/%d", place, i)
		name, role := p.text(m, at, "username", true), strings.ToLower(p.text(m, at, "role", false))
		if (strings.Contains(role, "owner") || strings.Contains(role, "steward")) && member(m, "dateOut") == nil && !seen[name] {
			seen[name] = true
			owners = append(owners, name)
		}
	}
	return owners
}

// contribution reads how much one unit adds.
func (p *contractParser) contribution(v placed) (c Contribution) {
	if v.node == nil {
		return c
	}
	if v.node.Kind != yaml.MappingNode || len(v.node.Content) == 0 {
		p.wrong(v.node, v.place, "such as {rows: 10, groups: 3}", "an object is expected")
		return c
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, val := v.node.Content[i], v.node.Content[i+1]
		at := v.place + "/" + escapePointer(key.Value)
		n, ok := decimal(val.Value, 0)
		switch {
		case key.Value != "rows" && key.Value != "groups":
			p.wrong(key, at, p.near(key.Value, []string{"rows", "groups"}), "unknown member of scrim.contribution")
		case !ok || n < 1:
			p.wrong(val, at, "", "a whole number, 1 or more, is expected")
		case key.Value == "rows":
			c.Rows = n
		default:
			c.Groups = n
		}
	}
	return c
}
