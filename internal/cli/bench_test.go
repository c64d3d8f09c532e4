package cli

import (
	"bytes"
	"strings"
	"testing"
)

func TestBenchPrintsWhatItMeasured(t *testing.T) {
	var out, err bytes.Buffer
	if code := Main([]string{"bench", "--calls", "20", "--concurrency", "2", "--findings", "--no-sync", "--dir", t.TempDir()}, strings.NewReader(""), &out, &err); code != 0 {
		t.Fatalf("bench ends with %d: %s", code, err.String())
	}
	for _, want := range []string{"20 calls, 2 at once", "3 findings", "record not durable", "through the gateway", "added", "fsync", "calls a second"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the result lacks %q:\n%s", want, out.String())
		}
	}
	for _, misused := range []string{"--protocol=mcp", "--calls=1", "--concurrency=600", "--size=0"} {
		if code := Main([]string{"bench", misused}, strings.NewReader(""), &out, &err); code != 2 {
			t.Errorf("bench %s ends with %d, want 2", misused, code)
		}
	}
}
