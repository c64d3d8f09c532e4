package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/config"
)

// Mistakes in alarms are told with their place; what others can bring about freezes nobody.
func TestMistakesInAlarms(t *testing.T) {
	for alarms, want := range map[string]string{
		"{values: {do: [freeze]}}":                                "what others bring about freezes nobody",
		"{refusals: {do: [shout]}}":                               "not one of webhook, freeze",
		"{refusals: {do: [webhook]}}":                             "there is no webhook",
		"{refusals: {do: [freeze, freeze]}}":                      "it is listed twice",
		"{never: [nobody]}":                                       "there is no such agent",
		"{token: {}}":                                             "either env or file",
		"{refusals: {hour: -1}}":                                  "at least 0",
		"{webhook: 'ftp://x'}":                                    "not a URL",
		"{refusals: {do: [freeze]}, never: [intake], freezes: 1}": "",
		"{webhook: 'https://x/y', handles: {do: [webhook, freeze], hour: 0}}": "",
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "policies"), 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "scrim.yaml")
		if err := os.WriteFile(file, []byte("version: 1\ndomain: hospital\nagents: [{id: intake}]\nalarms: "+alarms+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(file)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", alarms, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: error %v, want one that says %q", alarms, err, want)
		case want == "" && c.Alarms.Refusals.Day != 240:
			t.Errorf("%s: without defaults: %+v", alarms, c.Alarms)
		}
	}
}
