package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/config"
)

// TestTheLogHoldsWhatIsListed: a log line that carries anything else carries a word in its place.
func TestTheLogHoldsWhatIsListed(t *testing.T) {
	const canary = "jane@example.com"
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		log := newLog(&b, logConfig("debug", format))
		log.Info("flow refused", "rule", "policy", "place", "/params/*", "error", errors.New("at byte 3"))
		log.Debug("slip", "body", canary, "cause", struct{ Body string }{canary}, slog.Group("error", "text", canary))
		log.With("payload", canary).Warn("slip", "address", []byte(canary))
		text := b.String()
		if strings.Contains(text, canary) {
			t.Errorf("%s log = %s, holds a value", format, text)
		}
		for _, want := range []string{"policy", "/params/*", "at byte 3", withheld} {
			if !strings.Contains(text, want) {
				t.Errorf("%s log = %s, lacks %s", format, text, want)
			}
		}
	}
}

func logConfig(level, format string) config.Log {
	return config.Log{Level: config.LogLevel(level), Format: config.LogFormat(format)}
}
