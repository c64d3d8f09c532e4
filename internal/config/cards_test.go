package config

import (
	"strings"
	"testing"
)

func TestAgentsAtTheGatewaysOwnAddressAreMistakes(t *testing.T) {
	for _, c := range []struct {
		listen, public, address string
		wrong                   bool
	}{
		{"127.0.0.1:7070", "", "http://127.0.0.1:7070/a2a/x", true},
		{"127.0.0.1:7070", "", "http://localhost:7070", true},
		{"0.0.0.0:7070", "", "http://127.0.0.1:7070/", true},
		{"10.1.2.3:7070", "", "http://10.1.2.3:7070", true},
		{"10.1.2.3:7070", "", "http://127.0.0.1:7070", false},
		{"127.0.0.1:7070", "", "http://127.0.0.1:7072", false},
		{"127.0.0.1:80", "", "http://localhost/x", true},
		{"127.0.0.1:7070", "https://gw.example/scrim", "https://GW.example/scrim/out/a2a/x", true},
		{"127.0.0.1:7070", "https://gw.example/scrim", "https://gw.example/scrim/mcp/x", true},
		{"127.0.0.1:7070", "https://gw.example/scrim", "https://gw.example/agents/x", false},
	} {
		raw := "version: 1\ndomain: a\nlisten: \"" + c.listen + "\"\n"
		if c.public != "" {
			raw += "public_url: " + c.public + "\n"
		}
		_, err := Parse("scrim.yaml", []byte(raw+"agents: [{id: x, a2a: {url: \""+c.address+"\"}}]\n"), "")
		if (err != nil) != c.wrong || c.wrong && !strings.Contains(err.Error(), "of the gateway itself") {
			t.Errorf("agent at %s of a gateway at %s %s: error = %v, want one: %v", c.address, c.listen, c.public, err, c.wrong)
		}
	}
}

func TestKeysOfCards(t *testing.T) {
	const key = `{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	for _, c := range []struct{ card, wrong string }{
		{`{signature: require, keys: '` + key + `'}`, ""},
		{`{signature: require, keys: '{"keys":[` + key + `]}', key_ids: [k]}`, ""},
		{`{signature: require, fetch_keys: true}`, ""},
		{`{signature: require, key_hosts: [keys.example]}`, ""},
		{`{}`, ""},
		{`{signature: require}`, "no key would be believed"},
		{`{keys: '` + key + `', key_ids: [other]}`, "none of the keys"},
		{`{keys: '{}'}`, "not a JSON Web Key"},
		{`{keys: '` + key + `', keys_file: x}`, "either keys or keys_file"},
		{`{signature: sometimes}`, "one of verify, require, ignore"},
	} {
		got, err := Parse("scrim.yaml", []byte("version: 1\ndomain: a\nagents: [{id: x, a2a: {url: \"https://a.example\", card: "+c.card+"}}]\n"), "")
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: error = %v, want %q", c.card, err, c.wrong)
		}
		if err == nil && (got.CardKeys(&got.Agents[0]) != nil) != strings.Contains(c.card, "keys:") && !strings.Contains(c.card, "fetch_keys") {
			t.Errorf("%s: CardKeys() = %s", c.card, got.CardKeys(&got.Agents[0]))
		}
	}
}

func TestNetworks(t *testing.T) {
	for text, ok := range map[string]bool{"10.0.0.0/8": true, "10.1.2.3": true, "fd00::/8": true, "10.0.0.1/8": false, "fe80::1%eth0": false, "ten": false} {
		_, err := Parse("scrim.yaml", []byte("version: 1\ndomain: a\ntrusted_proxies: [\""+text+"\"]\negress: {allow: [\""+text+"\"], ports: [443, 0]}\n"), "")
		if (err == nil) != ok {
			t.Errorf("%s: error = %v, want none: %v", text, err, ok)
		}
	}
	c, err := Parse("scrim.yaml", []byte("version: 1\ndomain: a\ntrusted_proxies: [\"0.0.0.0/0\"]\negress: {allow: [\"::/0\"]}\n"), "")
	if err != nil || len(c.Warnings()) != 2 || !c.BehindProxy() {
		t.Errorf("%v, %v, want two warnings", err, c.Warnings())
	}
}
