package peers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/egress"
	"github.com/scrimhq/scrim/policy/domain"
	"github.com/scrimhq/scrim/store"
)

// Errors that callers may act on.
var (
	ErrURL        = errors.New("not the address of a gateway or of a domain's document: an http or https URL without user, query or fragment")
	ErrFetch      = errors.New("the domain's document cannot be fetched")
	ErrOwn        = errors.New("the document is this domain's own")
	ErrPinned     = errors.New("the domain is pinned with another fingerprint; remove the peer first if its identity did change")
	ErrConfigured = errors.New("the peer is one by configuration; change it there")
	ErrUnknown    = errors.New("there is no such peer")
)

// DocumentURL returns where a domain's document is found: the URL itself if its path is that of a document, else below
// the gateway that it names. The error is [ErrURL].
func DocumentURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || len(text) > 2048 || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" {
		return "", ErrURL
	}
	if !strings.HasSuffix(u.Path, domain.Path) {
		u.Path = strings.TrimSuffix(u.Path, "/") + domain.Path
	}
	return u.String(), nil
}

// fetch gets a document. The certificate of the server counts for nothing: what it sends is signed, and believed by its
// fingerprint alone, so that a domain needs no public authority.
func (p *Peers) fetch(ctx context.Context, address string) (*domain.Document, string, error) {
	at, err := DocumentURL(address)
	if err != nil {
		return nil, "", err
	}
	opt := p.conf.Load().Egress
	opt.Bytes, opt.TLS = domain.MaxText+512, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	client := egress.Client(opt)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, "", ErrURL
	}
	req.Header.Set("Accept", domain.MediaType)
	req.Header.Set("Cache-Control", "no-cache")
	req.Header.Set("User-Agent", "scrim")
	res, err := client.Do(req)
	if err != nil {
		return nil, "", unfetched(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("%w: status %d", ErrFetch, res.StatusCode)
	}
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, "", unfetched(err)
	}
	text, err := domain.FromJSON(raw)
	if err != nil {
		return nil, "", err
	}
	d, err := domain.Parse(text)
	if err != nil {
		return nil, "", err
	}
	return d, text, d.InForce(p.now())
}

// unfetched says what went wrong in words that repeat nothing of what came.
func unfetched(err error) error {
	for _, known := range []error{egress.ErrURL, egress.ErrAddress, egress.ErrTooBig, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return fmt.Errorf("%w: %w", ErrFetch, known)
		}
	}
	return fmt.Errorf("%w: the address does not answer", ErrFetch)
}

// Look fetches a document that counts at this time, whoever's it is, for its fingerprint to be shown. It believes
// nothing. Errors are [ErrURL], those that wrap [ErrFetch], and [*domain.Error].
func (p *Peers) Look(ctx context.Context, address string) (*domain.Document, error) {
	if !p.ready() {
		return nil, ErrFetch
	}
	d, _, err := p.fetch(ctx, address)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Add pins the domain whose document is at the address, if it has that fingerprint, and returns when that is kept and on
// record. A domain that was removed is not set back to an earlier document. Errors, beside those of [Peers.Look]:
// [ErrOwn], [ErrPinned], [ErrConfigured].
func (p *Peers) Add(ctx context.Context, address string, f domain.Fingerprint) (*Peer, error) {
	if !p.ready() {
		return nil, ErrFetch
	}
	d, text, err := p.fetch(ctx, address)
	if err != nil {
		return nil, err
	}
	return p.pin(ctx, Pin{Domain: d.Domain, URL: address, Fingerprint: f}, d, text)
}

// Pin is Add with a document that is there already, as JSON has it.
func (p *Peers) Pin(ctx context.Context, address string, f domain.Fingerprint, published []byte) (*Peer, error) {
	if !p.ready() {
		return nil, ErrFetch
	}
	text, err := domain.FromJSON(published)
	if err != nil {
		return nil, err
	}
	d, err := domain.Parse(text)
	if err == nil {
		err = d.InForce(p.now())
	}
	if err != nil {
		return nil, err
	}
	return p.pin(ctx, Pin{Domain: d.Domain, URL: address, Fingerprint: f}, d, text)
}

func (p *Peers) pin(ctx context.Context, pin Pin, d *domain.Document, text string) (*Peer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.Domain == p.own {
		return nil, ErrOwn
	}
	if !d.Fingerprint().Equal(pin.Fingerprint) {
		err := &domain.Error{Rule: domain.RuleFingerprint}
		return nil, errors.Join(err, p.record(ctx, d.Domain, flow.Refused, "peer: "+string(err.Rule), nil))
	}
	if e := p.state.Load().entries[d.Domain]; e != nil {
		switch {
		case e.configured:
			return nil, ErrConfigured
		case !e.Fingerprint.Equal(pin.Fingerprint):
			return nil, ErrPinned
		}
	}
	all, err := p.read(ctx)
	if err != nil {
		return nil, err
	}
	if old := all[d.Domain]; old != nil && old.Fingerprint.Equal(pin.Fingerprint) {
		if err := d.Follows(old.Document); err != nil {
			return nil, errors.Join(err, p.record(ctx, d.Domain, flow.Refused, "peer: "+ruleOf(err), nil))
		}
	}
	e := &entry{Peer: Peer{Pin: pin, Document: d, Fetched: p.now().UTC()}, pool: poolOf(d.Authorities), tried: p.now()}
	reason := "peer pinned by fingerprint " + pin.Fingerprint.String()
	if err := p.record(ctx, d.Domain, flow.Changed, reason, func(tx store.Tx) error { return write(tx, e, text, true) }); err != nil {
		return nil, err
	}
	p.put(d.Domain, e)
	return &e.Peer, nil
}

func ruleOf(err error) string {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return string(e.Rule)
	}
	return "fetch"
}

