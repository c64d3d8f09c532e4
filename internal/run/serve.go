package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/store"
)

// Serve listens on the data port, and on the admin port if there is an admin handler, until ctx is done. Then it takes
// no new calls, lets open ones end within the configured time, and closes the state. Ready is called when both listen.
func (r *Gateway) Serve(ctx context.Context, admin http.Handler, ready func(data, admin net.Addr)) error {
	c := r.Config()
	background, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	if err := r.trust.begin(background, c.TLS.SVID, func(f func()) { wg.Go(f) }); err != nil {
		return errors.Join(fmt.Errorf("the gateway's own SPIFFE certificate: %w", err), r.Close())
	}
	if c.TLS.Cert != "" {
		if _, err := r.cert.renew(c.Path(c.TLS.Cert), c.Path(c.TLS.Key), time.Now()); err != nil {
			return errors.Join(fmt.Errorf("the certificate for agents: %w", err), r.Close())
		}
	}
	data := r.opt.Listen
	if data == nil {
		var err error
		if data, err = net.Listen("tcp", c.Listen); err != nil {
			return errors.Join(fmt.Errorf("taking the address for agents: %w", err), r.Close())
		}
	}
	calls, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	d := &doors{calls: calls, cut: cut}
	d.add(r.server(r.handler, calls), &bounded{Listener: data, limits: func() config.Limits { return r.Config().Limits }, closed: r.metrics.Closed})
	if c.TLS.On() {
		d.servers[0].TLSConfig = r.tlsServer(c.TLS)
	}
	var adminAddr net.Addr
	if admin != nil {
		l := r.opt.Admin
		if l == nil {
			var err error
			if l, err = net.Listen("tcp", c.Admin); err != nil {
				return errors.Join(fmt.Errorf("taking the admin address: %w", err), data.Close(), r.Close())
			}
		}
		adminAddr = l.Addr()
		d.add(r.server(r.guard(admin), calls), l)
		var err error
		if d.servers[1].TLSConfig, err = r.adminTLS(c); err != nil {
			return errors.Join(fmt.Errorf("the certificate of the admin address: %w", err), data.Close(), l.Close(), r.Close())
		}
	}
	for _, more := range []func(*config.Config, context.Context) (*http.Server, net.Listener, error){r.extMCP, r.gateways, r.scraped} {
		s, l, err := more(c, calls)
		if err != nil {
			for _, l := range d.listeners {
				_ = l.Close() // the error to tell is the other one
			}
			return errors.Join(err, r.Close())
		}
		if s != nil {
			d.add(s, l)
		}
	}
	errs := d.serve()
	if err := r.sendTelemetry(c); err != nil {
		r.log.Error("telemetry is not sent", "error", err)
	}
	wg.Go(func() { r.sweep(background) })
	wg.Go(func() { r.alarms.Run(background) })
	wg.Go(func() { r.postAlarms(background) })
	wg.Go(func() { r.pushes.Run(background) })
	wg.Go(func() { r.published.Run(background) })
	wg.Go(func() { r.trace.Run(background) })
	wg.Go(func() { r.sums.Run(background) })
	wg.Go(func() { r.Peers.Run(background) })
	wg.Go(func() { r.Contracts.Run(background) })
	wg.Go(func() { r.revocations.Run(background) })
	wg.Go(func() { r.Bundles.Run(background, r.fault) })
	wg.Go(func() { r.carryOn(background) })
	wg.Go(func() { r.tend(background) })
	if r.opt.Watcher {
		reload := r.watch()
		wg.Go(func() { reload(background) })
	}
	r.began = time.Now()
	r.serving.Store(true)
	r.tellFrozen()
	if ready != nil {
		ready(data.Addr(), adminAddr)
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	case <-stopped(r.DB):
		err = errStopped
	case <-stopped(r.Budgets.database()):
		err = errStopped
	case err = <-r.ruling.ends:
	}
	r.serving.Store(false)
	stop()
	if con := r.console.Load(); con != nil {
		con.Leave()
	}
	r.drain(d)
	wg.Wait()
	return errors.Join(err, r.Close())
}

// errStopped ends a gateway that can record nothing any more, so that whoever watches over it starts it again.
var errStopped = fmt.Errorf("the gateway ends, and has to be started again: %w", store.ErrBroken)

// stopped is closed when a database stopped for good.
func stopped(db store.DB) <-chan struct{} {
	if s, ok := db.(store.Stopper); ok {
		return s.Stopped()
	}
	return nil
}

// doors are the servers of a gateway, that for agents first.
type doors struct {
	servers   []*http.Server
	listeners []net.Listener
	calls     context.Context // what the contexts of all calls come from
	cut       context.CancelCauseFunc
	wg        sync.WaitGroup
}

func (d *doors) add(s *http.Server, l net.Listener) {
	d.servers, d.listeners = append(d.servers, s), append(d.listeners, l)
}

func (d *doors) serve() <-chan error {
	errs := make(chan error, len(d.servers))
	for i, s := range d.servers {
		d.wg.Go(func() {
			serve := s.Serve
			if s.TLSConfig != nil {
				serve = func(l net.Listener) error { return s.ServeTLS(l, "", "") }
			}
			if err := serve(d.listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				errs <- err
			}
		})
	}
	return errs
}

// lastWords is how long calls that were told to end have for it.
const lastWords = 5 * time.Second

