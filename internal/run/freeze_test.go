package run_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// freezeRig is a gateway of a clinic before one agent, with a caller of its own and one of another domain.
type freezeRig struct {
	g                *run.Gateway
	addr, file       string
	stop             func() error
	own, other, lone string // keys
}

const freezeYAML = `version: 1
domain: clinic
agents:
  - {id: client, keys: [{sha256: %s}], limits: {rate: 100000, flows: 1000}}
  - {id: stranger, domain: lab, keys: [{sha256: %s}], limits: {rate: 100000, flows: 1000}}
  - {id: lone, keys: [{sha256: %s}]}
  - {id: scribe, a2a: {url: %q}}
transparent: [{agent: "*", reason: a test}]
timeouts: {shutdown: 1ms}
`

func newFreezeRig(t *testing.T) *freezeRig {
	t.Helper()
	over := make(chan struct{})
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "SendStreamingMessage") {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, `data: {"jsonrpc":"2.0","id":1,"result":{"task":{"id":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_WORKING"}}}}`+"\n\n")
			w.(http.Flusher).Flush()
			select { // silent from here on
			case <-over:
			case <-r.Context().Done():
			}
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[{"text":"well"}]}}}`)
	}))
	t.Cleanup(agent.Close)
	t.Cleanup(func() { close(over) })
	r := &freezeRig{}
	var digests [3]string
	for i, key := range []*string{&r.own, &r.other, &r.lone} {
		k, digest := identity.NewKey()
		*key, digests[i] = k.Expose(), digest
	}
	r.file = lay(t, fmt.Sprintf(freezeYAML, digests[0], digests[1], digests[2], agent.URL), map[string]string{
		"policies/10.cedar": `@id("all") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`,
	})
	r.start(t)
	return r
}

func (r *freezeRig) start(t *testing.T) {
	r.g, r.addr, r.stop = serve(t, load(t, r.file), run.Options{})
}

func (r *freezeRig) request(ctx context.Context, key, agent, method, id string) (*http.Response, error) {
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{"message":{"messageId":%q,"role":"ROLE_USER","parts":[{"text":"how is it"}]}}}`, method, id)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.addr+"/a2a/"+agent, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0", "Authorization": "Bearer " + key} {
		req.Header.Set(k, v)
	}
	return http.DefaultClient.Do(req)
}

// send sends one message and returns status and answer, without ids and references, in which all answers differ.
func (r *freezeRig) send(t *testing.T, key, agent, id string) (int, string) {
	t.Helper()
	res, err := r.request(t.Context(), key, agent, "SendMessage", id)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		Error *struct {
			Code    int
			Message string
			Data    []map[string]any
		}
	}
	if err := json.Unmarshal(body, &out); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if out.Error == nil {
		return res.StatusCode, "answered"
	}
	for _, d := range out.Error.Data {
		if m, ok := d["metadata"].(map[string]any); ok {
			delete(m, "reference")
		}
	}
	rest, _ := json.Marshal(out.Error)
	return res.StatusCode, string(rest)
}

func (r *freezeRig) freeze(t *testing.T, target string) {
	t.Helper()
	asked(t, r.g, http.MethodPost, "/api/v1/freeze", `{"target":"`+target+`","reason":"a test"}`)
}

func (r *freezeRig) thaw(t *testing.T, target string) {
	t.Helper()
	asked(t, r.g, http.MethodPost, "/api/v1/thaw", `{"target":"`+target+`"}`)
}

