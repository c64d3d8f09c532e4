package bundles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/bundle"
	"github.com/scrimhq/scrim/store"
)

const (
	lookTime   = 10 * time.Second // the most for one request
	everyLook  = 5 * time.Minute  // unless configuration says otherwise
	soonest    = 15 * time.Second // between two looks after one that failed
	mostWalked = 64               // versions in one look
)

// ErrFetch is wrapped by errors of bundles that could not be fetched.
var ErrFetch = errors.New("the bundle cannot be fetched")

// Look asks a peer for a bundle that is subscribed to, and takes what is new. Errors to act on: [ErrUnknown], [ErrFetch], [*bundle.Error]; what else it
// returns is a fault of our own.
func (x *Exchange) Look(ctx context.Context, id string) error {
	set := x.settings()
	i := slices.IndexFunc(set.Subscribe, func(s Subscription) bool { return s.ID() == id })
	if i < 0 {
		return ErrUnknown
	}
	err := x.look(ctx, &set.Subscribe[i])
	x.mu.Lock()
	before := x.looks[id].problem
	l := x.looks[id]
	l.tried, l.problem = x.opt.Clock(), err
	x.looks[id] = l
	x.mu.Unlock()
	if err != nil && ctx.Err() == nil && (before == nil || before.Error() != err.Error()) { // a peer that is away would fill the journal
		reason := "fetch"
		if e, ok := errors.AsType[*bundle.Error](err); ok {
			reason = string(e.Rule)
		}
		err = errors.Join(err, x.record(ctx, set.Subscribe[i].Domain, flow.Refused, "bundle "+set.Subscribe[i].Name+": "+reason, nil))
	}
	return err
}

func (x *Exchange) look(ctx context.Context, s *Subscription) error {
	defer x.lock(s.ID())()
	if err := x.loadTaken(ctx, s); err != nil { // what another gateway took holds here, whether or not this one reaches the peer
		return err
	}
	text, newest, err := x.fetch(ctx, s, "")
	if err != nil {
		return err
	}
	if err := newest.InForce(x.opt.Clock()); err != nil {
		return err
	}
	if err := x.loadTaken(ctx, s); err != nil { // as it is now, for what comes is compared with it
		return err
	}
	x.mu.Lock()
	old := x.taken[s.ID()]
	x.mu.Unlock()
	if old != nil && !old.forgotten() {
		if newest.Version == old.b.Version && newest.Digest() == old.b.Digest() && !newest.Issued.After(old.b.Issued) {
			return x.heard(ctx, s, old) // another gateway of the peer signed it at another time
		}
		before, err := x.walk(ctx, s, old.b, newest)
		if err != nil {
			return err
		}
		if err := newest.Follows(before); err != nil {
			return err
		}
	}
	if err := x.fits(s, newest); err != nil {
		return err
	}
	return x.take(ctx, s, old, newest, text)
}

// walk follows the chain from the version that was taken to the one before the newest, and returns that.
func (x *Exchange) walk(ctx context.Context, s *Subscription, from, newest *bundle.Bundle) (*bundle.Bundle, error) {
	at := from
	x.mu.Lock()
	if w := x.looks[s.ID()].walked; w != nil && w.Version > from.Version && w.Version < newest.Version {
		at = w
	}
	x.mu.Unlock()
	for n := 0; at.Version+1 < newest.Version; n++ {
		if n == mostWalked {
			return nil, fmt.Errorf("%w: more than %d versions are missing; the rest is asked for next", &bundle.Error{Rule: bundle.RuleGap}, mostWalked)
		}
		_, next, err := x.fetch(ctx, s, "/"+strconv.FormatInt(at.Version+1, 10))
		if errors.Is(err, ErrFetch) {
			return nil, errors.Join(&bundle.Error{Rule: bundle.RuleGap}, err)
		}
		if err == nil && next.Version != at.Version+1 {
			err = &bundle.Error{Rule: bundle.RuleGap}
		}
		if err == nil {
			err = next.Follows(at)
		}
		if err != nil {
			return nil, err
		}
		at = next
		x.mu.Lock()
		l := x.looks[s.ID()]
		l.walked = at
		x.looks[s.ID()] = l
		x.mu.Unlock()
	}
	return at, nil
}

