package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/identity/svid/svidtest"
	"github.com/scrimhq/scrim/internal/config"
)

func TestMistakesAboutCertificatesOfCallers(t *testing.T) {
	dir := t.TempDir()
	leaf := svidtest.NewAuthority(t, "friend")
	for name, content := range map[string][]byte{"friend.pem": leaf.PEM(), "rubbish.pem": []byte("Zanzibar"), "tls.crt": leaf.PEM(), "tls.key": leaf.PEM()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	const tls = "tls: {cert: tls.crt, key: tls.key}\n"
	for _, c := range []struct{ name, text, want string }{
		{"a good one", tls + "identity: {spiffe: {workload_api: \"unix:///run/api.sock\", trust_domains: [{name: friend.example, bundle: friend.pem, agent: a}]}}\nagents: [{id: a, spiffe: spiffe://own.example/a}]", ""},
		{"not a SPIFFE ID", tls + "agents: [{id: a, spiffe: spiffe://own.example/a/}]", "not a SPIFFE ID"},
		{"a trust domain is no workload", tls + "agents: [{id: a, spiffe: spiffe://own.example}]", "not a SPIFFE ID"},
		{"no authorities", tls + "agents: [{id: a, spiffe: spiffe://own.example/a}]", "nowhere to take the trust domain's authorities from"},
		{"no authorities of a listed one", tls + "identity: {spiffe: {trust_domains: [{name: friend.example}]}}", "nowhere to take the trust domain's authorities from"},
		{"twice", tls + "identity: {spiffe: {trust_domains: [{name: friend.example, bundle: friend.pem}, {name: friend.example, bundle: friend.pem}]}}", "the trust domain is listed twice"},
		{"one ID for two", tls + "identity: {spiffe: {trust_domains: [{name: own.example, bundle: friend.pem}]}}\nagents: [{id: a, spiffe: spiffe://own.example/a}, {id: b, spiffe: spiffe://own.example/a}]", "another agent has the same SPIFFE ID"},
		{"rubbish", tls + "identity: {spiffe: {trust_domains: [{name: friend.example, bundle: rubbish.pem}]}}", "the bundle ends in something that is no certificate"},
		{"no TLS", "identity: {spiffe: {trust_domains: [{name: friend.example, bundle: friend.pem}]}}", "without TLS no caller shows a certificate"},
		{"never asked", "tls: {cert: tls.crt, key: tls.key, client_certificates: never}\nidentity: {spiffe: {trust_domains: [{name: friend.example, bundle: friend.pem}]}}", "never asked for"},
		{"two certificates", "tls: {cert: tls.crt, key: tls.key, svid: true}\nidentity: {spiffe: {workload_api: \"unix:///run/api.sock\"}}", "either cert and key or svid is expected"},
		{"no Workload API", "tls: {svid: true}", "there is no Workload API"},
		{"a Workload API elsewhere", "identity: {spiffe: {workload_api: \"tcp://10.1.2.3:8081\"}}", "not the address of a Workload API"},
		{"an agent that is not there", tls + "identity: {spiffe: {trust_domains: [{name: friend.example, bundle: friend.pem, agent: nobody}]}}", "there is no agent"},
	} {
		_, err := config.Parse("scrim.yaml", []byte("version: 1\ndomain: clinic\n"+c.text+"\n"), dir)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		case err != nil && strings.Contains(err.Error(), "Zanzibar"):
			t.Errorf("%s: the mistake repeats what is in the file: %v", c.name, err)
		}
	}
}

func TestMistakesAboutIssuers(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"discovery", "issuer: https://login.example, audience: a, discover: true, key_hosts: [keys.example, \"keys.example:8443\"], scopes: [mcp], bound: true", ""},
		{"two ways to keys", "issuer: https://login.example, audience: a, discover: true, jwks_url: https://login.example/jwks", "one of jwks_file, jwks_url and discover is expected"},
		{"none", "issuer: https://login.example, audience: a", "one of jwks_file, jwks_url and discover is expected"},
		{"plain http", "issuer: http://login.example, audience: a, discover: true", "keys found over plain http cannot be believed"},
		{"hosts without discovery", "issuer: https://login.example, audience: a, jwks_url: https://login.example/jwks, key_hosts: [keys.example]", "only discovered keys are elsewhere"},
		{"a host that is an address", "issuer: https://login.example, audience: a, discover: true, key_hosts: [https://keys.example]", "not the name of a host"},
		{"two scopes in one", "issuer: https://login.example, audience: a, discover: true, scopes: [a b]", "not a scope"},
	} {
		_, err := config.Parse("scrim.yaml", []byte("version: 1\ndomain: clinic\nidentity: {jwt: [{"+c.text+"}]}\n"), "")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
