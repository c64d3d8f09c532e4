package a2a_test

import (
	"net/http"
	"strings"
	"testing"
)

// The codes of JSON-RPC and of A2A that clients tell refusals apart by.
func TestCodesOfRefusals(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newTown(t, agent, nil)
	for name, c := range map[string]struct{ body, want string }{
		"not JSON":               {`{"jsonrpc":"2.0",`, `"code":-32700`},
		"a name twice":           {`{"jsonrpc":"2.0","id":1,"id":1}`, `"code":-32700`},
		"not an envelope":        {`{"id":1,"method":"GetTask"}`, `"code":-32600`},
		"a method nobody has":    {`{"jsonrpc":"2.0","id":1,"method":"GetTasks","params":{}}`, `"id":1,"error":{"code":-32601`},
		"params that are none":   {`{"jsonrpc":"2.0","id":1,"method":"GetTask","params":"t"}`, `"id":1,"error":{"code":-32602`},
		"a message without form": {`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{}]}}}`, `"code":-32602`},
		"a method of 0.3":        {`{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"id":"t"}}`, `"code":-32009`},
	} {
		if _, body := r.to(t, "/a2a/desk", "scrim_guest", c.body); !strings.Contains(body, c.want) {
			t.Errorf("%s: %s, want %s", name, body, c.want)
		}
	}
	if status, body := r.rest(t, http.MethodPost, "/a2a/desk/message:send", `{"message":`); status != 400 || !strings.Contains(body, `"reason":"PARSE_ERROR"`) {
		t.Errorf("not JSON, over HTTP+JSON: %d %s", status, body)
	}
}
