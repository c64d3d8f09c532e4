package gateway_test

import (
	"testing"

	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// TestStreamsTogetherHoldOnlySoMuch lets many streams hold a mebibyte each.
func TestStreamsTogetherHoldOnlySoMuch(t *testing.T) {
	g := gatewaytest.New(t, gatewaytest.Setup{})
	first := g.Keep()
	for range 64 {
		first.Grow(1 << 20)
	}
	if !first.Fits() {
		t.Error("what all may hold does not fit")
	}
	second := g.Keep()
	if second.Grow(1); second.Fits() {
		t.Error("a byte more than all may hold fits")
	}
	first.Free()
	first.Free()
	if !second.Fits() {
		t.Error("what was given back is still counted")
	}
}
