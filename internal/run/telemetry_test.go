package run_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/observe/telemetry/telemetrytest"
)

// lines is a log that several may write to.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }

func (l *lines) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// TestNoValueIsInTelemetry plants a word in every place that an agent chooses, and looks for it in metrics, spans and the log; what the
// gateway measures of the calls is there.
func TestNoValueIsInTelemetry(t *testing.T) {
	const planted = "zanzibar-4711-quux"
	c := telemetrytest.New(t)
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":"%s","result":{"message":{"messageId":"%s-a","role":"ROLE_AGENT","parts":[{"text":"%s"}]}}}`, planted, planted, planted)
	}))
	t.Cleanup(agent.Close)
	digest := sha256.Sum256([]byte("scrim_key"))
	yaml := fmt.Sprintf(`version: 1
domain: clinic
agents:
  - {id: caller, keys: [{sha256: %s}]}
  - {id: desk, a2a: {url: %s}}
telemetry: {endpoint: %q, sample: 1, interval: 1s, resource: {instance: one}}
`, hex.EncodeToString(digest[:]), agent.URL, c.GRPC)
	var log lines
	_, addr, stop := serve(t, load(t, lay(t, yaml, nil)), run.Options{Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	post := func(path, key, body string, header ...string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0", "Authorization": "Bearer " + key, "Tracestate": "a=" + planted, "Baggage": "a=" + planted, "Scrim-Purpose": planted} {
			req.Header.Set(name, v)
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
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
	message := `{"jsonrpc":"2.0","id":"` + planted + `","method":"SendMessage","params":{"message":{"messageId":"` + planted + `","contextId":"` + planted + `","role":"ROLE_USER","parts":[{"text":"` + planted + `"}]}}}`
	if status, body := post("/a2a/desk", "scrim_key", message, "Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"); status != 200 || !strings.Contains(body, planted) {
		t.Fatalf("answer = %d %s", status, body)
	}
	for path, body := range map[string]string{
		"/a2a/desk":           strings.Replace(message, "SendMessage", planted, 1),
		"/a2a/" + planted:     message,
		"/a2a/desk/":          `{"` + planted + `":`,
		"/mcp/" + planted:     message,
		"/handles/" + planted: message,
	} {
		post(path, "scrim_key", body, "Traceparent", planted, "MCP-Protocol-Version", planted)
		post(path, planted, body, "A2A-Version", planted)
	}
	telemetrytest.Eventually(t, "the call's spans came", func() bool { return strings.Contains(c.Text(), `"upstream"`) })
	telemetrytest.Eventually(t, "metrics of it came", func() bool { return c.Metrics()["scrim_calls_total"] != nil })
	telemetrytest.Eventually(t, "a span goes on from the caller's", func() (found bool) {
		for _, s := range c.Spans() {
			found = found || hex.EncodeToString(s.TraceId) == "4bf92f3577b34da6a3ce929d0e0e4736" && hex.EncodeToString(s.ParentSpanId) == "00f067aa0ba902b7" && s.Name == "a2a/1.0 within"
		}
		return found
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	if text := c.Text(); strings.Contains(text, planted) || strings.Contains(text, hex.EncodeToString([]byte(planted))) {
		t.Error("telemetry holds what an agent chose")
	} else if !strings.Contains(text, "scrim_log_waiting_rows") || !strings.Contains(text, `"one"`) {
		t.Error("telemetry lacks what was measured, or where")
	}
	if text := log.String(); strings.Contains(text, planted) {
		t.Errorf("the log holds what an agent chose: %s", text)
	}
}

// TestMetricsAreTheSameOverBothRoads: what /metrics shows is what is sent.
func TestMetricsAreTheSameOverBothRoads(t *testing.T) {
	c := telemetrytest.New(t)
	g, _, _ := serve(t, load(t, lay(t, fmt.Sprintf("version: 1\ndomain: clinic\ntelemetry: {endpoint: %q, protocol: http, interval: 1s}\n", c.HTTP), nil)), run.Options{})
	telemetrytest.Eventually(t, "metrics came", func() bool { return len(c.Metrics()) > 0 })
	var families []string
	for line := range strings.Lines(metrics(t, g)) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			families = append(families, name)
		}
	}
	for _, name := range families { // some begin when there is something to tell, and are sent from the next time on
		telemetrytest.Eventually(t, name+", which is shown, is sent", func() bool { return c.Metrics()[name] != nil })
	}
	if len(families) < 40 {
		t.Errorf("%d metrics are shown", len(families))
	}
}
