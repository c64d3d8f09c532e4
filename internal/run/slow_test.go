package run_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// TestASlowReaderHoldsUpTheAgentAndIsCut opens a stream of an agent that never stops, and reads no more of it: soon the
// agent cannot write any more, since the gateway reads nothing that it cannot pass on; and a reader that stands still is
// cut, which ends the agent's stream too and is on record.
func TestASlowReaderHoldsUpTheAgentAndIsCut(t *testing.T) {
	t.Parallel()
	event := "data: " + strings.Replace(working, `"status":{`, `"metadata":{"pad":"`+strings.Repeat("x", 8<<10)+`"},"status":{`, 1) + "\n\n"
	for name, set := range map[string]func(*http.Transport){
		"HTTP/1.1": func(tr *http.Transport) { tr.Protocols.SetHTTP1(true) },
		"HTTP/2": func(tr *http.Transport) {
			tr.Protocols.SetUnencryptedHTTP2(true)
			tr.HTTP2 = &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var written atomic.Int64
			gone := make(chan struct{})
			s := raiseWith(t, "timeouts: {write: 2s, shutdown: 1s}\n", func(c net.Conn, _ []byte) {
				defer close(gone)
				_ = c.SetDeadline(time.Now().Add(5 * time.Minute))
				_ = c.(*net.TCPConn).SetWriteBuffer(64 << 10)
				n, err := io.WriteString(c, eventHead)
				for err == nil {
					written.Add(int64(n))
					n, err = io.WriteString(c, event)
				}
			})
			tr := &http.Transport{Protocols: new(http.Protocols)}
			set(tr)
			t.Cleanup(tr.CloseIdleConnections)
			res, err := (&http.Client{Transport: tr}).Do(s.request(t, "http", "/a2a/scribe", sendStream))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if line, err := bufio.NewReaderSize(res.Body, 16).ReadString(':'); err != nil || line != "data:" {
				t.Fatalf("the stream begins with %q (%v)", line, err)
			}
			eventually(t, "the agent is held up", func() bool {
				before := written.Load()
				time.Sleep(200 * time.Millisecond)
				return written.Load() == before
			})
			for last, since := int64(-1), time.Now(); ; { // it may have been the machine that held it up
				select {
				case <-gone:
				case <-time.After(100 * time.Millisecond):
					if n := written.Load(); n != last {
						last, since = n, time.Now()
					}
					if time.Since(since) > 25*time.Second { // the default is half a minute
						t.Fatal("the agent's stream is still open")
					}
					continue
				}
				break
			}
			if n := written.Load(); n > 24<<20 {
				t.Errorf("the agent could write %d MiB that nobody read", n>>20)
			}
			eventually(t, "the end is on record", func() bool {
				for _, ev := range s.rows.all() {
					if ev.Outcome == flow.Closed {
						return true
					}
				}
				return false
			})
			eventually(t, "no call and no stream is counted any more", func() bool { // the row comes first
				flows, streams := s.Gateway.Gateway.Load()
				return flows == 0 && streams == 0
			})
		})
	}
}
