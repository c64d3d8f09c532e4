package gateway_test

import (
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/store"
)

// What hops before let through counts also where memory has forgotten it, and nothing goes where nobody can tell.
func TestATrailIsFoundInTheStore(t *testing.T) {
	rig := gatewaytest.New(t, gatewaytest.Setup{Policy: `permit (principal, action in Action::"upto_raw", resource);`})
	masked := map[flow.Label]flow.Treatment{"person/name": {Level: flow.Masked}}
	if err := gateway.StoreTrail(rig.Gateway, "t1", "records", masked, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	f := flow.Flow{From: flow.Party{Agent: "records", Domain: gatewaytest.Own}, To: flow.Party{Agent: "insurer", Domain: gatewaytest.Other}, Trace: "t1"}
	for range 2 {
		limits, bound := rig.HopLimits(rig.Snapshot(), f)
		if most, ok := limits.Of("person/name"); !bound || !ok || most.Level != flow.Masked {
			t.Fatalf("a name may show as %s (%t), want masked", most.Level, bound)
		}
	}
	f.Trace = "t2"
	if _, bound := rig.HopLimits(rig.Snapshot(), f); bound {
		t.Error("a trace that begins here is bounded")
	}
	if err := gateway.StoreTrail(rig.Gateway, "t3", "records", masked, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	err := rig.DB.Update(t.Context(), func(tx store.Tx) error {
		_, err := tx.Exec("UPDATE gateway_hops SET sealed = ? WHERE trace = ?", []byte("no longer what it was"), "t3")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Trace = "t3"
	limits, bound := rig.HopLimits(rig.Snapshot(), f)
	for _, label := range []flow.Label{"person/name", "person/birth-date", "text/free"} {
		if most, ok := limits.Of(label); !bound || !ok || most.Level != flow.Dropped {
			t.Errorf("where nobody can tell, %s may show as %s", label, most.Level)
		}
	}
}
