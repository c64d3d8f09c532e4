package mcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// groupWait is how long one server's part of a joint answer is waited for; groupAtOnce how many are asked at one time.
const (
	groupWait   = 10 * time.Second
	groupAtOnce = 8
)

// part is one server's part of a joint request.
type part struct {
	server  flow.AgentID
	body    []byte
	answer  []byte // a JSON-RPC answer; nil where none came
	session string // that the server gave out
	status  int
}

// same asks the same of several servers.
func (f *fronted) same(members []flow.AgentID) []part {
	var parts []part
	for _, id := range members {
		parts = append(parts, part{server: id, body: f.body})
	}
	return parts
}

// ask sends every part through the door of its server, some at one time, and waits for all within the group's time. A
// server that is slow or dead costs the others nothing but that; what became of it is on record.
func (f *fronted) ask(ctx context.Context, parts []part) []part {
	wait := f.group.Wait
	if wait <= 0 {
		wait = groupWait
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	key := ""
	if f.doc != nil {
		key = callKey(f.doc, f.rpc.IDNode)
	}
	slots := make(chan struct{}, groupAtOnce)
	together(len(parts), func(i int) {
		slots <- struct{}{}
		defer func() { <-slots }()
		p := &parts[i]
		w := &heldWriter{limit: 2 * limitOf(f.snap.Limits.Bytes)}
		f.h.ServeHTTP(w, f.request(ctx, p.server, "", p.body))
		p.status, p.session = w.status, w.Header().Get(headerSession)
		p.answer = w.answer(key, f.snap.Limits)
	})
	return parts
}

// together calls fn for 0 to n-1 at one time and waits. A panic of one becomes the caller's, once all have returned.
func together(n int, fn func(i int)) {
	var (
		wg    sync.WaitGroup
		once  sync.Once
		cause any
	)
	for i := range n {
		wg.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					once.Do(func() { cause = v })
				}
			}()
			fn(i)
		})
	}
	wg.Wait()
	if cause != nil {
		panic(cause)
	}
}

func limitOf(n int) int {
	if n <= 0 {
		return json.DefaultBytes
	}
	return n
}

// request is the client's request as one server's door gets it.
func (f *fronted) request(ctx context.Context, server flow.AgentID, name string, body []byte) *http.Request {
	r := f.r.Clone(gateway.WithAuthority(ctx, f.authority))
	r.URL.Path = f.h.Prefix + string(server)
	r.URL.RawPath = ""
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Del(headerSession)
	r.Header.Del(headerEvent)
	if f.session != nil {
		if id := f.session.members[server]; id != "" {
			r.Header.Set(headerSession, id)
		}
	}
	if name != "" && r.Header.Get(headerName) != "" {
		r.Header.Set(headerName, mirror(name))
	}
	return r
}

// heldWriter keeps a response whole.
type heldWriter struct {
	header http.Header
	status int
	body   bytes.Buffer
	limit  int
}

func (w *heldWriter) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

func (w *heldWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

var errHeld = errors.New("the part of a joint answer is over the limit")

func (w *heldWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body.Len()+len(b) > w.limit {
		return 0, errHeld
	}
	return w.body.Write(b)
}

// Flush implements [http.Flusher]: whole is soon enough.
func (w *heldWriter) Flush() {}

// answer finds the answer to a call in a response, be it a stream or not.
func (w *heldWriter) answer(key string, limits json.Limits) []byte {
	if !isStream(w.Header()) {
		if w.body.Len() == 0 || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
			return nil
		}
		return w.body.Bytes()
	}
	events := wire.NewEventReader(&w.body, wire.EventLimits{Event: w.limit, Line: w.limit})
	for {
		ev, err := events.Next()
		if err != nil {
			return nil
		}
		var d json.Doc
		if len(ev.Data) == 0 || d.Parse(ev.Data, nil, limits) != nil {
			continue
		}
		if rpc, err := wire.ReadRPC(&d); err == nil && (rpc.Kind == wire.Success || rpc.Kind == wire.Failure) && callKey(&d, rpc.IDNode) == key {
			return append([]byte(nil), ev.Data...)
		}
	}
}

// one takes a message to the one server that it is for, and its answer back as it comes.
func (f *fronted) one(server flow.AgentID, name string, body []byte) {
	w := &joinedWriter{f: f, server: server, out: &sharedOut{w: f.w}}
	f.h.ServeHTTP(w, f.request(f.r.Context(), server, name, body))
	w.finish()
	if w.status == http.StatusNotFound && f.session != nil && !w.json() {
		f.h.groups.end(f.session) // the server forgot its part; the client begins anew
	}
}

