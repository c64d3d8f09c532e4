package gateway

import (
	stdjson "encoding/json"
	"net/http"
	"strings"

	"github.com/scrimhq/scrim/gateway/identity"
)

// MetadataPath is where the metadata of protected resources are found (RFC 9728): a resource's own path follows it.
const MetadataPath = "/.well-known/oauth-protected-resource"

// Resources tells everything behind it which resource a request is for, so that a token for one agent or server is not
// taken at another.
func Resources(g *Gateway, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base := BaseURL(g.Snapshot(), r)
		ctx := WithBase(r.Context(), base)
		if path := resourcePath(r.URL.Path); path != "" {
			ctx = identity.WithResource(ctx, base+path)
		}
		r = r.WithContext(ctx)
		next.ServeHTTP(w, r)
	})
}

// resourcePath is the part of a path that names an agent or server on a face; "" where it names none.
func resourcePath(path string) string {
	rest, ok := strings.CutPrefix(path, "/out/")
	face := "/out/"
	if !ok {
		rest, face = strings.TrimPrefix(path, "/"), "/"
	}
	kind, rest, _ := strings.Cut(rest, "/")
	id, _, _ := strings.Cut(rest, "/")
	if kind != "a2a" && kind != "mcp" || id == "" || len(id) > 63 || strings.Trim(id, idLetters) != "" {
		return ""
	}
	return face + kind + "/" + id
}

const idLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// Challenge is what a caller without an accepted credential is told (RFC 6750), and, where tokens are believed at all,
// where to find out who gives them (RFC 9728).
func Challenge(s *Snapshot, r *http.Request) string {
	challenge := `Bearer realm="scrim"`
	if r.Header.Get("Authorization") != "" {
		challenge += `, error="invalid_token"`
	}
	if path := resourcePath(r.URL.Path); path != "" && len(s.Identity.Issuers()) > 0 {
		challenge += `, resource_metadata="` + BaseURL(s, r) + MetadataPath + path + `"`
	}
	return challenge
}

// Metadata serves the metadata of protected resources. It says the same of every name, so that names cannot be tried.
type Metadata struct {
	Gateway *Gateway
}

// ServeHTTP implements [http.Handler].
func (m *Metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := m.Gateway.Snapshot()
	path := resourcePath(strings.TrimPrefix(r.URL.Path, MetadataPath))
	issuers := s.Identity.Issuers()
	switch {
	case path == "" || MetadataPath+path != r.URL.Path || len(issuers) == 0:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, err := stdjson.Marshal(struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Methods  []string `json:"bearer_methods_supported"`
	}{BaseURL(s, r) + path, issuers, []string{"header"}})
	if err != nil {
		http.Error(w, "the metadata cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "max-age=60")
	w.Header().Set("Access-Control-Allow-Origin", "*") // clients in browsers look it up before they have a token
	_, _ = w.Write(body)
}
