package run_test

import (
	"regexp"
	"testing"

	"github.com/scrimhq/scrim/internal/run"
)

func TestMetricsSayWhatTheLogTakes(t *testing.T) {
	g, _, _ := serve(t, load(t, lay(t, "version: 1\ndomain: clinic\n", nil)), run.Options{})
	said := metrics(t, g)
	for _, want := range []string{`(?m)^scrim_log_bytes{part="database"} [1-9]`, `(?m)^scrim_log_bytes{part="bundles"} \d`, `(?m)^scrim_log_bytes{part="tiles"} \d`, `(?m)^scrim_log_bytes{part="checkpoints"} \d`, `(?m)^scrim_log_days_left NaN$`} {
		if !regexp.MustCompile(want).MatchString(said) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
