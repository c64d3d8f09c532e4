package run_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

// canary is what no log, metric or row may hold.
const canary = "Zanzibar-4471"

// stage is a gateway with short limits before an agent that answers by hand, and all that it says.
type stage struct {
	*town
	dir  string
	log  *syncBuffer
	rows *rowLog
}

const shortLimits = `limits: {event: 4KiB, body: 16KiB, events: 40}
timeouts: {read: 2s, write: 2s, dial: 5s, upstream: 5s, body: 3s, idle: 3s, shutdown: 1s}
`

// raise runs a stage. Answer gets what the agent was sent, headers and body, and writes what it likes.
func raise(t *testing.T, answer func(c net.Conn, request []byte)) *stage {
	t.Helper()
	return raiseWith(t, shortLimits, answer)
}

func raiseWith(t *testing.T, limits string, answer func(c net.Conn, request []byte)) *stage {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { _ = l.Close() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(3 * time.Minute))
				if request := readCall(c); bytes.HasPrefix(request, []byte("POST ")) {
					answer(c, request)
				} else if len(request) > 0 {
					_, _ = io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				}
			})
		}
	})
	key, digest := identity.NewKey()
	s := &stage{log: &syncBuffer{}, rows: &rowLog{}}
	file := lay(t, fmt.Sprintf(`version: 1
domain: clinic
agents:
  - {id: client, keys: [{sha256: %s}]}
  - {id: tools, mcp: {url: "http://%s"}}
  - {id: scribe, a2a: {url: "http://%s"}}
transparent: [{agent: "*", reason: a test}]
%s`, digest, l.Addr(), l.Addr(), limits), nil)
	s.dir = filepath.Dir(file)
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g, addr, stop := serve(t, load(t, file), run.Options{
		Listen: narrow{front},
		Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Hooks: gateway.Hooks{Event: s.rows.add},
	})
	s.town = &town{g, addr, key, stop}
	return s
}

// narrow holds little of what nobody reads: a server falls behind such a caller after kilobytes, however slow both are.
type narrow struct{ net.Listener }

func (n narrow) Accept() (net.Conn, error) {
	c, err := n.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(32 << 10)
	}
	return c, err
}

// readCall reads one call of HTTP/1.1 with a length.
func readCall(c net.Conn) []byte {
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return nil
	}
	body, _ := io.ReadAll(req.Body)
	return append([]byte(req.Method+" "+req.URL.Path+"\n"), body...)
}

// TestWhatNoMessageIsAnswerToIsNotLogged holds net/http to it, which would print the bytes.
func TestWhatNoMessageIsAnswerToIsNotLogged(t *testing.T) {
	s := raise(t, say(jsonHead, "Content-Length: 2\r\n\r\n{}", canary))
	said := &syncBuffer{}
	if log.Writer() != io.Discard {
		log.SetOutput(said)
	}
	for n := range 3 {
		s.call(t, "/a2a/scribe", fmt.Sprintf(sendOne, n))
	}
	time.Sleep(100 * time.Millisecond)
	if said.String() != "" || log.Writer() != io.Discard {
		t.Errorf("the standard logger says %q, want it silent", said)
	}
}

