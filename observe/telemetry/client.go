package telemetry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/scrimhq/scrim/gateway"
)

type spanClient = otlptrace.Client

// metricClient sends what the registry holds at the time.
type metricClient struct {
	metric.Exporter
	from metric.Producer
	of   *resource.Resource
}

func (m metricClient) send(ctx context.Context) error {
	scopes, err := m.from.Produce(ctx)
	if err != nil && len(scopes) == 0 {
		return errGather
	}
	return m.Export(ctx, &metricdata.ResourceMetrics{Resource: m.of, ScopeMetrics: scopes})
}

var errGather = errors.New("the metrics cannot be read")

const (
	retryFirst = 500 * time.Millisecond
	retryMost  = 4 * time.Second
)

// open makes a pipeline that does not run yet. Environment variables of OpenTelemetry change nothing: every setting is given.
func (e *Exporter) open(s Settings) (*pipeline, error) {
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%w: the endpoint is not an http or https address", ErrSettings)
	}
	for _, a := range s.Resource {
		if !slices.Contains(attributes, a.Key) {
			return nil, fmt.Errorf("%w: the resource has an attribute that it may not have", ErrSettings)
		}
	}
	if s.Interval <= 0 {
		s.Interval = 30 * time.Second
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(s.CA)) {
			return nil, fmt.Errorf("%w: there is no certificate among the authorities", ErrSettings)
		}
	}
	headers := make(map[string]string, len(s.Headers))
	for name, secret := range s.Headers {
		headers[name] = secret.Expose()
	}
	p := &pipeline{e: e, set: s, queue: make(chan gateway.Called, mostWaiting), stop: make(chan struct{})}
	var out metric.Exporter
	if s.Protocol == HTTP {
		p.spans, out, err = overHTTP(u, conf, headers)
	} else {
		p.spans, out, err = overGRPC(u, conf, headers)
	}
	if err == nil {
		err = p.spans.Start(context.Background())
	}
	if err != nil {
		return nil, fmt.Errorf("%w: a client for the endpoint cannot be made", ErrSettings) // its own words may hold the headers
	}
	of := make([]attribute.KeyValue, len(s.Resource))
	for i, a := range s.Resource {
		of[i] = attribute.String(a.Key, a.Value)
	}
	p.metrics = metricClient{out, bridge.NewMetricProducer(bridge.WithGatherer(e.from)), resource.NewSchemaless(of...)}
	return p, nil
}

func overGRPC(u *url.URL, conf *tls.Config, headers map[string]string) (spanClient, metric.Exporter, error) {
	spans := []otlptracegrpc.Option{
		otlptracegrpc.WithEndpoint(u.Host), otlptracegrpc.WithHeaders(headers), otlptracegrpc.WithTimeout(sendTime), otlptracegrpc.WithCompressor("gzip"),
		otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: sendTime}),
	}
	metrics := []otlpmetricgrpc.Option{
		otlpmetricgrpc.WithEndpoint(u.Host), otlpmetricgrpc.WithHeaders(headers), otlpmetricgrpc.WithTimeout(sendTime), otlpmetricgrpc.WithCompressor("gzip"),
		otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig{Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: sendTime}),
		otlpmetricgrpc.WithTemporalitySelector(cumulative),
	}
	if u.Scheme == "https" {
		creds := credentials.NewTLS(conf)
		spans, metrics = append(spans, otlptracegrpc.WithTLSCredentials(creds)), append(metrics, otlpmetricgrpc.WithTLSCredentials(creds))
	} else {
		spans, metrics = append(spans, otlptracegrpc.WithInsecure()), append(metrics, otlpmetricgrpc.WithInsecure())
	}
	out, err := otlpmetricgrpc.New(context.Background(), metrics...)
	return otlptracegrpc.NewClient(spans...), out, err
}

func overHTTP(u *url.URL, conf *tls.Config, headers map[string]string) (spanClient, metric.Exporter, error) {
	client := &http.Client{
		Timeout:       sendTime,
		Transport:     &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true, Proxy: http.ProxyFromEnvironment, IdleConnTimeout: 90 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // headers go nowhere else
	}
	base := strings.TrimSuffix(u.Path, "/")
	spans := []otlptracehttp.Option{
		otlptracehttp.WithEndpoint(u.Host), otlptracehttp.WithURLPath(base + "/v1/traces"), otlptracehttp.WithHeaders(headers), otlptracehttp.WithTimeout(sendTime),
		otlptracehttp.WithCompression(otlptracehttp.GzipCompression), otlptracehttp.WithHTTPClient(client),
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: sendTime}),
	}
	metrics := []otlpmetrichttp.Option{
		otlpmetrichttp.WithEndpoint(u.Host), otlpmetrichttp.WithURLPath(base + "/v1/metrics"), otlpmetrichttp.WithHeaders(headers), otlpmetrichttp.WithTimeout(sendTime),
		otlpmetrichttp.WithCompression(otlpmetrichttp.GzipCompression), otlpmetrichttp.WithHTTPClient(client), otlpmetrichttp.WithTemporalitySelector(cumulative),
		otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig{Enabled: true, InitialInterval: retryFirst, MaxInterval: retryMost, MaxElapsedTime: sendTime}),
	}
	if u.Scheme == "http" {
		spans, metrics = append(spans, otlptracehttp.WithInsecure()), append(metrics, otlpmetrichttp.WithInsecure())
	}
	out, err := otlpmetrichttp.New(context.Background(), metrics...)
	return otlptracehttp.NewClient(spans...), out, err
}

func cumulative(metric.InstrumentKind) metricdata.Temporality {
	return metricdata.CumulativeTemporality
}

// wordsFor says what kind of failure it is, in words of our own: a collector's, and addresses, stay out of the log.
func wordsFor(err error) error {
	why := "it did not take what was sent"
	switch code := status.Code(err); {
	case errors.Is(err, errGather):
		return fmt.Errorf("sending telemetry: %w", errGather)
	case errors.Is(err, context.DeadlineExceeded), code == codes.DeadlineExceeded:
		why = "it did not answer in time"
	case code == codes.Unavailable:
		why = "it cannot be reached"
	case code == codes.Unauthenticated, code == codes.PermissionDenied:
		why = "it does not accept the headers that it is shown"
	}
	return fmt.Errorf("sending telemetry to the collector: %s; what is lost is counted in scrim_telemetry_total", why)
}
