package bench

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// stub is an agent and an MCP server that answers at once.
type stub struct {
	load    *payload
	server  *http.Server
	url     string
	n       atomic.Int64
	release chan struct{} // while it is there, streams stay open until it is closed
}

func startStub(load *payload) (*stub, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening on loopback: %w", err)
	}
	s := &stub{load: load, url: "http://" + ln.Addr().String()}
	if load.opt.Streams > 0 {
		s.release = make(chan struct{})
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(ln) }() // ends with close
	return s, nil
}

func (s *stub) close() error {
	if s.release != nil {
		close(s.release)
	}
	return s.server.Close()
}

// ServeHTTP implements [http.Handler].
func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ContentLength < 0 {
		http.NotFound(w, r)
		return
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return
	}
	id := idOf(body)
	if bytes.Contains(body[:min(len(body), 100)], []byte("SendStreamingMessage")) {
		s.stream(w, r, id)
		return
	}
	out := s.load.answer(int(s.n.Add(1)), id)
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(out))}
	_, _ = w.Write(out) // the client notices
}

func (s *stub) stream(w http.ResponseWriter, r *http.Request, id []byte) {
	w.Header().Set("Content-Type", "text/event-stream")
	c := http.NewResponseController(w)
	for i, ev := range s.load.events(id) {
		if i == 2 && s.release != nil {
			select {
			case <-s.release:
			case <-r.Context().Done():
				return
			}
		}
		if _, err := w.Write(ev); err != nil || c.Flush() != nil {
			return
		}
	}
}

// idOf is the id of a call as it stands on the wire.
func idOf(body []byte) []byte {
	_, rest, ok := bytes.Cut(body, []byte(`"id":`))
	n := bytes.IndexAny(rest, ",}")
	if !ok || n < 0 {
		return []byte("null")
	}
	return rest[:n]
}
