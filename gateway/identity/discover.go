package identity

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const discoveryPath = "/.well-known/openid-configuration"

// discovered loads the keys of an issuer from where its discovery document says that they are (OpenID Connect Discovery 1.0,
// section 4). The document is read anew with the keys, so that an issuer can move them, and no oftener than they are.
//
// What it says is believed as far as it is about the issuer's own: it must name the very issuer that was asked, and keys
// at another host than the issuer's count only where configuration names that host.
func discovered(issuer string, hosts []string, client *http.Client) (func(context.Context) ([]byte, error), error) {
	at, err := fetchable(issuer)
	if err != nil {
		return nil, errors.New("discovery needs an issuer that is an https address")
	}
	document := strings.TrimSuffix(issuer, "/") + discoveryPath
	return func(ctx context.Context) ([]byte, error) {
		raw, err := fetch(ctx, client, document, "application/json")
		if err != nil {
			return nil, err
		}
		var meta struct {
			Issuer string `json:"issuer"`
			Keys   string `json:"jwks_uri"`
		}
		if json.Unmarshal(raw, &meta) != nil {
			return nil, errors.New("the discovery document is not JSON of the form")
		}
		if meta.Issuer != issuer {
			return nil, errors.New("the discovery document is another issuer's")
		}
		keys, err := fetchable(meta.Keys)
		if err != nil {
			return nil, errors.New("the discovery document names no https address of keys")
		}
		if keys.Host != at.Host && !slices.Contains(hosts, keys.Host) {
			return nil, errors.New("the discovery document points to another host, which configuration does not name")
		}
		return fetch(ctx, client, meta.Keys, "application/jwk-set+json, application/json")
	}, nil
}

// fetchable reads an address that something to be believed may come from: https, and http from this machine alone.
func fetchable(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, errors.New("url is not an https address")
	}
	return u, nil
}
