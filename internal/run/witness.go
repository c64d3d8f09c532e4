package run

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/evidence/witness"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/store"
)

// WitnessPath is where the gateway cosigns checkpoints of other logs.
const WitnessPath = "/witness/add-checkpoint"

// ErrEquivocation is the alarm that a log shows two histories.
var ErrEquivocation = errors.New("a log signed two histories; see scrim witness show")

// openWitness opens what cosigns the logs of others. What it finds out is an event of this domain's own journal.
func (st *State) openWitness(c *config.Config, fault func(error)) (err error) {
	st.Witness, err = witness.New(st.DB, c.WitnessName(), st.Keys.Signer("witness"), c.Witnessed(), witness.Options{
		Record: func(tx store.Tx, e witness.Equivocation) error {
			_, err := st.Log.Append(tx, equivocation(c.Domain, e), audit.Private{})
			return err
		},
		Found: func(e witness.Equivocation) {
			if fault != nil {
				fault(fmt.Errorf("%w: %s, at %d entries", ErrEquivocation, e.Origin, e.Size))
			}
		},
	})
	if err != nil {
		return fmt.Errorf("opening the witness: %w", err)
	}
	return nil
}

// equivocation is the event of one. Names of logs are configured, and so are no data.
func equivocation(d flow.DomainID, e witness.Equivocation) flow.Event {
	self := flow.Party{Domain: d}
	return flow.Event{
		Time: e.Time, Outcome: flow.Refused, Reason: fmt.Sprintf("the log %s signed two checkpoints of size %d", e.Origin, e.Size),
		Flow: flow.Flow{ID: gateway.NewFlowID(), From: self, To: self, Protocol: "witness", Method: "witness/add-checkpoint"},
	}
}

// cosigners is who cosigns the own log. A reload may put others in its place.
type cosigners struct {
	atomic.Pointer[witness.Cosigner]
	fault func(error)
}

// set takes those of a configuration. Where nothing changed, what is known of them stays.
func (s *cosigners) set(c *config.Config) error {
	peers := c.Cosigners()
	if len(peers) == 0 {
		s.Store(nil)
		return nil
	}
	next, err := witness.NewCosigner(peers, witness.CosignerOptions{
		Quorum: c.Log.Quorum, Require: c.Log.RequireQuorum,
		Fault: func(name string, err error) {
			if s.fault != nil {
				s.fault(fmt.Errorf("witness %s: %w", name, err))
			}
		},
	})
	if err != nil {
		return fmt.Errorf("opening witnesses: %w", err)
	}
	if !next.Same(s.Load()) {
		s.Store(next)
	}
	return nil
}

// cosign is a [tile.Cosign].
func (s *cosigners) cosign(ctx context.Context, c tile.Checkpoint, prove tile.Prove) ([]byte, error) {
	if now := s.Load(); now != nil {
		return now.Cosign(ctx, c, prove)
	}
	return nil, nil
}

// healthy says why nothing may be released, if a quorum is required and missing.
func (s *cosigners) healthy() error { return s.Load().Healthy() }

// watchWitness shows what the witness found out.
func (r *Gateway) watchWitness() {
	r.metrics.Gauge("scrim_witness_equivocations", "Times that a log which this gateway cosigns was caught showing two histories.", func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		n, err := witness.CountEquivocations(ctx, r.DB)
		if err != nil {
			return -1
		}
		return float64(n)
	})
	r.metrics.Gauge("scrim_log_cosignatures", "Cosignatures that the latest checkpoint of the log has, of those asked for.", func() float64 {
		_, have, _ := r.cosigners.Load().Statuses()
		return float64(have)
	})
	r.metrics.Gauge("scrim_log_quorum_missing_seconds", "Since when too few witnesses cosign the log; 0 if enough do, or none are asked.", func() float64 {
		return r.cosigners.Load().Missing().Seconds()
	})
}

// Witnessing is what the admin API and its commands need of it.
func (st *State) Witnessing(c *config.Config) *api.Witnessing {
	key, err := tile.VerifierKey(Origin(c.Domain), st.LogKey())
	if err != nil {
		key = "" // a domain with such a name has no log that others could know
	}
	return &api.Witnessing{DB: st.DB, Witness: st.Witness, LogKey: key, Cosigner: st.cosigners.Load}
}

// ServeWitness runs a witness alone, on the data directory, keyset and address of a configuration, until ctx is done: no gateway
// is there, and nothing but [WitnessPath] is answered. It has no journal: what it finds out is told by found, and kept.
func ServeWitness(ctx context.Context, c *config.Config, opt store.Options, found func(error), ready func(key string, at net.Addr)) error {
	st, err := OpenStore(ctx, c, opt)
	if err != nil {
		return err
	}
	w, err := witness.New(st.DB, c.WitnessName(), st.Keys.Signer("witness"), c.Witnessed(), witness.Options{
		Found: func(e witness.Equivocation) {
			found(fmt.Errorf("%w: %s, at %d entries", ErrEquivocation, e.Origin, e.Size))
		},
	})
	if err != nil {
		return errors.Join(err, st.DB.Close())
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("taking the address: %w", err), st.DB.Close())
	}
	mux := http.NewServeMux()
	mux.Handle(WitnessPath, w.Handler())
	s := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: time.Minute, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
		ErrorLog: log.New(io.Discard, "", 0), TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	ended := make(chan error, 1)
	go func() {
		if c.TLS.Cert != "" {
			ended <- s.ServeTLS(l, c.Path(c.TLS.Cert), c.Path(c.TLS.Key))
			return
		}
		ended <- s.Serve(l)
	}()
	if ready != nil {
		ready(w.Key(), l.Addr())
	}
	select {
	case <-ctx.Done():
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = s.Shutdown(closing)
		<-ended
	case err = <-ended:
	case <-stopped(st.DB):
		err = errors.Join(errStopped, s.Close())
		<-ended
	}
	return errors.Join(err, st.DB.Close())
}
