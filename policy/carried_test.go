package policy

import (
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/flow"
)

// A field that carries labels shows no more than it does without them, and no more than the strictest of them allows.
func TestALabelThatIsCarriedNeverRevealsMore(t *testing.T) {
	w := newWorld(t, 77)
	less, same := 0, 0
	for range 300 {
		s, ok := w.load(w.policies(1+w.IntN(8), true))
		if !ok {
			continue
		}
		for range 10 {
			q, leaf := w.query(), w.leaf()
			leaf.Field = pick(w, "patients/phone", "patients/note", "patients/birth")
			labels := []flow.Label{flow.Label(pick(w, worldLabels...)), flow.Label(pick(w, worldLabels...))}
			before := decideOne(t, s, q, leaf)
			after := decideOne(t, s.Carrying(map[string][]flow.Label{leaf.Field: labels}), q, leaf)
			if after.Level.Reveals(before.Level) {
				t.Fatalf("%s goes from %s to %s by carrying %v", leaf.Label, before.Treatment, after.Treatment, labels)
			}
			for _, l := range labels {
				if l == w.snap.fields[leaf.Field].Label {
					continue // its own: the field is judged as itself
				}
				alone := leaf
				alone.Label, alone.Field, alone.Need = l, "", nil
				if most := decideOne(t, s, q, alone); after.Level.Reveals(most.Level) {
					t.Fatalf("%s carries %s and shows %s, where that alone shows %s", leaf.Label, l, after.Treatment, most.Treatment)
				}
			}
			if after.Level == before.Level {
				same++
			} else {
				less++
			}
		}
	}
	if less < 50 || same < 50 {
		t.Errorf("%d leaves show less and %d the same: too few to say anything", less, same)
	}
}

// A set that carries labels is told from one that does not, also by what it remembers; taking them away gives the first one back.
func TestCarryingIsAnotherSet(t *testing.T) {
	s := mustLoad(t, `permit (principal, action in Action::"upto_raw", resource in DataClass::"person");`)
	leaf := flow.Leaf{Label: "person/contact/phone", Field: "patients/phone"}
	if got := decideOne(t, s, toClaims(), leaf); got.Level != flow.Raw {
		t.Fatalf("the telephone number is %s", got.Level)
	}
	c := s.Carrying(map[string][]flow.Label{"patients/phone": {"health/diagnosis"}, "nobody/knows": {"person"}})
	if got := decideOne(t, c, toClaims(), leaf); got.Level != flow.Dropped {
		t.Errorf("what carries a diagnosis, which nothing permits, is %s", got.Level)
	}
	if c.Hash() == s.Hash() || c.Carrying(nil).Hash() != s.Hash() {
		t.Errorf("hashes are %.8s, %.8s and %.8s", s.Hash(), c.Hash(), c.Carrying(nil).Hash())
	}
	if got := decideOne(t, c.Carrying(nil), toClaims(), leaf); got.Level != flow.Raw {
		t.Errorf("without what it carried it is %s", got.Level)
	}
}

// No guarantee of a table covers a column that carries what names somebody.
func TestNoModelCoversWhatCarriesAName(t *testing.T) {
	s, err := Load(fstest.MapFS{"test.cedar": {Data: []byte(`permit (principal, action == Action::"extract", resource == Dataset::"births") when { context.k >= 5 };`)}}, Options{Entities: Entities{
		Agents: clinic().Agents, RoleParents: clinic().RoleParents, Purposes: clinic().Purposes,
		Fields: []Field{{Name: "births/day", Dataset: "births", Label: "person/birth-date"}}, Datasets: []Dataset{{Name: "births"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	leaf := flow.Leaf{Label: "person/birth-date", Field: "births/day", Origin: flow.Catalogued}
	q := TableQuery{Query: toClaims(), Dataset: "births", Model: Model{K: 5}, Covered: []bool{true}}
	for _, c := range []struct {
		labels  []flow.Label
		covered bool
	}{{nil, true}, {[]flow.Label{"health/diagnosis"}, true}, {[]flow.Label{"person/name"}, false}} {
		terms, err := s.Carrying(map[string][]flow.Label{"births/day": c.labels}).DecideTable(q, []flow.Leaf{leaf})
		if err != nil || !terms.Allowed {
			t.Fatalf("%v, %s", err, terms.Reason)
		}
		if terms.Covered[0] != c.covered {
			t.Errorf("with %v it is covered: %t", c.labels, terms.Covered[0])
		}
	}
}