// sharedOut is the response to the client, which several servers may write to.
type sharedOut struct {
	mu     sync.Mutex
	w      http.ResponseWriter
	began  bool
	shared bool   // by more than one: ids of events would mean nothing
	last   []byte // event with a server's answer to the call that began the streams; told when all have ended
}

func (o *sharedOut) begin(header http.Header, status int) {
	if o.began {
		return
	}
	o.began = true
	for _, name := range []string{"Content-Type", "Cache-Control", "Retry-After", "Www-Authenticate", "Allow"} {
		if v := header.Values(name); len(v) > 0 {
			o.w.Header()[name] = v
		}
	}
	o.w.WriteHeader(status)
}

func (o *sharedOut) event(header http.Header, b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.begin(header, http.StatusOK)
	if _, err := o.w.Write(b); err != nil {
		return err
	}
	if err := http.NewResponseController(o.w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// joinedWriter takes what one server's door writes and passes it on with the group's names in it: a stream event by
// event, anything else when it is whole.
type joinedWriter struct {
	heldWriter
	f      *fronted
	server flow.AgentID
	out    *sharedOut
}

func (w *joinedWriter) json() bool {
	return strings.HasPrefix(w.Header().Get("Content-Type"), "application/json")
}

// WriteHeader implements [http.ResponseWriter].
func (w *joinedWriter) WriteHeader(status int) {
	w.heldWriter.WriteHeader(status)
	w.limit = 2 * limitOf(max(w.f.snap.Limits.Bytes, w.f.snap.Events.EventBytes()))
	if w.status == http.StatusOK && isStream(w.Header()) {
		w.out.mu.Lock()
		defer w.out.mu.Unlock()
		w.out.begin(w.Header(), http.StatusOK)
	}
}

// Write implements [io.Writer]. What the door writes of a stream is cut where its events end.
func (w *joinedWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if _, err := w.heldWriter.Write(b); err != nil {
		return 0, err
	}
	if !isStream(w.Header()) {
		return len(b), nil
	}
	for {
		end := bytes.Index(w.body.Bytes(), []byte("\n\n"))
		if end < 0 {
			return len(b), nil
		}
		if err := w.event(append([]byte(nil), w.body.Next(end+2)...)); err != nil {
			return 0, err
		}
	}
}

// Flush implements [http.Flusher]: every event is flushed as it is written.
func (w *joinedWriter) Flush() {
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	if w.out.began {
		_ = http.NewResponseController(w.out.w).Flush() // a client that is gone is noticed at the next event
	}
}

func (w *joinedWriter) event(raw []byte) error {
	ev, err := wire.NewEventReader(bytes.NewReader(raw), wire.EventLimits{Event: w.limit, Line: w.limit}).Next()
	if err != nil {
		return err
	}
	data := ev.Data
	if len(data) > 0 {
		if data, err = joined(w.server, w.f.rpc.Method, ev.Data, w.f.snap.Limits); err != nil {
			return err // what the door lets out is a message
		}
	}
	out := w.identified(ev.AppendPlain(nil, data))
	if w.out.shared && len(data) > 0 && isAnswer(data, w.f.snap.Limits) {
		w.out.mu.Lock()
		defer w.out.mu.Unlock()
		w.out.last = out // the call is answered once, when no server has more to say
		return nil
	}
	return w.out.event(w.Header(), out)
}

func isAnswer(data []byte, limits json.Limits) bool {
	var d json.Doc
	if d.Parse(data, nil, limits) != nil {
		return false
	}
	rpc, err := wire.ReadRPC(&d)
	return err == nil && (rpc.Kind == wire.Success || rpc.Kind == wire.Failure)
}

// identified gives an event's id the name of its server, so that the client's wish to go on from there finds it.
func (w *joinedWriter) identified(ev []byte) []byte {
	var out []byte
	for line := range bytes.Lines(ev) {
		id, ok := bytes.CutPrefix(line, []byte("id:"))
		switch {
		case !ok:
			out = append(out, line...)
		case !w.out.shared:
			out = append(append(append(out, "id: "...), w.server...), idMark...)
			out = append(out, bytes.TrimPrefix(id, []byte(" "))...)
		}
	}
	return out
}

// finish passes on what was not a stream.
func (w *joinedWriter) finish() {
	if w.status == 0 || isStream(w.Header()) && w.status == http.StatusOK {
		return
	}
	body := w.body.Bytes()
	if w.json() && len(body) > 0 {
		out, err := joined(w.server, w.f.rpc.Method, body, w.f.snap.Limits)
		if err != nil {
			w.f.deny(gateway.Refuse(gateway.RuleInternal, err, "The answer could not be joined."))
			return
		}
		body = out
	}
	w.out.mu.Lock()
	defer w.out.mu.Unlock()
	w.out.begin(w.Header(), w.status)
	_, _ = w.out.w.Write(body) // the caller may have gone; the record says released
}
