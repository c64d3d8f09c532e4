package a2a_test

import (
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

var (
	tokens     = regexp.MustCompile(`stk1_[A-Za-z0-9_-]+`)
	surrogates = regexp.MustCompile(`\[\w+ \w+\]`)
)

const janeData = `{"name":"Jane Doe","email":"jane.doe@example.org","id":"r-17"}`

// message is a message with a text and a data part.
func message(id, context, text, data string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":%q,"contextId":%q,"role":"ROLE_USER","parts":[{"text":%s},{"data":%s}]}}}`,
		id, context, quoted(text), data)
}

const question = `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":%q,"role":"ROLE_USER","parts":[{"text":"Who is it?"}]}}}`

func quoted(s string) string {
	b, _ := stdjson.Marshal(s)
	return string(b)
}

// Two recipients of the same values hold nothing that can be joined.
func TestTwoDomainsShareNoStandIn(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newTown(t, agent, nil)
	for i := range 5 {
		text := "About Jane Doe, jane.doe@example.org"
		r.to(t, "/out/a2a/partner", "scrim_key", message(fmt.Sprintf("p-%d", i), "c-1", text, janeData))
		r.to(t, "/out/a2a/lab", "scrim_key", message(fmt.Sprintf("l-%d", i), "c-1", text, janeData))
	}
	got := agent.received()
	if len(got) != 10 {
		t.Fatalf("%d messages arrived, want 10", len(got))
	}
	seen := map[string]int{}
	for i, body := range got {
		without(t, "a message", body, "jane", "doe@")
		found := tokens.FindAllString(body, -1)
		if len(found) != 3 {
			t.Fatalf("tokens in %s: %d, want 3", body, len(found))
		}
		for _, tok := range found {
			for n := 5; n+12 <= len(tok); n++ { // nor any longer piece of one
				piece := tok[n : n+12]
				if by, ok := seen[piece]; ok && by != i%2 {
					t.Fatalf("both domains have %q of a token", piece)
				}
				seen[piece] = i % 2
			}
		}
	}
}

// One value of one domain has one token within a purpose group and none in common beyond it.
func TestPurposesShareTokensOnlyWithinTheirGroup(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newTown(t, agent, nil)
	snap := gatewaytest.Snapshot(t, r.setup)
	snap.Groups = map[flow.Purpose]string{"billing": "money", "payment": "money"}
	if err := r.Swap(t.Context(), snap, "groups"); err != nil {
		t.Fatal(err)
	}
	by := map[string]string{}
	for _, purpose := range []string{"care", "billing", "payment", "marketing"} { // the last is not granted: no purpose holds
		before := len(agent.received())
		r.to(t, "/out/a2a/partner", "scrim_key", message("m-"+purpose, "", "hello", janeData), "Scrim-Purpose", purpose)
		if got := agent.received(); len(got) == before+1 {
			by[purpose] = strings.Join(tokens.FindAllString(got[before], -1), " ")
		}
	}
	if by["billing"] == "" || by["billing"] != by["payment"] {
		t.Errorf("tokens of two purposes of one group = %q and %q, want the same", by["billing"], by["payment"])
	}
	if by["care"] == "" || by["care"] == by["billing"] || by["marketing"] == by["care"] || by["marketing"] == by["billing"] {
		t.Errorf("purposes that share no group share tokens: %q", by)
	}
}

// echo answers with what it got, in data and text: an agent of the own domain that says back whatever it was told.
func echo(w http.ResponseWriter, body string) {
	var in struct {
		Params struct {
			Message struct {
				Parts []struct {
					Text string             `json:"text"`
					Data stdjson.RawMessage `json:"data"`
				} `json:"parts"`
			} `json:"message"`
		} `json:"params"`
	}
	_ = stdjson.Unmarshal([]byte(body), &in)
	var parts []string
	for _, p := range in.Params.Message.Parts {
		if p.Data != nil {
			parts = append(parts, `{"data":`+string(p.Data)+`}`)
		} else {
			parts = append(parts, `{"text":`+quoted(p.Text)+`}`)
		}
	}
	answerWith(`{"message":{"messageId":"r-1","contextId":"c-1","role":"ROLE_AGENT","parts":[`+strings.Join(parts, ",")+`]}}`)(w, body)
}

