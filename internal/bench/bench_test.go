package bench

import (
	"strings"
	"testing"
)

func TestBenchMeasuresBothWays(t *testing.T) {
	res, err := Run(t.Context(), Options{Calls: 40, Findings: true, NoSync: true, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if res.Direct.P50 <= 0 || res.Through.P50 <= res.Direct.P50 || res.CallsPerSecond <= 0 {
		t.Errorf("result = %+v, want figures for both ways and a gateway that costs something", res)
	}
	var b strings.Builder
	res.Print(&b)
	for _, want := range []string{"added", "fsync", "record not durable"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("printed result lacks %q:\n%s", want, b.String())
		}
	}
}
