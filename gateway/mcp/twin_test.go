package mcp_test

import (
	stdjson "encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
)

// answering is a server that gives whatever was last set.
func answering(t testing.TB) (*upstream, *string) {
	answer := new(string)
	return (&upstream{}).serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(*answer))
	})), answer
}

// whole are secrets long enough not to lie in a token by chance.
var whole = []string{"Jane Doe", "jane.doe", "1961-04-12", "536-90-4399"}

func randomRows(r *rand.Rand) rows {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	var out rows
	for range 1 + r.IntN(4) {
		first, last := pick("Jane", "Jürgen", "Ada", "Mary"), pick("Doe", "Roe", "Lovelace", "O'Neil")
		p := patient{Name: first + " " + last}
		if r.IntN(3) > 0 {
			p.Email = strings.ToLower(first) + "." + fmt.Sprint(r.IntN(90)) + "@example.org"
		}
		if r.IntN(3) > 0 {
			p.Born = fmt.Sprintf("19%02d-%02d-%02d", 20+r.IntN(70), 1+r.IntN(12), 1+r.IntN(28))
		}
		if r.IntN(3) > 0 {
			p.SSN = fmt.Sprintf("536-%02d-%04d", 10+r.IntN(80), 1000+r.IntN(8000))
		}
		if r.IntN(3) > 0 {
			p.ID = fmt.Sprintf("r-%d", r.IntN(1000))
		}
		if r.IntN(6) == 0 {
			p.Extra = "Zanzibar"
		}
		out.Rows = append(out.Rows, p)
	}
	return out
}

// Whatever a tool gives, its structured content and the text beside it say the same to every caller: no field is shown
// in one at a level that it does not have in the other.
func TestTextTwinsAreDecidedAlike(t *testing.T) {
	u, answer := answering(t)
	r := newRig(t, u, func(s *gatewaytest.Setup) { s.Hooks.Error = func(error) {} })
	random := rand.New(rand.NewPCG(20261126, 1))
	ask := strings.NewReplacer(`"name":"plain"`, `"name":"rows"`).Replace(plainCall)
	for n := range 120 {
		given := randomRows(random)
		structured, _ := stdjson.Marshal(given)
		twin := structured
		if n%3 == 1 {
			twin, _ = stdjson.MarshalIndent(given, "", "  ")
		}
		text, _ := stdjson.Marshal(string(twin))
		*answer = fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[{"type":"text","text":%s}],"structuredContent":%s}}`, text, structured)
		key := []string{"scrim_own", "scrim_other", "scrim_third"}[random.IntN(3)]
		status, body := r.send(t, ask, "Mcp-Name", "rows", "Authorization", "Bearer "+key, "Scrim-Criticality", []string{"low", "routine", "critical"}[random.IntN(3)])
		var got struct {
			Result struct {
				IsError           bool
				Content           []struct{ Text string }
				StructuredContent any
			}
			Error any
		}
		if err := stdjson.Unmarshal([]byte(body), &got); err != nil || status != 200 {
			t.Fatalf("answer = %d %s", status, body)
		}
		if got.Error != nil || got.Result.IsError {
			without(t, "a refusal", body, []string{"Jane", "Roe", "Lovelace", "536-"})
			continue
		}
		var second any
		if err := stdjson.Unmarshal([]byte(got.Result.Content[0].Text), &second); err != nil {
			t.Fatalf("twin is not JSON: %s", body)
		}
		if !reflect.DeepEqual(got.Result.StructuredContent, second) {
			t.Fatalf("%s is shown %v\nand beside it %v", key, got.Result.StructuredContent, second)
		}
		without(t, "an answer", body, []string{"Zanzibar", "536-"})
	}
}

// In prose beside the structured content its values are found, too.
func TestProseTwinsHoldNoMoreThanTheFields(t *testing.T) {
	u, answer := answering(t)
	r := newRig(t, u, nil)
	structured, _ := stdjson.Marshal(rows{[]patient{jane}})
	*answer = fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete","content":[{"type":"text","text":"Found Jane Doe (born 1961-04-12, 536-90-4399), jane.doe@example.org"}],"structuredContent":%s}}`, structured)
	ask := strings.NewReplacer(`"name":"plain"`, `"name":"rows"`).Replace(plainCall)
	_, body := r.send(t, ask, "Mcp-Name", "rows", "Authorization", "Bearer scrim_other")
	if !strings.Contains(body, "Found ") {
		t.Fatalf("answer = %s", body)
	}
	without(t, "the answer", body, whole)
}

