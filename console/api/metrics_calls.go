package api

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// The most words that one label takes from the configuration, over all configurations that were in force since the start: what
// comes later counts as "other". A gateway with more needs other tools than a page of graphs.
const (
	mostPeers  = 200
	mostLabels = 400
)

// callMetrics are about calls and the steps of their messages.
type callMetrics struct {
	calls     *prometheus.CounterVec
	took      *prometheus.HistogramVec
	streams   *prometheus.HistogramVec
	steps     *prometheus.HistogramVec
	failures  *prometheus.CounterVec
	upstream  *prometheus.HistogramVec
	peers     *prometheus.CounterVec
	peerTook  *prometheus.HistogramVec
	findings  *prometheus.CounterVec
	observers map[stepAt]prometheus.Observer // of steps, found once
}

type stepAt struct {
	kind      gateway.StepKind
	direction flow.Direction
}

var (
	callBuckets   = []float64{.001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1, 2, 4, 8, 16, 32, 64}
	stepBuckets   = []float64{.00001, .00004, .00016, .00064, .001, .002, .004, .008, .016, .032, .064, .256, 1, 4}
	streamBuckets = []float64{.1, 1, 10, 60, 300, 1800, 7200}
)

func newCallMetrics() callMetrics {
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	c := callMetrics{
		calls:    counter("scrim_calls_total", "Calls that ended, by protocol, by way over the edge of the domain, and by how they ended for the caller: answered, refused by right, or failed.", "protocol", "way", "ending"),
		took:     histogram("scrim_call_seconds", "Time from a call's arrival to the end of its answer, the agent's own time included; streams apart.", callBuckets, "protocol", "way", "ending"),
		streams:  histogram("scrim_stream_seconds", "Time that a stream was open.", streamBuckets, "protocol", "way"),
		steps:    histogram("scrim_step_seconds", "Time that one message took in one step: detect, policy, change, record.", stepBuckets, "step", "direction"),
		failures: counter("scrim_step_failures_total", "Messages that went no further than this step.", "step", "direction"),
		upstream: histogram("scrim_upstream_seconds", "Time from calling an agent to the beginning of its answer.", callBuckets, "protocol", "ending"),
		peers:    counter("scrim_peer_calls_total", "Calls from and to other domains, by domain.", "peer", "way", "ending"),
		peerTook: histogram("scrim_peer_upstream_seconds", "Time from calling another domain's agent to the beginning of its answer, by domain.", callBuckets, "peer"),
		findings: counter("scrim_findings_total", "Values, by their label and the level at which they were shown.", "label", "level"),
	}
	c.observers = map[stepAt]prometheus.Observer{}
	for _, kind := range gateway.StepKinds {
		for _, d := range []flow.Direction{flow.Request, flow.Response} {
			if kind != gateway.StepUpstream {
				c.observers[stepAt{kind, d}] = c.steps.WithLabelValues(string(kind), d.String())
			}
		}
	}
	return c
}

func (c *callMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{c.calls, c.took, c.streams, c.steps, c.failures, c.upstream, c.peers, c.peerTook, c.findings}
}

// known are the words out of the configuration that may be label values.
type known struct {
	peers  map[flow.DomainID]bool
	labels map[flow.Label]bool
}

// Know says which domains and labels the configuration names now. Those that it named before stay known, since their counts do; no
// more than a few hundred of each are ever known.
func (m *Metrics) Know(peers []flow.DomainID, labels []flow.Label) {
	for {
		old := m.known.Load()
		next := &known{peers: join(old.peers, peers, mostPeers), labels: join(old.labels, labels, mostLabels)}
		if m.known.CompareAndSwap(old, next) {
			return
		}
	}
}

func join[T comparable](old map[T]bool, more []T, most int) map[T]bool {
	out := make(map[T]bool, len(old)+len(more))
	for k := range old {
		out[k] = true
	}
	for _, k := range more {
		if len(out) < most {
			out[k] = true
		}
	}
	return out
}

func (m *Metrics) label(l flow.Label) string {
	if l == flow.Unlabelled || m.known.Load().labels[l] {
		return string(l)
	}
	return other
}

func (m *Metrics) peer(d flow.DomainID) flow.DomainID {
	if d == "" || m.known.Load().peers[d] {
		return d
	}
	return other
}

// Named returns a call whose words are all out of closed lists or the configuration, whoever sent it.
func (m *Metrics) Named(c gateway.Called) gateway.Called {
	c.Protocol, c.Peer = protocolName(c.Protocol), m.peer(c.Peer)
	if c.Rule != "" {
		c.Rule = gateway.Rule(ruleName(string(c.Rule)))
	}
	for i := range c.Steps {
		c.Steps[i].Protocol, c.Steps[i].Peer = c.Protocol, m.peer(c.Steps[i].Peer)
	}
	return c
}

// Call counts a call that ended. It is to be one that [Metrics.Named] returned.
func (m *Metrics) Call(c gateway.Called) {
	way, ending := string(c.Way), string(c.Ending)
	m.calls.calls.WithLabelValues(c.Protocol, way, ending).Inc()
	if c.Stream {
		m.calls.streams.WithLabelValues(c.Protocol, way).Observe(c.Took.Seconds())
	} else {
		m.calls.took.WithLabelValues(c.Protocol, way, ending).Observe(c.Took.Seconds())
	}
	if c.Peer != "" {
		m.calls.peers.WithLabelValues(string(c.Peer), way, ending).Inc()
	}
}

// Step measures one step of a message.
func (m *Metrics) Step(st gateway.Step) {
	if st.Kind == gateway.StepUpstream {
		m.called(st)
		return
	}
	if o := m.calls.observers[stepAt{st.Kind, st.Direction}]; o != nil {
		o.Observe(st.Took.Seconds())
	}
	if st.Failed {
		m.calls.failures.WithLabelValues(string(st.Kind), st.Direction.String()).Inc()
	}
}

func (m *Metrics) called(st gateway.Step) {
	ending := gateway.Answered
	if st.Failed {
		ending = gateway.Failed
	}
	m.calls.upstream.WithLabelValues(protocolName(st.Protocol), string(ending)).Observe(st.Took.Seconds())
	if st.Peer != "" {
		m.calls.peerTook.WithLabelValues(string(m.peer(st.Peer))).Observe(st.Took.Seconds())
	}
}
