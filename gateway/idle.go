package gateway

import (
	"errors"
	"io"
	"sync/atomic"
	"time"
)

var errIdle = errors.New("nothing came for too long")

// Idle returns a reader that ends with an error when nothing came for d. The time that its own reader takes between two
// reads does not count: a slow caller is no fault of the agent. Close releases it and the body.
func Idle(body io.ReadCloser, d time.Duration) io.ReadCloser {
	if d <= 0 {
		d = 5 * time.Minute
	}
	r := &idleReader{body: body, d: d, began: time.Now()}
	r.timer = time.AfterFunc(d, func() {
		if since := r.since.Load(); since != 0 && time.Since(r.began)-time.Duration(since) >= d {
			r.late.Store(true)
			_ = body.Close() // the read that waits returns
		}
	})
	return r
}

type idleReader struct {
	body  io.ReadCloser
	d     time.Duration
	timer *time.Timer
	began time.Time
	since atomic.Int64 // when the read under way began, after began; 0 where there is none
	late  atomic.Bool
}

// Read implements [io.Reader].
func (r *idleReader) Read(p []byte) (int, error) {
	r.since.Store(int64(time.Since(r.began)) + 1)
	r.timer.Reset(r.d + time.Millisecond)
	n, err := r.body.Read(p)
	r.since.Store(0)
	if err != nil && r.late.Load() {
		err = errIdle
	}
	return n, err
}

// Close implements [io.Closer].
func (r *idleReader) Close() error {
	r.timer.Stop()
	return r.body.Close()
}
