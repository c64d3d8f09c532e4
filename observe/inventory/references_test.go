package inventory

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
)

// Columns that repeat each other's values get one label, however keys refer to each other and whatever a classifier says of each: a
// contract in which they had two would contradict itself.
func TestColumnsThatReferToEachOtherHaveOneLabel(t *testing.T) {
	labels := []flow.Label{"technical/ip", "health/record-number", "person/name", "health/diagnosis", flow.PublicData, ""}
	rng := rand.New(rand.NewPCG(1, 2)) // the same graphs each time
	for round := range 60 {
		inv := &Inventory{Source: "x"}
		n := 2 + rng.IntN(8)
		for i := range n {
			a := Asset{Name: fmt.Sprint("t", i), Kind: Table}
			for j := range 3 {
				c := Column{Name: fmt.Sprint("c", j)}
				if l := labels[rng.IntN(len(labels))]; l != "" {
					c.Guesses = []column.Guess{{Label: l, Confidence: uint8(rng.IntN(100))}}
				}
				if rng.IntN(2) == 0 {
					c.refer(fmt.Sprint("t", rng.IntN(n+1)), fmt.Sprint("c", rng.IntN(3))) // one table is not there
				}
				a.Columns = append(a.Columns, c)
			}
			inv.Assets = append(inv.Assets, a)
		}
		inv.agree()
		c, err := inv.Contract(Proposal{ID: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if bad := disagreeing(c); bad != "" {
			t.Fatalf("round %d: %s", round, bad)
		}
		less := &Inventory{Source: "x", Assets: inv.Assets[:n/2]}
		old, err := less.Contract(Proposal{ID: "x"})
		if err != nil {
			t.Fatal(err)
		}
		decided := *old
		for i := range decided.Datasets { // a person gave everything another label
			for j := range decided.Datasets[i].Fields {
				decided.Datasets[i].Fields[j].Label = "finance/iban"
			}
		}
		next, err := inv.Update(&decided, Proposal{ID: "x"})
		if err != nil {
			t.Fatal(err)
		}
		if bad := disagreeing(next); bad != "" {
			t.Fatalf("round %d, updated: %s", round, bad)
		}
	}
}

func disagreeing(c *catalog.Contract) string {
	for _, f := range c.Fields() {
		if to, ok := c.Field(f.References); ok && to.Label != f.Label {
			return fmt.Sprintf("%s is %s, and %s, which it refers to, is %s", f.Name, f.Label, to.Name, to.Label)
		}
	}
	return ""
}

func TestAReferenceTakesWhatTheKeyIs(t *testing.T) {
	guesses := labels{
		"wards.id": {Label: "technical/ip", Confidence: 60}, "ward": {Label: "health/record-number", Confidence: 94},
	}
	inv := scanned(t, guesses, `CREATE TABLE wards (id INTEGER PRIMARY KEY)`, `CREATE TABLE beds (ward INTEGER REFERENCES wards)`,
		`CREATE TABLE sheets (ward INTEGER REFERENCES beds (ward))`)
	for _, name := range []string{"beds", "sheets"} {
		g := asset(t, inv, name).Columns[0].Guesses
		if len(g) != 1 || g[0].Label != "technical/ip" || g[0].Evidence[0].What != "reference" {
			t.Errorf("%s.ward: %+v, want what wards.id is", name, g)
		}
	}
}
