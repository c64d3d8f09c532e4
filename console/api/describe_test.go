package api

import (
	"slices"
	"strings"
	"testing"
)

// TestEveryCallIsDescribed holds the table of calls to what is served, both ways.
func TestEveryCallIsDescribed(t *testing.T) {
	a := New(Options{Capabilities: struct{ Capabilities }{}})
	var served []string
	for _, p := range a.routes {
		if method, path, ok := strings.Cut(p, " /api/v1"); ok {
			served = append(served, method+" "+path)
		}
	}
	var told []string
	for _, o := range Operations() {
		told = append(told, o.Method+" "+o.Path)
	}
	for _, p := range served {
		if !slices.Contains(told, p) {
			t.Errorf("%s is served and not described", p)
		}
	}
	for _, p := range told {
		if !slices.Contains(served, p) {
			t.Errorf("%s is described and not served", p)
		}
	}
	if len(served) < 60 {
		t.Errorf("%d calls, want at least 60", len(served))
	}
}
