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

var taken struct {
	sync.Mutex
	ports map[int]bool
}

// Free returns an address of this machine, host:port, that nobody listens on. It gives no address twice in a process;
// two processes choose at random.
func Free() (string, error) {
	taken.Lock()
	defer taken.Unlock()
	for range 200 {
		port := first + rand.IntN(last-first)
		if taken.ports[port] {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		if taken.ports == nil {
			taken.ports = map[int]bool{}
		}
		taken.ports[port] = true
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
