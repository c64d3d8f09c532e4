package gateway

import (
	"net/http"

	"github.com/scrimhq/scrim/gateway/identity"
)

// NoncePath is where callers get a nonce that evidence about their runtime is made for.
const NoncePath = "/scrim/nonce"

// ServeNonce gives out a nonce, in the header [identity.HeaderNonce]. Anybody can have one: it says nothing but when it was made.
func ServeNonce(nonces *identity.Nonces) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != http.MethodPost && r.Method != http.MethodHead && r.Method != http.MethodGet {
			w.Header().Set("Allow", "GET, HEAD, POST")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set(identity.HeaderNonce, nonces.New())
		w.WriteHeader(http.StatusNoContent)
	})
}
