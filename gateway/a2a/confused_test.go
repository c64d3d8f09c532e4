package a2a_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A chunk is one whether or not its server writes the kind: those of the official SDKs read it without.
func TestChunksOf03WithoutTheirKind(t *testing.T) {
	for name, kind := range map[string]string{"none": "", "null": `"kind":null,`} {
		t.Run(name, func(t *testing.T) {
			chunk := func(text string, more bool) string {
				return fmt.Sprintf(`{%s"taskId":"t","contextId":"c","append":%v,"artifact":{"artifactId":"a","parts":[{"kind":"text","text":%q}]}}`, kind, more, text)
			}
			agent := newAgent(t, func(w http.ResponseWriter, body string) {
				w.Header().Set("Content-Type", "text/event-stream")
				for _, result := range []string{chunk("Write to jane.d", false), chunk("oe@exam", true), chunk("ple.org today.", true),
					`{"kind":"status-update","taskId":"t","contextId":"c","final":true,"status":{"state":"completed"}}`} {
					fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}\n\n", result)
				}
			})
			r := newTown(t, agent, nil)
			got := r.old(t, strings.Replace(message03, "message/send", "message/stream", 1))
			without(t, "the stream", got, "jane", "oe@", "ple.org")
			if !strings.Contains(got, "Write to") || !strings.Contains(got, "today.") {
				t.Errorf("stream = %s", got)
			}
		})
	}
}

// An update that says it is one thing and holds another is none.
func TestAnArtifactIn03UnderAnotherKind(t *testing.T) {
	agent := newAgent(t, func(w http.ResponseWriter, body string) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, text := range []string{"jane.d", "oe@example.org"} {
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"kind\":\"status-update\",\"taskId\":\"t\",\"status\":{\"state\":\"working\"},\"artifact\":{\"artifactId\":\"a\",\"parts\":[{\"kind\":\"text\",\"text\":%q}]}}}\n\n", text)
		}
	})
	r := newTown(t, agent, nil)
	got := r.old(t, strings.Replace(message03, "message/send", "message/stream", 1))
	without(t, "the stream", got, "jane", "oe@")
}

// The tenant is the agent's: one that is null beside it would be read for it by whoever takes the first.
func TestNoTenantStandsBesideTheAgents(t *testing.T) {
	var got string
	agent := cardOf(t, `"supportedInterfaces":[{"url":"HOST/new","protocolBinding":"JSONRPC","protocolVersion":"1.0","tenant":"north"}]`, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = string(b)
		answerWith(okMessage)(w, got)
	})
	r := at(t, agent.URL, nil)
	for _, tenant := range []string{"null", `""`, `"north"`} {
		got = ""
		_, body := r.to(t, "/a2a/desk", "scrim_guest", strings.Replace(plainMessage, `"params":{`, `"params":{"tenant":`+tenant+`,`, 1))
		if got != "" && strings.Count(got, `"tenant"`) != 1 {
			t.Errorf("%s: the agent got %s", tenant, got)
		}
		if got == "" && !strings.Contains(body, `"error"`) {
			t.Errorf("%s: answer = %s", tenant, body)
		}
	}
}

// A tenant or id that makes the address of one operation that of another is not sent.
func TestAddressesThatMeanAnotherOperation(t *testing.T) {
	agent := newRESTAgent(t, "", says(`{"tasks":[],"nextPageToken":"","pageSize":1,"totalSize":0}`))
	r := at(t, agent.URL, nil)
	for _, c := range []string{
		`"method":"ListTasks","params":{"tenant":"tasks"}`,
		`"method":"ListTasks","params":{"tenant":"tasks/t1/pushNotificationConfigs"}`,
		`"method":"ListTasks","params":{"tenant":"acme/tasks"}`,
		`"method":"GetExtendedAgentCard","params":{"tenant":"tasks"}`,
	} {
		_, body := r.to(t, "/a2a/desk", "scrim_guest", `{"jsonrpc":"2.0","id":1,`+c+`}`)
		if sent := agent.received(); len(sent) != 0 {
			t.Errorf("%s was sent as %q: %s", c, sent, body)
			agent.mu.Lock()
			agent.got = nil
			agent.mu.Unlock()
		}
	}
	r.to(t, "/a2a/desk", "scrim_guest", `{"jsonrpc":"2.0","id":1,"method":"ListTasks","params":{"tenant":"acme"}}`)
	if sent := agent.received(); len(sent) != 1 || sent[0] != "GET /rest/acme/tasks" {
		t.Errorf("the agent got %q", sent)
	}
}

// A chunk that cannot be read could not be joined to the one before.
func TestChunksThatHaveNotTheirForm(t *testing.T) {
	for name, form := range map[string]string{
		"two contents":  `{"artifactUpdate":{"taskId":"t","append":%v,"artifact":{"artifactId":"a","parts":[{"text":%q,"raw":""}]}}}`,
		"two payloads":  `{"statusUpdate":{"taskId":"t"},"artifactUpdate":{"taskId":"t","append":%v,"artifact":{"artifactId":"a","parts":[{"text":%q}]}}}`,
		"another part":  `{"artifactUpdate":{"taskId":"t","append":%v,"artifact":{"artifactId":"a","parts":[{"text":%q},{"metadata":{}}]}}}`,
		"another task":  `{"task":{"id":"t","status":{}},"artifactUpdate":{"taskId":"t","append":%v,"artifact":{"artifactId":"a","parts":[{"text":%q}]}}}`,
		"word for bool": `{"artifactUpdate":{"taskId":"t","lastChunk":"no","append":%v,"artifact":{"artifactId":"a","parts":[{"text":%q}]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			agent := newAgent(t, func(w http.ResponseWriter, body string) {
				w.Header().Set("Content-Type", "text/event-stream")
				for i, text := range []string{"jane.d", "oe@exam", "ple.org"} {
					fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"+form+"}\n\n", i > 0, text)
				}
			})
			r := newTown(t, agent, nil)
			_, got := r.to(t, "/a2a/desk", "scrim_guest", strings.Replace(plainMessage, "SendMessage", "SendStreamingMessage", 1))
			without(t, "the stream", got, "jane", "oe@", "ple.org")
		})
	}
}
