package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/inventory"
)

// unread fails if something could not be looked at.
func (e *env) unread(inv *inventory.Inventory) error {
	bad := 0
	for i := range inv.Assets {
		if inv.Assets[i].Failed {
			bad++
		}
	}
	if bad == 0 {
		return nil
	}
	return &status{failed, fmt.Sprintf("%d of %s could not be looked at", bad, count(len(inv.Assets), "asset"))}
}

// printInventory prints what was found as a list. Names are the source's, so they are printed without what could steer a terminal.
func (e *env) printInventory(inv *inventory.Inventory, p inventory.Proposal) {
	columns, labelled := 0, 0
	for i := range inv.Assets {
		a := &inv.Assets[i]
		e.printAsset(a, p)
		columns += len(a.Columns)
		for _, c := range a.Columns {
			if c.Proposed(p) != flow.Unlabelled {
				labelled++
			}
		}
	}
	fmt.Fprintf(e.out, "%s: %s, %s, %d of them with a label to review; the others stay unlabelled, which is treated as restricted\n",
		nameShown(inv.Source), count(len(inv.Assets), "asset"), count(columns, "column"), labelled)
}

func (e *env) printAsset(a *inventory.Asset, p inventory.Proposal) {
	fmt.Fprintf(e.out, "%s  %s", nameShown(a.Name), a.Kind)
	if a.Exact || a.Rows > 0 {
		about := ""
		if !a.Exact {
			about = "about "
		}
		fmt.Fprintf(e.out, ", %s%s", about, count(int(a.Rows), "row"))
	}
	if a.Sampled > 0 {
		fmt.Fprintf(e.out, ", %d looked at", a.Sampled)
	}
	fmt.Fprintln(e.out)
	if a.Why != "" {
		fmt.Fprintf(e.out, "  %s %s\n", e.style(e.out).bad("!"), nameShown(a.Why))
	}
	var t table
	for _, c := range a.Columns {
		label, sure, proof := "", "", ""
		if len(c.Guesses) > 0 {
			g := c.Guesses[0]
			label, sure, proof = string(g.Label), fmt.Sprintf("%d%%", g.Confidence), strings.Join(inventory.Evidence(g.Evidence), ", ")
			if c.Proposed(p) == flow.Unlabelled {
				label = "(" + label + ")" // noted, not proposed
			}
		}
		if c.Why != "" {
			proof = strings.TrimPrefix(proof+"; "+nameShown(c.Why), "; ")
		}
		t.add(nameShown(c.Name), nameShown(c.Type), label, sure, proof)
	}
	t.write(e.out, e.style(e.out), "  ")
}

func (e *env) printChanges(inv *inventory.Inventory, changes []inventory.Change) {
	for _, c := range changes {
		c.Asset, c.Place, c.Old, c.New, c.Why = nameShown(c.Asset), nameShown(c.Place), nameShown(c.Old), nameShown(c.New), nameShown(c.Why)
		fmt.Fprintln(e.out, c)
	}
	if len(changes) == 0 {
		fmt.Fprintf(e.out, "%s: nothing is different\n", nameShown(inv.Source))
		return
	}
	fmt.Fprintf(e.out, "%s: %s\n", nameShown(inv.Source), count(len(changes), "difference"))
}

// nameShown is a name as one line of a terminal may show it: one with characters that could steer it, bidirectional ones and line
// ends included, is quoted.
func nameShown(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return name
	}
	return strconv.Quote(name)
}
