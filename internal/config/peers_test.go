package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPeersThatAreMistakes(t *testing.T) {
	const good = "c2tv-j3fy-3mvp-3g8r-z98r-hyyr-8383-zh2g"
	peer := func(domain, url, fingerprint string) string {
		return "peers: [{domain: " + domain + ", url: \"" + url + "\", fingerprint: " + fingerprint + "}]\n"
	}
	for _, c := range []struct{ domain, text, wrong string }{
		{"hospital", peer("insurer", "https://gw.insurer.example", good), ""},
		{"hospital", peer("insurer", "https://gw.insurer.example", strings.ToUpper(strings.ReplaceAll(good, "-", ""))), ""},
		{"hospital", peer("insurer", "gw.insurer.example", good), "URL"},
		{"hospital", peer("insurer", "https://gw.insurer.example", good[:9]), "not a fingerprint"},
		{"hospital", peer("hospital", "https://gw.insurer.example", good), "not its own peer"},
		{"hospital", peer("Insurer", "https://gw.insurer.example", good), "no domain with peers has this name"},
		{"Hospital", peer("insurer", "https://gw.insurer.example", good), "can have no peers"},
		{"Hospital", "", ""},
		{"hospital", strings.Replace(peer("insurer", "https://a.example", good), "]", ", {domain: insurer, url: \"https://b.example\", fingerprint: "+good+"}]", 1), "listed twice"},
		{"hospital", "peers: [{domain: insurer}]\n", "missing"},
		{"hospital", "peering: {listen: \"127.0.0.1:7070\"}\n", "is the same"},
		{"hospital", "peering: {listen: \"127.0.0.1:7071\"}\n", "is the same"},
		{"hospital", "peering: {gateways: [\"http://gw.example\"]}\n", "https alone"},
		{"hospital", "peering: {document: 40d}\n", "at most 31 days"},
		{"hospital", "domain_ca: {life: 40d}\n", "at most 31 days"},
		{"hospital", "domain_ca: {gateway: \"a/b\"}\n", "not a name"},
		{"hospital", "domain_keys: {lead: 0s}\n", "at least"},
	} {
		_, err := Parse("scrim.yaml", []byte("version: 1\ndomain: "+c.domain+"\n"+c.text), "")
		if (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%s: error = %v, want %q", c.text, err, c.wrong)
		}
	}
}

func TestAddressesOfGateways(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, "peering: {listen: \"10.1.2.3:7072\"}": {"https://10.1.2.3:7072"}, "peering: {listen: \":7072\"}": nil, "peering: {listen: \"0.0.0.0:7072\"}": nil,
		"peering: {listen: \"[::]:7072\"}": nil, "peering: {listen: \"127.0.0.1:0\"}": nil,
		"peering: {listen: \"0.0.0.0:7072\", gateways: [\"https://gw.example/\"]}": {"https://gw.example"},
	} {
		c, err := Parse("scrim.yaml", []byte("version: 1\ndomain: hospital\n"+text+"\n"), "")
		if err != nil {
			t.Fatal(err)
		}
		if got := c.GatewayURLs(); !slices.Equal(got, want) {
			t.Errorf("%q: GatewayURLs() = %v, want %v", text, got, want)
		}
		if time.Duration(c.DomainKeys.Lead) != time.Hour || c.DomainCA.Gateway != "gateway" {
			t.Errorf("%q: defaults are %+v %+v", text, c.DomainKeys, c.DomainCA)
		}
	}
}
