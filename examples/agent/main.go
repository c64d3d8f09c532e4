// Command agent is a stand-in for the agents of the examples: it answers every A2A message, and passes it on first if it is
// told to whom. It passes the trace on, as agents should, so that its gateway knows which call it continues.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "address to answer at")
	next := flag.String("next", "", "where to pass messages on: an agent behind the own gateway's outbound face")
	key := flag.String("key", "", "API key for the own gateway")
	purpose := flag.String("purpose", "", "what for")
	flag.Parse()
	s := &http.Server{Addr: *listen, Handler: handler(*next, *key, *purpose, log.Printf), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(s.ListenAndServe())
}

const most = 1 << 20 // bytes of a message

// handler answers A2A 1.0 over JSON-RPC. Without a card an agent is called at its URL.
func handler(next, key, purpose string, told func(string, ...any)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, most))
		var call struct {
			ID json.RawMessage `json:"id"`
		}
		if err != nil || json.Unmarshal(body, &call) != nil {
			http.Error(w, "not a message", http.StatusBadRequest)
			return
		}
		told("got %s", body)
		said := "Done."
		if next != "" {
			said = passOn(r, next, key, purpose, body)
		}
		answer, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": call.ID, "result": map[string]any{"message": map[string]any{
			"messageId": fmt.Sprintf("r-%d", time.Now().UnixNano()), "role": "ROLE_AGENT", "parts": []any{map[string]any{"text": said}},
		}}})
		if err != nil {
			http.Error(w, "no answer", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
}

// passOn sends what came to the next agent, in the trace in which it came.
func passOn(r *http.Request, next, key, purpose string, body []byte) string {
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, next, bytes.NewReader(body))
	if err != nil {
		return "I cannot ask the next one."
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("A2A-Version", "1.0")
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Traceparent", r.Header.Get("Traceparent"))
	req.Header.Set("Scrim-Criticality", "critical") // the gateway makes it that of the call that came, at most
	if purpose != "" {
		req.Header.Set("Scrim-Purpose", purpose)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "The next one cannot be reached."
	}
	defer res.Body.Close()
	var answer struct {
		Result json.RawMessage `json:"result"`
	}
	if json.NewDecoder(io.LimitReader(res.Body, most)).Decode(&answer) != nil || answer.Result == nil {
		return "The next one said no."
	}
	return "Done, by the next one, too."
}
