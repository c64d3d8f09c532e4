package gateway

import "sync/atomic"

// mostKept is how many bytes all open streams together may hold so that they can be given again: one alone may hold no
// more than [EventLimits.AnswerBytes], and there may be thousands.
const mostKept = 64 << 20

// Kept is what one open stream holds of the memory for that. It is for one goroutine.
type Kept struct {
	of   *atomic.Int64
	mine int64
}

// Keep begins to count for one stream.
func (g *Gateway) Keep() Kept { return Kept{of: &g.kept} }

// Grow counts n bytes more.
func (k *Kept) Grow(n int) {
	k.mine += int64(n)
	k.of.Add(int64(n))
}

// Fits reports whether all streams together are within what they may hold. One that finds that they are not gives up its
// own: it goes on, and is not given again.
func (k *Kept) Fits() bool { return k.of.Load() <= mostKept }

// Free gives back what the stream holds.
func (k *Kept) Free() {
	k.of.Add(-k.mine)
	k.mine = 0
}
