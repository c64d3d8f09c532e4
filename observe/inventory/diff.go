package inventory

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

// What is different at a place.
type What string

// The differences.
const (
	NewAsset       What = "new"
	VanishedAsset  What = "vanished"
	NewColumn      What = "new column"
	VanishedColumn What = "vanished column"
	TypeChanged    What = "type changed"
	LabelDrift     What = "label drift"
	Unread         What = "not looked at"
)

// Change is one difference between a contract and what a scan found.
type Change struct {
	What  What   `json:"what"`
	Asset string `json:"asset"`            // as the source spells it
	Place string `json:"column,omitempty"` // "" for the asset as a whole
	Old   string `json:"old,omitempty"`    // a type or a label
	New   string `json:"new,omitempty"`
	Why   string `json:"why,omitempty"`
}

// String is the change in one line.
func (c Change) String() string {
	place := c.Asset
	if c.Place != "" {
		place += ", column " + c.Place
	}
	s := place + ": " + string(c.What)
	if c.Old != "" || c.New != "" {
		s += fmt.Sprintf(": %s → %s", cmp.Or(c.Old, "nothing"), cmp.Or(c.New, "nothing"))
	}
	if c.Why != "" {
		s += " (" + c.Why + ")"
	}
	return s
}

// Diff returns how what was found differs from a contract, in the contract's order and then the inventory's: tables and columns that are
// new, that are gone, that have another type, and labels that the content speaks against.
//
// A label drifts where content now speaks for another one, neither wider nor narrower, than the contract's; not where it spoke for that
// already when the contract was made, since somebody decided then; and where it spoke for the contract's label then and for nothing now.
// A confidence that changed is no difference.
func (inv *Inventory) Diff(old *catalog.Contract, p Proposal) []Change {
	p = p.settled()
	now := inv.datasets(p)
	var all []Change
	seen := map[int]bool{}
	for i := range old.Datasets {
		was := &old.Datasets[i]
		j := slices.IndexFunc(now, func(d catalog.Dataset) bool { return same(was, &d) })
		if j < 0 {
			all = append(all, Change{What: VanishedAsset, Asset: physical(was.PhysicalName, was.Name)})
			continue
		}
		seen[j] = true
		all = append(all, inv.Assets[j].diff(was, &now[j], p)...)
	}
	for j := range now {
		if !seen[j] {
			all = append(all, Change{What: NewAsset, Asset: physical(now[j].PhysicalName, now[j].Name)})
		}
	}
	return all
}

// physical is what the source calls something.
func physical(physical, name string) string { return cmp.Or(physical, name) }

// same reports whether two datasets are of one asset: a tool is no resource of the same name, while a table may have become a view.
func same(was, now *catalog.Dataset) bool {
	message := func(k catalog.Asset) bool { return k == catalog.AsTool || k == catalog.AsSkill || k == catalog.Message }
	return physical(was.PhysicalName, was.Name) == physical(now.PhysicalName, now.Name) &&
		(was.Kind == now.Kind || !message(was.Kind) || !message(now.Kind))
}

func (a *Asset) diff(was, now *catalog.Dataset, p Proposal) (all []Change) {
	asset := physical(now.PhysicalName, now.Name)
	if a.Failed {
		all = append(all, Change{What: Unread, Asset: asset, Why: shownName(a.Why)})
		if len(a.Columns) == 0 {
			return all
		}
	}
	matched := map[int]bool{}
	for i := range was.Fields {
		f := &was.Fields[i]
		j := slices.IndexFunc(now.Fields, func(g catalog.Field) bool { return place(&g) == place(f) })
		if j < 0 {
			all = append(all, Change{What: VanishedColumn, Asset: asset, Place: place(f)})
			continue
		}
		matched[j] = true
		g := &now.Fields[j]
		if f.PhysicalType != "" && f.PhysicalType != g.PhysicalType {
			all = append(all, Change{What: TypeChanged, Asset: asset, Place: place(f), Old: f.PhysicalType, New: g.PhysicalType})
		}
		if c := &a.Columns[j]; !a.Failed && (c.Why == "" || c.Why == mapWhy) {
			if d := drift(f, c, p); d != nil {
				d.Asset, d.Place = asset, place(f)
				all = append(all, *d)
			}
		}
	}
	for j := range now.Fields {
		if !matched[j] {
			c := Change{What: NewColumn, Asset: asset, Place: place(&now.Fields[j])}
			if l := now.Fields[j].Label; l != flow.Unlabelled {
				c.New = string(l)
			}
			all = append(all, c)
		}
	}
	return all
}

// place is a column as its source calls it.
func place(f *catalog.Field) string { return physical(f.PhysicalName, f.Column) }

