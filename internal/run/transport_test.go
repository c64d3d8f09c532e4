package run_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

// town is a gateway of one client and one MCP server, whose messages are all public.
type town struct {
	*run.Gateway
	addr string
	key  flow.Secret
	stop func() error
}

// settle runs a town; more is added to its configuration.
func settle(t *testing.T, upstream http.Handler, more string, opt run.Options) *town {
	t.Helper()
	up := httptest.NewServer(upstream)
	t.Cleanup(up.Close)
	key, digest := identity.NewKey()
	g, addr, stop := serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: clinic
agents:
  - {id: client, keys: [{sha256: %s}]}
  - {id: tools, mcp: {url: %q}}
  - {id: scribe, a2a: {url: %q}}
transparent: [{agent: "*", reason: a test}]
%s`, digest, up.URL, up.URL, more), nil)), opt)
	return &town{g, addr, key, stop}
}

// request is a call of the client.
func (tw *town) request(t *testing.T, scheme, path, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, scheme+"://"+tw.addr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tw.key.Expose())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("MCP-Protocol-Version", "2025-11-25")
	req.Header.Set("A2A-Version", "1.0")
	return req
}

const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`

// pong answers calls by hand.
func pong(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
}

// speaking returns a client that speaks the protocols alone.
func speaking(t *testing.T, set func(*http.Protocols)) *http.Client {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	set(tr.Protocols)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestBothVersionsOfHTTPAreSpokenWithoutTLS(t *testing.T) {
	tw := settle(t, http.HandlerFunc(pong), "", run.Options{})
	for major, set := range map[int]func(*http.Protocols){
		1: func(p *http.Protocols) { p.SetHTTP1(true) },
		2: func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
	} {
		client := speaking(t, set)
		for range 3 {
			res, err := client.Do(tw.request(t, "http", "/mcp/tools", ping))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || res.ProtoMajor != major || res.StatusCode != http.StatusOK || !strings.Contains(string(body), `"result":{}`) {
				t.Errorf("HTTP/%d: got %s %d %s (%v), want an answer over that version", major, res.Proto, res.StatusCode, body, err)
			}
		}
	}
}

// TestAStreamOutlivesTheTimesForReadingAndWriting holds a stream open for longer than a caller may take to send its message.
func TestAStreamOutlivesTheTimesForReadingAndWriting(t *testing.T) {
	tw := settle(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 6 {
			_, _ = io.WriteString(w, ": still here\n\n")
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(500 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
		_, _ = io.WriteString(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n")
	}), "timeouts: {read: 2s, write: 2s}\n", run.Options{})
	for name, set := range map[string]func(*http.Protocols){
		"HTTP/1.1": func(p *http.Protocols) { p.SetHTTP1(true) },
		"HTTP/2":   func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			res, err := speaking(t, set).Do(tw.request(t, "http", "/mcp/tools", ping))
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || !strings.Contains(string(body), `"result":{}`) {
				t.Errorf("the stream ended with %q (%v), want its answer", body, err)
			}
		})
	}
}

// TestSlowCallersAreCut sends what never ends, and wants its connection closed in time.
func TestSlowCallersAreCut(t *testing.T) {
	tw := settle(t, http.HandlerFunc(pong), "timeouts: {read: 2s}\n", run.Options{})
	head := "POST /mcp/tools HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + tw.key.Expose() + "\r\nContent-Type: application/json\r\nMCP-Protocol-Version: 2025-11-25\r\n"
	for name, opening := range map[string]string{
		"headers that never end":        "GET / HTTP/1.1\r\nHost: x\r\nX: y",
		"TLS where there is none":       "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"nothing at all":                "",
		"half of what begins HTTP/2":    "PRI * HTTP/2.0\r\n",
		"HTTP/2 without its settings":   "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a body that is never sent":     head + "Content-Length: 5000\r\n\r\n",
		"a body that comes by the byte": head + "Content-Length: 5000\r\n\r\n{",
		"a chunk that never ends":       head + "Transfer-Encoding: chunked\r\n\r\nfff\r\n",
		"a body nobody asked for":       "GET /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", tw.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, opening); err != nil {
				t.Fatal(err)
			}
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _ = io.Copy(io.Discard, bufio.NewReader(c))
			}()
			end := time.After(25 * time.Second)
			for {
				select {
				case <-gone:
					return
				case <-end:
					t.Fatal("the connection is still open")
				case <-time.After(100 * time.Millisecond):
					_, _ = io.WriteString(c, " ")
				}
			}
		})
	}
}

// counting is a handler behind a server that counts its connections.
func counting(t *testing.T, h http.Handler, start func(*httptest.Server)) (url string, opened *atomic.Int64) {
	t.Helper()
	opened = new(atomic.Int64)
	up := httptest.NewUnstartedServer(h)
	up.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	start(up)
	t.Cleanup(up.Close)
	return up.URL, opened
}

// TestAReloadKeepsConnections reloads between calls; the agent sees one connection all along. Where the gateway comes to write the end of a call down later than
// net/http waits for, which is 50 ms, that gives a connection up whatever is reloaded.
func TestAReloadKeepsConnections(t *testing.T) {
	url, opened := counting(t, http.HandlerFunc(pong), (*httptest.Server).Start)
	key, digest := identity.NewKey()
	file := lay(t, fmt.Sprintf("version: 1\ndomain: clinic\nagents:\n  - {id: client, keys: [{sha256: %s}]}\n  - {id: tools, mcp: {url: %q}}\n", digest, url), nil)
	g, addr, stop := serve(t, load(t, file), run.Options{})
	tw := &town{g, addr, key, stop}
	client := speaking(t, func(p *http.Protocols) { p.SetHTTP1(true) })
	for n := range 12 {
		if n > 0 {
			if err := g.Reload(t.Context(), "test"); err != nil {
				t.Fatal(err)
			}
		}
		res, err := client.Do(tw.request(t, "http", "/mcp/tools", ping))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if !strings.Contains(string(body), `"result":{}`) {
			t.Fatalf("call %d got %s", n, body)
		}
	}
	if n := opened.Load(); n > 6 {
		t.Errorf("the agent saw %d connections over eleven reloads, want one", n)
	}
}

