package inventory

import (
	"testing"
)

// TestAToolAndAResourceOfOneName are two things, before and after.
func TestAToolAndAResourceOfOneName(t *testing.T) {
	inv := &Inventory{Source: "x", Assets: []Asset{
		{Name: "lookup", Kind: Tool, Columns: []Column{{Name: "arguments"}, {Name: "result"}}},
		{Name: "lookup", Kind: Resource, Columns: []Column{{Name: "content"}}},
	}}
	p := Proposal{ID: "x"}
	contract, err := inv.Contract(p)
	if err != nil {
		t.Fatal(err)
	}
	if d := inv.Diff(contract, p); len(d) > 0 {
		t.Errorf("the same differs: %v", d)
	}
	tool := &Inventory{Source: "x", Assets: inv.Assets[:1]}
	old, err := tool.Contract(p)
	if err != nil {
		t.Fatal(err)
	}
	if d := inv.Diff(old, p); len(d) != 1 || d[0].What != NewAsset {
		t.Errorf("beside the tool of its name a resource is %v, want new", d)
	}
	if d := tool.Diff(contract, p); len(d) != 1 || d[0].What != VanishedAsset {
		t.Errorf("without the resource there is %v, want it vanished", d)
	}
	next, err := inv.Update(old, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(next.Datasets) != 2 || len(next.Datasets[0].Fields) != 2 || len(next.Datasets[1].Fields) != 1 {
		t.Errorf("the update has %+v", next.Datasets)
	}
	if d := inv.Diff(next, p); len(d) > 0 {
		t.Errorf("after the update there is %v", d)
	}
}
