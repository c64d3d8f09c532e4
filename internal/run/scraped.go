package run

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/scrimhq/scrim/internal/config"
)

// scraped answers /metrics and nothing else, for a Prometheus that cannot reach the admin address; nil where it is not configured.
func (r *Gateway) scraped(c *config.Config, calls context.Context) (*http.Server, net.Listener, error) {
	if c.Metrics == "" {
		return nil, nil, nil
	}
	l, err := net.Listen("tcp", c.Metrics)
	if err != nil {
		return nil, nil, fmt.Errorf("taking the address for metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", r.metrics.Handler())
	return r.server(r.guard(mux), calls), l, nil
}
