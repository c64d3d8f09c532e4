package a2a_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// fussy is a journal that fails as told.
type fussy struct {
	gateway.Journal
	fail func(flow.Event) error
}

func (j *fussy) Append(tx store.Tx, ev flow.Event, p audit.Private) (flow.Receipt, error) {
	if err := j.fail(ev); err != nil {
		return flow.Receipt{}, err
	}
	return j.Journal.Append(tx, ev, p)
}

// with puts a gateway with another journal in front of the town's state.
func (r *town) with(t *testing.T, fail func(flow.Event) error) {
	t.Helper()
	g, err := gateway.New(gateway.Options{Store: r.DB, Journal: &fussy{r.Log, fail}, Vault: r.Vault, Keys: r.Keys}, r.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	r.Gateway = g
	cards := &a2a.Cards{Signer: r.Keys.Signer("card"), KeyID: r.Keys.ID()}
	srv := httptest.NewServer(&a2a.Handler{Gateway: g, Face: gateway.Inbound, Prefix: "/a2a/", Cards: cards})
	t.Cleanup(srv.Close)
	r.base = srv.URL
}

var errDisk = errors.New("disk full")

// event is one event of a stream in answer to request 1.
func event(result string) string {
	return `data: {"jsonrpc":"2.0","id":1,"result":` + result + "}\n\n"
}

func chunk(artifact, text string, first, last bool) string {
	return event(fmt.Sprintf(`{"artifactUpdate":{"taskId":"t","contextId":"c","artifact":{"artifactId":%q,"parts":[{"text":%s}]},"append":%v,"lastChunk":%v}}`, artifact, quoted(text), !first, last))
}

const completed = `{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"}}}`

func streamOf(events ...string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, e := range events {
			_, _ = io.WriteString(w, e)
			w.(http.Flusher).Flush()
		}
	}
}

func streaming(id string) string {
	return strings.Replace(fmt.Sprintf(question, id), "SendMessage", "SendStreamingMessage", 1)
}

func TestNothingHappensThatCannotBeRecorded(t *testing.T) {
	answer := answerWith(`{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"Zanzibar"}]}}`)
	for name, c := range map[string]struct {
		fail  func(flow.Event) bool
		calls int
	}{
		"everything":        {func(flow.Event) bool { return true }, 0},
		"requests":          {func(ev flow.Event) bool { return ev.Flow.Direction == flow.Request }, 0},
		"releases":          {func(ev flow.Event) bool { return ev.Outcome == flow.Released }, 0},
		"responses":         {func(ev flow.Event) bool { return ev.Flow.Direction == flow.Response }, 1},
		"response releases": {func(ev flow.Event) bool { return ev.Flow.Direction == flow.Response && ev.Outcome == flow.Released }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			agent := newAgent(t, answer)
			r := newTown(t, agent, nil)
			r.with(t, func(ev flow.Event) error {
				if c.fail(ev) {
					return errDisk
				}
				return nil
			})
			_, body := r.to(t, "/a2a/desk", "scrim_guest", fmt.Sprintf(question, "q"))
			if strings.Contains(body, "Zanzibar") || strings.Contains(gatewaytest.Said(body), "disk") || !strings.Contains(body, `"error"`) || !strings.Contains(body, "could not be put on record") {
				t.Errorf("answer = %s, want an error that says it could not be recorded", body)
			}
			if n := len(agent.received()); n != c.calls {
				t.Errorf("the agent was called %d times, want %d", n, c.calls)
			}
		})
	}
	for segment := range 3 {
		t.Run(fmt.Sprint("segment ", segment+1), func(t *testing.T) {
			agent := newAgent(t, streamOf(chunk("a", "one. ", true, false), chunk("a", "two. ", false, false), chunk("a", "three. ", false, true), event(completed)))
			r := newTown(t, agent, nil)
			r.with(t, func(ev flow.Event) error {
				if ev.Outcome == flow.Segment && ev.Segment > segment {
					return errDisk
				}
				return nil
			})
			_, body := r.to(t, "/a2a/desk", "scrim_guest", streaming("q"))
			words, said := []string{"one", "two", "three", "COMPLETED"}, gatewaytest.Said(body)
			for i, word := range words {
				if got, want := strings.Contains(said, word), i < segment; got && !want {
					t.Errorf("%q was sent without a row: %s", word, body)
				}
			}
			if !strings.Contains(body, `"error"`) {
				t.Errorf("the stream ended without an error: %s", body)
			}
		})
	}
	t.Run("opened", func(t *testing.T) {
		agent := newAgent(t, streamOf(chunk("a", "one. ", true, true), event(completed)))
		r := newTown(t, agent, nil)
		r.with(t, func(ev flow.Event) error {
			if ev.Outcome == flow.Opened {
				return errDisk
			}
			return nil
		})
		if _, body := r.to(t, "/a2a/desk", "scrim_guest", streaming("q")); strings.Contains(gatewaytest.Said(body), "one") || !strings.Contains(body, `"error"`) {
			t.Errorf("stream = %s, want an error alone", body)
		}
	})
}

