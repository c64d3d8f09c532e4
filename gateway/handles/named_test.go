package handles_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/privacy/exposure"
)

const namedRecord = `{"type":"object","properties":{"id":{"type":"string","x-scrim-label":"public","x-scrim-subject":"/id","x-scrim-unit":"patient"},
	"born":{"type":"string","x-scrim-label":"person/birth-date","x-scrim-subject":"/id","x-scrim-unit":"patient"},
	"sex":{"type":"string","x-scrim-label":"person/gender","x-scrim-subject":"/id","x-scrim-unit":"patient"},
	"postal":{"type":"string","x-scrim-label":"location/postal","x-scrim-subject":"/id","x-scrim-unit":"patient"}}}`

// TestPiecesOfAnAnswerCountForWhomItsRequestNamed: however the pieces of a record come back, each in a task of its own and without the field that
// says whose it is, they count for whom the request named: in the answer, in a stream, when the task is looked up later, and by reference.
func TestPiecesOfAnAnswerCountForWhomItsRequestNamed(t *testing.T) {
	message := func(part string) string {
		return `{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[` + part + `]}}`
	}
	task := func(id, rest string) string {
		return `{"id":"` + id + `","contextId":"c` + id + `","status":{"state":"TASK_STATE_SUBMITTED"}` + rest + `}`
	}
	ways := map[string]func(r *rig, n int, part string) string{
		"answer": func(r *rig, n int, part string) string { return r.ofOne(n, message(part)) },
		"stream": func(r *rig, n int, part string) string { return r.ofOne(n, "stream "+message(part)) },
		"later": func(r *rig, n int, part string) string {
			id := fmt.Sprint("t", n)
			said := r.ofOne(n, `{"task":`+task(id, "")+`}`)
			_, given, ok := strings.Cut(said, `"task":{"id":"`)
			if !ok {
				r.t.Fatalf("no task in %s", said)
			}
			given, _, _ = strings.Cut(given, `"`)
			return r.rpc("GetTask", `{"id":"`+given+`"}`, task(id, `,"artifacts":[{"artifactId":"a","parts":[`+part+`]}]`))
		},
		"reference": func(r *rig, n int, part string) string {
			h := r.reference(r.ofOne(n, message(strings.TrimSuffix(part, "}")+mark+"}")))
			res, body := r.redeem(h, "insurer", nil)
			if res.StatusCode != http.StatusOK {
				r.t.Fatalf("redeeming: %s %s", res.Status, body)
			}
			return body
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for _, memory := range []bool{false, true} {
				r := newRig(t, func(s *gatewaytest.Setup) {
					s.Policy = `permit (principal, action in Action::"upto_raw", resource);`
					s.Schemas = []gatewaytest.Schema{
						{Kind: catalog.Data, Owner: "records", Direction: flow.Request, JSON: namedRecord},
						{Kind: catalog.Data, Owner: "records", Direction: flow.Response, JSON: namedRecord},
					}
					s.Change = func(s *gateway.Snapshot) {
						if memory {
							s.Exposure = &exposure.Settings{Rules: exposure.Presets()["combinations"], Taxonomy: s.Taxonomy}
						}
					}
				})
				got := ""
				for n, piece := range []string{`"sex":"female"`, `"postal":"97701"`, `"born":"1957-03-14"`} {
					got += way(r, n, `{"data":{`+piece+`}}`)
				}
				if !strings.Contains(got, "female") || !strings.Contains(got, "97701") {
					t.Errorf("memory %v: pieces that are little do not pass: %s", memory, got)
				}
				if whole := strings.Contains(gatewaytest.Said(got), "1957"); whole == memory {
					t.Errorf("memory %v: the year of birth is shown: %v, in %s", memory, whole, got)
				}
			}
		})
	}
}

// ofOne asks about one patient, in a conversation of its own, and returns what comes of the agent's answer.
func (r *rig) ofOne(n int, answer string) string {
	method := "SendMessage"
	if strings.HasPrefix(answer, "stream ") {
		method = "SendStreamingMessage"
	}
	return r.rpc(method, fmt.Sprintf(`{"message":{"messageId":"one-%d","role":"ROLE_USER","parts":[{"data":{"id":"p-1"}}]}}`, n), answer)
}

func (r *rig) rpc(method, params, answer string) string {
	r.t.Helper()
	r.mu.Lock()
	r.answer = answer
	r.mu.Unlock()
	_, body := r.do(http.MethodPost, "/a2a/records", "insurer", map[string]string{
		"Content-Type": "application/json", "A2A-Version": "1.0", identity.HeaderPurpose: "care", identity.HeaderCriticality: "critical",
	}, `{"jsonrpc":"2.0","id":1,"method":"`+method+`","params":`+params+`}`)
	return body
}