// What is public for everybody keeps its permission to be shared; what was decided for one caller loses it, and its
// time to live.
func TestOnlyWhatIsForEverybodyMayBeShared(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*gatewaytest.Setup)
		text   string
		want   string
	}{
		"changed":     {nil, "write to jane.doe@example.org", `"ttlMs":0,"cacheScope":"private"`},
		"unchanged":   {nil, "nothing", `"ttlMs":0,"cacheScope":"private"`},
		"transparent": {transparent, "write to jane.doe@example.org", `"ttlMs":9,"cacheScope":"public"`},
	} {
		t.Run(name, func(t *testing.T) {
			u, answer := answering(t)
			r := newRig(t, u, c.change)
			*answer = `{"jsonrpc":"2.0","id":7,"result":{"contents":[{"uri":"mem://beds","text":"` + c.text + `"}],"ttlMs":9,"cacheScope":"public","resultType":"complete"}}`
			read := strings.NewReplacer("tools/call", "resources/read", `"name":"plain","arguments":{"text":"hello"}`, `"uri":"mem://beds"`).Replace(plainCall)
			if _, body := r.send(t, read, "Mcp-Method", "resources/read", "Mcp-Name", "mem://beds", "Authorization", "Bearer scrim_other"); !strings.Contains(body, c.want) {
				t.Errorf("answer = %s, want %s", body, c.want)
			}
		})
	}
}

// transparent declares all traffic of the server public.
func transparent(s *gatewaytest.Setup) {
	s.Policy += `@id("public") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`
	s.Transparent = append(s.Transparent, gateway.Transparent{Agent: "records", Path: "/**"})
}

// Only where all traffic is public does a message pass that no table describes, and then byte for byte.
func TestUnknownMethodsPassOnlyWhereAllIsPublic(t *testing.T) {
	const unknown = `{"jsonrpc":"2.0", "id":7,"method":"vendor/Zanzibar","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"},"x":[1.50]}}`
	const reply = `{"jsonrpc":"2.0","id":7, "result":{"content":"Zanzibar","y":{"z":null}}}`
	const notice = `{"jsonrpc":"2.0","method":"notifications/vendor","params":{"b":1}}`
	odd := strings.Replace(unknown, `"x":`, `"name":5,"x":`, 1)
	for _, public := range []bool{false, true} {
		t.Run(fmt.Sprint(public), func(t *testing.T) {
			u, answer := answering(t)
			*answer = reply
			var change func(*gatewaytest.Setup)
			if public {
				change = transparent
			}
			r := newRig(t, u, change)
			status, body := r.send(t, unknown, "Mcp-Method", "vendor/Zanzibar", "Mcp-Name", "thing-1")
			noticed, _ := r.send(t, notice, "Mcp-Method", "notifications/vendor", "Mcp-Name", "")
			if noticed != http.StatusAccepted {
				t.Errorf("notification = %d, want 202", noticed)
			}
			if !public {
				if status != 404 || strings.Contains(body, "Zanzibar") || len(u.bodies()) != 0 {
					t.Errorf("answer = %d %s, server got %v, want it refused", status, body, u.bodies())
				}
				return
			}
			if body != reply || len(u.bodies()) != 2 || u.bodies()[0] != unknown || u.bodies()[1] != notice {
				t.Errorf("answer = %d %s, server got %v, want all unchanged", status, body, u.bodies())
			}
			if _, body := r.send(t, odd, "Mcp-Method", "vendor/Zanzibar", "Mcp-Name", ""); body != reply || u.bodies()[2] != odd {
				t.Errorf("a name that is none = %s, server got %s", body, u.bodies()[2])
			}
			if h := u.header[0]; h.Get("Mcp-Method") != "vendor/Zanzibar" || h.Get("Mcp-Name") != "thing-1" {
				t.Errorf("headers = %v", h)
			}
			for _, ev := range r.Events() {
				if b, _ := stdjson.Marshal(ev); strings.Contains(string(b), "Zanzibar") {
					t.Errorf("the record holds a name that nobody knows: %s", b)
				}
			}
		})
	}
}