// Remove ends a peer that was pinned by command. Its newest document is remembered, so that nobody can set it back when
// it is added again. Errors to act on: [ErrUnknown], [ErrConfigured].
func (p *Peers) Remove(ctx context.Context, d flow.DomainID) error {
	if !p.ready() {
		return ErrUnknown
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.state.Load().entries[d]
	switch {
	case e == nil:
		return ErrUnknown
	case e.configured:
		return ErrConfigured
	}
	err := p.record(ctx, d, flow.Changed, "peer removed", func(tx store.Tx) error {
		_, err := tx.Exec("UPDATE peers SET pinned = 0 WHERE domain = ?", string(d))
		return err
	})
	if err != nil {
		return err
	}
	p.put(d, nil)
	p.link(d).reset()
	return nil
}

// Refresh looks at a peer's document again. One that does not follow the last is refused and put on record, and the last
// one stays in force until its own end. Errors are [ErrUnknown] and those of [Peers.Look].
func (p *Peers) Refresh(ctx context.Context, d flow.DomainID) error {
	if !p.ready() {
		return ErrUnknown
	}
	e := p.state.Load().entries[d]
	if e == nil {
		return ErrUnknown
	}
	doc, text, err := p.fetch(ctx, e.URL)
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.state.Load().entries[d]
	if now == nil || now.Pin != e.Pin {
		return ErrUnknown // it was changed meanwhile
	}
	next := *now
	next.tried = p.now()
	if err == nil {
		err = p.follows(doc, now)
	}
	if err != nil {
		next.problem = err
		p.put(d, &next)
		return p.failed(ctx, d, now.problem, err)
	}
	next.problem = nil
	next.Fetched = next.tried.UTC()
	changed := now.Document == nil || doc.Version != now.Document.Version
	if changed {
		next.Document = doc
		if now.Document == nil || !sameAuthorities(doc, now.Document) {
			next.pool = poolOf(doc.Authorities)
		}
	}
	put := func(tx store.Tx) error { return write(tx, &next, text, !next.configured) }
	if changed {
		err = p.record(ctx, d, flow.Changed, fmt.Sprintf("version %d of the peer's document is believed", doc.Version), put)
	} else {
		err = p.opt.DB.Update(ctx, put)
	}
	if err != nil {
		return err
	}
	p.put(d, &next)
	return nil
}

func (p *Peers) follows(d *domain.Document, e *entry) error {
	switch {
	case d.Domain != e.Domain:
		return &domain.Error{Rule: domain.RuleDomain}
	case !d.Fingerprint().Equal(e.Fingerprint):
		return &domain.Error{Rule: domain.RuleFingerprint}
	}
	return d.Follows(e.Document)
}

// failed puts a look that failed on record, unless the one before failed alike: a peer that is away would fill the journal.
func (p *Peers) failed(ctx context.Context, d flow.DomainID, before, err error) error {
	if before != nil && before.Error() == err.Error() {
		return err
	}
	return errors.Join(err, p.record(ctx, d, flow.Refused, "peer: "+ruleOf(err), nil))
}

func sameAuthorities(a, b *domain.Document) bool {
	if len(a.Authorities) != len(b.Authorities) {
		return false
	}
	for i, c := range a.Authorities {
		if !c.Equal(b.Authorities[i]) {
			return false
		}
	}
	return true
}

// Run keeps keys, document and peers up to date until ctx is done.
func (p *Peers) Run(ctx context.Context) {
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for {
		p.Tick(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Tick does what is due: see [Peers.Run].
func (p *Peers) Tick(ctx context.Context) {
	if !p.ready() {
		return
	}
	if err := p.keep(ctx); err != nil && ctx.Err() == nil {
		p.fault(fmt.Errorf("keeping the domain's keys and document: %w", err))
	}
	for d, e := range p.state.Load().entries {
		if ctx.Err() != nil {
			return
		}
		every := p.conf.Load().Refresh
		if e.problem != nil || e.Document == nil || e.Document.InForce(p.now().Add(every)) != nil {
			every = min(every, time.Minute)
		}
		if !e.tried.IsZero() && p.now().Sub(e.tried) < every {
			continue
		}
		if err := p.Refresh(ctx, d); err != nil && ctx.Err() == nil && !errors.Is(err, ErrUnknown) {
			p.fault(fmt.Errorf("looking at the document of peer %s: %w", d, err))
		}
	}
}