// call makes a call of one protocol and returns all that came back. It must end in time.
func (s *stage) call(t *testing.T, path, body string) (status int, got string) {
	t.Helper()
	began := time.Now()
	res, err := speaking(t, func(p *http.Protocols) { p.SetHTTP1(true) }).Do(s.request(t, "http", path, body))
	if err != nil {
		t.Fatalf("no answer at all: %v", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Errorf("the answer breaks off: %v", err)
	}
	for name, values := range res.Header {
		if strings.Contains(name+strings.Join(values, ""), canary) {
			t.Errorf("header %s holds what the agent said", name)
		}
	}
	if len(res.Trailer) > 0 {
		t.Errorf("the answer has trailers: %v", res.Trailer)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	return res.StatusCode, string(b)
}

// tells looks for the canary in all that the gateway says and keeps, which it ends: files of one that runs get other names.
func (s *stage) tells(t *testing.T) {
	t.Helper()
	if strings.Contains(s.log.String(), canary) {
		t.Errorf("the log holds a value:\n%s", s.log)
	}
	admin, err := s.Admin()
	if err != nil {
		t.Fatal(err)
	}
	token, err := api.Token(filepath.Join(s.dir, "scrim-data"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/metrics", "/api/v1/log/entries"} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil)
		r.Header.Set("Authorization", "Bearer "+token.Expose())
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, w.Code)
		}
		if strings.Contains(w.Body.String(), canary) {
			t.Errorf("%s holds a value", path)
		}
	}
	if err := s.stop(); err != nil {
		t.Errorf("Serve() error = %v", err)
	}
	err = filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(canary)) {
			t.Errorf("%s holds a value", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

const sendOne = `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m%d","role":"ROLE_USER","parts":[{"text":"hello"}]}}}`

// say answers with bytes as they stand.
func say(parts ...string) func(net.Conn, []byte) {
	return func(c net.Conn, _ []byte) { _, _ = io.WriteString(c, strings.Join(parts, "")) }
}

// forever says something over and over, at a pace.
func forever(opening, again string, pause time.Duration) func(net.Conn, []byte) {
	return func(c net.Conn, _ []byte) {
		_, err := io.WriteString(c, opening)
		for err == nil {
			time.Sleep(pause)
			_, err = io.WriteString(c, again)
		}
	}
}

const (
	jsonHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	lastWord = `{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"a","role":"ROLE_AGENT","parts":[{"text":"` + canary + `"}]}}}`
)

// TestAgentsThatMisbehaveAreNotPassedOn has an agent answer a call in every wrong way: the caller gets an error of its
// protocol in time, nothing of what the agent said is told anywhere, and the gateway goes on.
func TestAgentsThatMisbehaveAreNotPassedOn(t *testing.T) {
	t.Parallel()
	sized := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n", n) }
	for name, answer := range map[string]func(net.Conn, []byte){
		"says nothing and closes":      say(),
		"never answers":                func(c net.Conn, _ []byte) { _, _ = c.Read(make([]byte, 1)) },
		"says less than it said":       say(jsonHead, sized(5000), lastWord),
		"says more than it said":       say(jsonHead, sized(40), lastWord),
		"has two lengths":              say(jsonHead, "Content-Length: 40\r\n", sized(41), lastWord),
		"has a length that is none":    say(jsonHead, "Content-Length: "+canary+"\r\n\r\n", lastWord),
		"dies in a chunk":              say(jsonHead, "Transfer-Encoding: chunked\r\n\r\nfff\r\n", lastWord),
		"has a chunk that is none":     say(jsonHead, "Transfer-Encoding: chunked\r\n\r\n", canary, "\r\n", lastWord),
		"has an unknown coding":        say(jsonHead, "Transfer-Encoding: "+canary+"\r\n\r\n", lastWord),
		"redirects":                    say("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/", canary, "\r\nContent-Length: 0\r\n\r\n"),
		"answers with a page":          say("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n", sized(20+len(canary)), "<html><body>", canary, "</b></p>"),
		"fails with a page":            say("HTTP/1.1 500 ", canary, "\r\nContent-Type: text/html\r\n", sized(len(canary)), canary),
		"switches protocols":           say("HTTP/1.1 101 Switching\r\nUpgrade: ", canary, "\r\nConnection: upgrade\r\n\r\n", lastWord),
		"has no content":               say("HTTP/1.1 204 No Content\r\n\r\n"),
		"packs it with gzip":           say(jsonHead, "Content-Encoding: gzip\r\n", sized(4), "\x1f\x8b\x08\x00"),
		"packs it with zstd":           say(jsonHead, "Content-Encoding: zstd\r\n", sized(4), "\x28\xb5\x2f\xfd"),
		"packs it twice":               say(jsonHead, "Content-Encoding: identity\r\nContent-Encoding: br\r\n", sized(len(lastWord)), lastWord),
		"sends hints for ever":         forever("", "HTTP/1.1 103 Early Hints\r\nLink: "+canary+"\r\n\r\n", time.Millisecond),
		"sends headers for ever":       forever("HTTP/1.1 200 OK\r\n", "X-"+canary+": "+strings.Repeat("x", 4000)+"\r\n", time.Millisecond),
		"sends its headers slowly":     forever("HTTP/1.1 200 OK\r\n", "X", 100*time.Millisecond),
		"sends its body slowly":        forever(jsonHead+sized(5000)+`{"`, "x", 100*time.Millisecond),
		"sends a body without end":     forever(jsonHead+"\r\n{\"", canary, 0),
		"speaks no HTTP":               say("220 mail.example ESMTP ", canary, "\r\n"),
		"speaks HTTP/2 unasked":        say("\x00\x00\x00\x04\x00\x00\x00\x00\x00", canary),
		"answers many at once":         say(jsonHead, sized(len(lastWord)+2), "[", lastWord, "]"),
		"answers somebody else":        say(jsonHead, sized(len(lastWord)+1), strings.Replace(lastWord, `"id":1`, `"id":17`, 1)),
		"answers twice":                say(jsonHead, sized(2*len(lastWord)), lastWord, lastWord),
		"says a name twice":            say(jsonHead, sized(len(lastWord)+7), `{"id":1,`, lastWord[1:][:len(lastWord)-2], "}"),
		"nests without end":            say(jsonHead, "\r\n", strings.Repeat("[", 9000)),
		"streams where nobody asked":   say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n", "\x1f\x8b\x08\x00", canary),
		"has a name without a value":   say("HTTP/1.1 200 OK\r\nssn ", canary, "\r\n\r\n", lastWord),
		"has a status that is no such": say("HTTP/1.1 ", canary, " OK\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := raise(t, answer)
			status, got := s.call(t, "/a2a/scribe", fmt.Sprintf(sendOne, 1))
			if !strings.Contains(got, `"error"`) || strings.Contains(got, canary) {
				t.Errorf("A2A: got %d %s, want an error of the protocol without what the agent said", status, got)
			}
			status, got = s.call(t, "/mcp/tools", ping)
			if !strings.Contains(got, `"error"`) || strings.Contains(got, canary) {
				t.Errorf("MCP: got %d %s, want an error of the protocol without what the server said", status, got)
			}
			s.tells(t)
		})
	}
}

// TestTrailersOfAnAgentStayBehind has an answer that may pass, with trailers that may not.
func TestTrailersOfAnAgentStayBehind(t *testing.T) {
	s := raise(t, say(jsonHead, "Trailer: X-Secret\r\nTransfer-Encoding: chunked\r\n\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\nX-Secret: %s\r\n\r\n", len(lastWord), lastWord, canary)))
	if status, got := s.call(t, "/a2a/scribe", fmt.Sprintf(sendOne, 1)); status != http.StatusOK || !strings.Contains(got, `"message"`) {
		t.Errorf("got %d %s, want the answer", status, got)
	}
}

const working = `{"jsonrpc":"2.0","id":1,"result":{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}}`

const eventHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

// TestWhatAStreamSentBeforeItBrokeIsOnRecord has streams go wrong after they began well. The caller gets what was good
// and then an error; the journal has one row for each event that was sent, between one that it began and one that it ended.
func TestWhatAStreamSentBeforeItBrokeIsOnRecord(t *testing.T) {
	t.Parallel()
	good := "data: " + working + "\n\n"
	final := "data: " + strings.Replace(working, "WORKING", "COMPLETED", 1) + "\n\n"
	bad := "data: {\"" + canary + "\"\n\n"
	done := func(parts ...string) func(net.Conn, []byte) { return say(append([]string{eventHead}, parts...)...) }
	for name, c := range map[string]struct {
		answer func(net.Conn, []byte)
		events int  // that pass
		whole  bool // the stream comes to its end
	}{
		"ends well":                     {done(good, good, final), 3, true},
		"is cut with CR alone":          {done(strings.ReplaceAll(good+good+final, "\n", "\r")), 3, true},
		"mixes its line ends":           {done("data: ", working, "\r\n\r", good, "\n\r\n\n", final), 3, true},
		"has its data in lines":         {done("data: ", strings.ReplaceAll(working, ",", ",\r\ndata: "), "\n\n", final), 2, true},
		"says names nobody knows":       {done("ssn: ", canary, "\nretry: 5\n", good, ": ", canary, "\n\n", final), 2, true},
		"dies between events":           {done(good, good), 2, true},
		"dies in an event":              {done(good, "data: {\"jsonrpc\":\"", canary), 1, false},
		"dies before the empty line":    {done(good, "data: ", working, "\n"), 1, false},
		"says what is no JSON":          {done(good, bad, good), 1, false},
		"says many at once":             {done(good, "data: [", working, "]\n\n", good), 1, false},
		"answers somebody else":         {done(good, strings.Replace(good, `"id":1`, `"id":"`+canary+`"`, 1)), 1, false},
		"falls silent":                  {func(c net.Conn, _ []byte) { _, _ = io.WriteString(c, eventHead+good); _, _ = c.Read(make([]byte, 1)) }, 1, false},
		"has an event without end":      {forever(eventHead+good, "data: "+canary+"\n", 0), 1, false},
		"has a line without end":        {forever(eventHead+good+"data: ", canary, 0), 1, false},
		"has a comment without end":     {forever(eventHead+good+": ", canary, 0), 1, false},
		"comments for ever":             {forever(eventHead+good, ": "+canary+"\n\n", time.Millisecond), 1, false},
		"has more events than it may":   {forever(eventHead, good, time.Millisecond), 40, false},
		"is shorter than it said":       {say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 5000\r\n\r\n", good), 1, false},
		"dies in a chunk":               {say("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n", fmt.Sprintf("%x\r\n%s\r\nfff\r\n%s", len(good), good, canary)), 1, false},
		"says more after its last":      {done(good, final, final), 3, true},
		"begins with a byte order mark": {done("\xef\xbb\xbf", good, final), 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := raise(t, c.answer)
			status, got := s.call(t, "/a2a/scribe", sendStream)
			if status != http.StatusOK || strings.Contains(got, canary) {
				t.Errorf("got %d %s, want a stream without what is no event", status, got)
			}
			if n := strings.Count(got, `"statusUpdate"`); n != c.events {
				t.Errorf("the caller got %d events, want %d:\n%s", n, c.events, got)
			}
			if broken := strings.Contains(got, `"error"`); broken == c.whole {
				t.Errorf("the stream ended with %q, want an error: %t", got, !c.whole)
			}
			s.tells(t)
			count := map[flow.Outcome]int{}
			for _, ev := range s.rows.all() {
				count[ev.Outcome]++
			}
			if count[flow.Opened] != 1 || count[flow.Closed] != 1 || count[flow.Segment] < c.events {
				t.Errorf("on record are %v, want one that it opened, %d of its events and one that it closed", count, c.events)
			}
		})
	}
}
