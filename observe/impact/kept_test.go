package impact_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// Decisions of an earlier time are made again by the rules of that time, which the store keeps by their hash.
func TestRulesOfEarlierTimesAreKept(t *testing.T) {
	j := openJournal(t)
	earlier := set(t, nil, change(t, `"month"`, `"year"`)).Carrying(map[string][]flow.Label{"visits/name": {"health/diagnosis"}})
	now := set(t, nil, rules)
	for _, s := range []*policy.Set{earlier, now, earlier} {
		if err := impact.Keep(t.Context(), j.db, s, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	j.write(j.decision(earlier, visit("payer", "payment"), leaves(), nil))
	src := j.source()
	src.Sets = func(ctx context.Context, hash string) (*policy.Set, error) { return impact.Kept(ctx, j.db, hash) }
	if out := j.compare(src, side(now), side(now), impact.Options{}); out.Checked != 1 || out.Flows.Same != 1 {
		t.Errorf("a decision of an earlier time: %+v, not decided %v", out, out.Not)
	}
	if s, err := impact.Kept(t.Context(), j.db, "ab"); s != nil || err != nil {
		t.Errorf("Kept() of rules that there are not = %v, %v", s, err)
	}
	err := j.db.Update(t.Context(), func(tx store.Tx) error { // somebody puts other rules in their place
		_, err := tx.Exec("UPDATE impact_rules SET kept = (SELECT kept FROM impact_rules WHERE hash = ?) WHERE hash = ?", now.Hash(), earlier.Hash())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := impact.Kept(t.Context(), j.db, earlier.Hash()); !errors.Is(err, policy.ErrKept) {
		t.Errorf("Kept() of other rules: error = %v, want ErrKept", err)
	}
	if out := j.compare(src, side(now), side(now), impact.Options{}); out.Not[impact.Unknown] != 1 {
		t.Errorf("with other rules in their place: %v", out.Not)
	}
}
