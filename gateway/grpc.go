package gateway

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
)

// grpcPrefix is how many bytes frame a message of gRPC: whether it is compressed, and its length.
const grpcPrefix = 5

// SendGRPC calls a method of a gRPC service with one framed message. Address is a host with a port, as cards of agents
// have it, or a URL whose scheme does not count: TLS is what the upstream's own URL says. Path is that of the method.
// Headers go as with [Upstream.Send]. The caller closes the response's body. The error is a [Refusal].
func (u *Upstream) SendGRPC(ctx context.Context, address, path string, from http.Header, extra map[string]string, frame []byte) (*http.Response, error) {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	at := &url.URL{Scheme: u.URL.Scheme, Host: strings.TrimSuffix(address, "/"), Path: path}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), bytes.NewReader(frame))
	if err != nil {
		return nil, refuse(RuleInternal, "", err, "The agent behind the gateway cannot be called.")
	}
	if err := u.head(req, from, extra); err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/grpc")
	req.Header.Set("Te", "trailers")
	if err := u.vouch(req, frame[min(grpcPrefix, len(frame)):]); err != nil {
		return nil, err
	}
	return u.do(req, true)
}

// streams is the client of calls that need HTTP/2. It is made at the first of them.
func (u *Upstream) streams() *http.Client {
	u.once.Do(func() {
		opt := u.opt
		opt.PlainHTTP2 = true
		u.http2 = u.client
		if tr, err := opt.Pool.transport(opt); err == nil { // these options made one before
			u.http2 = client(tr)
		}
	})
	return u.http2
}
