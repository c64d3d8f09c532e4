package a2a

import (
	"errors"
	"net/url"
	"testing"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/card"
)

func TestACardLeadsNowhereElse(t *testing.T) {
	configured, err := url.Parse("https://apps.example/team/agent/")
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"https://apps.example/team/agent":          true,
		"https://apps.example/team/agent/rpc":      true,
		"https://apps.example/team/agent2":         false,
		"https://apps.example/other":               false,
		"https://apps.example/team/agent/../other": false,
		"http://apps.example/team/agent":           false,
		"https://apps.example.evil/team/agent":     false,
		"https://user@apps.example/team/agent":     false,
		"https://apps.example:8443/team/agent/rpc": false,
		"://": false,
	} {
		if got := below(card.Interface{URL: address, Binding: card.JSONRPC}, configured); got != want {
			t.Errorf("below(%q) = %v, want %v", address, got, want)
		}
	}
}

func TestAGRPCInterfaceIsOfTheConfiguredHost(t *testing.T) {
	configured := &url.URL{Scheme: "https", Host: "apps.example:8443", Path: "/team/agent"}
	for address, want := range map[string]bool{
		"apps.example:9000":           true,
		"APPS.example":                true,
		"grpc://apps.example:9000":    true,
		"apps.example.evil:9000":      false,
		"evil.example:9000":           false,
		"apps.example:9000/path":      false,
		"apps.example@evil.example:1": false,
		"evil.example:1?apps.example": false,
		":9000":                       false,
		"":                            false,
	} {
		if got := below(card.Interface{URL: address, Binding: card.GRPC}, configured); got != want {
			t.Errorf("below(%q) = %v, want %v", address, got, want)
		}
	}
}

func TestChooseFollowsTheCallersOrder(t *testing.T) {
	configured := &url.URL{Scheme: "https", Host: "x", Path: "/agent"}
	rpc := card.Interface{URL: "https://x/agent/rpc", Binding: card.JSONRPC, Version: "1.0", Tenant: "north"}
	rest := card.Interface{URL: "https://x/agent/rest", Binding: card.HTTPJSON, Version: "1.0"}
	old := card.Interface{URL: "https://x/agent/old", Binding: card.JSONRPC, Version: "0.3"}
	away := card.Interface{URL: "https://elsewhere/rpc", Binding: card.JSONRPC, Version: "1.0", Tenant: "south"}
	home := away
	home.URL = "https://x/agent"
	grpc := card.Interface{URL: "elsewhere:1", Binding: card.GRPC, Version: "1.0"}
	for _, c := range []struct {
		name     string
		all      []card.Interface
		version  string
		bindings []string
		want     card.Interface
		rule     gateway.Rule
	}{
		{"the first binding that is there", []card.Interface{rest, rpc, old}, "1.0", []string{card.GRPC, card.JSONRPC, card.HTTPJSON}, rpc, ""},
		{"another order", []card.Interface{rpc, rest}, "1.0", []string{card.HTTPJSON, card.JSONRPC}, rest, ""},
		{"another version", []card.Interface{rpc, old}, "0.3", []string{card.JSONRPC}, old, ""},
		{"what lies below goes first", []card.Interface{away, rest}, "1.0", []string{card.JSONRPC, card.HTTPJSON}, rest, ""},
		{"an address elsewhere is the configured one", []card.Interface{away}, "1.0", []string{card.JSONRPC}, home, ""},
		{"not so for gRPC", []card.Interface{grpc}, "1.0", []string{card.GRPC}, card.Interface{}, gateway.RuleUpstream},
		{"no such version", []card.Interface{old}, "1.0", []string{card.JSONRPC}, card.Interface{}, gateway.RuleVersion},
		{"no such binding", []card.Interface{rest}, "1.0", []string{card.JSONRPC}, card.Interface{}, gateway.RuleUpstream},
		{"a card without interfaces", nil, "1.0", []string{card.JSONRPC}, card.Interface{}, gateway.RuleVersion},
	} {
		got, err := choose(c.all, configured, c.version, c.bindings)
		var rule gateway.Rule
		if r, ok := errors.AsType[*gateway.Refusal](err); ok {
			rule = r.Rule
		}
		if got != c.want || rule != c.rule {
			t.Errorf("%s: choose() = %v, %v, want %v by rule %q", c.name, got, err, c.want, c.rule)
		}
	}
}
