package svid

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	staleTime = time.Hour        // after which nothing is believed of a Workload API that went away
	askAgain  = 30 * time.Second // where the Workload API said not to ask again
)

// ErrNoSVID is the error where the Workload API gave this gateway no certificate, or none that is in force.
var ErrNoSVID = errors.New("the Workload API has given no certificate that is in force")

// Workload is what the Workload API says to this process: its own certificate, and the bundles of its trust domain and of
// those that federate with it. It counts as long as the API stands; once it went away, for an hour. Where the API says that
// this workload has no identity, nothing counts from then on. It is safe for concurrent use.
type Workload struct {
	address string
	now     func() time.Time
	told    func(error)

	mu      sync.Mutex // guards the fields below
	svid    *tls.Certificate
	id      string
	bundles map[string]*held
	broken  time.Time // since when the API is away; zero: it stands
	first   chan struct{}
	wrong   string
}

// NewWorkload returns what the Workload API at an address such as unix:///run/spire/agent.sock will say. Told is called with
// what is wrong when that changes, and with nil when all is well again; nil: nobody is told.
func NewWorkload(address string, told func(error)) (*Workload, error) {
	if err := workloadapi.ValidateAddress(address); err != nil {
		return nil, errors.New("the address of the Workload API is not of the form unix:///path or tcp://127.0.0.1:port")
	}
	return &Workload{address: address, now: time.Now, told: told, first: make(chan struct{})}, nil
}

// Run keeps up with the API until ctx is done.
func (w *Workload) Run(ctx context.Context) {
	for ctx.Err() == nil {
		client, err := workloadapi.New(ctx, workloadapi.WithAddr(w.address))
		if err == nil {
			err = client.WatchX509Context(ctx, (*watcher)(w))
			_ = client.Close() // the error to tell is the other one
		}
		if ctx.Err() != nil {
			return
		}
		w.fail(err)
		select {
		case <-ctx.Done():
		case <-time.After(askAgain):
		}
	}
}

// watcher hears from the Workload API.
type watcher Workload

// OnX509ContextUpdate implements [workloadapi.X509ContextWatcher].
func (w *watcher) OnX509ContextUpdate(c *workloadapi.X509Context) { (*Workload)(w).update(c) }

// OnX509ContextWatchError implements [workloadapi.X509ContextWatcher].
func (w *watcher) OnX509ContextWatchError(err error) { (*Workload)(w).fail(err) }

func (w *Workload) update(c *workloadapi.X509Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	bundles := map[string]*held{}
	for _, b := range c.Bundles.Bundles() {
		certs := b.X509Authorities()
		if check(certs) != nil {
			continue // a trust domain without authorities is one that is not trusted
		}
		bundles[b.TrustDomain().Name()] = hold(w.bundles[b.TrustDomain().Name()], certs)
	}
	w.bundles, w.broken = bundles, time.Time{}
	w.svid, w.id = nil, ""
	if len(c.SVIDs) > 0 {
		w.svid, w.id = certificateOf(c.SVIDs[0]), c.SVIDs[0].ID.String()
	}
	select {
	case <-w.first:
	default:
		close(w.first)
	}
	w.tell(nil)
}

func certificateOf(s *x509svid.SVID) *tls.Certificate {
	out := &tls.Certificate{PrivateKey: s.PrivateKey, Leaf: s.Certificates[0]}
	for _, c := range s.Certificates {
		out.Certificate = append(out.Certificate, c.Raw)
	}
	return out
}

func (w *Workload) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken.IsZero() {
		w.broken = w.now()
	}
	why := status.Code(err)
	if why == codes.PermissionDenied {
		w.svid, w.id, w.bundles = nil, "", nil
	}
	if why == codes.Canceled {
		return // we went away, or it did and will be asked again
	}
	w.tell(fmt.Errorf("the Workload API cannot be asked: %s", why)) // its own words may hold anything
}

// tell tells what is wrong, once. The caller holds mu.
func (w *Workload) tell(err error) {
	why := ""
	if err != nil {
		why = err.Error()
	}
	if was := w.wrong; was != why && w.told != nil {
		w.told(err)
	}
	w.wrong = why
}

// stale reports whether the API went away too long ago. The caller holds mu.
func (w *Workload) stale() bool { return !w.broken.IsZero() && w.now().Sub(w.broken) > staleTime }

// ClientCA returns the authorities of the trust domain.
func (w *Workload) ClientCA(trustDomain string) (*x509.CertPool, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.bundles[trustDomain]
	if h == nil || w.stale() {
		return nil, false
	}
	return h.pool, true
}

// Certificate returns the certificate of this workload, with its key. It returns [ErrNoSVID] if there is none that is in force.
func (w *Workload) Certificate() (*tls.Certificate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.svid == nil || w.now().After(w.svid.Leaf.NotAfter) {
		return nil, ErrNoSVID
	}
	return w.svid, nil
}

// Wait returns when the API has answered for the first time, or ctx is done.
func (w *Workload) Wait(ctx context.Context) error {
	select {
	case <-w.first:
		return nil
	case <-ctx.Done():
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.wrong != "" {
			return errors.New(w.wrong)
		}
		return errors.New("the Workload API has not answered")
	}
}

// State is what the Workload API says at the moment.
type State struct {
	ID      string    // SPIFFE ID of this workload; "": it has none
	Expires time.Time // of its certificate
	Bundles map[string][]*x509.Certificate
}

// State returns what the API says at the moment.
func (w *Workload) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := State{ID: w.id, Bundles: map[string][]*x509.Certificate{}}
	if w.svid != nil {
		s.Expires = w.svid.Leaf.NotAfter
	}
	for td, h := range w.bundles {
		s.Bundles[td] = h.certs
	}
	return s
}

// Both has the bundles of files, and for other trust domains those of the Workload API. Either may be nil.
type Both struct {
	Files    *Files
	Workload *Workload
}

// ClientCA returns the authorities of the trust domain.
func (b Both) ClientCA(trustDomain string) (*x509.CertPool, bool) {
	switch {
	case b.Files != nil && b.Files.Has(trustDomain):
		return b.Files.ClientCA(trustDomain)
	case b.Workload != nil:
		return b.Workload.ClientCA(trustDomain)
	}
	return nil, false
}
