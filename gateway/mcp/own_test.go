package mcp_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/gateway/wire"
)

// repeat is a tool of the gateway's own that says who called it with what.
var repeat = offer.Tool{
	Name: "scrim_repeat", Title: "Repeat", Description: "Says it again.", Input: `{"type":"object"}`, Output: `{"type":"object"}`, ReadOnly: true,
	Call: func(_ context.Context, c *offer.Call) (offer.Answer, error) {
		if strings.Contains(string(c.Arguments), "forbidden") {
			return offer.Answer{}, gateway.Refuse(gateway.RulePolicy, nil, "Not for this caller.")
		}
		return offer.Answer{Body: []byte(`{"who":"` + string(c.Caller.Party.Agent) + `","said":` + string(c.Arguments) + `}`), Padded: true}, nil
	},
}

func serveOwn(t *testing.T, r *rig) (in, out string) {
	t.Helper()
	tools := offer.New(repeat)
	mux := http.NewServeMux()
	mux.Handle("/mcp/scrim", &mcp.Own{Gateway: r.Gateway, Face: gateway.Inbound, Tools: tools})
	mux.Handle("/out/mcp/scrim", &mcp.Own{Gateway: r.Gateway, Face: gateway.Outbound, Tools: tools})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL + "/mcp/scrim", srv.URL + "/out/mcp/scrim"
}

func TestToolsOfTheGatewaysOwnAreFoundByUnchangedClients(t *testing.T) {
	r := newRig(t, newUpstream(t, nil), nil)
	in, out := serveOwn(t, r)
	for _, version := range wire.MCPVersions() {
		for _, url := range []string{in, out} {
			s := connect(t, url, "scrim_own", version, nil)
			list, err := s.ListTools(context.Background(), nil)
			if err != nil || len(list.Tools) != 1 || list.Tools[0].Name != "scrim_repeat" {
				t.Fatalf("%s: tools = %+v, %v", version, list, err)
			}
			res := call(t, s, "scrim_repeat", map[string]any{"a": 1}, nil)
			if got := texts(res); !strings.Contains(got, `"who":"`+string(ownCaller.Agent)+`"`) || !strings.Contains(got, `"a":1`) || res.IsError {
				t.Errorf("%s: the tool says %s", version, got)
			}
			refused := call(t, s, "scrim_repeat", map[string]any{"a": "forbidden"}, nil)
			if !refused.IsError || !strings.Contains(texts(refused), "Not for this caller") {
				t.Errorf("%s: what is refused comes as %+v", version, refused)
			}
			if _, err := s.CallTool(context.Background(), &sdk.CallToolParams{Name: "scrim_other"}); err == nil {
				t.Errorf("%s: a tool that is not there answers", version)
			}
			_ = s.Close()
		}
	}
}

func TestToolsOfTheGatewaysOwnWantACallerAndTheRightFace(t *testing.T) {
	r := newRig(t, newUpstream(t, nil), nil)
	in, out := serveOwn(t, r)
	post := func(url, key, body string) int {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if key != "" {
			req.Header.Set("Authorization", "Bearer "+key)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`
	for _, c := range []struct {
		name, url, key, body string
		want                 int
	}{
		{"nobody", in, "", list, http.StatusUnauthorized},
		{"a bad key", in, "scrim_bad", list, http.StatusUnauthorized},
		{"own, inbound", in, "scrim_own", list, http.StatusOK},
		{"foreign, inbound", in, "scrim_other", list, http.StatusOK},
		{"foreign, outbound", out, "scrim_other", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"scrim_repeat"}}`, http.StatusOK}, // an error of JSON-RPC
		{"no JSON", in, "scrim_own", "{", http.StatusBadRequest},
		{"a batch", in, "scrim_own", "[" + list + "]", http.StatusBadRequest},
		{"a notification", in, "scrim_own", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, http.StatusAccepted},
	} {
		if got := post(c.url, c.key, c.body); got != c.want {
			t.Errorf("%s: status = %d, want %d", c.name, got, c.want)
		}
	}
	refused := 0
	for _, ev := range r.Events() {
		if ev.Outcome == "refused" {
			refused++
		}
	}
	if refused != 5 {
		t.Errorf("%d refusals are on record, want 5", refused)
	}
}

func TestPaddedAnswersHaveFewLengths(t *testing.T) {
	lengths := map[int]bool{}
	for n := range 3000 {
		lengths[len(offer.Answer{Padded: true}.Pad(make([]byte, n)))] = true
	}
	if len(lengths) != 2 {
		t.Errorf("messages below 3000 bytes have %d lengths, want 2", len(lengths))
	}
}
