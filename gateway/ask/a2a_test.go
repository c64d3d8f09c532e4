package ask_test

import (
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/a2aproject/a2a-go/v2/a2apb/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/policy/capability"
)

const part10 = `{"message":{"messageId":%q,"role":"ROLE_USER","parts":[{"data":{"skill":%q,"arguments":%s}}]}}`

// The same question has the same answer by every binding of A2A, and by MCP.
func TestTheAgentAnswersInEveryBinding(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	question := fmt.Sprintf(part10, "m-1", "query", `{"dataset":"stays","sql":"ward"}`)
	show := key("key-lab")
	v10 := []string{"A2A-Version", "1.0"}
	status, got := r.http("POST", "/a2a/scrim", `{"jsonrpc":"2.0","id":7,"method":"SendMessage","params":`+question+`}`, show, v10...)
	if status != 200 || !strings.Contains(got, `"parts":[{"data":{"draw":1}}]`) || !strings.Contains(got, `"id":7`) {
		t.Fatalf("JSON-RPC: %d %s", status, got)
	}
	status, got = r.http("POST", "/a2a/scrim/message:send", question, show, v10...)
	if status != 200 || !strings.HasPrefix(got, `{"message":{`) || !strings.Contains(got, `"draw":1`) {
		t.Errorf("HTTP+JSON: %d %s", status, got)
	}
	old := `{"jsonrpc":"2.0","id":"x","method":"message/send","params":{"message":{"kind":"message","messageId":"m-2","contextId":"c-1","role":"user","parts":[{"kind":"data","data":{"skill":"query","arguments":{"sql":"ward","dataset":"stays"}}}]}}}`
	status, got = r.http("POST", "/a2a/scrim", old, show)
	if status != 200 || !strings.Contains(got, `"kind":"data","data":{"draw":1}`) || !strings.Contains(got, `"contextId":"c-1"`) {
		t.Errorf("0.3: %d %s", status, got)
	}
	if status, got = r.http("POST", "/out/a2a/scrim", `{"jsonrpc":"2.0","id":7,"method":"SendMessage","params":`+question+`}`, key("key-other"), v10...); strings.Contains(got, "draw") {
		t.Errorf("a foreign caller at the other face: %d %s", status, got)
	}
	if got, refused := r.call("key-lab", "query", `{"dataset":"stays","sql":"ward"}`); got != `{"draw":1}` {
		t.Errorf("MCP: %s", refused)
	}
	if spent := r.Spent(t, scope); spent != 200_000_000 {
		t.Errorf("ε = %d·10⁻⁹ is charged for one question", spent)
	}
}

func TestTheAgentAnswersOverGRPC(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	conn, err := grpc.NewClient(strings.TrimPrefix(r.url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer key-lab", "scrim-purpose", "study", "a2a-version", "1.0")
	data, err := structpb.NewValue(map[string]any{"skill": "query", "arguments": map[string]any{"dataset": "stays", "sql": "ward"}})
	must(t, err)
	res, err := a2apb.NewA2AServiceClient(conn).SendMessage(ctx, &a2apb.SendMessageRequest{
		Tenant: "a2a/scrim", Message: &a2apb.Message{MessageId: "g-1", Role: a2apb.Role_ROLE_USER, Parts: []*a2apb.Part{{Content: &a2apb.Part_Data{Data: data}}}},
	})
	if err != nil || !strings.Contains(res.String(), "draw") {
		t.Errorf("%v %v", res, err)
	}
}

func TestTheAgentShowsASignedCardWithItsSkills(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	status, got := r.http("GET", "/a2a/scrim/.well-known/agent-card.json", "", key("key-lab"))
	var c struct {
		Skills []struct {
			ID string `json:"id"`
		} `json:"skills"`
		Interfaces []struct {
			URL string `json:"url"`
		} `json:"supportedInterfaces"`
		Signatures []any `json:"signatures"`
	}
	if err := stdjson.Unmarshal([]byte(got), &c); err != nil || status != 200 {
		t.Fatalf("%d %v %s", status, err, got)
	}
	acts := (&ask.Service{}).Acts()
	if len(c.Skills) != len(acts) || c.Skills[3].ID != acts[3].Name || len(c.Interfaces) < 3 || !strings.HasSuffix(c.Interfaces[0].URL, "/a2a/scrim") || len(c.Signatures) != 1 {
		t.Errorf("the card is %s", got)
	}
	if strings.Contains(got, "localhost") {
		t.Errorf("the card names an address that is not the gateway's: %s", got)
	}
}

func TestWhatTheAgentIsNotSent(t *testing.T) {
	t.Parallel()
	d := gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
	r := newRig(t, func(s *gatewaytest.Setup) { s.Domains = d })
	call := func(method, params string) string {
		_, got := r.http("POST", "/a2a/scrim", `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`, key("key-lab"), "A2A-Version", "1.0")
		return got
	}
	message := func(inner string) string { return `{"message":{"messageId":"m","role":"ROLE_USER",` + inner + `}}` }
	for params, want := range map[string]string{
		message(`"parts":[{"text":"how many patients are there?"}]`): "exactly one part",
		message(`"parts":[]`): "",
		message(`"parts":[{"data":{"skill":"budget"}},{"data":{"skill":"budget"}}]`): "exactly one part",
		message(`"parts":[{"data":{"skill":7}}]`):                                    "exactly one part",
		message(`"parts":[{"data":{"skill":"drop"}}]`):                               "no such skill",
		message(`"taskId":"t-1","parts":[{"data":{"skill":"list_datasets"}}]`):       "keeps no tasks",
		`{"configuration":{"taskPushNotificationConfig":{"url":"https://x.example/"}},` + message(`"parts":[{"data":{"skill":"list_datasets"}}]`)[1:]: "sends no notifications",
	} {
		if got := call("SendMessage", params); !strings.Contains(got, want) || !strings.Contains(got, `"error"`) {
			t.Errorf("%s: %s", params, got)
		}
	}
	for _, method := range []string{"SendStreamingMessage", "GetTask", "GetExtendedAgentCard", "Nothing"} {
		if got := call(method, message(`"parts":[{"data":{"skill":"list_datasets"}}]`)); !strings.Contains(got, `"error"`) {
			t.Errorf("%s: %s", method, got)
		}
	}
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "lab", Datasets: map[string][]string{"stays": {"ward"}}})
	ask := func(sql string) string {
		body := `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":` + fmt.Sprintf(part10, sql, "query", `{"dataset":"stays","sql":"`+sql+`"}`) + `}`
		_, got := r.http("POST", "/a2a/scrim", body, func(req *http.Request, body []byte) { h.Show(t, req, body) }, "A2A-Version", "1.0")
		return got
	}
	if got := ask("ward"); !strings.Contains(got, "draw") {
		t.Errorf("by a capability: %s", got)
	}
	if got := ask("age"); strings.Contains(got, "draw") {
		t.Errorf("a column that the capability does not name: %s", got)
	}
}
