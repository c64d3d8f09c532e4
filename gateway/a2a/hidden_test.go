package a2a_test

import (
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// streamedText answers with a text artifact in chunks.
func streamedText(chunks []string, last bool) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, body string) {
		var in struct {
			ID stdjson.RawMessage `json:"id"`
		}
		_ = stdjson.Unmarshal([]byte(body), &in)
		w.Header().Set("Content-Type", "text/event-stream")
		for i, c := range chunks {
			text, _ := stdjson.Marshal(c)
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"artifactUpdate\":{\"taskId\":\"t-1\",\"contextId\":\"c-1\",\"artifact\":{\"artifactId\":\"a-1\",\"parts\":[{\"text\":%s}]},\"append\":%v,\"lastChunk\":%v}}}\n\n",
				in.ID, text, i > 0, last && i == len(chunks)-1)
		}
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"statusUpdate\":{\"taskId\":\"t-1\",\"contextId\":\"c-1\",\"status\":{\"state\":\"TASK_STATE_COMPLETED\"}}}}\n\n", in.ID)
	}
}

// JSON in a text is structured content that nothing declares here, however it is dressed and however it comes.
func TestJSONInTextIsNotProse(t *testing.T) {
	secret := `"diagnosis":"Paranoid schizophrenia"`
	for name, text := range map[string]string{
		"an object":             `{` + secret + `}`,
		"with a name twice":     `{"a":1,"a":2,` + secret + `}`,
		"too deep":              strings.Repeat("[", 80) + `{` + secret + `}` + strings.Repeat("]", 80),
		"lines":                 "{\"n\":1}\n{" + secret + "}\n",
		"quoted once more":      `"{\"diagnosis\":\"Paranoid schizophrenia\"}"`,
		"after a mark":          "\ufeff{" + secret + "}",
		"before a full stop":    `{` + secret + `}.`,
		"an array":              `[ {` + secret + `} ]`,
		"cut off":               `{"n":1,` + secret,
		"numbers first":         `[1, {` + secret + `}`,
		"nested more than once": `["[\"[\\\"[\\\\\\\"[{\\\\\\\\\\\\\\\"diagnosis\\\\\\\\\\\\\\\":\\\\\\\\\\\\\\\"Paranoid schizophrenia\\\\\\\\\\\\\\\"}]\\\\\\\"]\\\"]\"]"]`,
	} {
		quoted, _ := stdjson.Marshal(text)
		agent := newAgent(t, answerWith(`{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":`+string(quoted)+`}]}}`))
		r := newRig(t, agent, nil)
		if _, body := r.send(t, plainMessage); strings.Contains(body, "schizophrenia") {
			t.Errorf("%s: the caller got %s", name, body)
		}
		for _, n := range []int{1, 5, len(text)} {
			var chunks []string
			for rest := text; rest != ""; {
				k := min(n, len(rest))
				for k < len(rest) && rest[k]&0xc0 == 0x80 {
					k++
				}
				chunks, rest = append(chunks, rest[:k]), rest[k:]
			}
			agent.answer = streamedText(chunks, n != 5)
			if _, body := r.send(t, fmt.Sprintf(streamingMessage, fmt.Sprintf("m-%d", n))); strings.Contains(joinTexts(body), "schizophrenia") {
				t.Errorf("%s, streamed by %d: the caller got %s", name, n, body)
			}
		}
	}
}

// joinTexts is what a client makes of a stream's artifact.
func joinTexts(stream string) string {
	var all strings.Builder
	for line := range strings.Lines(stream) {
		data, ok := strings.CutPrefix(line, "data: ")
		var ev struct {
			Result struct {
				ArtifactUpdate struct {
					Artifact struct {
						Parts []struct {
							Text string `json:"text"`
						} `json:"parts"`
					} `json:"artifact"`
				} `json:"artifactUpdate"`
			} `json:"result"`
		}
		if !ok || stdjson.Unmarshal([]byte(data), &ev) != nil {
			continue
		}
		for _, p := range ev.Result.ArtifactUpdate.Artifact.Parts {
			all.WriteString(p.Text)
		}
	}
	return all.String()
}

