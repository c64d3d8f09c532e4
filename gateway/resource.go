package gateway

import (
	stdjson "encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/scrimhq/scrim/gateway/identity"
)

// MetadataPath is where the metadata of protected resources are found (RFC 9728): a resource's own path follows it.
const MetadataPath = "/.well-known/oauth-protected-resource"

// Resources tells everything behind it which resource a request is for, so that a token for one agent or server is not
// taken at another, nor a proof for one address.
func Resources(g *Gateway, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base := BaseURL(g.Snapshot(), r)
		ctx := identity.WithTarget(WithBase(r.Context(), base), base+r.URL.EscapedPath())
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

// Resource is what everybody is told about every agent and server as a protected resource of OAuth 2.0, beside who gives tokens.
type Resource struct {
	Name          string // for people
	Documentation string // URL of a page for developers
	Certificates  bool   // callers are asked for certificates, where this gateway is the end of their TLS
}

// Challenge is what a caller without an accepted credential is told (RFC 6750, RFC 9449), and, where tokens are believed at
// all, which scopes they need and where to find out who gives them (RFC 9728).
func Challenge(s *Snapshot, r *http.Request) string {
	tokens := s.Identity.Tokens()
	why := identity.Failure(r.Context())
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	proof := strings.EqualFold(scheme, "DPoP") || errors.Is(why, identity.ErrProof) || tokens.Bound && !s.asked(r)
	challenge := `Bearer realm="scrim"`
	if proof {
		challenge = `DPoP realm="scrim", algs="` + strings.Join(tokens.ProofAlgorithms, " ") + `"`
	}
	switch {
	case scheme == "":
	case errors.Is(why, identity.ErrScope):
		challenge += `, error="insufficient_scope"`
	case errors.Is(why, identity.ErrProof) && r.Header.Get(identity.HeaderDPoP) != "":
		challenge += `, error="invalid_dpop_proof"`
	default:
		challenge += `, error="invalid_token"`
	}
	if len(tokens.Issuers) == 0 {
		return challenge
	}
	if len(tokens.Scopes) > 0 {
		challenge += `, scope="` + strings.Join(tokens.Scopes, " ") + `"`
	}
	if path := resourcePath(r.URL.Path); path != "" {
		challenge += `, resource_metadata="` + BaseURL(s, r) + MetadataPath + path + `"`
	}
	return challenge
}

// asked reports whether the caller of a request could have shown a certificate.
func (s *Snapshot) asked(r *http.Request) bool { return r.TLS != nil && s.Resource.Certificates }

// Metadata serves the metadata of protected resources. It says the same of every name, so that names cannot be tried.
type Metadata struct {
	Gateway *Gateway
}

// ServeHTTP implements [http.Handler].
func (m *Metadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := m.Gateway.Snapshot()
	path := resourcePath(strings.TrimPrefix(r.URL.Path, MetadataPath))
	switch {
	case path == "" || MetadataPath+path != r.URL.Path || len(s.Identity.Tokens().Issuers) == 0:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, err := stdjson.Marshal(s.metadata(r, BaseURL(s, r)+path))
	if err != nil {
		http.Error(w, "the metadata cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "max-age=60")
	w.Header().Set("Access-Control-Allow-Origin", "*") // clients in browsers look it up before they have a token
	_, _ = w.Write(body)
}

// metadata are those of RFC 9728, section 2. What is not so is left out, never false.
type metadata struct {
	Resource        string   `json:"resource"`
	Servers         []string `json:"authorization_servers"`
	Methods         []string `json:"bearer_methods_supported"`
	Scopes          []string `json:"scopes_supported,omitempty"`
	Name            string   `json:"resource_name,omitempty"`
	Documentation   string   `json:"resource_documentation,omitempty"`
	Certificates    bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	ProofAlgorithms []string `json:"dpop_signing_alg_values_supported,omitempty"`
	Proofs          bool     `json:"dpop_bound_access_tokens_required,omitempty"`
}

func (s *Snapshot) metadata(r *http.Request, resource string) metadata {
	tokens := s.Identity.Tokens()
	certificates := s.asked(r)
	return metadata{
		Resource: resource, Servers: tokens.Issuers, Methods: []string{"header"}, Scopes: tokens.Scopes, Name: s.Resource.Name, Documentation: s.Resource.Documentation,
		Certificates: certificates, ProofAlgorithms: tokens.ProofAlgorithms, Proofs: tokens.Bound && !certificates,
	}
}
