package a2a_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// restAgent speaks HTTP+JSON alone, and keeps what it was asked.
type restAgent struct {
	*httptest.Server
	mu     sync.Mutex
	got    []string // verb, address, body
	answer func(w http.ResponseWriter, r *http.Request)
}

func newRESTAgent(t *testing.T, tenant string, answer func(w http.ResponseWriter, r *http.Request)) *restAgent {
	s := &restAgent{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/agent-card.json" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"name":"a","description":"d","version":"1","capabilities":{},"skills":[],"supportedInterfaces":[{"url":%q,"protocolBinding":"HTTP+JSON","protocolVersion":"1.0","tenant":%q}]}`,
				"http://"+r.Host+"/rest", tenant)
			return
		}
		b, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.got = append(s.got, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(b)))
		s.mu.Unlock()
		s.answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *restAgent) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

func says(body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, body)
	}
}

// at puts a town in front of an agent that is reached at an address.
func at(t *testing.T, address string, change func(*gatewaytest.Setup)) *town {
	t.Helper()
	agent := newAgent(t, answerWith(okMessage))
	up, err := gateway.NewUpstream(address, "", flow.Secret{}, gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return newTown(t, agent, func(s *gatewaytest.Setup) {
		for _, a := range s.Agents {
			if a.A2A != nil {
				a.A2A = up
			}
		}
		if change != nil {
			change(s)
		}
	})
}

func (r *town) rest(t *testing.T, verb, path, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), verb, r.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body == "" {
		req.Body, req.ContentLength = nil, 0
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0", "Authorization": "Bearer scrim_guest", "Scrim-Purpose": "care"} {
		req.Header.Set(k, v)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if req.Header.Del(header[i]); header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// atHome is the credential of a caller of desk's own domain, to whom and from whom identifiers pass as they are.
var atHome = []string{"Authorization", "Bearer scrim_key"}

// identifier is what a task or context is called, on our side of the edge of the domain or on another.
var identifier = regexp.MustCompile(`"((task|context)Id)":"[^"]+"`)

// blind leaves identifiers out.
func blind(body string) string { return identifier.ReplaceAllString(body, `"$1":""`) }

const restMessage = `{ "message":{"messageId":"m-1","role":"ROLE_USER","parts":[{"text":"How are the beds today?"}]} , "configuration":{"historyLength":2} }`

func TestUnchangedRESTMessagePassesByteForByte(t *testing.T) {
	const answer = `{ "message" : {"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"Caf\u00e9, 東京"}]} }`
	agent := newRESTAgent(t, "", says(answer))
	r := at(t, agent.URL, nil)
	status, body := r.rest(t, http.MethodPost, "/a2a/desk/message:send", restMessage, atHome...)
	if status != 200 || body != answer {
		t.Errorf("answer = %d %s\nwant the agent's own bytes", status, body)
	}
	if got := agent.received(); len(got) != 1 || got[0] != "POST /rest/message:send "+restMessage {
		t.Errorf("the agent got %q", got)
	}
}

// A caller that speaks one binding reaches an agent that speaks the other.
func TestRESTAndJSONRPCReachEachOther(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newTown(t, agent, nil)
	if status, body := r.rest(t, http.MethodPost, "/a2a/desk/message:send", restMessage, atHome...); status != 200 || body != okMessage {
		t.Errorf("answer = %d %s", status, body)
	}
	if got, want := agent.received()[0], `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":`+restMessage+`}`; got != want {
		t.Errorf("the agent got %s\nwant %s", got, want)
	}
	rest := newRESTAgent(t, "north", says(okMessage))
	r = at(t, rest.URL, nil)
	if _, body := r.to(t, "/a2a/desk", "scrim_key", plainMessage); body != `{"jsonrpc":"2.0","id":1,"result":`+okMessage+`}` {
		t.Errorf("answer = %s", body)
	}
	if got := rest.received()[0]; !strings.HasPrefix(got, `POST /rest/north/message:send {"message":`) || strings.Contains(got, "jsonrpc") {
		t.Errorf("the agent got %s", got)
	}
}

func TestRESTOperations(t *testing.T) {
	task := `{"id":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}`
	agent := newRESTAgent(t, "", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/tasks") {
			says(`{"tasks":[`+task+`],"nextPageToken":"","pageSize":50,"totalSize":1}`)(w, r)
			return
		}
		says(task)(w, r)
	})
	r := at(t, agent.URL, nil)
	for _, c := range []struct{ verb, path, body, want string }{
		{"GET", "/a2a/desk/tasks/t?historyLength=3", "", "GET /rest/tasks/t?historyLength=3"},
		{"GET", "/a2a/desk/acme/tasks/t", "", "GET /rest/acme/tasks/t"},
		{"GET", "/a2a/desk/tasks?contextId=c&pageSize=10&includeArtifacts=true&status=TASK_STATE_WORKING", "", "GET /rest/tasks?contextId=c&includeArtifacts=true&pageSize=10&status=TASK_STATE_WORKING"},
		{"GET", "/a2a/desk/tasks?lastUpdatedAfter=2026-01-01T00:00:00Z", "", "GET /rest/tasks?statusTimestampAfter=2026-01-01T00%3A00%3A00Z"},
		{"POST", "/a2a/desk/tasks/t:cancel", "", "POST /rest/tasks/t:cancel {}"},
		{"POST", "/a2a/desk/tasks/t:cancel", `{"id":"t"}`, "POST /rest/tasks/t:cancel {}"},
	} {
		before := len(agent.received())
		if status, body := r.rest(t, c.verb, c.path, c.body, atHome...); status != 200 {
			t.Errorf("%s: %d %s", c.path, status, body)
			continue
		}
		if got := agent.received()[before]; got != c.want {
			t.Errorf("%s: the agent got %q, want %q", c.path, got, c.want)
		}
	}
}