// TestAgentsSpeakHTTP2AndShowTheirOwnCertificate reaches agents whose certificate no system knows.
func TestAgentsSpeakHTTP2AndShowTheirOwnCertificate(t *testing.T) {
	var seen atomic.Value
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Proto)
		pong(w, r)
	})
	dir := t.TempDir()
	cert, key := pair(t, "agent", time.Now().Add(time.Hour))
	other, _ := pair(t, "agent", time.Now().Add(time.Hour))
	put(t, dir, map[string][]byte{"ca.pem": cert, "other.pem": other})
	got, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	secure, _ := counting(t, h, func(s *httptest.Server) {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{got}}
		s.EnableHTTP2 = true
		s.StartTLS()
	})
	plain, _ := counting(t, h, func(s *httptest.Server) {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	})
	apiKey, digest := identity.NewKey()
	g, addr, stop := serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: clinic
agents:
  - {id: client, keys: [{sha256: %s}]}
  - {id: known, mcp: {url: %q, ca_file: %q}}
  - {id: stranger, mcp: {url: %q, ca_file: %q}}
  - {id: system, mcp: {url: %q}}
  - {id: plain, mcp: {url: %q, http2: true}}
`, digest, secure, filepath.Join(dir, "ca.pem"), secure, filepath.Join(dir, "other.pem"), secure, plain), nil)), run.Options{})
	tw := &town{g, addr, apiKey, stop}
	client := speaking(t, func(p *http.Protocols) { p.SetHTTP1(true) })
	for server, ok := range map[string]bool{"known": true, "plain": true, "stranger": false, "system": false} {
		seen.Store("")
		res, err := client.Do(tw.request(t, "http", "/mcp/"+server, ping))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if strings.Contains(string(body), `"result":{}`) != ok || ok && seen.Load() != "HTTP/2.0" || !ok && seen.Load() != "" {
			t.Errorf("agent %s: got %s over %q, want an answer over HTTP/2: %t", server, body, seen.Load(), ok)
		}
	}
}

// TestLoadBalancersAreAnswered asks for health where agents call.
func TestLoadBalancersAreAnswered(t *testing.T) {
	get := func(addr, path string) (int, string) {
		res, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, strings.TrimSpace(string(b))
	}
	silent := settle(t, http.HandlerFunc(pong), "", run.Options{})
	if status, _ := get(silent.addr, "/readyz"); status != http.StatusNotFound {
		t.Errorf("without health: got %d, want 404", status)
	}
	tw := settle(t, http.HandlerFunc(pong), "health: true\n", run.Options{})
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready"} {
		if status, text := get(tw.addr, path); status != http.StatusOK || text != want {
			t.Errorf("%s: got %d %q, want 200 %q", path, status, text, want)
		}
	}
	if err := tw.DB.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a gateway without a store is not ready", func() bool {
		status, text := get(tw.addr, "/readyz")
		return status == http.StatusServiceUnavailable && text == "nothing can be put on record"
	})
	if status, _ := get(tw.addr, "/healthz"); status != http.StatusOK {
		t.Errorf("health of a gateway that runs: %d", status)
	}
	_ = tw.stop() // says that the store is closed
}

// TestACallerOverItsRateIsToldSoInItsProtocol calls more often than once a second, which is allowed, over each binding.
func TestACallerOverItsRateIsToldSoInItsProtocol(t *testing.T) {
	client := speaking(t, func(p *http.Protocols) { p.SetHTTP1(true) })
	type answer struct {
		status      int
		after, body string
	}
	for name, c := range map[string]struct{ path, body, want string }{
		"A2A":           {"/a2a/scribe", fmt.Sprintf(sendOne, 1), `"error":{"code":-31429,`},
		"A2A over HTTP": {"/a2a/scribe/message:send", `{"message":{"messageId":"m1","role":"ROLE_USER","parts":[{"text":"hello"}]}}`, `"status":"RESOURCE_EXHAUSTED"`},
		"MCP":           {"/mcp/tools", ping, `"error":{"code":-31429,`},
	} {
		tw := settle(t, http.HandlerFunc(pong), "limits: {caller: {rate: 1}}\n", run.Options{})
		call := func() (got answer) {
			res, err := client.Do(tw.request(t, "http", c.path, c.body))
			if err != nil {
				t.Error(err)
				return got
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			return answer{res.StatusCode, res.Header.Get("Retry-After"), string(body)}
		}
		if got := call(); got.status == http.StatusTooManyRequests {
			t.Errorf("%s: the first call got %+v", name, got)
		}
		var over answer
		eventually(t, name+": a call is over the rate", func() bool { // several at once: a slow machine may take a second for each
			var got [8]answer
			var wg sync.WaitGroup
			for i := range got {
				wg.Go(func() { got[i] = call() })
			}
			wg.Wait()
			for _, one := range got {
				if one.status == http.StatusTooManyRequests {
					over = one
				}
			}
			return over.status != 0
		})
		if over.after != "1" || !strings.Contains(over.body, c.want) || !strings.Contains(over.body, "TOO_MANY_REQUESTS") {
			t.Errorf("%s: a call over the rate got %+v, want the protocol's words", name, over)
		}
	}
}