func (r *freezeRig) entries(t *testing.T) (all []audit.Entry) {
	t.Helper()
	for e, err := range audit.Entries(t.Context(), r.g.DB, audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// Whoever is frozen is told what whoever calls an agent that is not there is told, whichever side is frozen and whether it is
// frozen itself or with its domain; others go on; and when it is thawed it goes on too. Both are on record.
func TestWhoIsFrozenNeitherSendsNorReceives(t *testing.T) {
	r := newFreezeRig(t)
	_, nobody := r.send(t, r.own, "nobody", "m0")
	for i, c := range []struct {
		target     string
		own, other bool // whether the two are answered
	}{
		{"agent:client", false, true},
		{"agent:client@clinic", false, true},
		{"agent:client@lab", true, true},
		{"agent:stranger", true, false},
		{"domain:lab", true, false},
		{"agent:scribe", false, false},
	} {
		r.freeze(t, c.target)
		for _, one := range []struct {
			key      string
			answered bool
		}{{r.own, c.own}, {r.other, c.other}} {
			status, got := r.send(t, one.key, "scribe", fmt.Sprint("m", i, one.key[:8]))
			switch {
			case one.answered && got != "answered":
				t.Errorf("%s: it got %s, want an answer", c.target, got)
			case !one.answered && got != nobody:
				t.Errorf("%s: it got %d %s, want what is told of an agent that is not there: %s", c.target, status, got, nobody)
			}
		}
		r.thaw(t, c.target)
		if _, got := r.send(t, r.own, "scribe", fmt.Sprint("after", i)); got != "answered" {
			t.Errorf("%s: after the thaw it got %s", c.target, got)
		}
	}
	var freezes, thaws, refusals int
	for _, e := range r.entries(t) {
		switch ev := e.Event; {
		case ev.Flow.Method == "freeze":
			freezes++
		case ev.Flow.Method == "thaw":
			thaws++
		case ev.Outcome == flow.Refused && strings.Contains(ev.Reason, "frozen"):
			refusals++
		}
		if strings.Contains(string(e.Raw), "a test") {
			t.Error("the reason, which may name a person, is in the record")
		}
	}
	if freezes != 6 || thaws != 6 || refusals != 6 {
		t.Errorf("on record are %d freezes, %d thaws and %d refusals, want 6, 6 and 6", freezes, thaws, refusals)
	}
}

// A freeze ends the streams of whoever is frozen, in milliseconds on a machine that is not busy, with the words of any refusal, though the agent is silent; other
// streams stay open.
func TestAFreezeEndsOpenStreams(t *testing.T) {
	r := newFreezeRig(t)
	open := func(key, id string) (<-chan string, func()) {
		ctx, cancel := context.WithCancel(t.Context())
		res, err := r.request(ctx, key, "scribe", "SendStreamingMessage", id)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cancel(); _ = res.Body.Close() })
		in := bufio.NewReader(res.Body)
		if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "TASK_STATE_WORKING") {
			t.Fatalf("first event = %q, %v", line, err)
		}
		rest := make(chan string, 1)
		go func() {
			b, _ := io.ReadAll(in)
			rest <- string(b)
		}()
		return rest, cancel
	}
	for i, target := range []string{"agent:stranger", "domain:lab", "agent:scribe"} {
		ended, _ := open(r.other, fmt.Sprint("s", i))
		stays, leave := open(r.lone, fmt.Sprint("l", i))
		began := time.Now()
		r.freeze(t, target)
		select {
		case got := <-ended:
			if strings.Contains(got, "froze") || !strings.Contains(got, "There is no such agent at this address for this caller.") {
				t.Errorf("%s: the stream ended with %q", target, got)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: the stream stays open", target)
		}
		t.Logf("%s: it took %s to end a stream", target, time.Since(began)) // less than a second where the machine is not busy
		if target != "agent:scribe" {
			select {
			case got := <-stays:
				t.Errorf("%s: another's stream ended too, with %q", target, got)
			case <-time.After(50 * time.Millisecond):
			}
		}
		leave()
		r.thaw(t, target)
	}
}

// Nothing of whoever is frozen is on record after the freeze, however many flows were under way; and what is not on record did not
// leave.
func TestNothingBeginsAfterAFreeze(t *testing.T) {
	r := newFreezeRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var answered, refused atomic.Int64 // of the lab's
	for i := range 16 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				key, method := r.other, "SendMessage"
				if i%4 == 0 {
					key = r.own
				}
				if res, err := r.request(ctx, key, "scribe", method, fmt.Sprint("m", i, "-", n)); err == nil {
					body, _ := io.ReadAll(res.Body)
					_ = res.Body.Close()
					switch {
					case i%4 == 0:
					case strings.Contains(string(body), `"error"`):
						refused.Add(1)
					default:
						answered.Add(1)
					}
				}
			}
		})
	}
	for round, end := 0, time.Now().Add(time.Minute); round < 5 || (answered.Load() < 40 || refused.Load() < 10) && time.Now().Before(end); round++ {
		time.Sleep(60 * time.Millisecond)
		r.freeze(t, "domain:lab")
		time.Sleep(20 * time.Millisecond)
		r.thaw(t, "domain:lab")
	}
	time.Sleep(20 * time.Millisecond)
	cancel()
	wg.Wait()
	frozen, during, before := false, 0, 0
	for _, e := range r.entries(t) {
		ev := e.Event
		lab := ev.Flow.From.Domain == "lab" || ev.Flow.To.Domain == "lab"
		switch {
		case ev.Flow.Method == "freeze":
			frozen = true
		case ev.Flow.Method == "thaw":
			frozen = false
		case lab && frozen && ev.Outcome != flow.Refused:
			t.Errorf("entry %d, %s of %s, comes after the freeze", e.Seq, ev.Outcome, ev.Flow.From.Agent)
		case lab && frozen:
			during++
		case lab:
			before++
		}
	}
	if before < 20 || during < 5 {
		t.Fatalf("%d flows before and %d refused: too few to tell anything", before, during)
	}
}

