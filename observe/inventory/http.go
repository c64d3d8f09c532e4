package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/scrimhq/scrim/flow"
)

// Endpoint is a server that is asked over HTTP.
type Endpoint struct {
	URL        string      // http or https, without user name, query or fragment
	Header     string      // that carries the credential; "": Authorization
	Credential flow.Secret // as the header carries it, "Bearer …"; zero: none
}

// ErrEndpoint is returned for an address that holds more than a place, or is none.
var ErrEndpoint = errors.New("want an address such as https://host/path, without user, query or fragment")

func (e Endpoint) check() (*url.URL, error) {
	u, err := url.Parse(e.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrEndpoint // url.Parse's error repeats the address
	}
	return u, nil
}

const (
	maxAnswer  = 16 << 20  // of one answer
	maxAnswers = 256 << 20 // of all
)

// client asks the endpoint alone: it follows no redirect, shows the credential to nobody else, and reads no more than so much.
func (e Endpoint) client(u *url.URL) (*http.Client, *asker) {
	header := e.Header
	if header == "" {
		header = "Authorization"
	}
	a := &asker{host: u.Host, header: header, credential: e.Credential}
	a.left.Store(maxAnswers)
	return &http.Client{Transport: a, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, a
}

// asker is a transport to one host.
type asker struct {
	host       string
	header     string
	credential flow.Secret
	life       context.Context // all that is asked ends with it; nil: with what asks
	left       atomic.Int64    // bytes that are still read
	status     atomic.Int64    // of the last answer that was none of success
}

var errElsewhere = errors.New("it leads to another host")

// RoundTrip implements [http.RoundTripper].
func (a *asker) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != a.host {
		return nil, errElsewhere
	}
	ctx, end := context.WithCancel(r.Context())
	if a.life != nil {
		context.AfterFunc(a.life, end)
	}
	r = r.Clone(ctx)
	if !a.credential.IsZero() {
		r.Header.Set(a.header, a.credential.Expose())
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		end()
		return nil, err
	}
	if res.StatusCode >= 300 {
		a.status.Store(int64(res.StatusCode))
	}
	res.Body = &bounded{Reader: io.LimitReader(res.Body, maxAnswer+1), Closer: res.Body, of: a, end: end}
	return res, nil
}

// bounded fails where too much is read.
type bounded struct {
	io.Reader
	io.Closer
	of   *asker
	end  context.CancelFunc
	read int64
}

func (b *bounded) Close() error {
	defer b.end()
	return b.Closer.Close()
}

var errTooMuch = errors.New("it answers with more than is read")

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += int64(n)
	if b.of.left.Add(-int64(n)) < 0 || b.read > maxAnswer {
		return 0, errTooMuch
	}
	return n, err
}

// fault says what went wrong with a server in our own words: its own may hold anything.
func fault(name, doing string, err error, status int64) error {
	if errors.Is(err, errLate) {
		return err
	}
	why := "what it answers is not what was asked for"
	if status >= 300 {
		why = fmt.Sprintf("it answered with HTTP status %d", status)
	}
	for _, known := range []error{errTooMuch, errElsewhere, errProgram} {
		if errors.Is(err, known) {
			why = known.Error()
		}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		why = "it cannot be reached: " + op.Err.Error()
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		why = "it cannot be reached: its name is not known"
	}
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return fmt.Errorf("%s: %s: %w", name, doing, end)
		}
	}
	return fmt.Errorf("%s: %s: %s", name, doing, why)
}
