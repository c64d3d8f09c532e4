package a2a_test

import (
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// inChunks streams a text as an artifact, in the chunks given.
func inChunks(chunks []string, last bool) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "text/event-stream")
		event := func(result string) { fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}\n\n", result) }
		for i, c := range chunks {
			chunk, _ := stdjson.Marshal(c)
			event(fmt.Sprintf(`{"artifactUpdate":{"taskId":"t-1","contextId":"c-1","artifact":{"artifactId":"a-1","parts":[{"text":%s}]},"append":%v,"lastChunk":%v}}`,
				chunk, i > 0, last && i == len(chunks)-1))
		}
		event(`{"statusUpdate":{"taskId":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_COMPLETED"}}}`)
	}
}

func TestStreamedJSONIsNoProse(t *testing.T) {
	const secret = `{"diagnosis":"Zanzibar"}`
	long := strings.Repeat("x", 300<<10)
	var pieces []string
	for piece := range slices.Chunk([]byte(`{"rows":["`+long+`"],"more":`+secret+`}`), 10_000) {
		pieces = append(pieces, string(piece))
	}
	for name, chunks := range map[string][]string{
		"one chunk":     {secret},
		"two":           {secret[:5], secret[5:]},
		"blanks first":  {"", "  ", "\n\n", secret},
		"numbers first": {"[1, 2, 3, 4, 5, 6, 7, 8, 9", ", 10, ", secret, "]"},
		"nulls first":   {"[null, null, null, ", "null, ", secret, "]"},
		"two documents": {secret, "\n", secret},
		"a string":      {`"{\"diagnosis\"`, `:\"Zanzibar\"}"`},
		"other quotes":  {"[{'diag", "nosis': 'Zanzibar'}]"},
		"too long":      pieces,
		"after blanks":  {strings.Repeat(" ", 300<<10), secret},
	} {
		for _, last := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, last chunk marked %v", name, last), func(t *testing.T) {
				r := newRig(t, newAgent(t, inChunks(chunks, last)), nil)
				_, stream := r.send(t, fmt.Sprintf(streamingMessage, "m-1"))
				if strings.Contains(stream, "Zanzibar") {
					t.Errorf("a member that nothing declares passed in %.400s", stream[max(0, strings.Index(stream, "Zanzibar")-300):])
				}
				if !strings.Contains(stream, "TASK_STATE_COMPLETED") {
					t.Error("the stream did not go on to its end")
				}
			})
		}
	}
}

func TestStreamedProseThatBeginsLikeJSONPasses(t *testing.T) {
	for _, chunks := range [][]string{
		{"[1] See the", " notes.", " [2] Done."}, {"[no", "te] all is well"}, {"{patient}", " is well, and so is everybody else"}, {`"Well", `, "she said, and left the room."}, {""}, {"true"}, {"[1, 2", "] are the beds"},
	} {
		r := newRig(t, newAgent(t, inChunks(chunks, true)), nil)
		_, stream := r.send(t, fmt.Sprintf(streamingMessage, "m-1"))
		if text, _ := textOf(t, stream); text != strings.Join(chunks, "") {
			t.Errorf("text = %q, want %q", text, strings.Join(chunks, ""))
		}
	}
}
