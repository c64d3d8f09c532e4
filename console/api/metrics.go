package api

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Metrics counts what happens. Its labels are words out of closed lists: none is a value, an id or anything else that an
// agent could choose, so their number is bounded. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	flows    *prometheus.CounterVec
	refusals *prometheus.CounterVec
	leaves   *prometheus.CounterVec
	shadow   *prometheus.CounterVec
	took     *prometheus.HistogramVec
	bytes    *prometheus.CounterVec
	subjects *prometheus.CounterVec
	rows     prometheus.Counter
	closed   prometheus.Counter
	alarms   *prometheus.CounterVec
	coarser  prometheus.Counter
	over     prometheus.Counter
	calls    callMetrics
	known    atomic.Pointer[known] // words out of the configuration
}

// NewMetrics returns counters on a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), calls: newCallMetrics(),
		flows:    counter("scrim_flows_total", "Flows, by how they ended.", "outcome", "protocol", "direction"),
		refusals: counter("scrim_refusals_total", "Flows that were refused, by rule.", "rule", "protocol", "direction"),
		leaves:   counter("scrim_leaves_total", "Values, by the level at which they were shown and what set it.", "level", "by"),
		shadow:   counter("scrim_shadow_leaves_total", "Values, by the level at which shadow policies would show them.", "level"),
		bytes:    counter("scrim_bytes_total", "Bytes of messages that left.", "protocol", "direction"),
		subjects: counter("scrim_subjects_total", "Values, by whether it is known whom they are about.", "known"),
		alarms:   counter("scrim_alarms_total", "Alarms about callers that behave as one who probes.", "kind"),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scrim_decision_seconds", Help: "Time from a message's arrival to its durable record.",
			Buckets: []float64{.0001, .00025, .0005, .001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 4},
		}, []string{"protocol", "direction"}),
		closed: prometheus.NewCounter(prometheus.CounterOpts{Name: "scrim_connections_closed_total", Help: "Connections that were closed because there were too many."}),
		coarser: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "scrim_exposure_coarsened_total", Help: "Values that were made coarser for what their recipient's domain was shown before.",
		}),
		over: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "scrim_exposure_over_quota_total", Help: "Messages to agents that had added all that they may add in a day to what their domain holds.",
		}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{Name: "scrim_journal_rows_total", Help: "Rows written to the journal since the start."}),
	}
	m.known.Store(new(known))
	m.registry.MustRegister(m.calls.all()...)
	m.registry.MustRegister(m.flows, m.refusals, m.leaves, m.shadow, m.bytes, m.subjects, m.took, m.rows, m.closed, m.alarms, m.coarser, m.over,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// Event counts a row of the journal.
func (m *Metrics) Event(ev flow.Event) {
	protocol, direction := protocolName(ev.Flow.Protocol), ev.Flow.Direction.String()
	m.rows.Inc()
	m.flows.WithLabelValues(outcomeName(ev.Outcome), protocol, direction).Inc()
	if ev.Outcome == flow.Refused || ev.Outcome == flow.Conflict {
		m.refusals.WithLabelValues(ruleName(ev.Reason), protocol, direction).Inc()
		return
	}
	for _, l := range ev.Levels {
		m.leaves.WithLabelValues(l.Level.String(), l.By.String()).Add(float64(l.Count))
		if l.Label != "" {
			m.calls.findings.WithLabelValues(m.label(l.Label), l.Level.String()).Add(float64(l.Count))
		}
	}
	for _, l := range ev.Shadow {
		m.shadow.WithLabelValues(l.Level.String()).Add(float64(l.Count))
	}
	m.bytes.WithLabelValues(protocol, direction).Add(float64(ev.Bytes))
	m.subjects.WithLabelValues("yes").Add(float64(ev.Subjects))
	m.subjects.WithLabelValues("no").Add(float64(ev.NoSubject))
	if ev.Took > 0 {
		m.took.WithLabelValues(protocol, direction).Observe(ev.Took.Seconds())
	}
}

// Closed counts a connection that was closed because there were too many.
func (m *Metrics) Closed() { m.closed.Inc() }

// Alarm counts an alarm of a kind out of a closed list.
func (m *Metrics) Alarm(kind string) { m.alarms.WithLabelValues(kind).Inc() }

// Exposed counts what the exposure memory made of a message.
func (m *Metrics) Exposed(leaves int, over bool) {
	m.coarser.Add(float64(leaves))
	if over {
		m.over.Inc()
	}
}

// Gauge adds a number that is read when it is asked for. Names and help must be constants.
func (m *Metrics) Gauge(name, help string, now func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, now))
}

