package a2a_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

func open(agent flow.AgentID, path string) func(*gatewaytest.Setup) {
	return func(s *gatewaytest.Setup) {
		s.Policy += `
@id("public") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`
		s.Transparent = []gateway.Transparent{{Agent: "caller", Path: "/**"}, {Agent: "partner", Path: "/nothing"}, {Agent: agent, Path: path}}
	}
}

// shown are those of the values that a message holds.
func shown(message string, values ...string) []string {
	said := gatewaytest.Said(message)
	return slices.DeleteFunc(values, func(v string) bool { return !strings.Contains(said, v) })
}

// TestTransparentPlacesPass: what configuration opens passes as it came, and nothing beside it does.
func TestTransparentPlacesPass(t *testing.T) {
	const message = `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-9","role":"ROLE_USER","parts":[` +
		`{"text":"Ask ann@example.org."},{"data":{"name":"Jane Doe","id":"r-17"}}]}}}`
	const text, name = "ann@example.org", "Jane Doe"
	for _, c := range []struct {
		agent flow.AgentID
		path  string
		want  []string
	}{
		{"partner", "/**", []string{text, name}},
		{"*", "/**", []string{text, name}},
		{"other", "/**", nil},
		{"partner", "/params/**", []string{text, name}},
		{"*", "/params/*/parts/**", []string{text, name}},
		{"*", "/params/message/parts", nil}, // a place alone is a value, not what it holds
		{"*", "/params/message/parts/*/text", []string{text}},
		{"*", "/params/message/parts/0/text", []string{text}},
		{"*", "/params/message/parts/1/text", nil},
		{"*", "/params/message/parts/*/data/**", []string{name}},
		{"*", "/params/message/parts/1/data/name", []string{name}},
		{"*", "/params/message/parts/1/da/**", nil},
		{"*", "/params/message/*/*/*/name", []string{name}},
		{"*", "/name", nil}, // places are the message's
		{"*", "/message/**", nil},
	} {
		agent := newAgent(t, answerWith(okMessage))
		status, body := newRig(t, agent, open(c.agent, c.path)).send(t, message)
		if status != 200 {
			t.Fatalf("%s%s: answer = %d %s", c.agent, c.path, status, body)
		}
		if got := shown(agent.received()[0], text, name); !slices.Equal(got, c.want) {
			t.Errorf("%s%s: %q passed, want %q", c.agent, c.path, got, c.want)
		}
	}
}

// TestTransparentPlacesNobodyDeclares: an open place is kept, with what leads to it, in content that no schema declares.
func TestTransparentPlacesNobodyDeclares(t *testing.T) {
	const answer = `{"message":{"messageId":"r-1","role":"ROLE_AGENT","parts":[{"data":{"name":"Jane Doe","extra":{"a":{"code":"X-1","more":"Y-1"},"b":{"code":"X-2"}},"list":[["Z-1"]]}},` +
		`{"data":{"odd":{"code":"X-3"}}}],"metadata":{"m":{"code":"X-4"}}}}`
	for path, want := range map[string][]string{
		"/nothing":                               nil,
		"/result/**":                             {"X-1", "X-2", "X-3", "X-4", "Y-1", "Z-1"},
		"/result/message/parts/*/data/extra/**":  {"X-1", "X-2", "Y-1"},
		"/result/message/parts/*/data/*/code":    {"X-3"},
		"/result/message/parts/*/data/*/*/code":  {"X-1", "X-2"},
		"/result/message/parts/0/data/extra/a/*": {"X-1", "Y-1"},
		"/result/message/parts/0/data/extra/a":   nil,
		"/result/message/parts/0/data/list/*/0":  {"Z-1"},
		"/result/message/metadata/m/code":        {"X-4"},
		"/result/message/metadata/**":            {"X-4"},
	} {
		agent := newAgent(t, answerWith(answer))
		status, body := newRig(t, agent, open("*", path)).send(t, plainMessage)
		if status != 200 {
			t.Fatalf("%s: answer = %d %s", path, status, body)
		}
		if got := shown(body, "X-1", "X-2", "X-3", "X-4", "Y-1", "Z-1"); !slices.Equal(got, want) {
			t.Errorf("%s: %q passed, want %q, in %s", path, got, want, body)
		}
	}
}

// TestTransparentPlacesAreTheMessages: JSON within a text has no places of its own to be open.
func TestTransparentPlacesAreTheMessages(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	status, body := newRig(t, agent, open("*", "/email/**")).send(t, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":`+
		`{"messageId":"m-9","role":"ROLE_USER","parts":[{"text":"{\"name\":\"Jane Doe\",\"email\":\"jane.doe@example.org\"}"}]}}}`)
	if status != 200 {
		t.Fatalf("answer = %d %s", status, body)
	}
	if got := agent.received()[0]; strings.Contains(got, "jane.doe@example.org") {
		t.Errorf("a member of JSON in a text was taken for a place of the message: %s", got)
	}
}