// A stranger who holds the token of a catalogued value supplies candidates and looks at what comes back for them: in
// no field, text, task or order can the hit be told from the misses.
func TestCandidatesOfAStrangerTeachNothing(t *testing.T) {
	agent := newAgent(t, answerWith(`{"message":{"messageId":"r-1","role":"ROLE_AGENT","parts":[{"data":`+janeData+`}]}}`))
	r := newTown(t, agent, nil)
	held := map[string]bool{}
	for _, purpose := range []string{"care", "billing"} {
		_, body := r.to(t, "/a2a/desk", "scrim_guest", fmt.Sprintf(question, "first-"+purpose), "Scrim-Purpose", purpose)
		without(t, "the answer", body, "jane")
		for _, tok := range tokens.FindAllString(body, -1) {
			held[tok] = true
		}
	}
	if len(held) != 6 {
		t.Fatalf("the stranger holds %d tokens, want 6", len(held))
	}
	agent.answer = echo
	r.to(t, "/a2a/desk", "scrim_guest", message("warm", "same", "hello", `{"name":"Somebody Else","email":"else@example.org"}`), "Scrim-Criticality", "critical")
	shapes := map[string]string{}
	given := map[string]string{}
	twice := 0 // that a task was given another's surrogate: one of 30,976, so that once may be by chance
	for i, name := range []string{"Jane Doe", "John Poe", "Mary Low", "jane doe", "Jane Doe", "John Poe"} {
		for _, context := range []string{"", "same"} {
			id := fmt.Sprintf("try-%d-%s", i, context)
			mail := strings.ReplaceAll(strings.ToLower(name), " ", ".") + "@example.org"
			_, body := r.to(t, "/a2a/desk", "scrim_guest", message(id, context, "Is it "+name+" at "+mail+"?", fmt.Sprintf(`{"name":%q,"email":%q}`, name, mail)), "Scrim-Criticality", "critical")
			if !strings.Contains(body, `"result"`) {
				t.Fatalf("answer = %s", body)
			}
			for _, tok := range tokens.FindAllString(body, -1) {
				if held[tok] {
					t.Errorf("candidate %q came back as the catalogued token", name)
				}
			}
			for _, s := range surrogates.FindAllString(body, -1) {
				if context == "" && given[s] != "" && given[s] != id && strings.HasPrefix(s, "[email") {
					if twice++; twice > 1 {
						t.Errorf("surrogate %s was given for two tasks, %s and %s, and it is not the only one", s, given[s], id)
					}
				}
				given[s] = id
			}
			_, note, _ := strings.Cut(body, `"parts"`)
			shape := tokens.ReplaceAllString(surrogates.ReplaceAllString(note, "[s]"), "token")
			shape = regexp.MustCompile(`"reference":"\w+"`).ReplaceAllString(shape, "")
			if first, ok := shapes[context]; ok && first != shape {
				t.Errorf("candidate %q has another shape:\n%s\nwant\n%s", name, shape, first)
			} else if !ok {
				shapes[context] = shape
			}
		}
	}
}

// What was opened for an agent is replaced again in whatever it says to the one who may not see it: text, data, member
// names, errors, status messages, metadata, and the chunks of an artifact wherever they are cut.
func TestWhatWasOpenedIsClosedAgain(t *testing.T) {
	agent := newAgent(t, answerWith(`{"message":{"messageId":"r-1","role":"ROLE_AGENT","parts":[{"data":`+janeData+`}]}}`))
	r := newTown(t, agent, nil)
	_, body := r.to(t, "/a2a/desk", "scrim_guest", fmt.Sprintf(question, "ask"))
	tok := tokens.FindAllString(body, -1)
	if len(tok) != 3 {
		t.Fatalf("answer = %s, want three tokens", body)
	}
	presented := fmt.Sprintf(`{"name":%q,"email":%q}`, tok[0], tok[1])
	const says = `I was told JANE DOE, jane.doe@example.org; Jane  Doe. \u004aane Doe! Mrs Doe`
	for name, result := range map[string]string{
		"text":      `"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"` + says + `"}]}}`,
		"texts":     `"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"It is Ja"},{"text":"ne D"},{"text":"oe"}]}}`,
		"data":      `"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"data":{"name":"Jane Doe","id":"Jane Doe"}}]}}`,
		"json":      `"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"{\"name\":\"Jane Doe\",\"Jane Doe\":1}"}]}}`,
		"metadata":  `"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"ok"}],"metadata":{"Jane Doe":"Jane Doe"}}}`,
		"error":     `"error":{"code":-32603,"message":"` + says + `","data":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"Jane Doe","domain":"Jane Doe","metadata":{"who":"Jane Doe"}}]}`,
		"task":      `"result":{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED","message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"` + says + `"}]}},"artifacts":[{"artifactId":"a","name":"About Jane Doe","description":"` + says + `","parts":[{"text":"` + says + `"}]}],"history":[{"messageId":"h","role":"ROLE_USER","parts":[{"text":"` + says + `"}]}]}}`,
		"file name": `"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"raw":"SmFuZSBEb2U=","filename":"Jane Doe.txt","mediaType":"text/plain"}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			agent.answer = func(w http.ResponseWriter, body string) {
				if !strings.Contains(body, `"name":"Jane Doe"`) {
					t.Errorf("the token was not opened for the desk: %s", body)
				}
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,%s}`, result)
			}
			_, body := r.to(t, "/a2a/desk", "scrim_guest", message("echo-"+name, "", "about "+tok[0], presented))
			without(t, "the answer", body, "jane", "doe@", "SmFuZSBEb2U")
		})
	}
	t.Run("stream", func(t *testing.T) {
		const letter = "I was told Jane Doe and jane.doe@example.org, twice Jane Doe."
		for at := 1; at < len(letter); at++ {
			agent.answer = func(w http.ResponseWriter, body string) {
				w.Header().Set("Content-Type", "text/event-stream")
				for i, chunk := range []string{letter[:at], letter[at:]} {
					fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"artifactUpdate\":{\"taskId\":\"t\",\"contextId\":\"c\",\"artifact\":{\"artifactId\":\"a\",\"parts\":[{\"text\":%s}]},\"append\":%v}}}\n\n", quoted(chunk), i > 0)
				}
				fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"statusUpdate\":{\"taskId\":\"t\",\"contextId\":\"c\",\"status\":{\"state\":\"TASK_STATE_COMPLETED\",\"message\":{\"messageId\":\"r\",\"role\":\"ROLE_AGENT\",\"parts\":[{\"text\":\"bye Jane Doe\"}]}}}}}\n\n")
			}
			body := strings.Replace(message(fmt.Sprintf("s-%d", at), "", "about "+tok[0], presented), "SendMessage", "SendStreamingMessage", 1)
			_, got := r.to(t, "/a2a/desk", "scrim_guest", body)
			text, state := textOf(t, got)
			if state != "TASK_STATE_COMPLETED" || !strings.HasPrefix(text, "I was told [person ") {
				t.Fatalf("cut at %d: %s", at, got)
			}
			without(t, fmt.Sprintf("cut at %d: the stream", at), got, "jane", "doe@")
		}
	})
}
