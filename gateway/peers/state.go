package peers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/domain"
	"github.com/scrimhq/scrim/store"
)

// row is a peer as the store has it.
type row struct {
	entry
	pinned bool
}

// read returns every row. A document that this program would not take is left out: it is fetched again.
func (p *Peers) read(ctx context.Context) (map[flow.DomainID]*row, error) {
	all := map[flow.DomainID]*row{}
	err := p.opt.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT domain, url, fingerprint, pinned, document, fetched FROM peers")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name, address, print, text string
			var pinned, fetched int64
			if err := rows.Scan(&name, &address, &print, &pinned, &text, &fetched); err != nil {
				return err
			}
			f, err := domain.ParseFingerprint(print)
			if err != nil {
				return fmt.Errorf("peer %s: %w", name, err)
			}
			r := &row{pinned: pinned == 1}
			r.Pin = Pin{Domain: flow.DomainID(name), URL: address, Fingerprint: f}
			if d, err := domain.Parse(text); err == nil && d.Domain == r.Domain && d.Fingerprint().Equal(f) {
				r.Document, r.Fetched, r.pool = d, time.Unix(fetched, 0).UTC(), poolOf(d.Authorities)
			}
			all[r.Domain] = r
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("reading the peers: %w", err)
	}
	return all, nil
}

// load reads peers that were pinned by command, and the own document.
func (p *Peers) load(ctx context.Context) error {
	all, err := p.read(ctx)
	if err != nil {
		return err
	}
	next := &state{entries: map[flow.DomainID]*entry{}}
	for d, r := range all {
		if r.pinned {
			next.entries[d] = &r.entry
		}
	}
	err = p.opt.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT document FROM peers_own WHERE id = 1")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(&next.text); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return fmt.Errorf("reading the domain's document: %w", err)
	}
	if next.text != "" {
		if next.document, err = domain.Parse(next.text); err != nil {
			return fmt.Errorf("reading the domain's document: %w", err)
		}
	}
	p.state.Store(next)
	return nil
}

// configure puts settings in force: pins of the configuration replace those by command of the same domain.
func (p *Peers) configure(ctx context.Context, set Settings) error {
	all, err := p.read(ctx)
	if err != nil {
		return err
	}
	s := set.withDefaults()
	next := *p.state.Load()
	before := next.entries
	next.entries = map[flow.DomainID]*entry{}
	for d, r := range all {
		if r.pinned {
			next.entries[d] = &r.entry
		}
	}
	for _, pin := range s.Pins {
		if pin.Domain == p.own || !domain.ValidName(pin.Domain) {
			return fmt.Errorf("peer %s: not the name of another domain", pin.Domain)
		}
		e := &entry{configured: true}
		e.Pin = pin
		if r := all[pin.Domain]; r != nil && r.Fingerprint.Equal(pin.Fingerprint) {
			e.Document, e.Fetched, e.pool = r.Document, r.Fetched, r.pool
		}
		next.entries[pin.Domain] = e
	}
	for d, e := range next.entries {
		if old := before[d]; old != nil && old.Fingerprint.Equal(e.Fingerprint) && old.URL == e.URL {
			e.tried, e.problem = old.tried, old.problem
		}
	}
	p.conf.Store(s)
	p.state.Store(&next)
	p.unlink()
	return p.publish(ctx)
}

// put replaces one entry in memory; a nil one takes it out.
func (p *Peers) put(d flow.DomainID, e *entry) {
	next := *p.state.Load()
	next.entries = maps.Clone(next.entries)
	if e == nil {
		delete(next.entries, d)
	} else {
		next.entries[d] = e
	}
	p.state.Store(&next)
}

func write(tx store.Tx, e *entry, text string, pinned bool) error {
	n := int64(0)
	if pinned {
		n = 1
	}
	fetched := int64(0)
	if !e.Fetched.IsZero() {
		fetched = e.Fetched.Unix()
	}
	_, err := tx.Exec(`INSERT INTO peers (domain, url, fingerprint, pinned, document, fetched) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (domain) DO UPDATE SET url = excluded.url, fingerprint = excluded.fingerprint, pinned = excluded.pinned,
		document = excluded.document, fetched = excluded.fetched`,
		string(e.Domain), e.URL, e.Fingerprint.String(), n, text, fetched)
	return err
}

// Status is what an operator is told of a peer.
type Status struct {
	Peer
	Configured bool      // by configuration, not by command
	Tried      time.Time // the last look at its document since the start
	Problem    error     // of that look
	InForce    bool      // its document counts at this time
}

// All returns every peer, by name.
func (p *Peers) All() []Status {
	if !p.ready() {
		return nil
	}
	var all []Status
	entries, now := p.state.Load().entries, p.now()
	for _, d := range slices.Sorted(maps.Keys(entries)) {
		e := entries[d]
		all = append(all, Status{
			Peer: e.Peer, Configured: e.configured, Tried: e.tried, Problem: e.problem,
			InForce: e.Document != nil && e.Document.InForce(now) == nil,
		})
	}
	return all
}
