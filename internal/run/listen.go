package run

import (
	"net"
	"net/netip"
	"sync"

	"github.com/scrimhq/scrim/internal/config"
)

// bounded is a listener that closes connections over the limits: of all callers, and of one address.
type bounded struct {
	net.Listener
	limits func() config.Limits
	closed func() // a connection was closed for the limits

	mu   sync.Mutex
	open int                // guarded by mu
	from map[netip.Addr]int // likewise; addresses that have none are not in it
}

func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		addr := addressOf(c)
		if b.take(addr) {
			return &counted{Conn: c, free: sync.OnceFunc(func() { b.free(addr) })}, nil
		}
		_ = c.Close() // its error says that it is gone
		b.closed()
	}
}

func addressOf(c net.Conn) netip.Addr {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

func (b *bounded) take(from netip.Addr) bool {
	l := b.limits()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open >= l.Connections || b.from[from] >= l.Address.Connections {
		return false
	}
	if b.from == nil {
		b.from = map[netip.Addr]int{}
	}
	b.open++
	b.from[from]++
	return true
}

func (b *bounded) free(from netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	if b.from[from]--; b.from[from] == 0 {
		delete(b.from, from)
	}
}

// counted is a connection that takes up room until it is closed.
type counted struct {
	net.Conn
	free func()
}

func (c *counted) Close() error {
	c.free()
	return c.Conn.Close()
}
