package identity

import (
	"context"
	"sync"
	"time"
)

type targetKey struct{}

// target is what is known of a request beside the request itself. It goes on with its context: where the same request is
// authenticated again, by another configuration or for a part of it, its proof is not one that was shown before, and its
// evidence was fresh when it came.
type target struct {
	url string

	mu     sync.Mutex // guards the fields below
	proven map[[32]byte][32]byte
	held   map[[32]byte]time.Time // evidence that an attestor accepted, until when; zero: no end
	failed error
}

// WithTarget says under which URL, without a query, clients know the address that a request is for, so that a proof of
// possession can be held to it (RFC 9449). A request that has none has no proof that is accepted. It also begins what
// [Failure] remembers.
func WithTarget(ctx context.Context, url string) context.Context {
	return context.WithValue(ctx, targetKey{}, &target{url: url, proven: map[[32]byte][32]byte{}, held: map[[32]byte]time.Time{}})
}

func targetOf(ctx context.Context) *target {
	t, _ := ctx.Value(targetKey{}).(*target)
	return t
}

// Failure returns why the request of a context was last not believed, for the challenge that it is answered with; nil where
// it was, and without [WithTarget].
func Failure(ctx context.Context) error {
	t := targetOf(ctx)
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

func (t *target) fail(err error) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = err
}

// before returns the thumbprint of a proof that the same request was believed by before.
func (t *target) before(sum [32]byte) (thumbprint [32]byte, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	thumbprint, ok = t.proven[sum]
	return thumbprint, ok
}

func (t *target) believed(sum, thumbprint [32]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.proven[sum] = thumbprint
}

// attestedBefore reports whether the same request was attested by the same evidence before.
func (t *target) attestedBefore(sum [32]byte, now time.Time) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	until, ok := t.held[sum]
	return ok && (until.IsZero() || now.Before(until))
}

func (t *target) attested(sum [32]byte, until time.Time) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held[sum] = until
}
