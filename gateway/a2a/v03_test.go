package a2a_test

import (
	stdjson "encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

const message03 = `{"jsonrpc":"2.0","id":7,"method":"message/send","params":{ "message":{"kind":"message","messageId":"m-1","role":"user","parts":[{"kind":"text","text":"How are the beds today?"}]},"configuration":{"blocking":true}}}`

const ok03 = `{ "kind":"message","messageId":"r-1","contextId":"c-1","role":"agent","parts":[{"kind":"text","text":"Done."}] }`

// old asks as a client of A2A 0.3 does: it names no version.
func (r *town) old(t *testing.T, body string, header ...string) string {
	t.Helper()
	_, got := r.rest(t, http.MethodPost, "/a2a/desk", body, append([]string{"A2A-Version", "", "Scrim-Criticality", "routine"}, header...)...)
	return got
}

func TestUnchanged03MessagePassesByteForByte(t *testing.T) {
	agent := newAgent(t, answerWith(ok03))
	r := newTown(t, agent, nil)
	if got, want := r.old(t, message03, atHome...), `{"jsonrpc":"2.0","id":7,"result":`+ok03+`}`; got != want {
		t.Errorf("answer = %s\nwant %s", got, want)
	}
	if got := agent.received(); len(got) != 1 || got[0] != message03 {
		t.Errorf("the agent got %q", got)
	}
	if got := r.old(t, message03, "A2A-Version", "0.3.0", "Authorization", "Bearer scrim_key"); !strings.Contains(got, "Done.") || len(agent.received()) != 1 {
		t.Errorf("retry = %s, and the agent was called %d times", got, len(agent.received()))
	}
	for _, ev := range r.Events() {
		if ev.Flow.Protocol != "a2a/0.3" {
			t.Errorf("the record says %q, want a2a/0.3", ev.Flow.Protocol)
		}
	}
}

func TestPartsOf03(t *testing.T) {
	const answer = `{"kind":"task","id":"t-1","contextId":"c-1","status":{"state":"completed","timestamp":"2025-04-02T16:59:25.331844","message":{"kind":"message","messageId":"r","role":"agent","parts":[{"kind":"text","text":"mail jane.doe@example.org"}]}},` +
		`"artifacts":[{"artifactId":"a","parts":[{"kind":"data","data":{"name":"Jane Doe","email":"jane.doe@example.org","id":"r-17","Zanzibar":1}},{"kind":"file","file":{"name":"jane-doe.pdf","mimeType":"application/pdf","bytes":"amFuZQ=="}}]}],` +
		`"history":[{"kind":"message","messageId":"m-1","role":"user","parts":[{"kind":"text","text":"about jane.doe@example.org"}]}],"metadata":{"Zanzibar":"Zanzibar"}}`
	agent := newAgent(t, answerWith(answer))
	r := newTown(t, agent, nil)
	got := r.old(t, message03)
	without(t, "the answer", got, "jane", "Zanzibar", "amFuZQ")
	for _, want := range []string{`"kind":"task"`, `"state":"completed"`, "[email ", `"data":{"name":"stk1_`, `{"path":"/result/status/message/parts/0/text"`, `{"kind":"text","text":"[removed]"}`} {
		if !strings.Contains(got, want) {
			t.Errorf("the answer lacks %q: %s", want, got)
		}
	}
}

// What a message of 0.3 says of itself must hold.
func Test03CallsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"a part of another kind":   {strings.Replace(message03, `"kind":"text","text"`, `"kind":"data","text"`, 1), "has not the form"},
		"a part of no kind":        {strings.Replace(message03, `"kind":"text","text"`, `"text"`, 1), "has not the form"},
		"a part of two kinds":      {strings.Replace(message03, `"kind":"text",`, `"kind":"text","data":{"name":"Zanzibar"},`, 1), "has not the form"},
		"a part of a strange kind": {strings.Replace(message03, `"kind":"text","text"`, `"kind":"Zanzibar","text"`, 1), "has not the form"},
		"a file twice":             {strings.Replace(message03, `{"kind":"text","text":"How are the beds today?"}`, `{"kind":"file","file":{"bytes":"","uri":"http://x"}}`, 1), "has not the form"},
		"a role of 1.0":            {strings.Replace(message03, `"role":"user"`, `"role":"ROLE_USER"`, 1), "/params/message/role"},
		"a part of 1.0":            {strings.Replace(message03, `"kind":"text",`, "", 1), "has not the form"},
		"a method of 1.0":          {plainMessage, "A2A 1.0"},
		"a webhook":                {strings.Replace(message03, `"blocking":true`, `"pushNotificationConfig":{"url":"http://Zanzibar"}`, 1), `"error"`},
		"no method":                {strings.Replace(message03, "message/send", "message/Zanzibar", 1), "not carried"},
	} {
		agent := newAgent(t, answerWith(ok03))
		r := newTown(t, agent, nil)
		got := r.old(t, c.body)
		if !strings.Contains(got, c.want) || strings.Contains(got, "Zanzibar") || len(agent.received()) != 0 {
			t.Errorf("%s: answer = %s, want a refusal with %q", name, got, c.want)
		}
	}
}