// A message that is changed anew, since another of its task was recorded in between, is the same message.
func TestChunkThatIsChangedAnewComesOnce(t *testing.T) {
	agent := newAgent(t, streamOf(chunk("a", "one Jane ", true, false), chunk("a", "two jane.doe@", false, false), chunk("a", "example.org three", false, true), event(completed)))
	r := newTown(t, agent, nil)
	var tries atomic.Int32
	r.with(t, func(ev flow.Event) error {
		if ev.Outcome == flow.Segment && tries.Add(1)%2 == 1 {
			return vault.ErrConflict
		}
		return nil
	})
	_, body := r.to(t, "/a2a/desk", "scrim_guest", streaming("q"))
	text, _ := textOf(t, body)
	if got := surrogates.ReplaceAllString(text, "[s]"); got != "one [s] two [s] three" {
		t.Errorf("text = %q, want each chunk once", got)
	}
}

// A value that is opened for the agent while a text of it is under way is replaced in what is still to come.
func TestValueOpenedInMidstreamIsReplaced(t *testing.T) {
	agent := newAgent(t, answerWith(`{"message":{"messageId":"r-1","role":"ROLE_AGENT","parts":[{"data":`+janeData+`}]}}`))
	r := newTown(t, agent, nil)
	_, body := r.to(t, "/a2a/desk", "scrim_guest", fmt.Sprintf(question, "ask"))
	tok := tokens.FindAllString(body, -1)
	begun, opened := make(chan struct{}), make(chan struct{})
	under := begun
	agent.answer = func(w http.ResponseWriter, body string) {
		if !strings.Contains(body, "Streaming") {
			answerWith(okMessage)(w, body)
			return
		}
		streamOf(event(`{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}`), chunk("a", "You asked, and here it is. ", true, false))(w, body) // three words wait for what follows them
		<-opened
		streamOf(chunk("a", "It is Jane Doe", false, false), chunk("a", ", I think.", false, true), event(completed))(w, body)
	}
	done := make(chan string, 1)
	go func() {
		res, err := http.DefaultClient.Do(r.request(t, "/a2a/desk", "scrim_guest", strings.Replace(message("s", "c", "hello", `{"name":"Somebody"}`), "SendMessage", "SendStreamingMessage", 1)))
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		var got []byte
		for part := make([]byte, 4096); err == nil; {
			var n int
			n, err = res.Body.Read(part)
			if got = append(got, part[:n]...); begun != nil && strings.Contains(string(got), "You asked") {
				close(begun) // the text is under way in the gateway, too
				begun = nil
			}
		}
		done <- string(got)
	}()
	wait(t, under)
	if _, body := r.to(t, "/a2a/desk", "scrim_guest", message("m", "c", "and "+tok[0], fmt.Sprintf(`{"name":%q}`, tok[0]))); !strings.Contains(body, "Done.") {
		t.Errorf("answer = %s", body)
	}
	close(opened)
	got := <-done
	without(t, "the stream", got, "jane")
	if !strings.Contains(got, ", I think.") {
		t.Errorf("stream = %s", got)
	}
}

