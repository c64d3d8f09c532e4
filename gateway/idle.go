package gateway

import (
	"io"
	"time"
)

// Idle returns a reader that ends with an error when nothing came for d. Close releases it and the body.
func Idle(body io.ReadCloser, d time.Duration) io.ReadCloser {
	if d <= 0 {
		d = 5 * time.Minute
	}
	return &idleReader{body: body, d: d, timer: time.AfterFunc(d, func() { _ = body.Close() })}
}

type idleReader struct {
	body  io.ReadCloser
	d     time.Duration
	timer *time.Timer
}

// Read implements [io.Reader].
func (r *idleReader) Read(p []byte) (int, error) {
	r.timer.Reset(r.d)
	return r.body.Read(p)
}

// Close implements [io.Closer].
func (r *idleReader) Close() error {
	r.timer.Stop()
	return r.body.Close()
}