// A freeze survives a restart, and can be lifted then.
func TestAFreezeSurvivesARestart(t *testing.T) {
	r := newFreezeRig(t)
	r.freeze(t, "agent:client")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	if got := asked(t, r.g, http.MethodGet, "/api/v1/frozen", ""); !strings.Contains(got, `"a test"`) {
		t.Errorf("after the restart the list is %s", got)
	}
	if !strings.Contains(metrics(t, r.g), "scrim_frozen 1") {
		t.Error("the metrics do not say that something is frozen")
	}
	if _, got := r.send(t, r.own, "scribe", "m1"); got == "answered" {
		t.Error("after a restart it is answered")
	}
	r.thaw(t, "agent:client")
	if _, got := r.send(t, r.own, "scribe", "m2"); got != "answered" {
		t.Errorf("after the thaw it got %s", got)
	}
}

// A frozen dataset answers nothing, in the words of one that may not be asked about, and its streams stand still through a restart: no
// step is taken and nothing is charged. Thawed, they go on.
func TestAFrozenDatasetStandsStill(t *testing.T) {
	t.Parallel()
	key, digest := identity.NewKey()
	from := time.Now().UTC().Truncate(time.Hour).Add(-5 * time.Hour)
	db, _ := admissions(t, from, 5, 40)
	yaml := fmt.Sprintf(streamsYAML, digest, strconv.Quote(db), "SELECT ward, COUNT(*) AS n FROM stays GROUP BY ward", from.Format(time.RFC3339))
	c := load(t, lay(t, yaml, questionsFiles))
	st, err := run.OpenState(t.Context(), c, store.Options{}) // of a stopped gateway
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Freeze(t.Context(), st.Ledger(), api.FreezeRequest{Target: "dataset:stays"}); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	g, addr, _ := serve(t, c, run.Options{})
	untold := func(s string) string { // without what differs from call to call, and without the name
		var out struct {
			Result struct {
				Content []struct{ Text string }
			}
			Error struct{ Message string }
		}
		if err := json.Unmarshal([]byte(s), &out); err != nil {
			t.Fatal(err)
		}
		text := out.Error.Message
		for _, c := range out.Result.Content {
			text += c.Text
		}
		return regexp.MustCompile(`[0-9a-v]{26}`).ReplaceAllString(text, "REFERENCE")
	}
	for _, name := range []string{"query", "explain_query", "describe_dataset", "budget", "read_stream"} {
		args := `{"dataset":"%s"}`
		switch name {
		case "query", "explain_query":
			args = `{"dataset":"%s","sql":"SELECT COUNT(*) FROM stays"}`
		case "read_stream":
			args = `{"dataset":"%s","stream":"admissions"}`
		}
		_, there := tool(t, addr, key.Expose(), name, fmt.Sprintf(args, "stays"))
		_, missing := tool(t, addr, key.Expose(), name, fmt.Sprintf(args, "others"))
		if untold(there) != untold(missing) || untold(there) == "" {
			t.Errorf("%s of a frozen dataset is told %q, of one that is not there %q", name, untold(there), untold(missing))
		}
	}
	if list, _ := tool(t, addr, key.Expose(), "list_datasets", `{}`); strings.Contains(string(list), "stays") {
		t.Errorf("a frozen dataset is listed: %s", list)
	}
	time.Sleep(200 * time.Millisecond)
	if n := g.Published(t.Context(), "stays", "admissions"); n != 0 {
		t.Errorf("%d steps were taken of a frozen dataset", n)
	}
	asked(t, g, http.MethodPost, "/api/v1/thaw", `{"target":"dataset:stays"}`)
	steps(t, addr, key.Expose(), 5)
	if got, body := tool(t, addr, key.Expose(), "query", `{"dataset":"stays","sql":"SELECT COUNT(*) FROM stays","epsilon":1}`); got == nil || strings.Contains(body, "isError\":true") {
		t.Errorf("after the thaw: %s", body)
	}
}