// What path, query, header and body say apart, is refused, and none of it is forwarded.
func TestRESTCallsThatSayTwoThings(t *testing.T) {
	agent := newRESTAgent(t, "", says(okMessage))
	r := at(t, agent.URL, nil)
	north := newRESTAgent(t, "north", says(okMessage))
	rn := at(t, north.URL, nil)
	for name, c := range map[string]struct {
		to               *town
		verb, path, body string
		header           []string
		status           int
	}{
		"another task in the body":    {r, "POST", "/a2a/desk/tasks/t:cancel", `{"id":"other"}`, nil, 400},
		"another tenant in the body":  {r, "POST", "/a2a/desk/acme/message:send", strings.Replace(restMessage, "{ ", `{"tenant":"other",`, 1), nil, 400},
		"another tenant in the query": {r, "GET", "/a2a/desk/acme/tasks?tenant=other", "", nil, 400},
		"the id in path and query":    {r, "GET", "/a2a/desk/tasks/t?id=other", "", nil, 400},
		"a query name twice":          {r, "GET", "/a2a/desk/tasks?pageSize=1&pageSize=2", "", nil, 400},
		"both names of one member":    {r, "GET", "/a2a/desk/tasks?lastUpdatedAfter=2026-01-01T00:00:00Z&statusTimestampAfter=2025-01-01T00:00:00Z", "", nil, 400},
		"a query nobody knows":        {r, "GET", "/a2a/desk/tasks?Zanzibar=Zanzibar", "", nil, 403},
		"a number that is none":       {r, "GET", "/a2a/desk/tasks?pageSize=Zanzibar", "", nil, 400},
		"a query that is none":        {r, "GET", "/a2a/desk/tasks?a=%zz", "", nil, 400},
		"a body with GET":             {r, "GET", "/a2a/desk/tasks", `{"pageSize":1}`, nil, 400},
		"an envelope's end in a body": {r, "POST", "/a2a/desk/message:send", `{"message":{}},"method":"CancelTask","x":{"a":1}`, nil, 400},
		"a list":                      {r, "POST", "/a2a/desk/message:send", `[]`, nil, 400},
		"no JSON":                     {r, "POST", "/a2a/desk/message:send", `Zanzibar`, nil, 400},
		"another media type":          {r, "POST", "/a2a/desk/message:send", restMessage, []string{"Content-Type", "text/plain"}, 400},
		"compressed":                  {r, "POST", "/a2a/desk/message:send", restMessage, []string{"Content-Encoding", "gzip"}, 400},
		"two versions":                {r, "POST", "/a2a/desk/message:send?A2A-Version=0.3", restMessage, nil, 400},
		"no version":                  {r, "POST", "/a2a/desk/message:send", restMessage, []string{"A2A-Version", ""}, 400},
		"no credential":               {r, "POST", "/a2a/desk/message:send", restMessage, []string{"Authorization", ""}, 401},
		"another agent's tenant":      {rn, "POST", "/a2a/desk/south/message:send", restMessage, nil, 400},
		"a tenant that climbs":        {rn, "GET", "/a2a/desk/%2E%2E/tasks/t", "", nil, 404},
		"a slash in disguise":         {r, "GET", "/a2a/desk/tasks/t%2FpushNotificationConfigs", "", nil, 404},
		"an agent's name in disguise": {r, "POST", "/a2a/de%73k%2Fx/message:send", restMessage, nil, 404},
		"another verb":                {r, "DELETE", "/a2a/desk/tasks/t", "", nil, 405},
		"an agent that is not there":  {r, "POST", "/a2a/nobody/message:send", restMessage, nil, 404},
		"an agent of the other face":  {r, "POST", "/a2a/partner/message:send", restMessage, nil, 404},
		"a place nobody declares":     {r, "POST", "/a2a/desk/message:send", strings.Replace(restMessage, "{ ", `{"Zanzibar":1,`, 1), nil, 403},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := c.to.rest(t, c.verb, c.path, c.body, c.header...)
			if status != c.status {
				t.Errorf("answer = %d %s, want %d", status, body, c.status)
			}
			if strings.Contains(body, "Zanzibar") {
				t.Errorf("the answer echoes a value: %s", body)
			}
			if status != 404 && status != 405 && !strings.Contains(body, `"error":{"code":`+fmt.Sprint(status)) {
				t.Errorf("answer = %s, want the binding's own error", body)
			}
		})
	}
	if got := append(agent.received(), north.received()...); len(got) != 0 {
		t.Errorf("the agents got %q", got)
	}
}

