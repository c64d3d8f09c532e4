package mcp_test

import (
	"bufio"
	"context"
	stdjson "encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/wire"
)

// TestMain is also the MCP server that the tests run as a child process.
func TestMain(m *testing.M) {
	if os.Getenv("SCRIM_TEST_MCP_SERVER") != "" {
		if err := newServer(func(asked) {}).Run(context.Background(), &sdk.StdioTransport{}); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// session is a running Stdio with the outer ends of its pipes.
type session struct {
	*rig
	toGateway   io.WriteCloser
	fromGateway *bufio.Reader
	fromServer  io.WriteCloser // the fake server's lines
	toServer    *bufio.Reader
	done        chan error
}

func stdio(t testing.TB, r *rig, caller flow.Party) (*mcp.Stdio, *session) {
	cr, cw := io.Pipe()
	or, ow := io.Pipe()
	sr, sw := io.Pipe()
	ir, iw := io.Pipe()
	t.Cleanup(func() {
		for _, c := range []io.Closer{cr, cw, or, ow, sr, sw, ir, iw} {
			_ = c.Close()
		}
	})
	s := &mcp.Stdio{
		Gateway: r.Gateway, Server: "records", Purpose: "care",
		Caller: identity.Caller{Party: caller, Purposes: []flow.Purpose{"care"}, Criticality: flow.Critical, TokenRoot: "test"},
		Client: cr, ToClient: ow, FromServer: sr, ToServer: iw,
	}
	return s, &session{rig: r, toGateway: cw, fromGateway: bufio.NewReader(or), fromServer: sw, toServer: bufio.NewReader(ir), done: make(chan error, 1)}
}

// begin runs a session with a server that the test itself plays.
func begin(t testing.TB, change func(*gatewaytest.Setup)) *session {
	r := newRig(t, newUpstream(t, nil), change)
	st, s := stdio(t, r, stranger)
	go func() { s.done <- st.Run(context.Background()) }()
	return s
}

func (s *session) write(t testing.TB, w io.Writer, line string) {
	t.Helper()
	if _, err := io.WriteString(w, line+"\n"); err != nil {
		t.Error(err)
	}
}

func line(t testing.TB, r *bufio.Reader) string {
	t.Helper()
	got := make(chan string, 1)
	go func() {
		s, _ := r.ReadString('\n')
		got <- strings.TrimSuffix(s, "\n")
	}()
	select {
	case s := <-got:
		return s
	case <-time.After(time.Minute):
		t.Fatal("no line came")
		return ""
	}
}

func (s *session) ended(t testing.TB) {
	t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			t.Errorf("Run() = %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Run does not return")
	}
}

func TestStdioWithServerAsChildProcess(t *testing.T) {
	for _, version := range []string{wire.MCP20260728, wire.MCP20251125} {
		t.Run(version, func(t *testing.T) {
			r := newRig(t, newUpstream(t, nil), nil)
			st, s := stdio(t, r, stranger)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "SCRIM_TEST_MCP_SERVER=1")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			st.ToServer, st.FromServer = in, out
			go func() { s.done <- st.Run(context.Background()) }()
			client := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, nil)
			cs, err := client.Connect(t.Context(), &sdk.IOTransport{Reader: io.NopCloser(s.fromGateway), Writer: s.toGateway}, &sdk.ClientSessionOptions{ProtocolVersion: version})
			if err != nil {
				t.Fatal(err)
			}
			if got := cs.InitializeResult().ProtocolVersion; got != version {
				t.Errorf("version = %s, want %s", got, version)
			}
			meta := sdk.Meta{wire.MetaNote: map[string]string{"criticality": "critical"}}
			res := call(t, cs, "rows", asked{ID: "r-17"}, meta)
			without(t, "the result", encoded(t, res), secrets)
			if res.IsError || !strings.Contains(texts(res), `"name":"stk1_`) {
				t.Errorf("result = %s", encoded(t, res))
			}
			if res := call(t, cs, "asks", asked{}, meta); version == wire.MCP20251125 && texts(res) != "sampling refused: true, roots refused: false" {
				t.Errorf("result = %s", texts(res))
			}
			if res := call(t, cs, "plain", map[string]string{"Zanzibar": "1"}, meta); !res.IsError {
				t.Errorf("result = %s, want a refusal", texts(res))
			}
			if _, err := cs.ListTools(t.Context(), nil); err != nil {
				t.Error(err)
			}
			_ = s.toGateway.Close()
			s.ended(t)
			if err := cmd.Wait(); err != nil {
				t.Errorf("server: %v", err)
			}
		})
	}
}

