package telemetry_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/observe/telemetry"
	"github.com/scrimhq/scrim/observe/telemetry/telemetrytest"
)

const token = "Bearer zq8-collector-token-4471"

func called(n byte) gateway.Called {
	at := time.Now().Add(-time.Second)
	return gateway.Called{
		Trace: gateway.TraceIDs{Trace: [16]byte{1, n}, Span: [8]byte{2, n}, Parent: [8]byte{3, n}, Own: true}, Began: at, Took: 5 * time.Millisecond,
		Protocol: "a2a/1.0", Way: gateway.Out, Peer: "lab", Ending: gateway.Failed, Rule: gateway.RuleUpstream, Messages: 1, Leaves: 4, Labelled: 3,
		Levels: [flow.Raw + 1]int{flow.Masked: 3, flow.Raw: 1}, Bytes: 77,
		Steps: []gateway.Step{
			{Kind: gateway.StepPolicy, Began: at, Took: time.Millisecond},
			{Kind: gateway.StepUpstream, Peer: "lab", Began: at.Add(time.Millisecond), Took: time.Millisecond, Failed: true},
		},
	}
}

// What is measured and followed comes to a collector, by either protocol, with the headers and resource that were given and none else.
func TestACollectorGetsMetricsAndSpans(t *testing.T) {
	telemetry.Patient(t)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "owner=zanzibar-9917")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-zanzibar-9917=1")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
	for _, protocol := range []telemetry.Protocol{telemetry.GRPC, telemetry.HTTP} {
		t.Run(string(protocol), func(t *testing.T) {
			c := telemetrytest.New(t)
			reg := prometheus.NewRegistry()
			n := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "scrim_flows_total", Help: "Flows."}, []string{"outcome"})
			h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "scrim_call_seconds", Help: "Time.", Buckets: []float64{1, 2}})
			reg.MustRegister(n, h)
			n.WithLabelValues("released").Add(3)
			h.Observe(1.5)
			e := telemetry.New(reg, func(err error) { t.Error(err) })
			endpoint := c.GRPC
			if protocol == telemetry.HTTP {
				endpoint = c.HTTP
			}
			err := e.Set(telemetry.Settings{
				Endpoint: endpoint, Protocol: protocol, Headers: map[string]flow.Secret{"Authorization": flow.NewSecret(token)}, Sample: 1, Interval: time.Hour,
				Resource: []telemetry.Attribute{{"service.name", "scrim"}, {"scrim.domain", "clinic"}},
			})
			if err != nil {
				t.Fatal(err)
			}
			e.Call(called(1))
			e.Call(gateway.Called{Protocol: "mcp"}) // in no trace
			e.Close()
			spans := c.Spans()
			if len(spans) != 3 {
				t.Fatalf("%d spans came, want 3: %s", len(spans), c.Text())
			}
			s, below := spans[0], spans[2]
			if hex.EncodeToString(s.TraceId) != "01010000000000000000000000000000" || hex.EncodeToString(s.SpanId) != "0201000000000000" || hex.EncodeToString(s.ParentSpanId) != "0301000000000000" ||
				s.Name != "a2a/1.0 out" || s.Kind != trace.Span_SPAN_KIND_SERVER || s.Status.Code != trace.Status_STATUS_CODE_ERROR || s.Flags&1 == 0 || s.EndTimeUnixNano-s.StartTimeUnixNano != 5e6 {
				t.Errorf("the span of the call is %v", s)
			}
			if string(below.ParentSpanId) != string(s.SpanId) || below.Name != "upstream" || below.Kind != trace.Span_SPAN_KIND_CLIENT || below.Status.Code != trace.Status_STATUS_CODE_ERROR {
				t.Errorf("the span of the step is %v", below)
			}
			for _, a := range s.Attributes {
				if want, ok := map[string]string{"scrim.rule": "upstream", "scrim.peer": "lab", "scrim.ending": "failed"}[a.Key]; ok && a.Value.GetStringValue() != want {
					t.Errorf("%s = %v, want %s", a.Key, a.Value, want)
				}
			}
			ms := c.Metrics()
			if p := ms["scrim_flows_total"].GetSum().GetDataPoints(); len(p) != 1 || p[0].GetAsDouble() != 3 || !ms["scrim_flows_total"].GetSum().IsMonotonic {
				t.Errorf("scrim_flows_total = %v", p)
			}
			if p := ms["scrim_call_seconds"].GetHistogram().GetDataPoints(); len(p) != 1 || p[0].GetCount() != 1 || p[0].GetSum() != 1.5 {
				t.Errorf("scrim_call_seconds = %v", p)
			}
			for _, in := range c.Headers() {
				got := append(in["authorization"], in["Authorization"]...)
				if len(got) != 1 || got[0] != token {
					t.Errorf("the collector was shown %q", got)
				}
				if len(in["x-zanzibar-9917"])+len(in["X-Zanzibar-9917"]) > 0 {
					t.Error("a header of the environment was sent")
				}
			}
			if text := c.Text(); strings.Contains(text, "zanzibar") || !strings.Contains(text, `"clinic"`) {
				t.Errorf("what came says %s", text)
			}
			if n := e.Counts(); n["spans sent"] != 3 || n["metrics sent"] < 1 || n["spans dropped"] != 0 {
				t.Errorf("counted: %v", n)
			}
		})
	}
}