// drift compares a field's label with what content speaks for.
func drift(f *catalog.Field, c *Column, p Proposal) *Change {
	now, was := c.Proposed(p), foundLabel(f, p)
	switch {
	case now == was && was != "": // it spoke for that already
		return nil
	case now == flow.Unlabelled:
		if was == "" || was == flow.Unlabelled || was != f.Label || c.Looked == 0 {
			return nil
		}
		return &Change{What: LabelDrift, Old: string(f.Label), Why: "content no longer speaks for it"}
	case now.Within(f.Label) || f.Label.Within(now):
		return nil
	case was == "" && f.Label != flow.Unlabelled && p.Taxonomy.Stricter(f.Label, now) == f.Label:
		return nil // a person gave a stricter one
	}
	return &Change{What: LabelDrift, Old: string(f.Label), New: string(now)}
}

// foundLabel is the label that the content spoke for when the contract was made; "" if no inventory made it.
func foundLabel(f *catalog.Field, p Proposal) flow.Label {
	i := slices.IndexFunc(f.Custom, func(c catalog.Property) bool { return c.Name == FoundProperty })
	if i < 0 {
		return ""
	}
	v, _ := f.Custom[i].Value.(map[string]any)
	label, _ := v["label"].(string)
	sure, _ := v["confidence"].(int)
	looked, _ := v["values"].(int)
	if label == "" || sure < int(p.Sure) || p.onlyNoted(flow.Label(label), looked) {
		return flow.Unlabelled
	}
	return flow.Label(label)
}

// Update returns the contract with what was found: new tables and columns as [Inventory.Contract] proposes them, vanished ones left
// out, types and counts of now. What people decided stays: labels, names, owners, purposes and all else that the old contract says. Where
// a label drifted, what was found then stays too, so that the next scan tells of it again, unless Proposal.Accept says that it was seen.
func (inv *Inventory) Update(old *catalog.Contract, p Proposal) (*catalog.Contract, error) {
	p = p.settled()
	c := *old
	c.Datasets = nil
	taken := names{}
	for _, d := range old.Datasets {
		taken[d.Name] = true
	}
	now, isNew := inv.datasets(p), map[spot]bool{}
	for j, d := range now {
		i := slices.IndexFunc(old.Datasets, func(was catalog.Dataset) bool { return same(&was, &d) })
		if i < 0 {
			d.PhysicalName = physical(d.PhysicalName, d.Name)
			d.Fields = slices.Clone(d.Fields)
			for _, f := range d.Fields {
				isNew[spot{d.PhysicalName, place(&f)}] = true
			}
			if d.Name = taken.unique(d.Name); d.Name == d.PhysicalName {
				d.PhysicalName = ""
			}
			c.Datasets = append(c.Datasets, d)
			continue
		}
		if inv.Assets[j].Failed && len(d.Fields) == 0 {
			c.Datasets = append(c.Datasets, old.Datasets[i])
			continue
		}
		c.Datasets = append(c.Datasets, inv.Assets[j].updated(old.Datasets[i], d, p, isNew))
	}
	relink(c.Datasets, now, isNew)
	return catalog.NewContract(c, p.Taxonomy)
}

// updated is a dataset with the columns of now and the decisions of then.
func (a *Asset) updated(was, now catalog.Dataset, p Proposal, isNew map[spot]bool) catalog.Dataset {
	d := was
	d.Custom = replaced(was.Custom, now.Custom)
	d.Fields = nil
	for j, f := range now.Fields {
		i := slices.IndexFunc(was.Fields, func(o catalog.Field) bool { return place(&o) == place(&f) })
		if i < 0 {
			f.IsUnit = false // there may be another one by now
			isNew[spot{physical(d.PhysicalName, d.Name), place(&f)}] = true
			d.Fields = append(d.Fields, f)
			continue
		}
		old := was.Fields[i]
		old.PhysicalType = f.PhysicalType
		if p.Accept || drift(&old, &a.Columns[j], p) == nil {
			old.Custom = replaced(old.Custom, f.Custom)
		}
		if old.Logical == "" {
			old.Logical = f.Logical
		}
		d.Fields = append(d.Fields, old)
	}
	if !slices.ContainsFunc(d.Fields, func(f catalog.Field) bool { return f.Column == d.UnitColumn }) {
		d.UnitColumn, d.Unit = "", ""
	}
	return d
}

// replaced are properties with what was found now in the place of what was found then.
func replaced(was, now []catalog.Property) []catalog.Property {
	kept := slices.DeleteFunc(slices.Clone(was), func(p catalog.Property) bool { return p.Name == FoundProperty })
	return append(kept, now...)
}
