package peers

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/domain"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// publish makes the domain's document anew if what it says changed or a quarter of its life is over. It is called with
// p.mu held. A domain whose name cannot have peers has none.
func (p *Peers) publish(ctx context.Context) error {
	if !domain.ValidName(p.own) {
		return nil
	}
	next, now := p.written(), p.now().UTC().Truncate(time.Second)
	s := *p.state.Load()
	if old := s.document; old != nil {
		next.Version, next.IssuedAt, next.Expires = old.Version, old.IssuedAt, old.Expires
		young := now.Before(old.IssuedAt.Add(p.conf.Load().Life/4)) && !now.Before(old.IssuedAt.Add(-domain.Skew))
		if young && next.Follows(old) == nil {
			if s.pool == nil && len(old.Authorities) > 0 {
				s.pool = poolOf(old.Authorities)
				p.state.Store(&s)
			}
			return nil
		}
	}
	// Peers may have seen later ones than a store that was restored knows of.
	next.Version = max(next.Version+1, now.Unix())
	next.IssuedAt, next.Expires = now, now.Add(min(p.conf.Load().Life, domain.MaxLife))
	text, err := next.Sign(p.opt.Keys.Signer(IdentityKey))
	if err != nil {
		return fmt.Errorf("publishing the domain's document: %w", err)
	}
	const put = `INSERT INTO peers_own (id, version, document) VALUES (1, ?, ?)
		ON CONFLICT (id) DO UPDATE SET version = excluded.version, document = excluded.document`
	err = p.opt.DB.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec(put, next.Version, text)
		return err
	})
	if err != nil {
		return fmt.Errorf("publishing the domain's document: %w", err)
	}
	s.document, s.text, s.pool = next, text, poolOf(next.Authorities)
	p.state.Store(&s)
	return nil
}

// written is the document as it would be now, without version and times.
func (p *Peers) written() *domain.Document {
	conf, now := p.conf.Load(), p.now()
	d := &domain.Document{
		Domain: p.own, Identity: p.opt.Keys.Signer(IdentityKey).Public().(ed25519.PublicKey),
		Gateways: conf.Gateways, Techniques: conf.Techniques, Revocations: conf.Revocations,
	}
	for _, pair := range p.signing().At(now) {
		if public, ok := pair.Public.(ed25519.PublicKey); ok {
			d.Keys = append(d.Keys, domain.Key{ID: pair.ID, Public: public, NotBefore: pair.NotBefore, NotAfter: pair.NotAfter})
		}
	}
	if p.opt.Origin != "" {
		d.Log = &domain.LogKey{Origin: p.opt.Origin, Public: p.opt.Keys.Signer(LogKey).Public().(ed25519.PublicKey)}
	}
	d.Authorities = p.authorities(now)
	return d
}

// Rotate makes another signing key, as [vault.Pairs.Rotate] does, puts that on record and publishes it. With r nil it
// goes by the settings.
func (p *Peers) Rotate(ctx context.Context, r *vault.Rotation) (vault.Pair, error) {
	if !p.ready() || !domain.ValidName(p.own) {
		return vault.Pair{}, ErrName
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rotate(ctx, r)
}

func (p *Peers) rotate(ctx context.Context, r *vault.Rotation) (vault.Pair, error) {
	if r == nil {
		conf := p.conf.Load()
		r = &vault.Rotation{Lead: conf.Lead, Overlap: conf.Overlap}
	}
	made, err := p.signing().Rotate(ctx, p.now(), *r, nil)
	if err != nil {
		return vault.Pair{}, err
	}
	if err := p.record(ctx, p.own, flow.Changed, "the domain has another signing key, "+made.ID, nil); err != nil {
		return vault.Pair{}, err
	}
	return made, p.publish(ctx)
}

// Signing returns the domain's signing keys that count at this time, oldest first, and the id of the one that signs.
func (p *Peers) Signing() (all []vault.Pair, signs string) {
	if !p.ready() {
		return nil, ""
	}
	_, signs = p.Own()
	return p.signing().At(p.now()), signs
}

// Identity returns the own fingerprint and the document in force; false where the domain cannot have peers.
func (p *Peers) Identity() (domain.Fingerprint, *domain.Document, bool) {
	if !p.ready() {
		return domain.Fingerprint{}, nil, false
	}
	d := p.state.Load().document
	if d == nil {
		return domain.Fingerprint{}, nil, false
	}
	return d.Fingerprint(), d, true
}

// keep is what happens by itself: a key is followed by another when its time has come, those that ended are taken out,
// and the document is made anew.
func (p *Peers) keep(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, every := p.now(), p.conf.Load().Every
	if all := p.signing().At(now); every > 0 && len(all) > 0 && !now.Before(all[len(all)-1].NotBefore.Add(every)) {
		if _, err := p.rotate(ctx, nil); err != nil {
			return err
		}
	}
	for _, set := range []*vault.Pairs{p.signing(), p.authority()} {
		if _, err := set.Prune(ctx, now); err != nil {
			return err
		}
	}
	return p.publish(ctx)
}

// ServeHTTP serves the domain's document at [domain.Path]: the same to everybody.
func (p *Peers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text := p.Document()
	switch {
	case text == "" || r.URL.Path != domain.Path:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body := domain.JSON(text)
	sum := sha256.Sum256(body)
	h := w.Header()
	h.Set("Content-Type", domain.MediaType)
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:16])+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
