package run

import (
	"context"
	"slices"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
)

// measureState adds what is read when metrics are asked for, beside what lies with its own subject.
func (r *Gateway) measureState() {
	one := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	r.metrics.Gauge("scrim_ready", "1 while the gateway is ready for calls.", func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return one(r.Ready(ctx) == nil)
	})
	r.metrics.Gauge("scrim_log_waiting_rows", "Rows of the journal that are not in the transparency log yet; -1 if that cannot be read.", func() float64 {
		n, _, err := r.lag()
		if err != nil {
			return -1
		}
		return float64(n)
	})
	r.metrics.Gauge("scrim_log_waiting_seconds", "For how long the oldest of these rows waits.", func() float64 {
		_, oldest, _ := r.lag()
		return oldest.Seconds()
	})
	r.metrics.Gauge("scrim_stream_held_bytes", "Bytes of streams that are held back until it is known what they are part of.", func() float64 { return float64(r.Gateway.Held()) })
	r.metrics.GaugeBy("scrim_queue_length", "What waits in memory to be sent on: push notifications to callers, alarms to the webhook, followed calls to the collector.", "queue", func() map[string]float64 {
		return map[string]float64{"pushes": float64(r.pushes.Waiting()), "alarms": float64(len(r.alarmed.posts)), "calls": float64(r.telemetry.Waiting())}
	})
	r.metrics.CounterBy("scrim_telemetry_total", "Spans, and sendings of metrics, by what became of them: sent, dropped for a full queue, or failed at the collector.", "what", r.telemetry.Counts)
	r.metrics.GaugeBy("scrim_budget_left_ratio", "Share of its ε that a dataset has left, from 0 to 1, of its block with least.", "dataset", func() map[string]float64 { return r.Budgets.share(context.Background()) })
}

func (r *Gateway) lag() (int64, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return r.Log.Lag(ctx)
}

// know tells the metrics which words of the configuration may be labels.
func (r *Gateway) know(c *config.Config) {
	var domains []flow.DomainID
	add := func(d flow.DomainID) {
		if d != c.Domain && d != "" && !slices.Contains(domains, d) {
			domains = append(domains, d)
		}
	}
	for i := range c.Agents {
		add(c.Agents[i].Domain)
	}
	for i := range c.Peers {
		add(c.Peers[i].Domain)
	}
	var labels []flow.Label
	for _, class := range c.Taxonomy().All() {
		labels = append(labels, class.Label)
	}
	r.metrics.Know(domains, labels)
}

// measuring adds to the hooks what measures calls and follows them.
func (r *Gateway) measuring(h *gateway.Hooks) {
	given := r.opt.Hooks
	h.Step = func(st gateway.Step) {
		r.metrics.Step(st)
		if given.Step != nil {
			given.Step(st)
		}
	}
	h.Call = func(c gateway.Called) {
		c = r.metrics.Named(c)
		r.metrics.Call(c)
		r.telemetry.Call(c)
		if given.Call != nil {
			given.Call(c)
		}
	}
	h.Sample = func(asked bool) bool { return r.telemetry.Sample(asked) || given.Sample != nil && given.Sample(asked) }
}

// Metrics are what the gateway measures.
func (r *Gateway) Metrics() *api.Metrics { return r.metrics }
