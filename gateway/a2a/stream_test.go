package a2a_test

import (
	"bufio"
	stdjson "encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

const streamingMessage = `{"jsonrpc":"2.0","id":7,"method":"SendStreamingMessage","params":{"message":{"messageId":%q,"role":"ROLE_USER","parts":[
 {"text":"Please look at Jane Doe."},{"data":{"name":"Jane Doe","email":"jane.doe@example.org"}}]}}}`

// letter is what the agent streams. It is prose with everything that must not be cut in two.
const letter = "Dear [person XX], your card 4111 1111 1111 1111 was charged on 12 March 2026. Write to alice.longname@example.com or call " +
	"+1 (415) 555-0132, or see https://example.org/path?q=1. The address 203.0.113.77 was seen. Ihre IBAN DE89 3704 0044 0532 0130 00 – danke, [person XX]! 東京で会いましょう。\nBye."

// streamed answers with a task, the letter in chunks cut at the given places, and a terminal status.
func streamed(cuts []int, last bool) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, body string) {
		var in struct {
			ID stdjson.RawMessage `json:"id"`
		}
		_ = stdjson.Unmarshal([]byte(body), &in)
		w.Header().Set("Content-Type", "text/event-stream")
		event := func(result string) {
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}\n\n", in.ID, result)
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, ": hello\n\ndata:\n\n")
		event(`{"task":{"id":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_WORKING"}}}`)
		from := 0
		letter := strings.ReplaceAll(letter, "[person XX]", fmt.Sprintf("%11s", personIn(body))) // of the same length, so that the cuts fit
		for i, to := range append(cuts, len(letter)) {
			chunk, _ := stdjson.Marshal(letter[from:to])
			event(fmt.Sprintf(`{"artifactUpdate":{"taskId":"t-1","contextId":"c-1","artifact":{"artifactId":"a-1","parts":[{"text":%s}]},"append":%v,"lastChunk":%v}}`,
				chunk, i > 0, last && to == len(letter)))
			from = to
		}
		event(`{"statusUpdate":{"taskId":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_COMPLETED"}}}`)
	}
}

// textOf reads the artifact's text and the last event's state out of an event stream.
func textOf(t *testing.T, stream string) (text, state string) {
	t.Helper()
	sc := bufio.NewScanner(strings.NewReader(stream))
	for sc.Scan() {
		data, ok := strings.CutPrefix(sc.Text(), "data:")
		if !ok || strings.TrimSpace(data) == "" {
			continue
		}
		var ev struct {
			Error  any `json:"error"`
			Result struct {
				ArtifactUpdate *struct {
					Artifact struct {
						Parts []struct {
							Text string `json:"text"`
						} `json:"parts"`
					} `json:"artifact"`
				} `json:"artifactUpdate"`
				StatusUpdate *struct {
					Status struct {
						State string `json:"state"`
					} `json:"status"`
				} `json:"statusUpdate"`
			} `json:"result"`
		}
		if err := stdjson.Unmarshal([]byte(data), &ev); err != nil {
			t.Fatalf("event %q: %v", data, err)
		}
		if ev.Error != nil {
			t.Fatalf("stream ended with an error: %s", data)
		}
		if u := ev.Result.ArtifactUpdate; u != nil {
			if state != "" {
				t.Errorf("text after the terminal status")
			}
			for _, p := range u.Artifact.Parts {
				text += p.Text
			}
		}
		if u := ev.Result.StatusUpdate; u != nil {
			state = u.Status.State
		}
	}
	return text, state
}

var standIn = regexp.MustCompile(`\[(\w+) \w+\]`)

// A stream that is cut at any place gives the same text, and no cut lets through what the whole would not.
func TestStreamCutAnywhereGivesTheSameText(t *testing.T) {
	agent := newAgent(t, nil)
	r := newRig(t, agent, nil)
	n := 60
	if os.Getenv("SCRIM_LONG") != "" {
		n = 2000
	}
	seed := uint64(20261122)
	random := rand.New(rand.NewPCG(seed, 1))
	want := ""
	for i := range n {
		var cuts []int
		if i > 0 {
			for at := 0; ; {
				at += 1 + random.IntN(1+random.IntN(60))
				for at < len(letter) && !utf8.RuneStart(letter[at]) {
					at++ // a JSON string cannot be cut within a character
				}
				if at >= len(letter) {
					break
				}
				cuts = append(cuts, at)
			}
		}
		agent.answer = streamed(cuts, i%3 != 0)
		_, body := r.send(t, fmt.Sprintf(streamingMessage, fmt.Sprintf("m-%d", i)))
		text, state := textOf(t, body)
		text = strings.ReplaceAll(standIn.ReplaceAllString(text, "[$1]"), "  ", " ") // stand-ins are fresh in each task
		if state != "TASK_STATE_COMPLETED" {
			t.Fatalf("last state = %q, want completed: %s", state, body)
		}
		if i == 0 {
			want = text
			for _, secret := range []string{"[person", "4111", "alice", "555-0132", "203.0.113.77", "DE89"} {
				if strings.Contains(text, secret) {
					t.Errorf("%q is in the caller's text: %s", secret, text)
				}
			}
			if !strings.HasPrefix(text, "Dear Jane Doe, ") || !strings.HasSuffix(text, "東京で会いましょう。\nBye.") {
				t.Errorf("text = %q", text)
			}
			continue
		}
		if text != want {
			t.Fatalf("cut at %v:\n got %q\nwant %q", cuts, text, want)
		}
	}
}

func TestStreamIsOnRecordBeforeItsBytes(t *testing.T) {
	agent := newAgent(t, streamed([]int{10, 20}, true))
	r := newRig(t, agent, nil)
	r.send(t, fmt.Sprintf(streamingMessage, "m-1"))
	var outcomes []string
	for _, ev := range r.Events() {
		outcomes = append(outcomes, string(ev.Outcome))
	}
	if got, want := strings.Join(outcomes, " "), "released opened segment segment segment segment segment closed"; got != want {
		t.Errorf("outcomes = %q, want %q", got, want)
	}
}

func TestStreamedAnswerIsGivenAgain(t *testing.T) {
	agent := newAgent(t, streamed([]int{10, 20}, true))
	r := newRig(t, agent, nil)
	_, first := r.send(t, fmt.Sprintf(streamingMessage, "m-1"))
	_, second := r.send(t, fmt.Sprintf(streamingMessage, "m-1"))
	if first != second {
		t.Errorf("retry = %q\nwant %q", second, first)
	}
	if got := len(agent.received()); got != 1 {
		t.Errorf("upstream was called %d times, want 1", got)
	}
	events := r.Events()
	if last := events[len(events)-1]; last.Outcome != flow.Replayed {
		t.Errorf("last event = %s, want replayed", last.Outcome)
	}
}
