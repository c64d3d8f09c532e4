package identity

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// No header that a stranger can write authenticates, panics, or comes back in an error.
func FuzzCredential(f *testing.F) {
	key, digest := NewKey()
	a, err := New(Options{
		Keys:    []Key{{ID: "k", SHA256: digest, Grant: desk}},
		Issuers: []Issuer{{Issuer: iss, Audience: aud, File: filepath.Join(f.TempDir(), "none"), Default: &desk}},
		Clock:   func() time.Time { return start },
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUifQ.", "", false)
	f.Add("Bearer eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUifQ.AAAA", "x", true)
	f.Add("bearer \tx", "", false)
	f.Add("Basic YTpi", "", false)
	f.Fuzz(func(t *testing.T, auth, apiKey string, both bool) {
		r := &http.Request{Header: http.Header{"Authorization": {auth}}}
		if both {
			r.Header.Set("X-API-Key", apiKey)
		}
		if strings.Contains(auth+apiKey, key.Expose()) {
			return
		}
		c, err := a.Authenticate(context.Background(), r)
		if err == nil || c.TokenRoot != "" {
			t.Fatalf("authenticated as %+v", c)
		}
		if _, token, ok := strings.Cut(auth, " "); ok && len(token) > 12 && strings.Contains(err.Error(), token) {
			t.Fatal("the error holds the credential")
		}
	})
}
