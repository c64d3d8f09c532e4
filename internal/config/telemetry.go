package config

import (
	"fmt"
	"strings"
)

// Telemetry is where metrics and traces are sent (docs/spec/telemetry.md).
type Telemetry struct {
	Endpoint string            `yaml:"endpoint" doc:"Address of the collector, http:// or https://. Absent: nothing is sent; metrics are at /metrics of the admin address in any case." pattern:"url"`
	Protocol string            `yaml:"protocol" doc:"How OTLP is spoken there: grpc, or http with protobuf, below /v1/metrics and /v1/traces." default:"grpc" enum:"grpc http"`
	Headers  []Credential      `yaml:"headers" secret:"true" doc:"What the gateway shows the collector."`
	CAFile   string            `yaml:"ca_file" doc:"PEM file of the authorities whose certificates are believed of the collector, and no others. Absent: those of the system."`
	Sample   Score             `yaml:"sample" doc:"Share of calls that are followed in a trace, from 0 to 1. Calls of this domain's agents that ask for it are followed in any case, unless it is 0: then none is." default:"0.1"`
	Interval Duration          `yaml:"interval" doc:"Time between two sendings of metrics." default:"30s" min:"1s" max:"1h"`
	Resource TelemetryResource `yaml:"resource" doc:"What metrics and traces say of where they come from. The domain and the program's version are said in any case; nothing else can be."`
}

// TelemetryResource are attributes of the resource, of the semantic conventions; there are no others.
type TelemetryResource struct {
	Service     string `yaml:"service" doc:"service.name." default:"scrim" pattern:"id"`
	Namespace   string `yaml:"namespace" doc:"service.namespace." pattern:"id"`
	Instance    string `yaml:"instance" doc:"service.instance.id: tells replicas apart." pattern:"id"`
	Environment string `yaml:"environment" doc:"deployment.environment.name." pattern:"id"`
	Cluster     string `yaml:"cluster" doc:"k8s.cluster.name." pattern:"id"`
	Region      string `yaml:"region" doc:"cloud.region." pattern:"id"`
}

func (v *validator) telemetry() {
	t := &v.c.Telemetry
	if t.Endpoint == "" {
		if len(t.Headers) > 0 || t.CAFile != "" {
			v.wrong("telemetry/endpoint", "give the collector's address", "there is no endpoint to send anything to")
		}
		return
	}
	if host, plain := urlHost(t.Endpoint); plain && !isLoopback(host) {
		v.warn("telemetry/endpoint", "use https", "names of domains, datasets and labels travel unencrypted")
	}
	if _, rest, _ := strings.Cut(t.Endpoint, "://"); t.Protocol == "grpc" && strings.Contains(strings.TrimSuffix(rest, "/"), "/") {
		v.wrong("telemetry/endpoint", "give host and port alone, or protocol: http", "an address for gRPC has no path")
	}
	seen := map[string]bool{}
	for i := range t.Headers {
		at := fmt.Sprintf("telemetry/headers/%d", i)
		if name := strings.ToLower(t.Headers[i].Header); seen[name] {
			v.wrong(at+"/header", "", "the header is given twice")
		} else {
			seen[name] = true
		}
		v.credential(&t.Headers[i], t.Endpoint, at)
	}
	v.authorities("telemetry/ca_file", t.CAFile)
}
