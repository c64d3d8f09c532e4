package cli

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/config"
)

// What stands before the admin address is told as it is: with a certificate it is not said to be without.
func TestDoctorTellsWhoReachesTheConsole(t *testing.T) {
	certificate := config.ConsoleTLS{Cert: "c.pem", Key: "k.pem"}
	for name, a := range map[string]struct {
		admin   string
		console config.Console
		want    verdict
		says    string
	}{
		"on loopback":              {"127.0.0.1:7071", config.Console{}, fine, "only this machine"},
		"without anything":         {"0.0.0.0:7071", config.Console{}, doubtful, "without encryption"},
		"with a provider alone":    {"0.0.0.0:7071", config.Console{OIDC: &config.ConsoleOIDC{}}, doubtful, "without encryption"},
		"with a certificate alone": {"0.0.0.0:7071", config.Console{TLS: certificate}, doubtful, "there is no console"},
		"with both":                {"[::]:7071", config.Console{TLS: certificate, OIDC: &config.ConsoleOIDC{}}, fine, "a provider at which people log in"},
		"with both, and disabled":  {"[::]:7071", config.Console{Disabled: true, TLS: certificate, OIDC: &config.ConsoleOIDC{}}, doubtful, "there is no console"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &doctor{c: &config.Config{Admin: a.admin, Console: a.console}}
			d.exposure()
			if len(d.seen) != 1 || d.worst != a.want || !strings.Contains(d.seen[0].Says, a.says) {
				t.Errorf("doctor says %+v, want %s with %q", d.seen, verdictNames[a.want], a.says)
			}
		})
	}
}
