package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Pool keeps the connections to upstreams. What a reload leaves as it was goes on with the connections that it had. The
// zero value is ready; it is safe for concurrent use.
type Pool struct {
	mu   sync.Mutex
	kept map[UpstreamOptions]*http.Transport // by what they are made of; guarded by mu
}

// mostTransports bounds how many sets of options are remembered. One that is forgotten serves whoever has it.
const mostTransports = 64

func (p *Pool) transport(opt UpstreamOptions) (*http.Transport, error) {
	opt.Pool = nil
	key := opt
	key.Body = 0 // is no matter of connections
	if p == nil {
		return newTransport(opt)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if tr := p.kept[key]; tr != nil {
		return tr, nil
	}
	tr, err := newTransport(opt)
	if err != nil {
		return nil, err
	}
	if len(p.kept) >= mostTransports {
		clear(p.kept)
	}
	if p.kept == nil {
		p.kept = map[UpstreamOptions]*http.Transport{}
	}
	p.kept[key] = tr
	return tr, nil
}

// streamWindow is how much of one answer over HTTP/2 may be on its way or wait to be read: a slow caller holds up the
// agent, not the gateway's memory.
const streamWindow = 64 << 10

// connBuffer is what a connection over HTTP/1.1 keeps for reading, and as much for writing, while a stream is open.
const connBuffer = 2 << 10

func newTransport(opt UpstreamOptions) (*http.Transport, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	switch {
	case opt.TLS != nil:
		conf = opt.TLS.Clone()
	case opt.CA != "":
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(opt.CA)) {
			return nil, errors.New("the file of certificate authorities holds none")
		}
	}
	dialer := &net.Dialer{Timeout: opt.Dial, KeepAlive: 30 * time.Second}
	tr := &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &writeBound{c, opt.Write}, nil
		},
		TLSClientConfig:        conf,
		TLSHandshakeTimeout:    opt.Dial,
		ResponseHeaderTimeout:  opt.Headers,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           0,
		MaxIdleConnsPerHost:    opt.Idle,
		IdleConnTimeout:        90 * time.Second,
		DisableCompression:     true, // an encoded body cannot be read, so none is asked for
		MaxResponseHeaderBytes: 64 << 10,
		ReadBufferSize:         connBuffer,
		WriteBufferSize:        connBuffer,
		Protocols:              new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: streamWindow, SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second, WriteByteTimeout: opt.Write,
		},
	}
	if opt.PlainHTTP2 {
		tr.Protocols.SetUnencryptedHTTP2(true)
	} else {
		tr.Protocols.SetHTTP1(true)
	}
	tr.Protocols.SetHTTP2(true)
	return tr, nil
}

// writeBound is a connection whose other side must take in what is written.
type writeBound struct {
	net.Conn
	within time.Duration
}

func (c *writeBound) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.within)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// within is a body that must have come to its end in time.
type within struct {
	io.ReadCloser
	timer *time.Timer
	late  atomic.Bool
}

var errLate = errors.New("it took too long")

func bodyWithin(body io.ReadCloser, d time.Duration) io.ReadCloser {
	w := &within{ReadCloser: body}
	w.timer = time.AfterFunc(d, func() {
		w.late.Store(true)
		_ = body.Close() // the read that waits returns an error
	})
	return w
}

// Read implements [io.Reader].
func (w *within) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF && w.late.Load() {
		err = errLate
	}
	return n, err
}

// Close implements [io.Closer].
func (w *within) Close() error {
	w.timer.Stop()
	return w.ReadCloser.Close()
}
