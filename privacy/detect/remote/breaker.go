package remote

import (
	"sync"
	"time"
)

// Bounds of the circuit breaker.
const (
	failures = 5                // in a row, and nobody is asked
	pause    = 10 * time.Second // until one call may try again
)

// breaker keeps callers from waiting for a service that is down. While it is open every call fails at once.
type breaker struct {
	now func() time.Time

	mu     sync.Mutex // guards what follows
	failed int        // in a row
	until  time.Time  // nobody is asked before
}

// allow reports whether a call may be made. After a pause one is let through, and the others wait for how it ends.
func (b *breaker) allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed < failures {
		return true
	}
	now := b.now()
	if now.Before(b.until) {
		return false
	}
	b.until = now.Add(pause)
	return true
}

func (b *breaker) report(ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ok {
		b.failed = 0
		return
	}
	b.failed++
	b.until = b.now().Add(pause)
}
