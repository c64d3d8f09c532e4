package interop_test

import (
	"log/slog"
	"testing"
)

// logger shows what the gateway logged if the test fails.
func logger(t *testing.T) *slog.Logger {
	var out lines
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the gateway said:\n%s", out.tail(2500))
		}
	})
	return slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
