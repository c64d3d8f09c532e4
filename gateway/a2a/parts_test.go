package a2a_test

import (
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/privacy/detect"
)

// partsOf writes texts as parts of a message or artifact.
func partsOf(texts ...string) string {
	var all []string
	for _, t := range texts {
		raw, _ := stdjson.Marshal(t)
		all = append(all, `{"text":`+string(raw)+`}`)
	}
	return strings.Join(all, ",")
}

// joined is what a reader makes of the texts in the JSON.
func joined(body string) string {
	var all strings.Builder
	for _, m := range regexp.MustCompile(`"text":("(?:[^"\\]|\\.)*")`).FindAllStringSubmatch(body, -1) {
		var s string
		_ = stdjson.Unmarshal([]byte(m[1]), &s)
		all.WriteString(s)
	}
	return all.String()
}

var number = regexp.MustCompile(`\[(\w+) [^\]]*\]`)

// An agent that wrote in chunks leaves each as a part of its own. Wherever a text was cut, its reader sees the same.
func TestNoCutBetweenPartsShowsMore(t *testing.T) {
	agent := newAgent(t, nil)
	agent.answer = func(w http.ResponseWriter, body string) {
		name := personIn(joined(body))
		cut := len(body) % (len(name) + 1)
		answerWith(`{"task":{"id":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_COMPLETED"},"artifacts":[{"artifactId":"a-1","parts":[`+
			partsOf("Yes, "+name[:cut], name[cut:]+" is known.")+`]}]}}`)(w, body)
	}
	forms, err := detect.New(detect.Options{FormsOnly: true}) // what a cut leaves of a word may look like a name
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, agent, func(s *gatewaytest.Setup) { s.Change = func(s *gateway.Snapshot) { s.Detector = forms } })
	const text = "Is Jane Doe, at jane.doe@example.org or +1 541 555 0142, with you?"
	send := func(n int, texts ...string) (string, string) {
		t.Helper()
		_, answer := r.send(t, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-%d","role":"ROLE_USER","parts":[%s,{"data":{"name":"Jane Doe"}}]}}}`,
			n, partsOf(texts...)))
		got := agent.received()
		return number.ReplaceAllString(joined(got[len(got)-1]), "[$1]"), answer
	}
	want, answer := send(0, text)
	if strings.Contains(gatewaytest.Said(want), "Jane") || strings.Contains(want, "doe@") || strings.Contains(want, "0142") || joined(answer) != "Yes, Jane Doe is known." {
		t.Fatalf("uncut: the agent read %q, the caller %q", want, joined(answer))
	}
	n := 0
	for a := 0; a <= len(text); a++ {
		for _, step := range []int{0, 1, 5, 12} {
			b := min(a+step, len(text))
			n++
			got, answer := send(n, text[:a], text[a:b], text[b:])
			if got != want || joined(answer) != "Yes, Jane Doe is known." {
				t.Errorf("cut at %d and %d: the agent read %q, want %q; the caller read %q", a, b, got, want, joined(answer))
			}
		}
	}
}
