package mcp_test

import (
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// A stream on which nothing is said ends after a while, whoever holds it open; what is said keeps it alive.
func TestQuietStreamsEnd(t *testing.T) {
	t.Parallel()
	p, r := puppetRig(t, nil)
	snap := gatewaytest.Snapshot(t, r.setup)
	snap.Events.Idle = 20 * time.Second // far more than are between two messages, also on a busy machine
	if err := r.Swap(t.Context(), snap, "test"); err != nil {
		t.Fatal(err)
	}
	one := &player{rig: r, key: "scrim_own"}
	one.begin(t, true)
	events := one.listen(t)
	began := time.Now()
	for time.Since(began) < snap.Events.Idle+time.Second {
		time.Sleep(500 * time.Millisecond)
		p.stream(one.session) <- asEvent(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
		if next(t, events) == "" {
			t.Fatalf("the stream ended after %v, in which it was never quiet for long", time.Since(began))
		}
	}
	select {
	case e, open := <-events:
		if open {
			t.Errorf("client was told %s", e)
		}
	case <-time.After(time.Minute):
		t.Error("a quiet stream stays open")
	}
	closed := 0
	for end := time.Now().Add(time.Minute); closed == 0 && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, ev := range r.Events() {
			if ev.Outcome == flow.Closed && ev.Segment >= 4 {
				closed++
			}
		}
	}
	if closed != 1 {
		t.Errorf("%d closed rows with what was said, want 1", closed)
	}
	snap = gatewaytest.Snapshot(t, r.setup)
	snap.Events.Idle = time.Second
	if err := r.Swap(t.Context(), snap, "test"); err != nil {
		t.Fatal(err)
	}
	old, _ := oldStream(t, r, "scrim_own")
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := old.ReadString('\n'); err != nil {
				ended <- err
				return
			}
		}
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("a quiet stream of the old transport stays open")
	}
}