func TestTheVersionMayStandInTheQuery(t *testing.T) {
	agent := newRESTAgent(t, "", says(okMessage))
	r := at(t, agent.URL, nil)
	for _, version := range []string{"1.0", "1.0.1"} {
		if status, body := r.rest(t, http.MethodPost, "/a2a/desk/message:send?A2A-Version="+version, restMessage, "A2A-Version", ""); status != 200 {
			t.Errorf("%s: answer = %d %s", version, status, body)
		}
	}
}

// A message that was answered over one binding is answered the same over another, if it is the same.
func TestRetryByAnotherBinding(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := newTown(t, agent, nil)
	params := strings.TrimSuffix(strings.SplitN(plainMessage, `"params":`, 2)[1], "}")
	if _, body := r.to(t, "/a2a/desk", "scrim_key", plainMessage, "Scrim-Criticality", ""); !strings.Contains(body, "Done.") {
		t.Fatalf("answer = %s", body)
	}
	if status, body := r.rest(t, http.MethodPost, "/a2a/desk/message:send", params, atHome...); status != 200 || body != okMessage {
		t.Errorf("retry = %d %s, want the answer again", status, body)
	}
	if n := len(agent.received()); n != 1 {
		t.Errorf("the agent was called %d times, want once", n)
	}
	if status, body := r.rest(t, http.MethodPost, "/a2a/desk/message:send", strings.Replace(params, "beds", "beans", 1), atHome...); status != 409 || !strings.Contains(body, "ID_CONFLICT") {
		t.Errorf("the same id with another message = %d %s, want a conflict", status, body)
	}
}

func restEvents(events ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range events {
			_, _ = io.WriteString(w, e)
			w.(http.Flusher).Flush()
		}
	}
}

