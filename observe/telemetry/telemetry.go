// Package telemetry sends what a gateway measures, and the spans of calls that it follows, to a collector over OTLP.
//
// It is off until it is told where to send. Metrics come from the one registry that /metrics shows, so that both say the same; spans are
// made of [gateway.Called], whose words are out of closed lists. Nothing waits for a collector: what does not fit the queue is dropped
// and counted, and no error repeats what a collector said or where it is.
package telemetry

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// Protocol is how OTLP is spoken.
type Protocol string

// The protocols. HTTP carries protobuf.
const (
	GRPC Protocol = "grpc"
	HTTP Protocol = "http"
)

// Settings say where telemetry goes. The zero value sends none.
type Settings struct {
	Endpoint string                 // http:// or https://, with a path for [HTTP] if need be; "": nothing is sent
	Protocol Protocol               // "": GRPC
	Headers  map[string]flow.Secret // what the collector is shown
	CA       string                 // PEM of the authorities that are believed, and no others; "": those of the system
	Sample   float64                // share of calls that are followed; 0: none, whoever asks
	Interval time.Duration          // between sendings of metrics; 0: 30 s
	Resource []Attribute
}

// Attribute is one of the resource.
type Attribute struct{ Key, Value string }

// attributes are the keys that a resource may have.
var attributes = []string{
	"service.name", "service.namespace", "service.instance.id", "service.version", "deployment.environment.name", "k8s.cluster.name", "cloud.region", "scrim.domain",
}

// ErrSettings is the error of settings that cannot be.
var ErrSettings = errors.New("telemetry cannot be sent so")

// Exporter sends telemetry as its settings say. It is safe for concurrent use.
type Exporter struct {
	from  prometheus.Gatherer
	fault func(error) // for the operator's log: once when sending fails, and not again before it succeeded
	now   atomic.Pointer[pipeline]
	tally tally

	mu     sync.Mutex // one change at a time; guards the fields below
	closed bool
}

// tally counts, over all settings since the start.
type tally struct {
	spansSent, spansDropped, spansFailed, metricsSent, metricsFailed atomic.Int64
}

// New returns an exporter that is off. It silences the OpenTelemetry libraries of the process, which would write to standard error what
// a collector or a message says.
func New(from prometheus.Gatherer, fault func(error)) *Exporter {
	silence()
	return &Exporter{from: from, fault: fault}
}

var silence = sync.OnceFunc(func() {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	otel.SetLogger(logr.Discard())
})

// Set puts other settings in force. After an error, which wraps [ErrSettings] and holds no secret, those before stay in force. What waits
// to be sent is sent by the settings before, within a few seconds and in the background.
func (e *Exporter) Set(s Settings) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	var next *pipeline
	if s.Endpoint != "" {
		var err error
		if next, err = e.open(s); err != nil {
			return err
		}
		next.run()
	}
	if old := e.now.Swap(next); old != nil {
		go old.close(drainTime)
	}
	return nil
}

// Close sends what waits, if that takes no more than a few seconds.
func (e *Exporter) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	if old := e.now.Swap(nil); old != nil {
		old.close(drainTime)
	}
}

// Sample implements [gateway.Hooks.Sample].
func (e *Exporter) Sample(asked bool) bool {
	p := e.now.Load()
	if p == nil || p.set.Sample <= 0 {
		return false
	}
	return asked || p.set.Sample >= 1 || rand.Float64() < p.set.Sample
}

// Call implements [gateway.Hooks.Call]: it takes the spans of a call that is followed, or drops and counts them. It never waits.
func (e *Exporter) Call(c gateway.Called) {
	if c.Trace.Span == [8]byte{} {
		return
	}
	p := e.now.Load()
	if p == nil {
		return
	}
	select {
	case p.queue <- c:
	default:
		e.tally.spansDropped.Add(int64(1 + len(c.Steps)))
	}
}

// Waiting is how many calls wait to be sent.
func (e *Exporter) Waiting() int {
	if p := e.now.Load(); p != nil {
		return len(p.queue)
	}
	return 0
}