// Prose that begins like JSON but is none passes, streamed or not.
func TestProseThatBeginsWithABracketPasses(t *testing.T) {
	for _, text := range []string{"[see below] all is well, said the nurse", "{curly} words are words too", "[1] is the first note", `"Quoted" words`, "["} {
		agent := newAgent(t, streamedText([]string{text[:1], text[1:]}, false))
		r := newRig(t, agent, nil)
		if _, body := r.send(t, fmt.Sprintf(streamingMessage, "m-1")); joinTexts(body) != text && text != "[" {
			t.Errorf("%q came as %q", text, joinTexts(body))
		}
	}
}

// A value that is known from one place is found in every other, and from then on in the whole task.
func TestKnownValuesAreFoundInStructuredContent(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newRig(t, agent, nil)
	r.send(t, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"k-1","contextId":"c-7","role":"ROLE_USER","parts":[{"data":{"name":"Jane Doe","id":"Jane Doe"}}]}}}`)
	r.send(t, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"k-2","contextId":"c-7","role":"ROLE_USER","parts":[{"data":{"name":"Ann Smith","id":"about Jane Doe"}}]}}}`)
	for i, got := range agent.received() {
		if strings.Contains(gatewaytest.Said(got), "Jane") {
			t.Errorf("message %d showed a known value under another label: %s", i, got)
		}
	}
	if n := len(agent.received()); n != 2 {
		t.Errorf("%d messages arrived, want 2", n)
	}
}

func TestIdentifiersMustSayNothing(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newRig(t, agent, nil)
	for _, id := range []string{"jane.doe@example.org", "536-90-4399"} {
		_, body := r.send(t, strings.Replace(plainMessage, `"messageId":"m-1"`, `"messageId":"m-1","contextId":"`+id+`"`, 1))
		if !strings.Contains(body, "/params/message/contextId") || strings.Contains(body, id) {
			t.Errorf("answer = %s, want a refusal that names the place", body)
		}
	}
	if len(agent.received()) != 0 {
		t.Errorf("a message with a value for an identifier was forwarded")
	}
	r.send(t, plainMessage, "A2A-Extensions", "https://x.example/ext, jane.doe@example.org, Jane Doe")
	if got := agent.header[0].Get("A2A-Extensions"); got != "https://x.example/ext" {
		t.Errorf("A2A-Extensions upstream = %q, want the one extension", got)
	}
}

// Texts that stand side by side in one chunk of an artifact are one text to their reader.
func TestPartsOfOneChunkAreOneText(t *testing.T) {
	agent := newAgent(t, func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"artifactUpdate\":{\"taskId\":\"t-1\",\"contextId\":\"c-1\",\"artifact\":{\"artifactId\":\"a-1\",\"parts\":[{\"text\":\"write to jane.d\"},{\"text\":\"oe@example.org now\"}]},\"lastChunk\":true}}}\n\n")
	})
	r := newRig(t, agent, nil)
	_, body := r.send(t, fmt.Sprintf(streamingMessage, "m-1"))
	if text := joinTexts(body); strings.Contains(gatewaytest.Said(text), "jane") || !strings.HasPrefix(text, "write to [email ") || !strings.HasSuffix(text, " now") {
		t.Errorf("text = %q, want the address gone whole", text)
	}
}

func TestTooManyFindingsAreRefused(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newRig(t, agent, nil)
	_, body := r.send(t, strings.Replace(plainMessage, "How are the beds today?", strings.Repeat("a@b.co ", 30_000), 1))
	if !strings.Contains(body, "more than 20000 places") || len(agent.received()) != 0 {
		t.Errorf("answer = %s, want a refusal", body)
	}
}

// What JSON in one text names is found in the prose beside it, before and after.
func TestNamesInJSONTextAreFoundInProse(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newRig(t, agent, nil)
	r.send(t, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"j-1","role":"ROLE_USER","parts":[{"text":"About Jane Doe:"},{"text":"{\"name\":\"Jane Doe\"}"},{"text":"So much for Jane Doe."}]}}}`)
	if got := agent.received(); len(got) != 1 || strings.Contains(gatewaytest.Said(got[0]), "Jane") {
		t.Errorf("agent received %s", got)
	}
}
