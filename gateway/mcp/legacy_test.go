package mcp_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
)

func connectSSE(t testing.TB, endpoint, key, version string, opt *sdk.ClientOptions) *sdk.ClientSession {
	t.Helper()
	client := sdk.NewClient(&sdk.Implementation{Name: "client", Version: "1"}, opt)
	client.AddRoots(&sdk.Root{URI: "file:///home/notes"})
	s, err := client.Connect(context.Background(), &sdk.SSEClientTransport{Endpoint: endpoint + "/sse", HTTPClient: &http.Client{Transport: keyed{key}}}, &sdk.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A client of the old transport is served what every other is.
func TestOldTransportTakesTheSameRoad(t *testing.T) {
	for _, version := range []string{wire.MCP20241105, wire.MCP20251125} {
		t.Run(version, func(t *testing.T) {
			r, server, got := featureRig(t, nil, nil)
			client := &heard{}
			s := connectSSE(t, r.url, "scrim_other", version, client.options())
			if v := s.InitializeResult().ProtocolVersion; v != version {
				t.Fatalf("version = %s, want %s", v, version)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			checkPrompts(t, ctx, s, got)
			if res := call(t, s, "asks", asked{}, nil); res.IsError || texts(res) != "done" {
				t.Fatalf("result = %s", encoded(t, res))
			}
			without(t, "what the client was asked", client.all(), []string{"jane"})
			if told := got.all(); !strings.Contains(told, "you said: Who is "+mail) || !strings.Contains(told, "root file:///home/notes") {
				t.Errorf("server was told %q", told)
			}
			if err := s.Subscribe(ctx, &sdk.SubscribeParams{URI: "mem://beds"}); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(time.Minute); !strings.Contains(client.all(), "updated") && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				_ = server.ResourceUpdated(ctx, &sdk.ResourceUpdatedNotificationParams{URI: "mem://beds"})
			}
			client.wait(t, "updated mem://beds")
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				n := 0
				for range server.Sessions() {
					n++
				}
				if n == 0 {
					return
				}
			}
			t.Error("the server's session outlived the client's stream")
		})
	}
}

// oldStream opens a stream by hand and returns where it says to post.
func oldStream(t *testing.T, r *rig, key string) (*bufio.Reader, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/sse", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		t.Fatalf("stream = %d", res.StatusCode)
	}
	b := bufio.NewReader(res.Body)
	if name := line(t, b); name != "event: endpoint" {
		t.Fatalf("first line = %q", name)
	}
	where, _ := strings.CutPrefix(line(t, b), "data: ")
	to, err := res.Request.URL.Parse(where)
	if err != nil || to.Host != res.Request.URL.Host {
		t.Fatalf("endpoint = %q", where)
	}
	return b, to.String()
}

func postTo(t *testing.T, url, key, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

// The address that a stream gives out is no credential, and an answer to a question that was never asked goes nowhere.
func TestOldTransportIsTheCallersOwn(t *testing.T) {
	r, _, _ := featureRig(t, nil, nil)
	_, where := oldStream(t, r, "scrim_own")
	hello := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`
	if status, _ := postTo(t, where, "scrim_other", hello); status != http.StatusNotFound {
		t.Errorf("another caller's message = %d, want 404", status)
	}
	if status, _ := postTo(t, where+"x", "scrim_own", hello); status != http.StatusNotFound {
		t.Errorf("a message to no session = %d, want 404", status)
	}
	if status, _ := postTo(t, where, "", hello); status != http.StatusUnauthorized {
		t.Errorf("a message of nobody = %d, want 401", status)
	}
	if status, body := postTo(t, where, "scrim_own", `{"jsonrpc":"2.0","id":"s-1","result":{"roots":[]}}`); status != http.StatusBadRequest || !strings.Contains(body, "not made") {
		t.Errorf("an answer to nothing = %d %s, want 400", status, body)
	}
	if status, body := postTo(t, where, "scrim_own", "["+hello+"]"); status != http.StatusBadRequest || !strings.Contains(body, "batch") {
		t.Errorf("a batch = %d %s, want 400", status, body)
	}
	refused := 0
	for _, ev := range r.Events() {
		if ev.Outcome == flow.Refused {
			refused++
		}
	}
	if refused < 3 {
		t.Errorf("%d refusals on record, want those of the stranger, the answer and the batch", refused)
	}
}

func TestOldTransportRefusesStrangers(t *testing.T) {
	r, _, _ := featureRig(t, nil, nil)
	for name, header := range map[string][]string{"nobody": {}, "another site": {"Authorization", "Bearer scrim_own", "Origin", "https://Zanzibar.example"}} {
		req := httptest.NewRequest(http.MethodGet, r.url+"/sse", nil)
		req.RequestURI = ""
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode < 400 {
			t.Errorf("%s: stream = %d, want a refusal", name, res.StatusCode)
		}
	}
}

// A group is one more address, and what its servers ask reaches their client through both.
func TestOldTransportAndQuestionsOfAGroup(t *testing.T) {
	for _, old := range []bool{false, true} {
		r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": newUpstream(t, nil), "lab": serveLab(t, nil)}, nil)
		client := &heard{}
		var s *sdk.ClientSession
		if old {
			s = connectSSE(t, r.url, "scrim_own", wire.MCP20241105, client.options())
		} else {
			s = connect(t, r.url, "scrim_own", wire.MCP20251125, client.options())
		}
		tools, err := s.ListTools(t.Context(), nil)
		if err != nil || len(tools.Tools) != 9 {
			t.Fatalf("old transport %v: tools = %v, %v, want 9", old, tools, err)
		}
		if got := texts(call(t, s, "records__asks", asked{}, nil)); got != "sampling refused: false, roots refused: false" || !strings.Contains(client.all(), "sampled Zanzibar") {
			t.Errorf("old transport %v: result = %q, client heard %q", old, got, client.all())
		}
	}
}