// Counts are how many spans and sendings of metrics there were since the start, by what became of them.
func (e *Exporter) Counts() map[string]float64 {
	t := &e.tally
	return map[string]float64{
		"spans sent": float64(t.spansSent.Load()), "spans dropped": float64(t.spansDropped.Load()), "spans failed": float64(t.spansFailed.Load()),
		"metrics sent": float64(t.metricsSent.Load()), "metrics failed": float64(t.metricsFailed.Load()),
	}
}

const (
	mostWaiting = 2048 // calls
	mostBatch   = 128  // calls in one sending
	linger      = 2 * time.Second
	sendTime    = 15 * time.Second // for one sending, with what is tried again
)

var drainTime = 3 * time.Second // a variable for tests, which give a slow machine more

// pipeline sends to one collector.
type pipeline struct {
	e       *Exporter
	set     Settings
	spans   spanClient
	metrics metricClient
	queue   chan gateway.Called
	stop    chan struct{}
	cancel  context.CancelFunc
	ctx     context.Context
	wg      sync.WaitGroup
	failing atomic.Bool
}

func (p *pipeline) run() {
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Go(p.sendSpans)
	p.wg.Go(p.sendMetrics)
}

// close lets both senders end; what they have not sent by then is lost and counted.
func (p *pipeline) close(within time.Duration) {
	close(p.stop)
	timer := time.AfterFunc(within, p.cancel)
	p.wg.Wait()
	timer.Stop()
	p.cancel()
	for {
		select {
		case c := <-p.queue:
			p.e.tally.spansDropped.Add(int64(1 + len(c.Steps)))
			continue
		default:
		}
		break
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = p.spans.Stop(ctx) // nothing is lost by its error: all was sent or counted
	_ = p.metrics.Shutdown(ctx)
}

func (p *pipeline) sendSpans() {
	for {
		var batch []gateway.Called
		select {
		case c := <-p.queue:
			batch = p.more([]gateway.Called{c})
		case <-p.stop:
			for batch = p.waiting(nil); len(batch) > 0; batch = p.waiting(nil) {
				p.send(batch)
			}
			return
		}
		p.send(batch)
	}
}

// more waits a little for what comes.
func (p *pipeline) more(batch []gateway.Called) []gateway.Called {
	timer := time.NewTimer(linger)
	defer timer.Stop()
	for len(batch) < mostBatch {
		select {
		case c := <-p.queue:
			batch = append(batch, c)
		case <-timer.C:
			return batch
		case <-p.stop:
			return p.waiting(batch)
		}
	}
	return batch
}

func (p *pipeline) waiting(batch []gateway.Called) []gateway.Called {
	for len(batch) < mostBatch {
		select {
		case c := <-p.queue:
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

func (p *pipeline) send(batch []gateway.Called) {
	n := 0
	for i := range batch {
		n += 1 + len(batch[i].Steps)
	}
	ctx, cancel := context.WithTimeout(p.ctx, sendTime)
	defer cancel()
	if err := p.spans.UploadTraces(ctx, spansOf(p.set.Resource, batch)); err != nil {
		p.e.tally.spansFailed.Add(int64(n))
		p.failed(err)
		return
	}
	p.e.tally.spansSent.Add(int64(n))
	p.failing.Store(false)
}

func (p *pipeline) sendMetrics() {
	tick := time.NewTicker(p.set.Interval)
	defer tick.Stop()
	for last := false; !last; {
		select {
		case <-tick.C:
		case <-p.stop:
			last = true
		}
		ctx, cancel := context.WithTimeout(p.ctx, sendTime)
		if err := p.metrics.send(ctx); err != nil {
			p.e.tally.metricsFailed.Add(1)
			p.failed(err)
		} else {
			p.e.tally.metricsSent.Add(1)
			p.failing.Store(false)
		}
		cancel()
	}
}

// failed tells once that the collector cannot be reached, in words of our own.
func (p *pipeline) failed(err error) {
	if p.failing.CompareAndSwap(false, true) && p.e.fault != nil && p.ctx.Err() == nil {
		p.e.fault(wordsFor(err))
	}
}
