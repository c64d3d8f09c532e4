package proofs

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/scrimhq/scrim/gateway"
)

// Header has the promise of the answer's entry, as receipt.Promise.Header writes it. A request that has it, with any value, asks for it.
const Header = "Scrim-Receipt"

// patience is how long an answer waits for its entry to be in the tree, which takes some milliseconds; after that it goes without.
const patience = 250 * time.Millisecond

// Asked prepares the answer to a request that wants the promise that it is on record; others it leaves as they are. It is no handler of its
// own, which would stand on the stack of every open stream. Answers that are streamed have no promise: their entries are not known when the header leaves.
func (h *Handler) Asked(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
	if len(r.Header[Header]) == 0 {
		return w, r
	}
	ctx, last := gateway.WithOnRecord(r.Context())
	return &giver{ResponseWriter: w, ctx: ctx, h: h, last: last}, r.WithContext(ctx)
}

// giver adds the header when the answer's own headers are written.
type giver struct {
	http.ResponseWriter
	ctx  context.Context // of the request
	h    *Handler
	last *gateway.OnRecord
	done bool
}

// Unwrap lets [http.ResponseController] reach what is below.
func (g *giver) Unwrap() http.ResponseWriter { return g.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (g *giver) WriteHeader(status int) {
	if !g.done && status >= 200 {
		g.done = true
		g.add()
	}
	g.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (g *giver) Write(b []byte) (int, error) {
	if !g.done {
		g.WriteHeader(http.StatusOK)
	}
	return g.ResponseWriter.Write(b)
}

func (g *giver) add() {
	if strings.HasPrefix(g.Header().Get("Content-Type"), "text/event-stream") {
		return
	}
	rec, ok := g.last.Last()
	if !ok {
		return
	}
	p, ok, err := g.h.Promise(g.ctx, rec.Receipt.Seq, rec.Receipt.Hash, rec.Time, patience)
	if err == nil && ok {
		g.Header().Set(Header, p.Header())
	}
}