// fits asks whether a version can be kept to here.
func (x *Exchange) fits(s *Subscription, b *bundle.Bundle) error {
	x.mu.Lock()
	check := x.check
	x.mu.Unlock()
	if check == nil {
		return errors.New("nothing is taken by a gateway that does not run")
	}
	unknown, err := check(b)
	switch {
	case err != nil:
		return &bundle.Error{Rule: bundle.RulePolicy}
	case s.Refuse && len(unknown) > 0:
		return &bundle.Error{Rule: bundle.RulePolicy, Place: "it names what is not known here"}
	}
	return nil
}

// take keeps a version, on record, and has it in force. The same version that was signed again is kept without a word.
func (x *Exchange) take(ctx context.Context, s *Subscription, old *taken, next *bundle.Bundle, text []byte) error {
	now := x.opt.Clock().UTC()
	put := func(tx store.Tx) error {
		if err := x.still(tx, s, old); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO bundles_taken (domain, name, bundle, seen) VALUES (?, ?, ?, ?)
			ON CONFLICT (domain, name) DO UPDATE SET bundle = excluded.bundle, seen = excluded.seen`, string(s.Domain), s.Name, string(text), now.Unix())
		return err
	}
	var err error
	if old == nil || old.forgotten() || old.b.Version != next.Version {
		reason := fmt.Sprintf("bundle %s: version %d is kept to, digest %s", s.Name, next.Version, next.Digest())
		if old != nil {
			reason += fmt.Sprintf(", after version %d", old.b.Version)
		}
		err = x.record(ctx, s.Domain, flow.Changed, reason, put)
	} else {
		err = x.opt.DB.Update(ctx, put)
	}
	if err != nil {
		return err
	}
	x.mu.Lock()
	x.taken[s.ID()] = &taken{next, now}
	changed := x.changed
	x.mu.Unlock()
	if changed != nil {
		return changed(ctx)
	}
	return nil
}

// still is nil if what is kept of a bundle is no newer than what a version was compared with.
func (x *Exchange) still(tx store.Tx, s *Subscription, old *taken) error {
	rows, err := tx.Query("SELECT bundle, seen FROM bundles_taken WHERE domain = ? AND name = ?", string(s.Domain), s.Name)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		var seen int64
		if err := rows.Scan(&text, &seen); err != nil {
			return err
		}
		b, err := bundle.Stored([]byte(text))
		switch {
		case err != nil:
		case old == nil, b.Version > old.b.Version, old.forgotten() != (seen == 0), old.forgotten() && b.Digest() != old.b.Digest():
			return errMeanwhile
		}
	}
	return rows.Err()
}

var errMeanwhile = errors.New("another gateway took a version of the bundle meanwhile")

// heard notes that the peer still says what is held.
func (x *Exchange) heard(ctx context.Context, s *Subscription, old *taken) error {
	now := x.opt.Clock().UTC()
	err := x.opt.DB.Update(ctx, func(tx store.Tx) error {
		if err := x.still(tx, s, old); err != nil {
			return err
		}
		_, err := tx.Exec("UPDATE bundles_taken SET seen = ? WHERE domain = ? AND name = ?", now.Unix(), string(s.Domain), s.Name)
		return err
	})
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.taken[s.ID()] = &taken{old.b, now}
	return nil
}

// fetch gets a version from the first of the peer's gateways that has it.
func (x *Exchange) fetch(ctx context.Context, s *Subscription, version string) ([]byte, *bundle.Bundle, error) {
	bases, client := x.opt.Peers.Gateways(s.Domain)
	if client == nil || len(bases) == 0 {
		return nil, nil, fmt.Errorf("%w: its domain is no peer that can be reached", ErrFetch)
	}
	var last error
	for _, base := range bases {
		text, err := get(ctx, client, base+bundle.Path+s.Name+version)
		if err != nil {
			last = err
			continue
		}
		b, err := bundle.Parse(text, x.opt.Peers)
		switch {
		case err != nil:
			return nil, nil, err
		case b.Issuer != s.Domain:
			return nil, nil, &bundle.Error{Rule: bundle.RuleIssuer}
		case b.Name != s.Name:
			return nil, nil, &bundle.Error{Rule: bundle.RuleName}
		}
		return text, b, nil
	}
	return nil, nil, last
}

func get(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, ErrFetch
	}
	req.Header.Set("Accept", bundle.MediaType)
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: its domain does not answer", ErrFetch)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", ErrFetch, res.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, bundle.MaxText+1))
	if err != nil {
		return nil, fmt.Errorf("%w: it did not come whole", ErrFetch)
	}
	return text, nil
}

// Forget has the next version of another domain's bundle need not follow the one that was taken: for a domain whose chain begins anew. Until a version
// comes the bundle is late, and what was taken holds beside that, so that nothing shows for which it was in the way.
func (x *Exchange) Forget(ctx context.Context, domain flow.DomainID, name string) error {
	s := Subscription{Domain: domain, Name: name}
	defer x.lock(s.ID())()
	x.mu.Lock()
	known := x.taken[s.ID()]
	x.mu.Unlock()
	if known == nil || known.forgotten() {
		return ErrUnknown
	}
	reason := fmt.Sprintf("bundle %s: version %d is forgotten", name, known.b.Version)
	err := x.record(ctx, domain, flow.Changed, reason, func(tx store.Tx) error {
		_, err := tx.Exec("UPDATE bundles_taken SET seen = 0 WHERE domain = ? AND name = ?", string(domain), name)
		return err
	})
	if err != nil {
		return err
	}
	x.mu.Lock()
	x.taken[s.ID()] = &taken{known.b, time.Unix(0, 0).UTC()}
	l := x.looks[s.ID()]
	l.tried, l.walked = time.Time{}, nil // it is asked for at once
	x.looks[s.ID()] = l
	changed := x.changed
	x.mu.Unlock()
	if changed != nil {
		return changed(ctx)
	}
	return nil
}

// Run asks for bundles when their time has come, and has what is late made strict, until ctx is done.
func (x *Exchange) Run(ctx context.Context, fault func(error)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		for _, id := range x.due() {
			wg.Go(func() {
				x.mu.Lock()
				before := x.looks[id].problem
				x.mu.Unlock()
				err := x.Look(ctx, id)
				x.mu.Lock()
				l := x.looks[id]
				l.running = false
				x.looks[id] = l
				x.mu.Unlock()
				if err != nil && ctx.Err() == nil && (before == nil || l.problem == nil || before.Error() != l.problem.Error()) { // once for each
					fault(fmt.Errorf("asking for bundle %s: %w", id, err))
				}
			})
		}
		x.mu.Lock()
		changed := x.changed
		x.mu.Unlock()
		if changed != nil {
			if err := changed(ctx); err != nil && ctx.Err() == nil {
				fault(err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// due returns the bundles that are to be asked for now, and notes that they are.
func (x *Exchange) due() (ids []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.opt.Clock()
	for _, s := range x.set.Subscribe {
		l := x.looks[s.ID()]
		every := s.Every
		if every <= 0 {
			every = everyLook
		}
		if s.MaxAge > 0 {
			every = min(every, max(s.MaxAge/4, time.Second))
		}
		if t := x.taken[s.ID()]; l.problem != nil || t == nil || t.forgotten() {
			every = min(every, soonest)
		}
		since := now.Sub(l.tried)
		if l.running || since >= 0 && since < every && !l.tried.IsZero() {
			continue
		}
		l.running = true
		x.looks[s.ID()] = l
		ids = append(ids, s.ID())
	}
	return ids
}