// cardOf serves a card and lets an agent answer the rest.
func cardOf(t *testing.T, interfaces string, answer http.HandlerFunc) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/agent-card.json" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"name":"a","description":"d","version":"1","skills":[],%s}`, strings.ReplaceAll(withCapabilities(interfaces), "HOST", "http://"+r.Host))
			return
		}
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestVersionsMeetTheirAgents(t *testing.T) {
	const old, both = `"url":"HOST/old","protocolVersion":"0.3.0"`, `"supportedInterfaces":[{"url":"HOST/new","protocolBinding":"JSONRPC","protocolVersion":"1.0"},{"url":"HOST/old","protocolBinding":"JSONRPC","protocolVersion":"0.3"}]`
	const young = `"supportedInterfaces":[{"url":"HOST/new","protocolBinding":"JSONRPC","protocolVersion":"1.0"}]`
	for _, c := range []struct {
		name, card string
		old, young string // where a call in the version goes
		carried    string
	}{
		{"an agent of 0.3", old, "/old", "", `"supported":"0.3"`},
		{"an agent of 1.0", young, "", "/new", `"supported":"1.0"`},
		{"an agent of both", both, "/old", "/new", ""},
	} {
		var reached string
		agent := cardOf(t, c.card, func(w http.ResponseWriter, r *http.Request) {
			reached = r.URL.Path
			b, _ := io.ReadAll(r.Body)
			if r.URL.Path == "/old" {
				answerWith(ok03)(w, string(b))
			} else {
				answerWith(okMessage)(w, string(b))
			}
		})
		r := at(t, agent.URL, nil)
		for body, want := range map[string]string{message03: c.old, strings.Replace(plainMessage, "m-1", "m-2", 1): c.young} {
			version := "1.0"
			if body == message03 {
				version = "0.3"
			}
			reached = ""
			_, got := r.to(t, "/a2a/desk", "scrim_guest", body, "A2A-Version", version)
			if reached != want || (want == "") != strings.Contains(got, "-32009") || want == "" && !strings.Contains(got, c.carried) {
				t.Errorf("%s: a call of %s reached %q, want %q: %s", c.name, version, reached, want, got)
			}
		}
	}
}

func streamed03(cuts []int, last bool) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, body string) {
		var events []string
		from := 0
		for i, to := range append(cuts, len(letter)) {
			events = append(events, fmt.Sprintf(`{"kind":"artifact-update","taskId":"t","contextId":"c","artifact":{"artifactId":"a","parts":[{"kind":"text","text":%s}]},"append":%v,"lastChunk":%v}`,
				quoted(letter[from:to]), i > 0, last && to == len(letter)))
			from = to
		}
		events = append(events, `{"kind":"status-update","taskId":"t","contextId":"c","status":{"state":"completed"},"final":true}`)
		for i := range events {
			events[i] = `data: {"jsonrpc":"2.0","id":1,"result":` + events[i] + "}\n\n"
		}
		streamOf(events...)(w, body)
	}
}

func TestStreamOf03CutAnywhereGivesTheSameText(t *testing.T) {
	agent := newAgent(t, nil)
	r := newTown(t, agent, nil)
	random := rand.New(rand.NewPCG(20261126, 3))
	want := ""
	for i := range 25 {
		var cuts []int
		for at := 0; i > 0; {
			at += 1 + random.IntN(60)
			for at < len(letter) && !utf8.RuneStart(letter[at]) {
				at++
			}
			if at >= len(letter) {
				break
			}
			cuts = append(cuts, at)
		}
		agent.answer = streamed03(cuts, i%2 == 0)
		got := r.old(t, strings.NewReplacer("message/send", "message/stream", "m-1", fmt.Sprint("m-", i)).Replace(message03))
		text := ""
		for _, ev := range strings.Split(got, "\n\n") {
			if _, rest, ok := strings.Cut(ev, `"kind":"text","text":`); ok {
				text += unquoted(t, rest)
			}
		}
		text = strings.ReplaceAll(standIn.ReplaceAllString(text, "[$1]"), "  ", " ")
		if !strings.HasSuffix(got, `"final":true}}`+"\n\n") || strings.Contains(got, `"error"`) {
			t.Fatalf("cut at %v: stream = %s", cuts, got)
		}
		if i == 0 {
			want = text
			without(t, "the text", text, "4111 1111", "alice@", "555-0132")
		}
		if text != want {
			t.Fatalf("cut at %v:\n got %q\nwant %q", cuts, text, want)
		}
	}
}

// unquoted reads the JSON string that a text begins with.
func unquoted(t *testing.T, s string) (text string) {
	t.Helper()
	if err := stdjson.NewDecoder(strings.NewReader(s)).Decode(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

func withCapabilities(members string) string {
	if strings.Contains(members, `"capabilities"`) {
		return members
	}
	return `"capabilities":{},` + members
}