// A collector that does not answer holds nothing up: what does not fit the queue is dropped and counted, and nothing is told twice.
func TestACollectorThatHangsHoldsNothingUp(t *testing.T) {
	c := telemetrytest.New(t)
	hold := make(chan struct{})
	c.Hold(hold)
	defer close(hold)
	e := telemetry.New(prometheus.NewRegistry(), func(error) {})
	if err := e.Set(telemetry.Settings{Endpoint: c.GRPC, Sample: 1, Interval: time.Hour}); err != nil {
		t.Fatal(err)
	}
	const n = 10_000
	began := time.Now()
	for i := range n {
		e.Call(called(byte(i)))
	}
	if took := time.Since(began); took > 10*time.Second { // each takes well below a microsecond
		t.Errorf("%d calls took %s", n, took)
	}
	if got := e.Counts()["spans dropped"]; got < 3*(n-2048-2*128) || got > 3*n {
		t.Errorf("%v spans were dropped of %d, want all that fit neither the queue nor what was being sent", got, 3*n)
	}
	if e.Waiting() > 2048 {
		t.Errorf("%d calls wait", e.Waiting())
	}
	e.Close() // gives up after a few seconds
	sum := e.Counts()
	if sum["spans sent"] != 0 || sum["spans dropped"]+sum["spans failed"] != 3*n {
		t.Errorf("counted: %v, want %d dropped or failed", sum, 3*n)
	}
}

// What a collector says, and what it is shown, is not in what is told of its failing; it is told once, and again after it went well.
func TestFailuresAreToldOnceAndInOwnWords(t *testing.T) {
	const canary = "quux-7788-said-by-the-collector"
	for _, protocol := range []telemetry.Protocol{telemetry.GRPC, telemetry.HTTP} {
		t.Run(string(protocol), func(t *testing.T) {
			c := telemetrytest.New(t)
			var mu sync.Mutex
			var said []string
			e := telemetry.New(prometheus.NewRegistry(), func(err error) { mu.Lock(); said = append(said, err.Error()); mu.Unlock() })
			endpoint := c.GRPC
			if protocol == telemetry.HTTP {
				endpoint = c.HTTP
			}
			c.Fail(status.Error(codes.InvalidArgument, canary))
			if err := e.Set(telemetry.Settings{Endpoint: endpoint, Protocol: protocol, Sample: 1, Interval: 20 * time.Millisecond, Headers: map[string]flow.Secret{"Authorization": flow.NewSecret(token)}}); err != nil {
				t.Fatal(err)
			}
			telemetrytest.Eventually(t, "several sendings failed", func() bool { return e.Counts()["metrics failed"] > 3 })
			c.Fail(nil)
			telemetrytest.Eventually(t, "one went well", func() bool { return e.Counts()["metrics sent"] > 0 })
			c.Fail(errors.New(canary))
			before := e.Counts()["metrics failed"]
			telemetrytest.Eventually(t, "one failed again", func() bool { return e.Counts()["metrics failed"] > before+1 })
			e.Close()
			mu.Lock()
			defer mu.Unlock()
			if len(said) != 2 {
				t.Errorf("told %d times, want twice: %q", len(said), said)
			}
			if text := fmt.Sprint(said); strings.Contains(text, canary) || strings.Contains(text, token) || strings.Contains(text, "127.0.0.1") {
				t.Errorf("told %s", text)
			}
		})
	}
}

// Other settings are in force at once; what waited goes to the collector before.
func TestSettingsChangeWhileItRuns(t *testing.T) {
	telemetry.Patient(t)
	a, b := telemetrytest.New(t), telemetrytest.New(t)
	e := telemetry.New(prometheus.NewRegistry(), nil)
	if e.Sample(true) {
		t.Error("a call is followed before anything was set")
	}
	set := func(endpoint string, sample float64) {
		t.Helper()
		if err := e.Set(telemetry.Settings{Endpoint: endpoint, Sample: sample}); err != nil {
			t.Fatal(err)
		}
	}
	set(a.GRPC, 1)
	if !e.Sample(false) {
		t.Error("a call is not followed at a share of 1")
	}
	e.Call(called(1))
	set(b.GRPC, 0)
	if e.Sample(true) {
		t.Error("a call is followed at a share of 0")
	}
	e.Call(called(2))
	telemetrytest.Eventually(t, "what waited came to the first", func() bool { return len(a.Spans()) == 3 })
	set("", 1)
	if e.Sample(true) {
		t.Error("a call is followed though nothing is sent")
	}
	telemetrytest.Eventually(t, "the second got its own", func() bool { return len(b.Spans()) == 3 })
	e.Close()
}

func TestSettingsThatCannotBe(t *testing.T) {
	e := telemetry.New(prometheus.NewRegistry(), nil)
	defer e.Close()
	for name, s := range map[string]telemetry.Settings{
		"no address":      {Endpoint: "collector:4317"},
		"a credential":    {Endpoint: "https://user:" + token + "@collector:4317"},
		"no certificate":  {Endpoint: "https://collector:4317", CA: token},
		"other attribute": {Endpoint: "https://collector:4317", Resource: []telemetry.Attribute{{"patient", token}}},
	} {
		if err := e.Set(s); !errors.Is(err, telemetry.ErrSettings) || strings.Contains(err.Error(), token) {
			t.Errorf("%s: Set() error = %v, want ErrSettings without what was given", name, err)
		}
	}
}

func ExampleExporter() {
	e := telemetry.New(prometheus.NewRegistry(), nil)
	defer e.Close()
	fmt.Println(e.Set(telemetry.Settings{}), e.Sample(true)) // nothing is sent, so no call is followed
	// Output: <nil> false
}
