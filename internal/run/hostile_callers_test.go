package run_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// talk sends bytes as they stand, then others for as long as they are taken, and returns all that comes back until the
// connection is closed, which must be in time.
func (s *stage) talk(t *testing.T, opening string, again []byte, within time.Duration) string {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := make(chan []byte, 1)
	go func() {
		b, _ := io.ReadAll(c)
		got <- b
	}()
	if _, err := io.WriteString(c, opening); err != nil {
		t.Fatal(err)
	}
	end := time.After(within)
	for {
		select {
		case b := <-got:
			return string(b)
		case <-end:
			t.Errorf("the connection is still open after %v", within)
			_ = c.Close()
			return string(<-got)
		default:
			if len(again) == 0 {
				time.Sleep(time.Millisecond)
				continue
			}
			_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			_, _ = c.Write(again) // what is no longer taken is the point
		}
	}
}

// TestCallersThatMisbehaveAreRefused speaks to the gateway in every wrong way: each ends in time with an error or a closed
// connection, no second message is smuggled to the agent, and nothing of it is told anywhere.
func TestCallersThatMisbehaveAreRefused(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	s := raise(t, func(c net.Conn, request []byte) {
		calls.Add(1)
		if bytes.Contains(request, []byte(canary)) {
			t.Errorf("the agent was sent %q", request)
		}
		say(jsonHead, "Connection: close\r\nContent-Length: 36\r\n\r\n", `{"jsonrpc":"2.0","id":1,"result":{}}`)(c, request)
	})
	auth := "Authorization: Bearer " + s.key.Expose() + "\r\nMCP-Protocol-Version: 2025-11-25\r\n"
	head := "POST /mcp/tools HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + auth
	sized := fmt.Sprintf("Content-Length: %d\r\n", len(ping))
	smuggled := "POST /mcp/tools HTTP/1.1\r\nHost: x\r\n" + auth + "X: " + canary + "\r\n\r\n"
	ask := func(name, opening string, again []byte, most int64, want ...string) {
		t.Run(name, func(t *testing.T) {
			before := calls.Load()
			got := s.talk(t, opening, again, 25*time.Second) // the default is half a minute
			if strings.Contains(got, canary) {
				t.Errorf("got %q, which says it back", got)
			}
			ok := len(want) == 0 && got == ""
			for _, w := range want {
				ok = ok || strings.HasPrefix(got, "HTTP/1.1 "+w)
			}
			if !ok {
				t.Errorf("got %.200q, want one of %q or nothing", got, want)
			}
			if n := calls.Load() - before; n > most {
				t.Errorf("the agent was called %d times, want at most %d", n, most)
			}
		})
	}
	ask("length and chunks at once", head+sized+"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+smuggled, nil, 0, "400")
	ask("two lengths", head+sized+"Content-Length: 5\r\n\r\n"+ping+smuggled, nil, 0, "400")
	ask("a list of lengths", head+"Content-Length: 5, 40\r\n\r\n"+ping, nil, 0, "400")
	ask("a length with a sign", head+"Content-Length: +40\r\n\r\n"+ping, nil, 0, "400")
	ask("two codings", head+"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"+smuggled, nil, 0, "501", "400")
	ask("a coding nobody knows", head+"Transfer-Encoding: "+canary+"\r\n\r\n0\r\n\r\n", nil, 0, "501", "400")
	ask("a chunk that is none", head+"Transfer-Encoding: chunked\r\n\r\n"+canary+"\r\n"+smuggled, nil, 0, "400", "200")
	ask("two hosts", strings.Replace(head, "Host: x\r\n", "Host: x\r\nHost: "+canary+"\r\n", 1)+sized+"\r\n"+ping, nil, 0, "400")
	ask("no host", strings.Replace(head, "Host: x\r\n", "", 1)+sized+"\r\n"+ping, nil, 0, "400")
	ask("a folded header", head+"X: a\r\n "+canary+"\r\n"+sized+"Connection: close\r\n\r\n"+ping, nil, 1, "400", "200")
	ask("a header with a null", head+"X: a\x00"+canary+"\r\n"+sized+"\r\n"+ping, nil, 0, "400")
	ask("a space before the colon", head+"Content-Length : 5\r\n\r\n"+ping, nil, 0, "400")
	ask("another host's address", strings.Replace(head, "/mcp/tools", "http://"+canary+"/mcp/tools", 1)+sized+"Connection: close\r\n\r\n"+ping, nil, 1, "403", "200", "400")
	ask("an endless path", "GET /"+strings.Repeat("x", 100<<10), []byte("x"), 0, "431", "400")
	ask("endless headers", "GET / HTTP/1.1\r\nHost: x\r\n", []byte("X-A: "+strings.Repeat("x", 1000)+"\r\n"), 0, "431")
	ask("too many headers", head+strings.Repeat("X: y\r\n", 20_000)+"\r\n", nil, 0, "431")
	ask("a message that is too long", head+"Content-Length: 50000\r\n\r\n"+strings.Repeat("x", 50000), nil, 0, "413")
	ask("an endless message", head+"Transfer-Encoding: chunked\r\n\r\n", []byte("3e8\r\n"+strings.Repeat("x", 1000)+"\r\n"), 0, "413")
	ask("a packed message", head+"Content-Encoding: gzip\r\nConnection: close\r\n"+"Content-Length: 4\r\n\r\n\x1f\x8b\x08\x00", nil, 0, "415")
	ask("one packed twice", head+"Content-Encoding: identity\r\nContent-Encoding: zstd\r\nConnection: close\r\n"+sized+"\r\n"+ping, nil, 0, "415")
	ask("trailers", head+"Trailer: X-A\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"+fmt.Sprintf("%x\r\n%s\r\n0\r\nX-A: %s\r\nContent-Length: 3\r\n\r\n", len(ping), ping, canary), nil, 1, "200")
	ask("many calls at once", head+"Connection: close\r\n"+fmt.Sprintf("Content-Length: %d\r\n\r\n[%s,%s]", 2*len(ping)+3, ping, ping), nil, 0, "400")
	ask("an expectation and then nothing", head+sized+"Expect: 100-continue\r\n\r\n", nil, 0, "100", "400")
	ask("a method of proxies", "CONNECT "+canary+":443 HTTP/1.1\r\nHost: "+canary+"\r\nConnection: close\r\n\r\n", nil, 0, "404", "400", "405", "403")
	ask("a trace", "TRACE /mcp/tools HTTP/1.1\r\nHost: x\r\nX: "+canary+"\r\n"+auth+"Connection: close\r\n\r\n", nil, 0, "405")
	ask("an upgrade", head+sized+"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"+ping, nil, 1, "200")
	ask("a version from before headers", "GET /mcp/tools\r\n\r\n", nil, 0, "400")
	if status, got := s.call(t, "/mcp/tools", ping); status != 200 || !strings.Contains(got, `"result":{}`) {
		t.Errorf("after all that a good call got %d %s", status, got)
	}
	s.tells(t)
}

// frame is one of HTTP/2.
func frame(kind, flags byte, stream uint32, payload string) string {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(b[5:], stream)
	return string(b) + payload
}

const (
	preface     = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	frameData   = 0
	frameHeader = 1
	frameReset  = 3
	frameSet    = 4
	framePing   = 6
	frameWindow = 8
	frameMore   = 9
)

// callBlock are the headers of a call, none of them compressed.
func (s *stage) callBlock() string {
	text := func(v string) string { return string([]byte{byte(len(v))}) + v }
	long := func(v string) string { // a length of up to 254 bytes
		if len(v) < 127 {
			return text(v)
		}
		return "\x7f" + string([]byte{byte(len(v) - 127)}) + v
	}
	field := func(name, v string) string { return "\x00" + text(name) + long(v) }
	return "\x83\x86\x04" + text("/mcp/tools") + "\x01" + text("x") + field("content-type", "application/json") +
		field("authorization", "Bearer "+s.key.Expose()) + field("mcp-protocol-version", "2025-11-25")
}

// TestFloodsOverHTTP2AreCut floods one connection with what costs the sender little. It is closed, or the gateway keeps up
// with it: no more calls are open than one connection may have, the agent is not called beyond that, and others are served.
func TestFloodsOverHTTP2AreCut(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	s := raise(t, func(c net.Conn, request []byte) {
		calls.Add(1)
		time.Sleep(50 * time.Millisecond)
		say(jsonHead, "Connection: close\r\nContent-Length: 36\r\n\r\n", `{"jsonrpc":"2.0","id":1,"result":{}}`)(c, request)
	})
	block := s.callBlock()
	hello := preface + frame(frameSet, 0, 0, "")
	begin := func(n int) string { return frame(frameHeader, 4, uint32(2*n+1), block) }
	for name, flood := range map[string]func(n int) string{
		"streams that are reset at once": func(n int) string { return begin(n) + frame(frameReset, 0, uint32(2*n+1), "\x00\x00\x00\x08") },
		"calls that are reset when whole": func(n int) string {
			return begin(n) + frame(frameData, 1, uint32(2*n+1), ping) + frame(frameReset, 0, uint32(2*n+1), "\x00\x00\x00\x08")
		},
		"pings": func(int) string {
			return strings.Repeat(frame(framePing, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00"), 200)
		},
		"settings": func(int) string { return strings.Repeat(frame(frameSet, 0, 0, ""), 200) },
		"headers that go on for ever": func(n int) string {
			if n == 0 {
				return frame(frameHeader, 0, 1, block)
			}
			return frame(frameMore, 0, 1, "\x00\x01x\x7e"+strings.Repeat("y", 126))
		},
		"streams over the limit": func(n int) string { return begin(n) },
		"windows that overflow":  func(int) string { return frame(frameWindow, 0, 0, "\x7f\xff\xff\xff") },
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			before := calls.Load()
			if _, err := io.WriteString(c, hello); err != nil {
				t.Fatal(err)
			}
			// Nobody reads what comes back: that is the worst that a flood can do. Settings without a setting in them are
			// answered once for all that came, so they take nothing and may go on. A call that is reset is over: the flood
			// is cut when a thousand wait behind those that run, and may go on while fewer do, which a slow sender sees.
			err = nil
			began, long, mayGoOn := time.Now(), 2*time.Minute, false
			switch name {
			case "settings":
				long, mayGoOn = time.Second, true
			case "streams that are reset at once", "calls that are reset when whole":
				long, mayGoOn = 10*time.Second, true
			}
			sent := 0
			for ; err == nil && time.Since(began) < long; sent++ {
				_ = c.SetWriteDeadline(time.Now().Add(10 * time.Second))
				if _, err = io.WriteString(c, flood(sent)); err != nil {
					break
				}
				if sent%500 == 499 {
					if flows, _ := s.Gateway.Gateway.Load(); flows > 2*250 {
						t.Fatalf("%d calls of one connection are open", flows)
					}
				}
			}
			if err == nil && !mayGoOn {
				t.Error("the flood was taken in without an end")
			}
			most := int64(1500)
			if name == "calls that are reset when whole" {
				most = max(most, int64(sent)) // each of them may be at the agent before it is reset
			}
			if n := calls.Load() - before; n > most {
				t.Errorf("the agent was called %d times by one flood", n)
			}
			eventually(t, "another caller is served", func() bool { // an agent that is still at the calls before has a second to answer
				status, got := s.call(t, "/mcp/tools", ping)
				return status == 200 && strings.Contains(got, `"result":{}`)
			})
		})
	}
}
