package config

import (
	"strings"
	"testing"
)

func TestConsoleIsForThoseAloneWhomConfigurationMeans(t *testing.T) {
	const (
		head   = "version: 1\ndomain: home\n"
		beyond = "admin: 0.0.0.0:7071\n"
		tls    = "  tls: {cert: a.pem, key: b.pem}\n"
		oidc   = "  oidc:\n    issuer: https://login.example.org\n    client_id: scrim\n"
		roles  = "    roles: [{role: viewer, groups: [staff]}]\n"
		govern = "governance:\n  approvers:\n    - {name: dpo, sha256: " + one + "}\n    - {name: sec, sha256: " + two + "}\n"
	)
	for name, c := range map[string]struct {
		text, want string // part of the mistake; "": none
		on         bool
	}{
		"nothing said":                   {head, "", true},
		"nothing said, beyond":           {head + beyond, "", false},
		"turned off":                     {head + "console: {disabled: true}\n", "", false},
		"turned off, beyond":             {head + beyond + "console: {disabled: true}\n", "", false},
		"beyond, without anything":       {head + beyond + "console: {idle: 10m}\n", "from other machines without TLS", false},
		"beyond, with TLS alone":         {head + beyond + "console:\n" + tls, "from other machines without TLS", false},
		"beyond, with a provider alone":  {head + beyond + "console:\n  public_url: https://console.example.org\n" + oidc + roles, "from other machines without TLS", false},
		"beyond, with both":              {head + beyond + "console:\n  public_url: https://console.example.org\n" + tls + oidc + roles, "", true},
		"beyond, of no one machine":      {head + beyond + "console:\n" + tls + oidc + roles, "public_url", true},
		"key without certificate":        {head + "console: {tls: {key: b.pem}}\n", "go together", true},
		"idle for longer than it lives":  {head + "console: {idle: 2h, life: 1h}\n", "longer than console.life", true},
		"plain http to elsewhere":        {head + "console: {public_url: \"http://console.example.org\"}\n", "whoever listens", true},
		"a path":                         {head + "console: {public_url: \"https://example.org/console\"}\n", "at no path", true},
		"a provider over plain http":     {head + "console:\n  oidc: {issuer: \"http://login.example.org\", client_id: x, people: [{subject: s, name: ann, role: viewer}]}\n", "cannot be believed", true},
		"nobody has a role":              {head + "console:\n" + oidc, "nobody would have a role", true},
		"a role that is none":            {head + "console:\n" + oidc + "    roles: [{role: king, groups: [staff]}]\n", "viewer", true},
		"the secret itself":              {head + "console:\n" + oidc + roles + "    client_secret: {}\n", "either env or file", true},
		"the operator's name":            {head + "console:\n" + oidc + "    people: [{subject: s, name: Operator, role: admin}]\n", "meaning of its own", true},
		"a link's name":                  {head + "console:\n" + oidc + "    people: [{subject: s, name: link-abc, role: admin}]\n", "meaning of its own", true},
		"one name for two":               {head + "console:\n" + oidc + "    people: [{subject: s, name: ann, role: admin}, {subject: t, name: Ann, role: admin}]\n", "the same name", true},
		"one subject twice":              {head + "console:\n" + oidc + "    people: [{subject: s, name: ann, role: admin}, {subject: s, name: bob, role: admin}]\n", "listed twice", true},
		"an approver who is none":        {head + "console:\n" + oidc + "    people: [{subject: s, name: ann, approver: dpo}]\n", "no such approver", true},
		"an approver":                    {head + govern + "console:\n" + oidc + "    people: [{subject: s, name: ann, approver: dpo}]\n", "", true},
		"two who are one approver":       {head + govern + "console:\n" + oidc + "    people: [{subject: s, name: ann, approver: dpo}, {subject: t, name: bob, approver: dpo}]\n", "one approver who would be two", true},
		"an approver's name for another": {head + govern + "console:\n" + oidc + "    people: [{subject: s, name: dpo, role: admin}]\n", "an approver has the same name", true},
		"unknown key":                    {head + "console: {rols: 1}\n", "unknown key", true},
	} {
		got, err := Parse("scrim.yaml", []byte(c.text), "")
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		case c.want == "" && got.HasConsole() != c.on:
			t.Errorf("%s: a console %t, want %t", name, got.HasConsole(), c.on)
		}
	}
}

const (
	one = "a111111111111111111111111111111111111111111111111111111111111111"
	two = "b222222222222222222222222222222222222222222222222222222222222222"
)
