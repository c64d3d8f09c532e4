package a2a_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/store"
)

// However many answers are over the cap, a sweep deletes all of them, stretch by stretch.
func TestSweepLeavesNoMoreThanTheCap(t *testing.T) {
	const most = 4000
	agent := newAgent(t, answerWith(okMessage))
	r := newRig(t, agent, func(s *gatewaytest.Setup) { s.Retention = gateway.Retention{AnswerBytes: most}; s.NoSync = true })
	for n := range 100 {
		if status, body := r.send(t, strings.Replace(plainMessage, "m-1", fmt.Sprintf("m-%d", n), 1)); status != 200 {
			t.Fatalf("message %d: %d %s", n, status, body)
		}
	}
	kept := func() (rows, bytes int) {
		t.Helper()
		err := r.DB.View(t.Context(), func(tx store.Tx) error {
			return tx.QueryRow("SELECT count(*), coalesce(sum(length(sealed)), 0) FROM gateway_answers").Scan(&rows, &bytes)
		})
		if err != nil {
			t.Fatal(err)
		}
		return rows, bytes
	}
	if rows, _ := kept(); rows != 100 {
		t.Fatalf("%d answers are kept before the sweep, want 100", rows)
	}
	if err := r.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rows, bytes := kept(); rows == 0 || bytes > most || rows > 100-2*32 {
		t.Errorf("%d answers of %d bytes are kept after the sweep, want some, of at most %d", rows, bytes, most)
	}
}
