// Package loopback finds addresses for servers of tests that must know theirs before they start.
package loopback

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The ports are below those that systems give to outgoing connections (from 32768 on Linux, 49152 elsewhere): a port that
// was free stays free, however many connections other tests open meanwhile.
const first, last = 10_000, 32_000

// taken are the ports that this process gave. It holds each for packets until it ends, so that no other process gives it: between giving a port and
// listening at it others look for one, too.
var taken struct {
	sync.Mutex
	held []net.PacketConn
}

// Free returns an address of this machine, host:port, that nobody listens on, and that it gives nobody else while this process runs.
func Free() (string, error) {
	taken.Lock()
	defer taken.Unlock()
	for range 200 {
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first)))
		held, err := net.ListenPacket("udp", at)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", at)
		if err != nil {
			_ = held.Close()
			continue
		}
		taken.held = append(taken.held, held)
		return l.Addr().String(), l.Close()
	}
	return "", errors.New("no port of this machine is free")
}

// T is the part of testing.TB that [Address] needs.
type T interface {
	Helper()
	Fatal(args ...any)
}

// Address is [Free] for a test.
func Address(t T) string {
	t.Helper()
	addr, err := Free()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
