package loopback_test

import (
	"net"
	"testing"

	"github.com/scrimhq/scrim/internal/loopback"
)

// An address that was given can be taken, although connections are made meanwhile, and is not given again.
func TestAddressesStayFree(t *testing.T) {
	far, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	seen := map[string]bool{}
	for range 200 {
		addr := loopback.Address(t)
		if seen[addr] {
			t.Fatalf("%s was given twice", addr)
		}
		seen[addr] = true
		c, err := net.Dial("tcp", far.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for addr := range seen {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
}
