package api_test

import (
	"bytes"
	"compress/gzip"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/policy/change"
)

func TestRulesArePackedAndUnpacked(t *testing.T) {
	rs := change.RuleSet{Files: map[string][]byte{change.Main: []byte("version: 1\n"), "policies/a.cedar": bytes.Repeat([]byte("// words\n"), 10_000)}}
	packed, err := api.PackRules(rs)
	if err != nil || len(packed) > 10_000 {
		t.Fatalf("%d bytes, %v", len(packed), err)
	}
	back, err := api.UnpackRules(packed)
	if err != nil || back.Digest() != rs.Digest() {
		t.Errorf("unpacked: %v", err)
	}
	if _, err := api.UnpackRules(packed[:len(packed)-1]); err == nil {
		t.Error("what is cut short is unpacked")
	}
	if _, err := api.UnpackRules(nil); err == nil {
		t.Error("nothing is unpacked")
	}
}

// What is small and grows without an end is refused before it takes the room.
func TestBombIsNotUnpacked(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range 64 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := api.UnpackRules(b.Bytes()); err == nil {
		t.Error("64 MiB of nothing are unpacked")
	}
}
