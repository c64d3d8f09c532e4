package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

// agree holds data contracts to each other, to the purposes that there are and to what they take over from each other. Each mistake has
// its place in the contract that came later.
func (v *validator) agree(all []*catalog.Contract) {
	ids, datasets := map[string]*catalog.Contract{}, map[string]*catalog.Contract{}
	for _, c := range all {
		if other, taken := ids[c.ID]; taken {
			v.contradicts(c.Mistake("", "id", "give each contract an id of its own", "%s has the same id", other.File()))
		}
		ids[c.ID] = c
		for i := range c.Datasets {
			name := c.Datasets[i].Name
			if other, taken := datasets[name]; taken {
				v.contradicts(c.Mistake(name, "name", "one contract describes a dataset", "%s has the dataset %q too", other.File(), name))
				continue
			}
			datasets[name] = c
		}
	}
	above := v.purposesAbove()
	for _, c := range all {
		v.purposesOf(c, "", c.Governance, catalog.Governance{}, above)
		for i := range c.Datasets {
			d := &c.Datasets[i]
			v.purposesOf(c, d.Name, d.Governance, c.Governance, above)
			for j := range d.Fields {
				f := &d.Fields[j]
				v.purposesOf(c, f.Name, f.Governance, around(d, f), above)
				v.reference(c, f, datasets)
			}
		}
	}
}

// around is what is said of the place that a column lies in: of the nearest column whose name its own goes on from, else of the dataset.
func around(d *catalog.Dataset, f *catalog.Field) catalog.Governance {
	for name := f.Column; ; {
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return d.Governance
		}
		name = name[:dot]
		if i := slices.IndexFunc(d.Fields, func(o catalog.Field) bool { return o.Column == name }); i >= 0 {
			return d.Fields[i].Governance
		}
	}
}

func (v *validator) contradicts(m catalog.Mistake) {
	v.mistakes = append(v.mistakes, Mistake{File: m.File, Line: m.Line, Column: m.Column, Message: m.Message, Hint: m.Hint})
}

// purposesAbove returns each purpose with all that it lies within, itself included.
func (v *validator) purposesAbove() map[flow.Purpose]map[flow.Purpose]bool {
	above := map[flow.Purpose]map[flow.Purpose]bool{}
	for name := range v.c.Purposes {
		seen, todo := map[flow.Purpose]bool{}, []flow.Purpose{name}
		for len(todo) > 0 {
			p := todo[0]
			todo = todo[1:]
			if !seen[p] {
				seen[p] = true
				todo = append(todo, v.c.Purposes[p].Parents...)
			}
		}
		above[name] = seen
	}
	return above
}

// purposesOf checks the purposes that a place of a contract names: they are there, and lie within those of the place around it.
func (v *validator) purposesOf(c *catalog.Contract, name string, g, outer catalog.Governance, above map[flow.Purpose]map[flow.Purpose]bool) {
	const property = "scrim.purposes"
	if !c.Says(name, property) {
		return
	}
	for _, p := range g.Purposes {
		within, ok := above[p]
		if !ok {
			hint := "list it under purposes"
			if near, found := flow.Nearest(string(p), namesOf(v.c.Purposes)); found {
				hint = "did you mean " + near + "?"
			}
			v.contradicts(c.Mistake(name, property, hint, "there is no purpose %q", p))
			continue
		}
		if len(outer.Purposes) > 0 && !slices.ContainsFunc(outer.Purposes, func(o flow.Purpose) bool { return within[o] }) {
			v.contradicts(c.Mistake(name, property, "add it there, or take it away here", "purpose %q is not among those that what is around it may be used for", p))
		}
	}
}

func namesOf[V any](m map[flow.Purpose]V) (names []string) {
	for _, p := range slices.Sorted(maps.Keys(m)) {
		names = append(names, string(p))
	}
	return names
}

// reference checks where a column's values come from: the column is there, and is no stricter than the one that repeats its values.
func (v *validator) reference(c *catalog.Contract, f *catalog.Field, datasets map[string]*catalog.Contract) {
	if f.References == "" {
		return
	}
	dataset, _, _ := cutReference(f.References)
	of, known := datasets[dataset]
	if !known {
		return // a contract need not describe everything
	}
	property := "relationships"
	if c.Says(f.Name, "scrim.references") {
		property = "scrim.references"
	}
	target, ok := of.Field(f.References)
	if !ok {
		v.contradicts(c.Mistake(f.Name, property, "", "%s, which it refers to, is not in %s", fmt.Sprintf("%q", f.References), of.File()))
		return
	}
	if target.Tier < f.Tier {
		v.contradicts(c.Mistake(f.Name, "scrim.label", "they are the same values: give both one label",
			"it repeats the values of %q, which is %s (%s), and is %s (%s)", target.Name, target.Label, target.Tier, f.Label, f.Tier))
	}
}

func cutReference(s string) (dataset, column string, ok bool) {
	for i := range len(s) {
		if s[i] == '/' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// agreesWithUse holds what a dataset is asked for to what its data contracts say of techniques and contributions.
func (v *validator) agreesWithUse(at, name string, d *Dataset) {
	if !d.Asked() {
		return
	}
	seen := map[string]bool{}
	for _, of := range append([]catalog.Dataset{v.contractOf(name)}, v.describing(name)...) {
		if of.Name == "" || seen[of.Name] {
			continue
		}
		seen[of.Name] = true
		if t := of.Governance.Techniques; len(t) > 0 && !slices.Contains(t, "aggregate") {
			v.wrong(at, "take its source away, or have the contract allow it", "the data contract of %s does not allow aggregate, so no question would ever be answered", of.Name)
		}
		for _, l := range []struct {
			key         string
			given, most int64
		}{
			{"rows", int64(d.Limits.Rows), of.Contribution.Rows}, {"most_rows", int64(d.Limits.MostRows), of.Contribution.Rows},
			{"groups", int64(d.Limits.Groups), of.Contribution.Groups}, {"most_groups", int64(d.Limits.MostGroups), of.Contribution.Groups},
		} {
			if l.most > 0 && l.given > l.most {
				v.wrong(at+"/limits/"+l.key, fmt.Sprintf("%d at most", l.most), "the data contract of %s bounds what one unit contributes to less", of.Name)
			}
		}
	}
}

// describing returns the datasets of data contracts that describe the tables of a dataset.
func (v *validator) describing(name string) (all []catalog.Dataset) {
	for _, table := range slices.Sorted(maps.Keys(v.c.Datasets[name].Tables)) {
		all = append(all, v.c.describes(name, table))
	}
	return all
}

// contributed is the least that data contracts allow one unit to contribute; 0 where none says.
func (v *validator) contributed(name string) (rows, groups int64) {
	for _, of := range append([]catalog.Dataset{v.contractOf(name)}, v.describing(name)...) {
		if n := of.Contribution.Rows; n > 0 && (rows == 0 || n < rows) {
			rows = n
		}
		if n := of.Contribution.Groups; n > 0 && (groups == 0 || n < groups) {
			groups = n
		}
	}
	return rows, groups
}
