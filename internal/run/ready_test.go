package run_test

import (
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/run"
)

// A gateway whose clock was set back while it ran is not ready, until it is right again. What a time daemon does is nothing.
func TestAGatewayWhoseClockWasSetBackIsNotReady(t *testing.T) {
	g, _, _ := serve(t, load(t, lay(t, "version: 1\ndomain: clinic\n", nil)), run.Options{})
	for _, c := range []struct {
		ahead time.Duration
		ready bool
	}{{0, true}, {-30 * time.Second, true}, {-time.Hour, false}, {time.Hour, true}, {-2 * time.Minute, false}, {0, true}} {
		g.SetWall(func() time.Time { return time.Now().Add(c.ahead) })
		if err := g.Ready(t.Context()); (err == nil) != c.ready || err != nil && !strings.Contains(err.Error(), "the clock was set back") {
			t.Errorf("with a clock that is ahead by %s: Ready() = %v", c.ahead, err)
		}
	}
}
