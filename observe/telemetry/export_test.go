package telemetry

import (
	"testing"
	"time"
)

// Patient has exporters take a minute to send what waits when they end, as long as the test runs.
func Patient(t *testing.T) {
	was := drainTime
	drainTime = time.Minute
	t.Cleanup(func() { drainTime = was })
}
