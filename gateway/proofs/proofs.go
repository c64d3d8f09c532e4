// Package proofs serves the log: its checkpoints and tiles to everybody, entries to those who may read them, and to the two parties
// of a flow the promises and proofs that it is on record.
//
// What is served is published already and proves itself; nothing here is trusted by whoever verifies it.
// The addresses are docs/spec/receipts.md.
package proofs

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/receipt"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Where things are on the data port.
const (
	LogPath      = "/log/"
	ReceiptsPath = "/receipts/"
)

// Protocol names requests for receipts in the journal, when one is refused.
const Protocol = "receipts/1"

// Journal is what is served.
type Journal interface {
	Trees() []audit.Tree
	TreeOf(seq int64) (audit.Tree, bool)
	Wrote(ctx context.Context, seq int64, leaf [32]byte) error
	Grown() <-chan struct{}
	Tree(period string) tile.Reader
	Entries(ctx context.Context, q audit.Query) iter.Seq2[audit.Entry, error]
}

// Serving says to whom the log is shown.
type Serving string

// The zero Serving shows nothing.
const (
	Nobody  Serving = ""
	Readers Serving = "readers" // checkpoints and tiles too
	Public  Serving = "public"  // entries to readers alone
)

// Settings are what configuration says and may change.
type Settings struct {
	Serve   Serving
	Readers []flow.AgentID // of this domain, or as configured for others; they read everything
}

// Handler serves LogPath and ReceiptsPath.
type Handler struct {
	Gateway    *gateway.Gateway
	Journal    Journal
	Signer     crypto.Signer // the log's key
	MergeDelay time.Duration // within which an entry is in the published tree
	Archive    string        // directory of archived checkpoints; "": none are served
	Settings   func() Settings
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are known here", http.StatusMethodNotAllowed)
		return
	}
	if ref, ok := strings.CutPrefix(r.URL.EscapedPath(), ReceiptsPath); ok {
		h.receipts(w, r, flow.ID(ref))
		return
	}
	h.log(w, r, strings.TrimPrefix(r.URL.EscapedPath(), LogPath))
}

func nothing(w http.ResponseWriter) {
	http.Error(w, "there is nothing at this address", http.StatusNotFound)
}

// log serves a file of a tree: of the newest, or of the period that the path begins with.
func (h *Handler) log(w http.ResponseWriter, r *http.Request, path string) {
	set := h.Settings()
	if set.Serve == Nobody {
		nothing(w)
		return
	}
	first, rest, _ := strings.Cut(path, "/")
	if first == "checkpoints" {
		if h.admitted(w, r, set, false) {
			h.archived(w, r, rest)
		}
		return
	}
	period := ""
	if first != "tile" && first != "checkpoint" {
		if !slices.ContainsFunc(h.Journal.Trees(), func(t audit.Tree) bool { return t.Name == first }) {
			nothing(w)
			return
		}
		period, path = first, rest
	}
	if path == "checkpoint" {
		if h.admitted(w, r, set, false) {
			h.checkpoint(w, r, period)
		}
		return
	}
	t, err := tile.ParsePath(path)
	if err != nil {
		nothing(w)
		return
	}
	if h.admitted(w, r, set, t.L < 0) {
		h.tile(w, r, period, t)
	}
}

// admitted reports whether the caller may read, and answers it if not. Entries are for readers always.
func (h *Handler) admitted(w http.ResponseWriter, r *http.Request, set Settings, entries bool) bool {
	if set.Serve == Public && !entries {
		return true
	}
	ctx, s := r.Context(), h.Gateway.Snapshot()
	f := flow.Flow{ID: gateway.NewFlowID(), Protocol: Protocol, Method: "entries", To: flow.Party{Domain: s.Domain}, Direction: flow.Request}
	caller, authority, err := h.caller(r, s)
	if err == nil {
		f.From = caller.Party
		switch {
		case authority != nil && authority.Chain != nil: // no capability says that its holder may read the log
			err = gateway.Refuse(gateway.RuleIdentity, nil, "The log is read by an agent itself, by its own credential and without a capability.")
		case caller.Anonymous || !slices.Contains(set.Readers, caller.Party.Agent):
			err = gateway.Refuse(gateway.RuleIdentity, nil, "Entries of the log are for its readers.")
		}
	}
	if err != nil {
		h.deny(w, r, s, h.Gateway.Refused(ctx, s, f, err))
		return false
	}
	return true
}

