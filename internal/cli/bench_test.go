package cli

import (
	"bytes"
	"strings"
	"testing"
)

func TestBenchPrintsWhatItMeasured(t *testing.T) {
	for _, args := range [][]string{{"bench", "latency"}, {"bench", "latency", "--json"}} {
		var out, err bytes.Buffer
		args = append(args, "--calls", "20", "--no-sync", "--findings", "4", "--response", "2000", "--dir", t.TempDir())
		if code := Main(args, strings.NewReader(""), &out, &err); code != 0 {
			t.Fatalf("bench ends with %d: %s", code, err.String())
		}
		for _, want := range []string{"2000 bytes with 4 findings", "record not durable", "gateway, masked", "added, p50"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the result lacks %q:\n%s", want, out.String())
			}
		}
	}
	for _, misused := range []string{"--protocol=grpc", "--calls=-1", "nosuch", "--concurrency=-2"} {
		var out, err bytes.Buffer
		if code := Main([]string{"bench", misused}, strings.NewReader(""), &out, &err); code != 2 {
			t.Errorf("bench %s ends with %d, want 2", misused, code)
		}
	}
}
