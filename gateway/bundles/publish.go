package bundles

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/bundle"
	"github.com/scrimhq/scrim/store"
)

// Publish makes what configuration says of a bundle its next version, and returns when that is kept and on record. The errors to act on are
// [ErrUnknown], [ErrUnchanged], [ErrNoKey], [ErrRaced] and a [*bundle.Error].
func (x *Exchange) Publish(ctx context.Context, name string) (*bundle.Bundle, error) {
	x.changing.Lock()
	defer x.changing.Unlock()
	set := x.settings()
	i := slices.IndexFunc(set.Publish, func(p Published) bool { return p.Name == name })
	if i < 0 {
		return nil, ErrUnknown
	}
	key, kid := x.opt.Peers.Own()
	if key == nil {
		return nil, ErrNoKey
	}
	if err := x.loadOwn(ctx); err != nil { // another gateway may share the store
		return nil, err
	}
	next := &bundle.Bundle{Issuer: x.opt.Domain, Name: name, Version: 1, Content: set.Publish[i].Content}
	if old := x.own(name); old != nil {
		if old.Same(&next.Content) {
			return old, ErrUnchanged
		}
		next.Version, next.Previous = old.Version+1, old.Digest()
	}
	text, err := x.sign(next, set.Publish[i].Life)
	if err != nil {
		return nil, err
	}
	reason := fmt.Sprintf("bundle %s: version %d is published, digest %s", name, next.Version, next.Digest())
	raced := false
	err = x.record(ctx, x.opt.Domain, flow.Changed, reason, func(tx store.Tx) error {
		var newest int64
		if err := tx.QueryRow("SELECT coalesce(max(version), 0) FROM bundles_published WHERE name = ?", name).Scan(&newest); err != nil {
			return err
		}
		if raced = newest != next.Version-1; raced {
			return ErrRaced
		}
		_, err := tx.Exec("INSERT INTO bundles_published (name, version, bundle) VALUES (?, ?, ?)", name, next.Version, string(text))
		return err
	})
	if raced {
		return nil, ErrRaced
	}
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.newest[name] = &signed{next, text, kid}
	return next, nil
}

func (x *Exchange) own(name string) *bundle.Bundle {
	x.mu.Lock()
	defer x.mu.Unlock()
	if s := x.newest[name]; s != nil {
		return s.b
	}
	return nil
}

// sign signs a version that is issued now. The bundle itself gets the times.
func (x *Exchange) sign(b *bundle.Bundle, life time.Duration) ([]byte, error) {
	key, kid := x.opt.Peers.Own()
	if key == nil {
		return nil, ErrNoKey
	}
	b.Issued = x.opt.Clock().UTC().Truncate(time.Second)
	b.Expires = b.Issued.Add(min(max(life.Truncate(time.Second), time.Minute), bundle.MaxLife))
	return b.Sign(kid, key)
}

// refresh reads what another gateway on the store published meanwhile.
func (x *Exchange) refresh(ctx context.Context, name string) error {
	var newest, known int64
	err := x.opt.DB.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT coalesce(max(version), 0) FROM bundles_published WHERE name = ?", name).Scan(&newest)
	})
	if b := x.own(name); b != nil {
		known = b.Version
	}
	if err != nil || newest <= known {
		return err
	}
	x.changing.Lock()
	defer x.changing.Unlock()
	return x.loadOwn(ctx)
}

// served returns the newest version of a bundle, signed by a key of now, and anew when a quarter of its life is over.
func (x *Exchange) served(p *Published) ([]byte, error) {
	_, kid := x.opt.Peers.Own()
	now := x.opt.Clock()
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.newest[p.Name]
	if s == nil {
		return nil, ErrUnknown
	}
	young := now.Sub(s.b.Issued) < p.Life/4 && !now.Before(s.b.Issued.Add(-bundle.Skew))
	if s.text != nil && s.kid == kid && young {
		return s.text, nil
	}
	next := *s.b
	text, err := x.sign(&next, p.Life)
	if err != nil {
		return nil, err
	}
	x.newest[p.Name] = &signed{&next, text, kid}
	return text, nil
}

// earlier returns an earlier version, signed by a key of now. It counts for a minute: it is for following the chain.
func (x *Exchange) earlier(ctx context.Context, name string, version int64) ([]byte, error) {
	var text string
	err := x.opt.DB.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT bundle FROM bundles_published WHERE name = ? AND version = ?", name, version)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := rows.Scan(&text); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, ErrUnknown
	}
	b, err := bundle.Stored([]byte(text))
	if err != nil {
		return nil, err
	}
	return x.sign(b, time.Minute)
}

// Handler serves bundles to peers. From tells which peer's gateway a request comes from; whoever is none, or may not read a bundle,
// is told what everybody is told of one that is not there.
func (x *Exchange) Handler(from func(*http.Request) (flow.DomainID, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		name, number, older := strings.Cut(strings.TrimPrefix(r.URL.Path, bundle.Path), "/")
		peer, err := from(r)
		p := x.readable(peer, name)
		if err != nil || p == nil {
			http.NotFound(w, r)
			return
		}
		var text []byte
		if older {
			version, bad := strconv.ParseInt(number, 10, 64)
			if bad != nil || strconv.FormatInt(version, 10) != number {
				http.NotFound(w, r)
				return
			}
			text, err = x.earlier(r.Context(), name, version)
		} else {
			if err = x.refresh(r.Context(), name); err == nil {
				text, err = x.served(p)
			}
		}
		switch {
		case errors.Is(err, ErrUnknown), errors.Is(err, ErrNoKey):
			http.NotFound(w, r)
			return
		case err != nil:
			http.Error(w, "the bundle cannot be signed", http.StatusServiceUnavailable)
			return
		}
		h := w.Header()
		h.Set("Content-Type", bundle.MediaType)
		h.Set("Cache-Control", "no-cache")
		h.Set("Content-Length", strconv.Itoa(len(text)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(text) // whoever asked has gone
		}
	})
}

// readable returns a bundle that the peer may read; nil where there is none.
func (x *Exchange) readable(peer flow.DomainID, name string) *Published {
	for _, p := range x.settings().Publish {
		if p.Name == name && peer != "" && (len(p.To) == 0 || slices.Contains(p.To, peer)) {
			return &p
		}
	}
	return nil
}
