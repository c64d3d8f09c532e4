//go:build unix

package lineage

import (
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
)

// The graph says the same on PostgreSQL.
func TestTheGraphOnPostgres(t *testing.T) {
	server := pgtest.Start(t, "fsync=on")
	db, err := store.OpenPostgres(t.Context(), flow.NewSecret(server.URL("postgres")), []store.Schema{Schema()}, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	g := New(db, Options{})
	tell(t, g, start(run(run1, "j", both, mart(nil))), etl)
	if got := carried(t, g, clinic()).reached("mart", "b"); got != "health/diagnosis person/contact/email person/name" {
		t.Errorf("before it is told how, b has %q", got)
	}
	first, err := g.Turn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if news := tell(t, g, run(run1, "j", both, mart(ofMail)), etl); !news {
		t.Error("that a run says how is no news")
	}
	tell(t, g, run(run2, "k", []Name{table("mart")}, Dataset{Name: table("report")}), Told{Deliveries: []Delivery{{Dataset: table("report"), Agent: "cohort", Domain: "lab", Policy: "p"}}})
	rules := clinic()
	rules.Declared = append(rules.Declared, Declared{Name: Name{table("").Namespace, "rep*"}, Of: "report", Columns: map[string]flow.Label{"x": flow.PublicData}})
	l := carried(t, g, rules)
	if a, b, x := l.reached("mart", "a"), l.reached("mart", "b"), l.reached("report", "x"); a != string(email) || b != "" || x != string(email) {
		t.Errorf("a has %q, b %q and x %q", a, b, x)
	}
	if turn, err := g.Turn(t.Context()); err != nil || turn <= first {
		t.Errorf("the turn goes from %d to %d, %v", first, turn, err)
	}
	down, err := g.Downstream(t.Context(), Column{table("patients"), "mail"}, Reach{})
	if err != nil || len(down.Deliveries) != 1 || len(down.Links) < 2 {
		t.Errorf("downstream is %+v, %v", down, err)
	}
	if err := g.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
}