// drain says goodbye: the gateway is not ready from here on. For the time of notice it still takes calls, each with the
// word that the connection ends; then it listens no more and lets open calls end in the configured time; then those that
// are left are told to end, which puts their end on record and tells their callers why.
func (r *Gateway) drain(d *doors) {
	t := r.Config().Timeouts
	if notice := time.Duration(t.Notice); notice > 0 {
		r.log.Info("no longer ready; calls are still taken", "for", notice)
		time.Sleep(notice)
	}
	grace := max(time.Duration(t.Shutdown), time.Millisecond)
	last := time.AfterFunc(grace, func() { d.cut(gateway.ErrDraining) })
	defer last.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), grace+lastWords)
	defer cancel()
	for _, s := range d.servers {
		if err := s.Shutdown(ctx); err != nil {
			r.log.Warn("calls that outlasted the time for shutting down were cut")
			_ = s.Close() // its error is that of a listener that is closed already
		}
	}
	d.wg.Wait()
}

// Ready reports whether calls should be sent here: both ports listen, the end was not asked for, and what is decided can
// be put on record.
func (r *Gateway) Ready(ctx context.Context) error {
	if !r.serving.Load() {
		return errors.New("the gateway is starting or going away")
	}
	if err := r.Log.Healthy(); err != nil {
		return err
	}
	if back := setBackBy(r.began, time.Now(), r.wall()); back > clockTolerance {
		return fmt.Errorf("the clock was set back by %s since the gateway started: times on record would be wrong, and what has ended would count again; set it right, or start the gateway again", back.Round(time.Second))
	}
	if unheld := r.unheld.Load(); unheld != nil {
		return *unheld
	}
	if late := r.late.Load(); late != nil {
		return *late
	}
	return r.Gateway.Ready(ctx)
}

// clockTolerance is how far a clock may be set back while a gateway runs; time daemons take less in one step.
const clockTolerance = time.Minute

// setBackBy is how far the wall's clock has fallen behind the one that only goes forward, between two readings of both.
func setBackBy(began, now, wall time.Time) time.Duration {
	return now.Sub(began) - wall.Round(0).Sub(began.Round(0))
}

// health answers load balancers, where that is configured, and tells callers of a gateway that goes away to take another connection.
func (r *Gateway) health(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		// A message in chunks is the last on its connection: whoever stands before the gateway may have found another end
		// to it, by a length that came with it, and the next caller's message behind that.
		if chunked := req.ProtoMajor == 1 && len(req.TransferEncoding) > 0; chunked || !r.serving.Load() {
			w.Header().Set("Connection", "close") // over HTTP/2 the server makes a GOAWAY of it
		}
		if !r.Config().Health || req.URL.Path != "/healthz" && req.URL.Path != "/readyz" {
			w, req = r.proven.Asked(w, req)
			next.ServeHTTP(w, req)
			return
		}
		text, status := "ok", http.StatusOK
		if req.URL.Path == "/readyz" {
			text = "ready"
			if err := r.Ready(req.Context()); err != nil {
				text, status = err.Error(), http.StatusServiceUnavailable
			}
		}
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, text, status) // plain text, whichever it is
	})
}

// The bounds of one connection. What net/http bounds by itself: control frames that wait to be written, streams that
// are reset before they are answered, header fields and their continuation.
const (
	headerTime       = 10 * time.Second // for the headers of a call, and for a TLS handshake
	idleTime         = 2 * time.Minute  // between two calls
	headerBytes      = 48 << 10         // a chain of capabilities may take 32 KiB of them
	streamsPerPeer   = 250              // calls at one time on one HTTP/2 connection
	windowPerPeer    = 1 << 20          // bytes on their way to us on one HTTP/2 connection
	windowPerStream  = 256 << 10        // and in one of its calls
	livenessInterval = 30 * time.Second
)

// server speaks HTTP/1.1 and HTTP/2, which a caller without TLS begins by itself: gRPC does.
func (r *Gateway) server(h http.Handler, calls context.Context) *http.Server {
	s := &http.Server{
		Handler: paced(r.pace, h), ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
		ErrorLog:  log.New(io.Discard, "", 0), // its lines may repeat what a stranger sent
		Protocols: new(http.Protocols), BaseContext: func(net.Listener) context.Context { return calls },
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streamsPerPeer, MaxReceiveBufferPerConnection: windowPerPeer, MaxReceiveBufferPerStream: windowPerStream,
			SendPingTimeout: livenessInterval, PingTimeout: livenessInterval / 2, WriteByteTimeout: r.pace().write,
		},
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

func (r *Gateway) pace() pace {
	t := r.Config().Timeouts
	return pace{read: time.Duration(t.Read), write: time.Duration(t.Write)}
}

// guard turns a panic into an error of the call. What the panic said may hold data, so the log gets its type and place alone.
func (r *Gateway) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				at := store.PanicOf(v)
				r.log.Error("panic", "type", at.Type, "place", at.Place)
			}
			panic(http.ErrAbortHandler) // cuts the connection, so that half an answer does not pass for a whole one
		}()
		next.ServeHTTP(w, req)
	})
}

// sweep deletes what has expired, once a minute.
func (r *Gateway) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.renewCertificate() // where files are not watched, or not noticed
			if err := r.Contracts.Sweep(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("sweeping contracts", "error", err)
			}
			if err := errors.Join(r.Gateway.Sweep(ctx), r.Capabilities.Sweep(ctx), r.finishErasures(ctx)); err != nil && ctx.Err() == nil {
				r.log.Error("sweeping", "error", err)
			}
		}
	}
}
