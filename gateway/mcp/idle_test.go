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
	snap.Events.Idle = 6 * time.Second // four seconds more than are between two messages
	if err := r.Swap(t.Context(), snap, "test"); err != nil {
		t.Fatal(err)
	}
	one := &player{rig: r, key: "scrim_own"}
	one.begin(t, true)
	events := one.listen(t)
	began := time.Now()
	for range 4 {
		time.Sleep(1800 * time.Millisecond)
		p.stream(one.session) <- asEvent(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
		next(t, events)
	}
	if time.Since(began) < 7*time.Second {
		t.Fatal("the stream was not held open for longer than it may be quiet")
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