func stdioCall(id any, text string) string {
	raw, _ := stdjson.Marshal(id)
	return strings.NewReplacer(`"id":7`, `"id":`+string(raw), `"hello"`, `"`+text+`"`).Replace(plainCall)
}

func TestStdioLines(t *testing.T) {
	s := begin(t, nil)
	refusals := 0
	refused := func(what string) {
		t.Helper()
		n := 0
		for _, ev := range s.Events() {
			if ev.Outcome == flow.Refused || ev.Outcome == flow.Conflict {
				n++
			}
		}
		if refusals++; n != refusals {
			t.Fatalf("%s: %d refusals on record, want %d", what, n, refusals)
		}
	}
	s.write(t, s.toGateway, `{"Zanzibar`)
	if got := line(t, s.fromGateway); !strings.Contains(got, `"id":null,"error"`) || strings.Contains(got, "Zanzibar") {
		t.Errorf("broken line: %s", got)
	}
	refused("broken line")
	s.write(t, s.toGateway, strings.Repeat("Zanzibar", 600_000))
	if got := line(t, s.fromGateway); !strings.Contains(got, `"error"`) || strings.Contains(got, "Zanzibar") {
		t.Errorf("long line: %s", got)
	}
	refused("long line")
	s.write(t, s.toGateway, `{"jsonrpc":"2.0","method":"notifications/roots/list_changed","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`)
	s.write(t, s.toGateway, `{"jsonrpc":"2.0","id":"s-1","result":{}}`)
	s.write(t, s.toGateway, `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`)
	if got := line(t, s.fromGateway); !strings.Contains(got, `"id":1,"error":{"code":-32601`) {
		t.Errorf("unknown method: %s", got)
	}
	refusals += 2 // the notification and the answer got no answer
	refused("three lines")

	s.write(t, s.toGateway, stdioCall(2, "a"))
	if got := line(t, s.toServer); strings.Replace(got, callID(t, got), "2", 1) != stdioCall(2, "a") {
		t.Errorf("server got %s", got)
	}
	s.write(t, s.toGateway, stdioCall(2, "b"))
	if got := line(t, s.fromGateway); !strings.Contains(got, "still being carried out") {
		t.Errorf("an id in use: %s", got)
	}
	refused("an id in use")
	s.write(t, s.fromServer, `{"jsonrpc":"2.0","id":"srv","method":"roots/list"}`)
	if got := line(t, s.toServer); !strings.Contains(got, `"id":"srv","error":{"code":-32601`) {
		t.Errorf("server's request was answered %s", got)
	}
	refused("server's request")
	written := make(chan bool)
	go func() { // the pipe holds nothing, and the client is told before the line is over
		defer close(written)
		s.write(t, s.fromServer, strings.Repeat("Zanzibar", 600_000))
	}()
	if got := line(t, s.fromGateway); !strings.Contains(got, `"id":2,"error"`) {
		t.Errorf("long answer to the only call: %s", got)
	}
	<-written
	s.write(t, s.toGateway, stdioCall("a/b", "c"))
	spelled := strings.Replace(callID(t, line(t, s.toServer)), "s", `\u0073`, 1)
	s.write(t, s.fromServer, `{"jsonrpc":"2.0","id":`+spelled+`,"result":{"content":[{"type":"text","text":"write to jane.doe@example.org"}]}}`)
	if got := line(t, s.fromGateway); !strings.Contains(got, `"id":"a/b"`) || strings.Contains(got, "jane.doe") {
		t.Errorf("answer = %s", got)
	}
	s.write(t, s.toGateway, stdioCall(9, "d"))
	line(t, s.toServer)
	_ = s.fromServer.Close() // the server exits with a call unanswered
	if got := line(t, s.fromGateway); !strings.Contains(got, `"id":9,"error"`) {
		t.Errorf("after the server's end: %s", got)
	}
	s.ended(t)
}

// callID is the JSON-RPC id of a line, as it stands there.
func callID(t *testing.T, line string) string {
	t.Helper()
	id := idIn([]byte(line))
	if id == "" {
		t.Fatalf("no id in %s", line)
	}
	return id
}

func idIn(message []byte) string {
	var in struct {
		ID stdjson.RawMessage `json:"id"`
	}
	_ = stdjson.Unmarshal(message, &in)
	return string(in.ID)
}

func TestStdioClientCloses(t *testing.T) {
	s := begin(t, nil)
	s.write(t, s.toGateway, stdioCall(1, "a"))
	asked := callID(t, line(t, s.toServer))
	_ = s.toGateway.Close()
	if _, err := s.toServer.ReadByte(); err != io.EOF {
		t.Errorf("the server's input = %v, want its end", err)
	}
	s.write(t, s.fromServer, `{"jsonrpc":"2.0","id":`+asked+`,"result":{"content":[]}}`)
	if got := line(t, s.fromGateway); got != `{"jsonrpc":"2.0","id":1,"result":{"content":[]}}` {
		t.Errorf("the answer that was still due = %s", got)
	}
	_ = s.fromServer.Close()
	s.ended(t)
}