// caller is who asks. Who shows a capability, or goes by another gateway's word, has proven to be the holder, for this call.
func (h *Handler) caller(r *http.Request, s *gateway.Snapshot) (identity.Caller, *gateway.Authority, error) {
	if !gateway.Local(r, s) {
		return identity.Caller{}, nil, gateway.Refuse(gateway.RuleOrigin, nil, "This origin may not call here.")
	}
	ctx := r.Context()
	caller, authority, err := h.Gateway.Identify(ctx, s, r)
	if err != nil {
		return identity.Caller{}, nil, err
	}
	if err := h.Gateway.Admit(ctx, s, caller.Party); err != nil {
		return caller, nil, err
	}
	return caller, authority, h.Gateway.Holds(ctx, s, authority, nil)
}

// deny answers a refusal.
func (h *Handler) deny(w http.ResponseWriter, r *http.Request, s *gateway.Snapshot, err error) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	ref, ok := errors.AsType[*gateway.Refusal](err)
	if !ok {
		http.Error(w, "The gateway could not answer.", http.StatusInternalServerError)
		return
	}
	status := http.StatusForbidden
	switch ref.Rule {
	case gateway.RuleIdentity, gateway.RuleHop, gateway.RuleCapability:
		status = http.StatusUnauthorized
		challenge := gateway.Denial(ref, wire.NotFound).Challenge
		if challenge == "" {
			challenge = gateway.Challenge(s, r)
		}
		head.Set("WWW-Authenticate", challenge)
	case gateway.RuleRate:
		status = http.StatusTooManyRequests
	case gateway.RuleBusy, gateway.RuleRecord, gateway.RuleInternal, gateway.RuleDrained:
		status = http.StatusServiceUnavailable
	}
	http.Error(w, ref.Text(), status)
}

func (h *Handler) checkpoint(w http.ResponseWriter, r *http.Request, period string) {
	note, err := h.Journal.Tree(period).Checkpoint(r.Context())
	h.give(w, r, note, err, "text/plain; charset=utf-8", "no-cache")
}

const immutable = "max-age=31536000, immutable"

func (h *Handler) tile(w http.ResponseWriter, r *http.Request, period string, t tlog.Tile) {
	reader := h.Journal.Tree(period)
	var data []byte
	var err error
	cache := "public, " + immutable
	if t.L < 0 {
		cache = "private, " + immutable
		w.Header().Set("Vary", "Authorization")
		data, err = reader.Bundle(r.Context(), t.N, t.W%tile.Width)
	} else {
		data, err = reader.Tile(r.Context(), t)
	}
	h.give(w, r, data, err, "application/octet-stream", cache)
}

func (h *Handler) give(w http.ResponseWriter, r *http.Request, data []byte, err error, media, cache string) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.Header().Set("Cache-Control", "no-cache")
		nothing(w)
		return
	case err != nil:
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "the log cannot be read at the moment", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Cache-Control", cache)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(data)
	}
}

// Promise is what the log promises of a row that is on record since the given time. It returns false if the row is not in its tree after
// the wait: which tree that will be is not settled before, and a promise of another would be broken.
func (h *Handler) Promise(ctx context.Context, seq int64, leaf [32]byte, at time.Time, wait time.Duration) (receipt.Promise, bool, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		grown := h.Journal.Grown()
		if t, ok := h.Journal.TreeOf(seq); ok {
			p := receipt.Promise{Origin: t.Origin, Seq: seq, Index: t.Index(seq), Leaf: leaf, Time: at, Deadline: at.Add(h.MergeDelay)}
			p, err := p.Sign(h.Signer)
			if err != nil {
				return receipt.Promise{}, false, fmt.Errorf("promising row %d: %w", seq, err)
			}
			return p, true, nil
		}
		select {
		case <-grown:
		case <-timer.C:
			return receipt.Promise{}, false, nil
		case <-ctx.Done():
			return receipt.Promise{}, false, ctx.Err()
		}
	}
}
