package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestHopsNameAgentsOfPeers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	const base = "version: 1\ndomain: own\npeering: {listen: \"127.0.0.1:7074\"}\nagents:\n  - {id: desk, keys: [{sha256: \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}]}\n  - {id: guest, domain: other}\n  - {id: visitor, domain: other}\n"
	for hops, want := range map[string]string{
		"hops: {others: [guest]}":          "",
		"hops: {max: 3, skew: 1m}":         "",
		"hops: {others: [desk]}":           "an agent of this domain",
		"hops: {others: [guest, visitor]}": "another agent of that domain is listed before",
		"hops: {others: [nobody]}":         "there is no agent",
		"hops: {skew: 6m}":                 "clocks this far apart",
		"hops: {max: 9}":                   "at most 8",
	} {
		c, err := Parse("scrim.yaml", []byte(base+hops+"\n"), dir)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", hops, err)
		case want == "" && strings.Contains(fmt.Sprint(c.Warnings()), "neither be reached nor call"):
			t.Errorf("%s: an agent that a peer's gateway speaks for is said to be unable to call", hops)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: error = %v, want %q", hops, err, want)
		}
	}
}