func TestRESTStream(t *testing.T) {
	bare := func(result string) string { return ": ping\n\nid: 7\ndata: " + result + "\n\n" }
	part := func(text string, last bool) string {
		return bare(fmt.Sprintf(`{"artifactUpdate":{"taskId":"t","contextId":"c","artifact":{"artifactId":"a","parts":[{"text":%q}]},"append":true,"lastChunk":%v}}`, text, last))
	}
	agent := newRESTAgent(t, "", restEvents(part("Write to jane.doe@", false), part("example.org today", false), bare(completed)))
	r := at(t, agent.URL, nil)
	message := strings.Replace(restMessage, "m-1", "s-1", 1)
	status, first := r.rest(t, http.MethodPost, "/a2a/desk/message:stream", message)
	without(t, "the stream", first, "jane", "doe@", "jsonrpc")
	if status != 200 || !strings.Contains(first, `data: {"artifactUpdate"`) || !strings.Contains(first, "[email]") || strings.Contains(first, "id: 7\n") || !strings.HasSuffix(blind(first), "\ndata: "+blind(completed)+"\n\n") {
		t.Errorf("stream = %d %s", status, first)
	}
	if _, again := r.rest(t, http.MethodPost, "/a2a/desk/message:stream", message); again != first {
		t.Errorf("retry = %s\nwant %s", again, first)
	}
	_, other := r.to(t, "/a2a/desk", "scrim_guest", `{"jsonrpc":"2.0","id":"x","method":"SendStreamingMessage","params":`+message+`}`, "Scrim-Criticality", "")
	if want := strings.Count(first, "data: "); strings.Count(other, `data: {"jsonrpc":"2.0","id":"x","result":`) != want {
		t.Errorf("retry by the other binding = %s, want %d envelopes", other, want)
	}
	if n := len(agent.received()); n != 1 {
		t.Errorf("the agent was called %d times, want once", n)
	}
}

func TestRESTStreamThatBreaksOff(t *testing.T) {
	for name, events := range map[string][]string{
		"within an event": {"data: {\"statusUpdate\"\n\n"},
		"no object":       {"data: 7\n\n"},
		"cut":             {"data: {\"task\":{\"id\":\"t\""},
		"smuggled":        {"data: {\"task\":{\"id\":\"t\",\"status\":{}}},\"id\":2,\"error\":{\n\n"},
	} {
		agent := newRESTAgent(t, "", restEvents(events...))
		r := at(t, agent.URL, nil)
		status, body := r.rest(t, http.MethodPost, "/a2a/desk/message:stream", restMessage)
		if !strings.Contains(body, `"error":{"code":500,"status":"INTERNAL"`) || status == 200 && !strings.HasPrefix(body, "data: ") {
			t.Errorf("%s: stream = %d %s", name, status, body)
		}
	}
}

func TestErrorsOfRESTAgents(t *testing.T) {
	const notFound = `{"error":{"code":404,"status":"NOT_FOUND","message":"no such task","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"TASK_NOT_FOUND","domain":"a2a-protocol.org","metadata":{"taskId":"t-1"}}]}}`
	for name, c := range map[string]struct {
		status int
		media  string
		body   string
		want   int
		text   string
		rpc    string
	}{
		"a task that is not there": {404, "application/json", notFound, 404, notFound, `"code":-32001,"message":"no such task"`},
		"another status":           {409, "application/json", strings.Replace(notFound, `"code":404`, `"code":409`, 1), 409, "no such task", `"code":-32001`},
		"no details":               {403, "application/json", `{"error":{"code":403,"message":"not you"}}`, 403, `"status":"PERMISSION_DENIED","message":"not you"`, `"code":-31403`},
		"no error in it":           {500, "application/json", `{"oops":"Zanzibar"}`, 500, `"INTERNAL"`, `"code":-32603`},
		"no JSON":                  {502, "text/html", "<b>Zanzibar</b>", 500, "HTTP status 502", "HTTP status 502"},
		"a text in it":             {400, "application/json", `{"error":{"message":"mail jane.doe@example.org"}}`, 400, "[email]", "[email"},
	} {
		agent := newRESTAgent(t, "", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.media)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})
		r := at(t, agent.URL, nil)
		status, body := r.rest(t, http.MethodGet, "/a2a/desk/tasks/t-1", "")
		if status != c.want || !strings.Contains(blind(body), blind(c.text)) || strings.Contains(body, "Zanzibar") || strings.Contains(gatewaytest.Said(body), "jane") {
			t.Errorf("%s: answer = %d %s, want %d %s", name, status, body, c.want, c.text)
		}
		if _, body := r.to(t, "/a2a/desk", "scrim_guest", `{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t-1"}}`); !strings.Contains(body, c.rpc) || strings.Contains(body, "Zanzibar") {
			t.Errorf("%s: over JSON-RPC: %s, want %s", name, body, c.rpc)
		}
	}
}
