package a2a

import (
	"net/url"
	"testing"
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
		if got := below(address, configured); got != want {
			t.Errorf("below(%q) = %v, want %v", address, got, want)
		}
	}
}
