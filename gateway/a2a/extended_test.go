package a2a_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/a2a/card"
)

const secretCard = `{"name":"inside","description":"d","version":"1","capabilities":{"extendedAgentCard":true,"streaming":true},"defaultInputModes":["text/plain"],"defaultOutputModes":["text/plain"],"skills":[{"id":"s","name":"hidden skill","description":"d","tags":["t"]}],` +
	`"supportedInterfaces":[{"url":"http://10.0.0.7/rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],"signatures":[{"protected":"e30","signature":"AA"}]}`

func extendedAgent(t *testing.T, got *[]string) string {
	return cardOf(t, `"supportedInterfaces":[{"url":"HOST/rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"},{"url":"HOST/rpc","protocolBinding":"JSONRPC","protocolVersion":"0.3"}]`, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		*got = append(*got, string(b))
		answerWith(secretCard)(w, string(b))
	}).URL
}

// The extended card is the agent's, shown as the gateway's own, to who is let in and to nobody else.
func TestExtendedCardIsTheGatewaysOwn(t *testing.T) {
	var got []string
	r := at(t, extendedAgent(t, &got), nil)
	const call = `{"jsonrpc":"2.0","id":3,"method":"GetExtendedAgentCard"}`
	_, rpc := r.to(t, "/a2a/desk", "scrim_guest", call)
	_, rest := r.rest(t, http.MethodGet, "/a2a/desk/extendedAgentCard", "")
	_, tenanted := r.rest(t, http.MethodGet, "/a2a/desk/acme/extendedAgentCard", "")
	old := r.old(t, `{"jsonrpc":"2.0","id":3,"method":"agent/getAuthenticatedExtendedCard"}`)
	for name, body := range map[string]string{"JSON-RPC": rpc, "HTTP+JSON": rest, "with a tenant": tenanted, "0.3": old} {
		body = strings.TrimSuffix(strings.TrimPrefix(body, `{"jsonrpc":"2.0","id":3,"result":`), "\n")
		if name == "JSON-RPC" || name == "0.3" {
			body = strings.TrimSuffix(body, "}")
		}
		if !strings.Contains(body, "hidden skill") || strings.Contains(body, "10.0.0.7") || strings.Contains(body, `"signature":"AA"`) || !strings.Contains(body, r.base) {
			t.Errorf("%s: card = %s", name, body)
			continue
		}
		if err := card.Verify([]byte(body), r.Keys.ID(), r.Keys.Signer("card").Public()); err != nil {
			t.Errorf("%s: the card's signature: %v", name, err)
		}
		if c, err := card.Parse([]byte(body), json.Limits{}); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if name == "0.3" != (c.Interfaces()[0].Version == "0.3") {
			t.Errorf("%s: interfaces = %v", name, c.Interfaces())
		}
	}
	calls := len(got)
	if status, body := r.rest(t, http.MethodGet, "/a2a/desk/extendedAgentCard", "", "Authorization", ""); status != 401 || strings.Contains(body, "hidden") || len(got) != calls {
		t.Errorf("without a credential: %d %s", status, body)
	}
	recorded := 0
	for _, ev := range r.Events() {
		if ev.Flow.Direction == flow.Response && ev.Outcome == flow.Released && strings.Contains(ev.Flow.Method, "xtended") {
			recorded++
		}
	}
	if recorded != 4 {
		t.Errorf("%d cards are on record, want 4", recorded)
	}
}

func TestExtendedCardOverGRPC(t *testing.T) {
	var got []string
	r := at(t, extendedAgent(t, &got), nil)
	c := client(t, "scrim_guest", r.through(sdk.TransportProtocolGRPC, "a2a/desk"))
	shown, err := c.GetExtendedAgentCard(context.Background(), &sdk.GetExtendedAgentCardRequest{})
	if err != nil || shown.Skills[0].Name != "hidden skill" || len(shown.Signatures) != 1 || !strings.HasPrefix(shown.SupportedInterfaces[0].URL, r.base) {
		t.Errorf("GetExtendedAgentCard() = %+v, %v", shown, err)
	}
}

// An extension that the agent requires must be asked for, in every binding.
func TestRequiredExtensions(t *testing.T) {
	const uri = "https://x.example/ext/v1"
	calls := 0
	agent := cardOf(t, `"supportedInterfaces":[{"url":"HOST/rpc","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],"capabilities":{"extensions":[{"uri":"https://x.example/optional"},{"uri":"`+uri+`","required":true}]}`, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		calls++
		w.Header().Set("A2A-Extensions", uri+", https://x.example/never-asked-for")
		answerWith(okMessage)(w, string(b))
	})
	r := at(t, agent.URL, nil)
	if _, body := r.to(t, "/a2a/desk", "scrim_guest", plainMessage); !strings.Contains(body, `"code":-32008`) || !strings.Contains(body, "EXTENSION_SUPPORT_REQUIRED") {
		t.Errorf("answer = %s, want -32008", body)
	}
	if status, body := r.rest(t, http.MethodPost, "/a2a/desk/message:send", restMessage); status != 400 || !strings.Contains(body, "EXTENSION_SUPPORT_REQUIRED") {
		t.Errorf("answer = %d %s, want 400", status, body)
	}
	if calls != 0 {
		t.Errorf("the agent was called %d times", calls)
	}
	req := r.request(t, "/a2a/desk", "scrim_guest", plainMessage, "A2A-Extensions", "https://x.example/other, "+uri)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := res.Header.Get("A2A-Extensions"); got != uri || calls != 1 {
		t.Errorf("with the extension: it is said that %q was used, want %q, and the agent was called %d times", got, uri, calls)
	}
}