// A task's result is decided as the tool's own would be, whoever asks for it and however often.
func TestResultsOfTasksAreThoseOfTheirTools(t *testing.T) {
	u, answer := answering(t)
	r := newRig(t, u, func(s *gatewaytest.Setup) {
		s.Agents = append(s.Agents, &gateway.Agent{Party: flow.Party{Agent: "guest", Domain: gatewaytest.Own}})
		s.Anonymous = &identity.Grant{Party: flow.Party{Agent: "guest", Domain: gatewaytest.Own}, Criticality: flow.Critical}
	})
	structured, _ := stdjson.Marshal(rows{[]patient{jane}})
	ask := strings.NewReplacer(`"name":"plain"`, `"name":"rows"`).Replace(plainCall)
	made := `"taskId":"t-1","status":"working","createdAt":"2026-11-26T10:00:00Z","lastUpdatedAt":"2026-11-26T10:00:00Z","ttlMs":60000,"pollIntervalMs":50`
	*answer = `{"jsonrpc":"2.0","id":7,"result":{"resultType":"task",` + made + `}}`
	_, body := r.send(t, ask, "Mcp-Name", "rows", "Authorization", "Bearer scrim_other")
	id := regexp.MustCompile(`"taskId":"([^"]+)"`).FindStringSubmatch(body)
	if id == nil || !strings.Contains(body, `"status":"working"`) {
		t.Fatalf("answer = %s, want the task", body)
	}
	*answer = `{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete",` + strings.Replace(made, "working", "completed", 1) +
		`,"statusMessage":"asked jane.doe@example.org","result":{"content":[{"type":"text","text":"Jane Doe"}],"structuredContent":` + string(structured) + `}}}`
	get := strings.NewReplacer("tools/call", "tasks/get", `"name":"plain","arguments":{"text":"hello"}`, `"taskId":"t-1"`).Replace(plainCall)
	_, body = r.send(t, strings.Replace(get, `"t-1"`, `"`+id[1]+`"`, 1), "Mcp-Method", "tasks/get", "Mcp-Name", id[1], "Authorization", "Bearer scrim_other")
	without(t, "the task", body, whole)
	if !strings.Contains(body, `"name":"stk1_`) || u.header[1].Get("Mcp-Name") != "t-1" {
		t.Errorf("answer = %s, headers = %v, want stand-ins of the tool's fields", body, u.header[1])
	}
	// The server takes any caller for the gateway, so the gateway must know whose a task is: under any of its names.
	before := len(u.bodies())
	for _, key := range []string{"Bearer scrim_third", "Bearer scrim_own", ""} {
		for _, name := range []string{"t-1", id[1], "t-2"} {
			if key == "" && name == "t-2" {
				continue // nobody's: a stranger may have been given it
			}
			status, body := r.send(t, strings.Replace(get, `"t-1"`, `"`+name+`"`, 1), "Mcp-Method", "tasks/get", "Mcp-Name", name, "Authorization", key)
			if status != 400 || !strings.Contains(body, "-32602") {
				t.Errorf("another caller asks for %s: %d %s, want it not found", name, status, body)
			}
		}
	}
	if len(u.bodies()) != before {
		t.Error("another caller's question was forwarded")
	}
	found := false
	for _, ev := range r.Events() {
		found = found || ev.Flow.Method == "tasks/get" && ev.Flow.Subject == "rows" && ev.Flow.Direction == flow.Response
	}
	if !found {
		t.Error("the record does not name the tool")
	}
}
