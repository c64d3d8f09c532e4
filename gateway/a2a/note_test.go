package a2a_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

const noted = `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":%q,"role":"ROLE_USER","parts":[{"text":"How are the beds?"}],"metadata":{"https://scrim.dev/ext/privacy/v1":%s}}}}`

// What an earlier gateway said is carried on within this gateway's own note, if it says what a note may say and nothing else.
func TestEarlierNotesAreCarriedOn(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newRig(t, agent, nil)
	good := `{"changes":[{"path":"/params/message/parts/1/data/name","label":"person/name","level":"tokenized","param":"surrogate","policy":["p-1"],"by":"policy","reason":"a stand-in is enough"}],"reference":"06h0a7pgdpkmbfokh1vp84m3r0"}`
	r.send(t, fmt.Sprintf(noted, "n-0", good))
	got := agent.received()[0]
	if !strings.Contains(got, `"earlier":[`+good+`]`) || strings.Count(got, "scrim.dev/ext/privacy") != 1 {
		t.Errorf("agent received %s, want the earlier note within the gateway's own", got)
	}
	for name, bad := range map[string]string{
		"an e-mail address for a reason": strings.Replace(good, "a stand-in is enough", "jane.doe@example.org", 1),
		"a sentence for a path":          strings.Replace(good, "/params/message/parts/1/data/name", "/Jane Doe of Springfield", 1),
		"a label nobody knows":           strings.Replace(good, "person/name", "jane/doe", 1),
		"a member that notes have not":   strings.Replace(good, `"changes"`, `"told":"Jane Doe","changes"`, 1),
		"a parameter of another level":   strings.Replace(good, `"surrogate"`, `"year"`, 1),
		"a reference with words":         strings.Replace(good, "06h0a7pgdpkmbfokh1vp84m3r0", "Jane Doe", 1),
		"a sender's own purpose":         `{"purpose":"care"}`,
	} {
		before := len(agent.received())
		if status, answer := r.send(t, fmt.Sprintf(noted, fmt.Sprintf("n-%d", before), bad)); len(agent.received()) != before+1 {
			t.Fatalf("%s: the message did not arrive: %d %s", name, status, answer)
		}
		all := agent.received()
		if got := all[len(all)-1]; strings.Contains(got, "earlier") || strings.Contains(gatewaytest.Said(strings.ToLower(got)), "jane") {
			t.Errorf("%s: agent received %s", name, got)
		}
	}
}

// A surrogate that another gateway gave out is never given out again in the task: coming home it would be taken for the other.
func TestSurrogatesOfOthersAreKeptClearOf(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newRig(t, agent, nil)
	var all strings.Builder
	for n := 1; n <= 29; n++ { // all numbers of a fresh task but one
		fmt.Fprintf(&all, "[person %d] ", n)
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"s-%%d","contextId":"c-9","role":"ROLE_USER","parts":[{"text":%q},{"data":{"name":"%%s"}}]}}}`, all.String()+"and %s")
	r.send(t, fmt.Sprintf(body, 1, "nobody", "Ann Smith"))
	r.send(t, fmt.Sprintf(body, 2, "Jane Doe", "Jane Doe"))
	got := agent.received()[1]
	if strings.Contains(gatewaytest.Said(got), "Jane") || !strings.Contains(got, "and [person ") {
		t.Fatalf("agent received %s", got)
	}
	_, mine, _ := strings.Cut(got, "and [person ")
	if number, _, _ := strings.Cut(mine, "]"); strings.Contains(all.String(), "[person "+number+"]") {
		t.Errorf("surrogate [person %s] was given out though another gateway had given it out before", number)
	}
}
