package run

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/lineage/draw"
	"github.com/scrimhq/scrim/evidence/lineage/emit"
	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
)

// Lineage is where data came from and where it went: the graph, what follows the journal for it, and what sends it elsewhere.
type Lineage struct{ api.Lineage }

// Trace returns the lineage of an open state. Nothing runs yet. Fault is told what cannot be followed or sent; nil: nobody.
func (st *State) Trace(c *config.Config, fault func(error)) (*Lineage, error) {
	l := &Lineage{api.Lineage{Domain: c.Domain, Graph: st.Lineage, Rules: c.LineageRules}}
	l.Tracer = trace.New(trace.Options{
		DB: st.DB, Domain: c.Domain, Graph: l.Graph, Base: c.WrittenURL(), OnError: fault,
		Entries: st.Log.Entries, Settled: st.Log.Sequenced, Grown: st.Log.Grown,
		Open: func(e audit.Entry) (trace.Decision, error) {
			in, err := api.OpenInputs(st.Ledger(), e)
			if err != nil {
				return trace.Decision{}, err
			}
			return trace.Decision{Leaves: in.Leaves, Terms: in.Terms}, nil
		},
	})
	st.Log.Needs("lineage", func() int64 {
		p, err := l.Tracer.Progress(context.Background())
		if err != nil {
			return 1 // nothing is pruned
		}
		return p.Seq + 1
	})
	for i := range c.Lineage.Emit {
		t := &c.Lineage.Emit[i]
		to, err := target(c, t)
		if err != nil {
			return nil, fmt.Errorf("lineage.emit: %s: %w", t.Name, err)
		}
		opt := emit.Options{Name: t.Name, DB: st.DB, Rows: l.Tracer.Rows, To: to, OnError: fault}
		if t.From == "now" {
			p, err := l.Tracer.Progress(context.Background())
			if err != nil {
				return nil, err
			}
			opt.Begin = p.Seq
		}
		l.Emitters = append(l.Emitters, emit.New(opt))
	}
	return l, nil
}

// target is what a target of the configuration is.
func target(c *config.Config, t *config.LineageTarget) (emit.Target, error) {
	if t.To == config.LineageFile {
		return &emit.File{Path: c.Path(t.File)}, nil
	}
	h := &emit.HTTP{Kind: emit.Kind(t.To), URL: t.URL, Client: &http.Client{Timeout: 30 * time.Second}}
	pem, err := c.Authorities(t.CAFile)
	if err != nil {
		return nil, err
	}
	if pem != "" {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(pem)) // the file was checked with the configuration
		h.Client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	}
	if cred := t.Credential; cred != nil {
		h.Header, h.Secret = cred.Header, func() (flow.Secret, error) { return c.Credential(cred) }
	}
	return h, nil
}

// Run follows and sends until ctx ends.
func (l *Lineage) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { l.Tracer.Run(ctx) })
	for _, e := range l.Emitters {
		wg.Go(func() { e.Run(ctx) })
	}
	wg.Wait()
}

// Picture draws what came of a dataset or a column, or was used for it, in one of [draw.Formats], as far as it is on record now. Coarse leaves columns out.
func (r *Gateway) Picture(ctx context.Context, format string, q api.LineageQuery, coarse bool) ([]byte, error) {
	rows, err := r.Log.Rows(ctx)
	for seq := int64(0); err == nil && seq < rows; {
		var now trace.Progress
		grown := r.Log.Grown()
		if err = r.trace.Catch(ctx); err == nil {
			now, err = r.trace.Tracer.Progress(ctx)
		}
		if seq = now.Seq; err == nil && seq < rows { // not in the log's tree yet
			select {
			case <-ctx.Done():
				err = ctx.Err()
			case <-grown:
			}
		}
	}
	if err != nil {
		return nil, err
	}
	p, err := api.ShowLineage(ctx, &r.trace.Lineage, q)
	if err != nil {
		return nil, err
	}
	if coarse {
		p = draw.Coarse(p)
	}
	var b bytes.Buffer
	err = draw.Write(&b, format, p)
	return b.Bytes(), err
}

// Catch follows all that is in the journal now.
func (l *Lineage) Catch(ctx context.Context) error {
	for {
		n, err := l.Tracer.Step(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
}

func (l *Lineage) followed(ctx context.Context) float64 {
	p, err := l.Tracer.Progress(ctx)
	if err != nil {
		return 0
	}
	return float64(p.Seq)
}