// GaugeBy adds numbers that are read when they are asked for, by a label whose values are names in the configuration. Name, help and
// label must be constants.
func (m *Metrics) GaugeBy(name, help, label string, now func() map[string]float64) {
	m.registry.MustRegister(&gauges{prometheus.NewDesc(name, help, []string{label}, nil), prometheus.GaugeValue, now})
}

// CounterBy is GaugeBy of numbers that only grow.
func (m *Metrics) CounterBy(name, help, label string, now func() map[string]float64) {
	m.registry.MustRegister(&gauges{prometheus.NewDesc(name, help, []string{label}, nil), prometheus.CounterValue, now})
}

type gauges struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	now  func() map[string]float64
}

// Describe implements [prometheus.Collector].
func (g *gauges) Describe(to chan<- *prometheus.Desc) { to <- g.desc }

// Collect implements [prometheus.Collector].
func (g *gauges) Collect(to chan<- prometheus.Metric) {
	for name, n := range g.now() {
		to <- prometheus.MustNewConstMetric(g.desc, g.kind, n, name)
	}
}

// Gatherer is where all metrics come from, for whoever tells them on.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Handler serves the counters.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

const other = "other"

var protocolNames = []string{
	"a2a/" + wire.A2A10, "a2a/" + wire.A2A03, "mcp/" + wire.MCP20260728, "mcp/" + wire.MCP20251125, "mcp/" + wire.MCP20250618, "mcp/" + wire.MCP20250326,
	"mcp/" + wire.MCP20241105, "mcp", "handle/1", "admin",
}

// protocolName keeps versions that a stranger named out of the labels.
func protocolName(p string) string {
	if slices.Contains(protocolNames, p) {
		return p
	}
	return other
}

var outcomeNames = []flow.Outcome{
	flow.Released, flow.Refused, flow.Replayed, flow.Conflict, flow.Opened, flow.Segment, flow.Closed, flow.Watched, flow.Fetched, flow.Asked, flow.Issued, flow.Budgeted, flow.Changed, flow.Erased,
}

func outcomeName(o flow.Outcome) string {
	if slices.Contains(outcomeNames, o) {
		return string(o)
	}
	return other
}

var ruleNames = []gateway.Rule{
	gateway.RuleIdentity, gateway.RuleFace, gateway.RuleMalformed, gateway.RuleTooBig, gateway.RuleMethod, gateway.RuleVersion,
	gateway.RulePlace, gateway.RulePolicy, gateway.RuleSchema, gateway.RuleConflict, gateway.RuleUpstream, gateway.RuleRecord,
	gateway.RuleInternal, gateway.RuleEncoding, gateway.RuleDrained, gateway.RuleExhausted,
	gateway.RuleHeader, gateway.RuleOrigin, gateway.RuleRate, gateway.RuleBusy, gateway.RuleHandle, gateway.RuleCapability, gateway.RuleBudget,
	gateway.RuleLoop, gateway.RuleScope, gateway.RulePush, gateway.RuleHop, gateway.RuleExtension,
}

// ruleName is the rule that a refusal's reason begins with.
func ruleName(reason string) string {
	rule, _, _ := strings.Cut(reason, " ")
	if slices.Contains(ruleNames, gateway.Rule(rule)) {
		return rule
	}
	return other
}
