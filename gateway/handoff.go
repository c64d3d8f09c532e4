package gateway

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
)

// HeaderHandoff names, between parts of one process, what goes along with a call. It means nothing to anybody else.
const HeaderHandoff = "Scrim-Handoff"

// Handoff lets what [Gateway.Onward] remembered cross to a part of this process that makes the call in the gateway's place,
// such as the bridge to a server that speaks another transport. The zero value is ready; it is safe for concurrent use.
type Handoff struct{ held sync.Map }

// put holds what goes along with a request until it is taken, or the request is over.
func (h *Handoff) put(req *http.Request, o *onward) {
	token := rand.Text()
	h.held.Store(token, o)
	context.AfterFunc(req.Context(), func() { h.held.Delete(token) })
	req.Header.Set(HeaderHandoff, token)
}

// Take returns the context with what goes along with calls for a request that the gateway handed over.
func (h *Handoff) Take(ctx context.Context, r *http.Request) context.Context {
	if o, ok := h.held.LoadAndDelete(r.Header.Get(HeaderHandoff)); ok {
		return context.WithValue(ctx, onwardKey{}, o)
	}
	return ctx
}

// Along returns the context with what goes along with calls of another, if that has any.
func Along(ctx, with context.Context) context.Context {
	if o := with.Value(onwardKey{}); o != nil {
		return context.WithValue(ctx, onwardKey{}, o)
	}
	return ctx
}