// Two thousand lines of both sides at random: every call is answered once, and nothing else is.
func TestStdioInterleaved(t *testing.T) {
	s := begin(t, func(setup *gatewaytest.Setup) { setup.Hooks.Error = func(error) {} })
	random := rand.New(rand.NewPCG(20261122, 7))
	const n = 2000
	asked := map[string]bool{}
	var wg sync.WaitGroup
	var lines []string
	for i := range n {
		switch random.IntN(8) {
		case 0:
			lines = append(lines, fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"requestId":"none-%d"}}`, i))
		case 1:
			lines = append(lines, `{"jsonrpc":"2.0","method":"notifications/none"}`)
		case 2:
			lines = append(lines, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":{}}`, i))
		case 3:
			asked[fmt.Sprint(i)] = true
			lines = append(lines, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"prompts/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}`, i))
		default:
			asked[fmt.Sprint(i)] = true
			lines = append(lines, stdioCall(i, "hello"))
		}
	}
	wg.Go(func() {
		for _, l := range lines {
			s.write(t, s.toGateway, l)
		}
		_ = s.toGateway.Close() // the server answers what is due when its input ends
	})
	wg.Go(func() { // the server answers a few calls at a time, out of order, and says things unasked
		random := rand.New(rand.NewPCG(20261122, 8))
		var due []string
		answer := func(k int) {
			random.Shuffle(len(due), func(i, j int) { due[i], due[j] = due[j], due[i] })
			for ; k > 0 && len(due) > 0; k-- {
				s.write(t, s.fromServer, `{"jsonrpc":"2.0","id":`+due[0]+`,"result":{"content":[{"type":"text","text":"jane.doe@example.org"}]}}`)
				due = due[1:]
			}
		}
		for {
			text, err := s.toServer.ReadString('\n')
			if err != nil {
				break
			}
			var m struct {
				ID     stdjson.RawMessage
				Method string
			}
			if err := stdjson.Unmarshal([]byte(text), &m); err != nil {
				t.Errorf("server got %q", text)
			}
			if m.Method == "tools/call" {
				due = append(due, string(m.ID))
			}
			switch random.IntN(6) {
			case 0:
				s.write(t, s.fromServer, `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"jane.doe@example.org"}}`)
			case 1:
				s.write(t, s.fromServer, `{"jsonrpc":"2.0","id":"x","method":"roots/list"}`)
			case 2:
				s.write(t, s.fromServer, `{"jsonrpc":"2.0","id":987654,"result":{}}`)
			default:
				answer(random.IntN(4))
			}
		}
		answer(len(due))
		_ = s.fromServer.Close()
	})
	answered := map[string]int{}
	for len(answered) < len(asked) {
		text := line(t, s.fromGateway)
		if strings.Contains(text, "jane.doe") {
			t.Fatalf("client got %s", text)
		}
		var d json.Doc
		if err := d.Parse([]byte(text), nil, json.Limits{}); err != nil {
			t.Fatalf("client got %q: %v", text, err)
		}
		if id, ok := d.Member(0, "id"); ok {
			answered[string(d.Raw(id))]++
		}
	}
	for id, k := range answered {
		if k != 1 || !asked[id] {
			t.Errorf("call %s was answered %d times", id, k)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, s.fromGateway) }()
	wg.Wait()
	s.ended(t)
}

func TestStdioSessionIsDecidedAgainAfterReload(t *testing.T) {
	s := begin(t, nil)
	s.write(t, s.toGateway, stdioCall(1, "a"))
	line(t, s.toServer)
	next := s.setup
	next.Agents = append([]*gateway.Agent{s.setup.Agents[0], {Party: flow.Party{Agent: "else", Domain: gatewaytest.Other}}}, s.setup.Agents[2:]...) // without the caller
	next.Callers = map[string]identity.Grant{"scrim_own": s.setup.Callers["scrim_own"]}
	if err := s.Swap(t.Context(), gatewaytest.Snapshot(t, next), "test"); err != nil {
		t.Fatal(err)
	}
	s.write(t, s.toGateway, stdioCall(2, "b"))
	if got := line(t, s.fromGateway); !strings.Contains(got, `"id":2,"error"`) {
		t.Errorf("after the caller is gone: %s", got)
	}
	go func() { _, _ = io.Copy(io.Discard, s.fromGateway) }()
	_ = s.toGateway.Close()
	_ = s.fromServer.Close()
	s.ended(t)
}
