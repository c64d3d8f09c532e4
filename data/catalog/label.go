package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// info joins what the sources say of their place.
func (c *compiler) info(s spot, all []source) Info {
	info := Info{Declared: true, Named: s.named, Required: s.required, Origin: flow.Supplied}
	for _, src := range all {
		info.Droppable = info.Droppable || src.node.droppable
		info.Signed = info.Signed || src.node.signed
		if !src.node.foreign {
			info.Origin = flow.Catalogued
		}
	}
	info.Field = c.field(s.sources, all)
	info.Label = c.label(s.sources)
	info.NameLabel = c.nameLabel(all, info.Label)
	info.Need = c.need(info.Label, s.sources)
	info.Subject, info.Unit = c.subject(s)
	info.Types = typesOf(s.sources)
	return info
}

// field returns the column that the place is, or that it lies in where no source says which one it is itself.
func (c *compiler) field(sources, all []source) string {
	var field *Field
	take := func(f *Field) {
		switch {
		case f == nil:
		case field == nil:
			field = f
		case !field.Governance.sameUse(&f.Governance) && c.err == nil: // only one of them would be asked
			c.err = fmt.Errorf("the columns %q and %q stand for one place, and their data contracts do not let them be used alike", field.Name, f.Name)
		}
	}
	for _, src := range all {
		take(src.node.field)
	}
	for _, src := range sources {
		if !slices.ContainsFunc(c.expand([]source{src}), func(sub source) bool { return sub.node.field != nil }) {
			take(src.from.field)
		}
	}
	if field == nil {
		return ""
	}
	return field.Name
}

// label returns the strictest label of our own schemas, raised by foreign ones. For each source the labels given for
// the place itself come before the one taken over from around it.
func (c *compiler) label(sources []source) flow.Label {
	var own, foreign flow.Label
	for _, src := range sources {
		var given flow.Label
		for _, sub := range c.expand([]source{src}) {
			given = c.tax.Stricter(given, sub.node.label)
		}
		if given == "" {
			given = src.from.label
		}
		if src.node.foreign {
			foreign = c.tax.Stricter(foreign, given)
		} else {
			own = c.tax.Stricter(own, given)
		}
	}
	return raise(c.tax, own, foreign)
}

// raise returns the label of our own, or the foreign one where that is stricter. What nothing of ours labels stays
// unlabelled: a foreign label could only open it.
func raise(tax *flow.Taxonomy, own, foreign flow.Label) flow.Label {
	if own == "" || own == flow.Unlabelled {
		return flow.Unlabelled
	}
	if foreign == "" {
		return own
	}
	co, _ := tax.Class(own)
	cf, _ := tax.Class(foreign)
	if cf.Tier < co.Tier || cf.Tier == co.Tier && foreign.Within(own) && cf.Family == co.Family {
		return foreign
	}
	return own
}

// nameLabel labels the names of members that no schema writes out: by propertyNames, else as the object is labelled.
func (c *compiler) nameLabel(all []source, object flow.Label) flow.Label {
	var own, foreign flow.Label
	for _, src := range all {
		switch n := src.node.names; {
		case n == nil:
		case n.foreign:
			foreign = c.tax.Stricter(foreign, n.label)
		default:
			own = c.tax.Stricter(own, n.label)
		}
	}
	if own == "" {
		own = object
	}
	return raise(c.tax, own, foreign)
}

// need returns the meet of what is needed, resolved against the label's class where there is one.
func (c *compiler) need(label flow.Label, sources []source) *flow.Treatment {
	class, _ := c.tax.Class(label)
	var met *flow.Treatment
	join := func(t flow.Treatment) {
		if label != flow.Unlabelled {
			t = class.Resolve(t)
		}
		if met != nil {
			t = class.Family.Meet(*met, t)
		}
		met = &t
	}
	for _, src := range sources {
		given := false
		for _, sub := range c.expand([]source{src}) {
			if sub.node.need != nil {
				join(*sub.node.need)
				given = true
			}
		}
		if !given && src.from.hasNeed {
			join(src.from.need)
		}
	}
	return met
}

// subject returns the pointer to the subject, and its unit. Our own schemas come first; where those do not agree, the
// subject is unknown.
func (c *compiler) subject(s spot) (pointer, unit string) {
	for _, foreign := range []bool{false, true} {
		var pointers, units []string
		for _, src := range s.sources {
			if src.node.foreign != foreign {
				continue
			}
			given, unit := "", ""
			for _, sub := range c.expand([]source{src}) {
				if given == "" {
					given = sub.node.subject
				}
				if unit == "" {
					unit = sub.node.unit
				}
			}
			pointers = appendNew(pointers, given, src.from.subject)
			units = appendNew(units, unit, src.from.unit)
		}
		if len(units) == 1 && unit == "" {
			unit = units[0]
		}
		if len(pointers) > 1 {
			return "", unit
		}
		if len(pointers) == 1 {
			return pointers[0], unit
		}
		if !foreign && s.sibling != "" {
			return s.sibling, unit
		}
	}
	return "", unit
}

// appendNew appends the first that is not empty, unless it is there already.
func appendNew(list []string, candidates ...string) []string {
	for _, s := range candidates {
		if s == "" {
			continue
		}
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
		break
	}
	return list
}

// checkPointer returns what is wrong with the value of x-scrim-subject, or "".
func checkPointer(s string) string {
	rest, up := s, 0
	for strings.HasPrefix(rest, "../") {
		rest, up = rest[3:], up+1
	}
	switch {
	case up > 0 && rest == "":
		return "the pointer ends without a name"
	case up == 0 && !strings.HasPrefix(s, "/"):
		return "a subject is a pointer that begins with / or ../"
	}
	for i := range len(s) {
		if s[i] == '~' && (i+1 == len(s) || s[i+1] != '0' && s[i+1] != '1') {
			return "~ must be written ~0 in a pointer"
		}
	}
	return ""
}
