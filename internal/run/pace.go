package run

import (
	"io"
	"net/http"
	"time"
)

// leastBodyRate is how many bytes a second a message must come with, once graceTime is over: whoever sends a byte now
// and then holds a connection for nothing.
const (
	leastBodyRate = 512
	graceTime     = 5 * time.Second
	leftTime      = time.Second // for what is left of a message that was answered before its end
)

// pace bounds how long a caller may take to send its message and to take in what it gets. Neither bound is one for the
// whole call: an open stream lasts as long as its ends want it to.
type pace struct {
	read  time.Duration // for the whole of a message
	write time.Duration // for bytes that are there to be sent
}

// paced holds the callers of next to the pace that holds when they call.
func paced(now func() pace, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := now()
		control := http.NewResponseController(w)
		b := &pacedBody{body: r.Body, control: control, total: p.read, began: time.Now()}
		b.extend(b.began)
		out := &pacedWriter{ResponseWriter: w, control: control, within: p.write, shared: r.ProtoMajor < 2}
		// The server itself reads what is left of a body, and writes what is left in a buffer: both must end.
		defer out.last()
		defer b.last()
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = b
		} else {
			b.done()
		}
		out.begin()
		next.ServeHTTP(out, r)
	})
}

// pacedBody is a body that must keep coming. What fails here is told by the reader of the body.
type pacedBody struct {
	body    io.ReadCloser
	control *http.ResponseController
	total   time.Duration
	began   time.Time
	until   time.Time
	got     int64
	ended   bool
}

// Read implements [io.Reader].
func (b *pacedBody) Read(p []byte) (int, error) {
	b.extend(time.Now())
	n, err := b.body.Read(p)
	b.got += int64(n)
	if err == io.EOF {
		b.done()
	}
	return n, err
}

// Close implements [io.Closer].
func (b *pacedBody) Close() error { return b.body.Close() }

// extend gives as much more time as what came so far has earned.
func (b *pacedBody) extend(now time.Time) {
	earned := graceTime + time.Duration(b.got)*time.Second/leastBodyRate
	until := b.began.Add(min(earned, b.total))
	if b.ended || until.Sub(b.until) < time.Second && !until.Before(now) && !b.until.IsZero() {
		return
	}
	b.until = until
	_ = b.control.SetReadDeadline(until) // a connection that has none is one of a test
}

// done takes the bound away: from here on a read only waits for the caller to go.
func (b *pacedBody) done() {
	if !b.ended {
		b.ended = true
		_ = b.control.SetReadDeadline(time.Time{})
	}
}

func (b *pacedBody) last() {
	if !b.ended {
		_ = b.control.SetReadDeadline(time.Now().Add(leftTime))
	}
}

// pacedWriter is an answer whose bytes must be taken in. A slow reader is waited for, which holds up what writes to it
// and so what that reads from; one that stands still is cut.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	within  time.Duration
	shared  bool // the deadline is the connection's: it outlives the call, and harms nobody while nothing is written
	until   time.Time
}

// Write implements [io.Writer].
func (w *pacedWriter) Write(p []byte) (int, error) {
	w.begin()
	defer w.end()
	return w.ResponseWriter.Write(p)
}

// Flush implements [http.Flusher].
func (w *pacedWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush with what went wrong, as [http.ResponseController] wants it.
func (w *pacedWriter) FlushError() error {
	w.begin()
	defer w.end()
	return w.control.Flush()
}

// Unwrap is for [http.ResponseController].
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *pacedWriter) begin() {
	now := time.Now()
	if w.shared && w.until.Sub(now) > w.within-w.within/4 {
		return
	}
	w.until = now.Add(w.within)
	_ = w.control.SetWriteDeadline(w.until)
}

// end takes back a deadline that would end a quiet stream.
func (w *pacedWriter) end() {
	if !w.shared {
		_ = w.control.SetWriteDeadline(time.Time{})
	}
}

func (w *pacedWriter) last() { _ = w.control.SetWriteDeadline(time.Now().Add(w.within)) }