// A caller whose key is revoked while a stream runs gets nothing more.
func TestStreamEndsWithItsCallersKey(t *testing.T) {
	begun, revoked := make(chan struct{}), make(chan struct{})
	agent := newAgent(t, func(w http.ResponseWriter, body string) {
		streamOf(chunk("a", "before. ", true, false))(w, body)
		close(begun)
		<-revoked
		streamOf(chunk("a", "after. ", false, true), event(completed))(w, body)
	})
	r := newTown(t, agent, nil)
	res, err := http.DefaultClient.Do(r.request(t, "/a2a/desk", "scrim_guest", streaming("q")))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	wait(t, begun)
	setup := r.setup
	setup.Callers = map[string]identity.Grant{"scrim_key": r.setup.Callers["scrim_key"]}
	if err := r.Swap(context.Background(), gatewaytest.Snapshot(t, setup), "revoked"); err != nil {
		t.Fatal(err)
	}
	close(revoked)
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if body := string(b); strings.Contains(body, "after") || strings.Contains(body, "COMPLETED") || !strings.Contains(body, `"error"`) {
		t.Errorf("stream = %s, want it to end with an error after the first text", body)
	}
	events := r.Events()
	if last := events[len(events)-1]; last.Outcome != flow.Closed || last.Reason == "" {
		t.Errorf("last row = %s %q, want a closed one with a reason", last.Outcome, last.Reason)
	}
}

// Streams that end badly, or are made to be hard.
func TestStreamsOfAnUnrulyAgent(t *testing.T) {
	var many []string
	for i := range 300 {
		many = append(many, chunk(fmt.Sprintf("a%d", i), "jane", true, false))
	}
	long := strings.Repeat("word ", 100_000) + "jane.doe@example.org"
	for name, c := range map[string]struct {
		events  []string
		want    string // in what the caller gets
		without string
		failed  bool
	}{
		"dies within an event":      {[]string{chunk("a", "one, and then some more. ", true, false), `data: {"jsonrpc":"2.0","id":1,"result":{"artifactUpdate`}, "one", "", true},
		"ends without a last chunk": {[]string{chunk("a", "jane.doe@", true, false), chunk("a", "example.org", false, false)}, "[email ", "doe@", false},
		"speaks after the end":      {[]string{event(completed), chunk("a", "jane.doe@", true, false), chunk("a", "example.org", false, false)}, "COMPLETED", "doe@", false},
		"300 open texts":            {many, "", "", true},
		"an event of 2 MiB":         {[]string{chunk("a", strings.Repeat("word ", 420_000), true, true)}, "", "word", true},
		"an event of 500 kB":        {[]string{chunk("a", long, true, true), event(completed)}, "[email ", "doe@", false},
		"interleaved artifacts":     {[]string{chunk("a", "jane.doe@", true, false), chunk("b", "4111 1111 ", true, false), chunk("a", "example.org", false, true), chunk("b", "1111 1111", false, true), event(completed)}, "[email ", "1111", false},
		"begins anew":               {[]string{chunk("a", "jane.", true, false), chunk("a", "jane.doe@", true, false), chunk("a", "example.org", false, true), event(completed)}, "[email ", "doe@", false},
		"another answer's id":       {[]string{strings.Replace(chunk("a", "one. ", true, true), `"id":1`, `"id":2`, 1)}, "", "one", true},
		"data in between":           {[]string{chunk("a", "jane.doe@", true, false), event(`{"artifactUpdate":{"taskId":"t","contextId":"c","artifact":{"artifactId":"a","parts":[{"data":{"name":"Jane Doe"}}]},"append":true}}`), chunk("a", "example.org", false, true), event(completed)}, "[email ", "doe", false},
	} {
		t.Run(name, func(t *testing.T) {
			agent := newAgent(t, streamOf(c.events...))
			r := newTown(t, agent, nil)
			_, body := r.to(t, "/a2a/desk", "scrim_guest", streaming("q"))
			if c.without != "" {
				without(t, "the stream", body, c.without)
			}
			if !strings.Contains(body, c.want) || strings.Contains(body, `"error"`) != c.failed {
				t.Errorf("stream = %.2000s, want %q and failed %v", body, c.want, c.failed)
			}
			events := r.Events()
			if last := events[len(events)-1]; last.Outcome != flow.Closed || (last.Reason != "") != c.failed {
				t.Errorf("last row = %s %q, want a closed one", last.Outcome, last.Reason)
			}
			if _, body := r.to(t, "/a2a/desk", "scrim_visitor", streaming("again")); body == "" && c.want != "" {
				t.Errorf("the gateway answers nothing afterwards")
			}
		})
	}
}

func wait(t *testing.T, c chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatal("the agent was not reached")
	}
}
