package run

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/internal/config"
)

// Serve listens on the data port, and on the admin port if there is an admin handler, until ctx is done. Then it takes
// no new calls, lets open ones end within the configured time, and closes the state. Ready is called when both listen.
func (r *Gateway) Serve(ctx context.Context, admin http.Handler, ready func(data, admin net.Addr)) error {
	c := r.Config()
	data := r.opt.Listen
	if data == nil {
		var err error
		if data, err = net.Listen("tcp", c.Listen); err != nil {
			return errors.Join(fmt.Errorf("taking the address for agents: %w", err), r.Close())
		}
	}
	servers := []*http.Server{r.server(r.handler)}
	listeners := []net.Listener{&bounded{Listener: data, limits: func() config.Limits { return r.Config().Limits }, closed: r.metrics.Closed}}
	var adminAddr net.Addr
	if admin != nil {
		l, err := net.Listen("tcp", c.Admin)
		if err != nil {
			return errors.Join(fmt.Errorf("taking the admin address: %w", err), data.Close(), r.Close())
		}
		servers, listeners, adminAddr = append(servers, r.server(r.guard(admin))), append(listeners, l), l.Addr()
	}
	if s, l, err := r.extMCP(c); err != nil {
		for _, l := range listeners {
			_ = l.Close() // the error to tell is the other one
		}
		return errors.Join(err, r.Close())
	} else if s != nil {
		servers, listeners = append(servers, s), append(listeners, l)
	}
	errs := make(chan error, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() {
			if err := s.Serve(listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				errs <- err
			}
		})
	}
	background, stop := context.WithCancel(ctx)
	wg.Go(func() { r.sweep(background) })
	if r.opt.Watcher {
		reload := r.watch()
		wg.Go(func() { reload(background) })
	}
	r.serving.Store(true)
	if ready != nil {
		ready(data.Addr(), adminAddr)
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-errs:
	}
	r.serving.Store(false)
	stop()
	r.drain(servers)
	wg.Wait()
	return errors.Join(err, r.Close())
}

// drain lets open calls end within the configured time, agents' first, and cuts those that do not.
func (r *Gateway) drain(servers []*http.Server) {
	grace, cancel := context.WithTimeout(context.Background(), max(time.Duration(r.Config().Timeouts.Shutdown), time.Millisecond))
	defer cancel()
	for _, s := range servers {
		if err := s.Shutdown(grace); err != nil {
			r.log.Warn("calls that outlasted the time for shutting down were cut")
			_ = s.Close() // its error is that of a listener that is closed already
		}
	}
}

// Ready reports whether both ports listen and the end was not asked for.
func (r *Gateway) Ready() bool { return r.serving.Load() }

// The bounds of one connection. What net/http bounds by itself: control frames that wait to be written, streams that
// are reset before they are answered, header fields and their continuation.
const (
	headerTime       = 10 * time.Second // for the headers of a call, and for a TLS handshake
	idleTime         = 2 * time.Minute  // between two calls
	headerBytes      = 32 << 10
	streamsPerPeer   = 250       // calls at one time on one HTTP/2 connection
	windowPerPeer    = 1 << 20   // bytes on their way to us on one HTTP/2 connection
	windowPerStream  = 256 << 10 // and in one of its calls
	livenessInterval = 30 * time.Second
)

// server speaks HTTP/1.1 and HTTP/2, which a caller without TLS begins by itself: gRPC does.
func (r *Gateway) server(h http.Handler) *http.Server {
	s := &http.Server{
		Handler: paced(r.pace, h), ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
		ErrorLog:  log.New(io.Discard, "", 0), // its lines may repeat what a stranger sent
		Protocols: new(http.Protocols),
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
				r.log.Error("panic", "type", fmt.Sprintf("%T", v), "place", panicPlace())
			}
			panic(http.ErrAbortHandler) // cuts the connection, so that half an answer does not pass for a whole one
		}()
		next.ServeHTTP(w, req)
	})
}

// panicPlace returns file and line of the function that panicked.
func panicPlace() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !more {
			return "unknown"
		}
	}
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
			if err := r.Gateway.Sweep(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("sweeping", "error", err)
			}
		}
	}
}
