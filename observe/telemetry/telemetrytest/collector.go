// Package telemetrytest is a collector for tests: it takes metrics and traces over OTLP, by gRPC and by HTTP, and keeps them.
package telemetrytest

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	metrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	traces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	metric "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // what exporters compress with
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// Collector keeps what it was sent. It is safe for concurrent use.
type Collector struct {
	GRPC, HTTP string // addresses, http://

	metrics.UnimplementedMetricsServiceServer
	traces.UnimplementedTraceServiceServer

	mu      sync.Mutex
	spans   []*trace.ResourceSpans
	metrics []*metric.ResourceMetrics
	headers []map[string][]string
	fail    error         // told instead of an answer
	hold    chan struct{} // nothing is answered before it is closed; nil: at once
}

// New starts a collector that ends with the test.
func New(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	metrics.RegisterMetricsServiceServer(s, c)
	traces.RegisterTraceServiceServer(s, tracesOnly{c})
	go func() { _ = s.Serve(l) }() // ends with Stop
	t.Cleanup(s.Stop)
	web := httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(web.Close)
	c.GRPC, c.HTTP = "http://"+l.Addr().String(), web.URL
	return c
}

// Fail makes it answer with an error; nil: as usual. Hold makes it wait for a channel; nil: for nothing.
func (c *Collector) Fail(err error) { c.mu.Lock(); c.fail = err; c.mu.Unlock() }

// Hold makes every answer wait until the channel is closed.
func (c *Collector) Hold(until chan struct{}) { c.mu.Lock(); c.hold = until; c.mu.Unlock() }

func (c *Collector) took(headers map[string][]string, put func()) error {
	c.mu.Lock()
	hold := c.hold
	c.mu.Unlock()
	if hold != nil {
		<-hold
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		return c.fail
	}
	c.headers = append(c.headers, headers)
	put()
	return nil
}

// tracesOnly keeps the two services' Export apart.
type tracesOnly struct{ *Collector }

// Export implements the service of traces.
func (c tracesOnly) Export(ctx context.Context, in *traces.ExportTraceServiceRequest) (*traces.ExportTraceServiceResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	err := c.took(md, func() { c.spans = append(c.spans, in.ResourceSpans...) })
	return &traces.ExportTraceServiceResponse{}, err
}

// Export implements the service of metrics.
func (c *Collector) Export(ctx context.Context, in *metrics.ExportMetricsServiceRequest) (*metrics.ExportMetricsServiceResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	err := c.took(md, func() { c.metrics = append(c.metrics, in.ResourceMetrics...) })
	return &metrics.ExportMetricsServiceResponse{}, err
}

func (c *Collector) serve(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, "no gzip", http.StatusBadRequest)
			return
		}
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		http.Error(w, "no body", http.StatusBadRequest)
		return
	}
	switch r.URL.Path {
	case "/v1/traces":
		var in traces.ExportTraceServiceRequest
		err = proto.Unmarshal(b, &in)
		if err == nil {
			err = c.took(r.Header, func() { c.spans = append(c.spans, in.ResourceSpans...) })
		}
	case "/v1/metrics":
		var in metrics.ExportMetricsServiceRequest
		err = proto.Unmarshal(b, &in)
		if err == nil {
			err = c.took(r.Header, func() { c.metrics = append(c.metrics, in.ResourceMetrics...) })
		}
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// Spans are all spans that came.
func (c *Collector) Spans() (all []*trace.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.spans {
		for _, s := range r.ScopeSpans {
			all = append(all, s.Spans...)
		}
	}
	return all
}

// Metrics are the metrics that came last, by name.
func (c *Collector) Metrics() map[string]*metric.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := map[string]*metric.Metric{}
	if len(c.metrics) == 0 {
		return all
	}
	for _, s := range c.metrics[len(c.metrics)-1].ScopeMetrics {
		for _, m := range s.Metrics {
			all[m.Name] = m
		}
	}
	return all
}

// Headers are those of everything that came.
func (c *Collector) Headers() []map[string][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]map[string][]string(nil), c.headers...)
}

// Text is all that came, for a test to look for what must not be there.
func (c *Collector) Text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []byte
	for _, r := range c.spans {
		all = append(all, prototext.Format(r)...)
	}
	for _, r := range c.metrics {
		all = append(all, prototext.Format(r)...)
	}
	return string(all)
}

// Eventually waits until something holds, for a minute at most.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not in a minute: %s", what)
}
