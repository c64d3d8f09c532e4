package identity

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/scrimhq/scrim/flow"
)

// ProviderOptions are of an OpenID provider at which people log in. Issuer and ClientID are needed.
type ProviderOptions struct {
	Issuer   string
	ClientID string
	Secret   func() (flow.Secret, error) // of the client, read anew each time; nil: it has none
	Scopes   []string                    // beside openid
	Hosts    []string                    // hosts beside the issuer's own that its keys and tokens may come from
	Client   *http.Client                // nil: the default
	Skew     time.Duration               // 0: half a minute
	Clock    func() time.Time            // nil: time.Now
}

// Provider is an OpenID provider at which people log in by authorization code with PKCE (OpenID Connect Core 1.0, RFC 7636, RFC 9700). Its keys are kept as those of
// other issuers are. It is safe for concurrent use.
type Provider struct {
	opt  ProviderOptions
	auth *Authenticator
	is   *issuer

	mu   sync.Mutex // guards the fields below; held while the document is fetched
	meta providerMeta
	read time.Time // when the document was read
}

type providerMeta struct {
	Issuer    string `json:"issuer"`
	Authorize string `json:"authorization_endpoint"`
	Token     string `json:"token_endpoint"`
	End       string `json:"end_session_endpoint"`
	SaysIss   bool   `json:"authorization_response_iss_parameter_supported"`
}

// Person is whom a provider vouches for.
type Person struct {
	Issuer  string
	Subject string
	Claims  map[string]any
}

// ErrLogin is the error of a login that is not believed.
var ErrLogin = errors.New("the provider's answer is not one to this login")

// NewProvider returns a provider. Nothing is fetched before it is needed.
func NewProvider(opt ProviderOptions) (*Provider, error) {
	is := Issuer{
		Issuer: opt.Issuer, Audience: opt.ClientID, Discover: true, KeyHosts: opt.Hosts,
		Algorithms: []string{string(jose.EdDSA), string(jose.ES256), string(jose.RS256), string(jose.PS256)},
	}
	if opt.ClientID == "" {
		return nil, fmt.Errorf("%w: the provider knows no client", ErrConfig)
	}
	a, err := New(Options{Issuers: []Issuer{is}, Client: opt.Client, Skew: opt.Skew, Clock: opt.Clock})
	if err != nil {
		return nil, err
	}
	return &Provider{opt: opt, auth: a, is: a.issuers[opt.Issuer]}, nil
}

// document reads where the provider takes what, no oftener than its keys are read.
func (p *Provider) document(ctx context.Context) (providerMeta, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.auth.now()
	if !p.read.IsZero() && now.Sub(p.read) < refreshTime {
		return p.meta, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
	defer cancel()
	raw, err := fetch(ctx, p.opt.Client, strings.TrimSuffix(p.opt.Issuer, "/")+discoveryPath, "application/json")
	if err != nil {
		return providerMeta{}, ErrUnavailable
	}
	var meta providerMeta
	if json.Unmarshal(raw, &meta) != nil || meta.Issuer != p.opt.Issuer {
		return providerMeta{}, fmt.Errorf("%w: the discovery document is not JSON of the form, or another issuer's", ErrUnavailable)
	}
	at, err := fetchable(p.opt.Issuer)
	if err != nil {
		return providerMeta{}, err
	}
	if _, err := fetchable(meta.Authorize); err != nil {
		return providerMeta{}, fmt.Errorf("%w: the discovery document names no https address to log in at", ErrUnavailable)
	}
	token, err := fetchable(meta.Token)
	if err != nil || token.Host != at.Host && !slices.Contains(p.opt.Hosts, token.Host) {
		return providerMeta{}, fmt.Errorf("%w: the discovery document has tokens fetched at another host, which configuration does not name", ErrUnavailable)
	}
	if _, err := fetchable(meta.End); err != nil {
		meta.End = ""
	}
	p.meta, p.read = meta, now
	return meta, nil
}

// Begin returns where a browser is sent to log in. Challenge is the S256 of the verifier that [Provider.Finish] takes.
func (p *Provider) Begin(ctx context.Context, redirect, state, nonce, challenge string) (string, error) {
	meta, err := p.document(ctx)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(meta.Authorize)
	if err != nil {
		return "", ErrUnavailable
	}
	q := u.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": p.opt.ClientID, "redirect_uri": redirect, "scope": strings.Join(append([]string{"openid"}, p.opt.Scopes...), " "),
		"state": state, "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256",
	} {
		q.Set(name, value)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// Finish redeems a code for the person who logged in. Iss is what the answer says of who answered, if it does (RFC 9207). It returns [ErrLogin] for what is not
// an answer to this very login, and [ErrUnavailable] where the provider cannot be asked.
func (p *Provider) Finish(ctx context.Context, redirect, code, verifier, nonce, iss string) (Person, error) {
	meta, err := p.document(ctx)
	if err != nil {
		return Person{}, err
	}
	if iss != "" && iss != p.opt.Issuer || iss == "" && meta.SaysIss {
		return Person{}, fmt.Errorf("%w: another issuer answers", ErrLogin)
	}
	raw, err := p.redeem(ctx, meta.Token, redirect, code, verifier)
	if err != nil {
		return Person{}, err
	}
	return p.person(ctx, raw, nonce)
}

// redeem fetches the ID token of a code.
func (p *Provider) redeem(ctx context.Context, at, redirect, code, verifier string) (string, error) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
	var secret flow.Secret
	if p.opt.Secret != nil {
		var err error
		if secret, err = p.opt.Secret(); err != nil {
			return "", err
		}
	}
	if secret.IsZero() {
		form.Set("client_id", p.opt.ClientID)
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return "", ErrUnavailable
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if !secret.IsZero() { // RFC 6749, section 2.3.1
		req.SetBasicAuth(url.QueryEscape(p.opt.ClientID), url.QueryEscape(secret.Expose()))
	}
	var c http.Client
	if p.opt.Client != nil {
		c = *p.opt.Client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Do(req)
	if err != nil {
		return "", ErrUnavailable // what the client says may repeat the address
	}
	defer resp.Body.Close()
	body, err := bounded(resp.Body)
	if err != nil {
		return "", ErrUnavailable
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%w: it does not take the code", ErrLogin)
	}
	var got struct {
		ID string `json:"id_token"`
	}
	if json.Unmarshal(body, &got) != nil || got.ID == "" || len(got.ID) > maxIDToken {
		return "", fmt.Errorf("%w: there is no ID token in it", ErrLogin)
	}
	return got.ID, nil
}

// maxIDToken is in bytes: one with many groups is longer than a token that comes in a header.
const maxIDToken = 64 << 10

// person verifies an ID token (OpenID Connect Core 1.0, section 3.1.3.7).
func (p *Provider) person(ctx context.Context, raw, nonce string) (Person, error) {
	parsed, err := jwt.ParseSigned(raw, p.is.algorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return Person{}, fmt.Errorf("%w: its token is not one with an algorithm that is accepted here", ErrLogin)
	}
	if typ, there := parsed.Headers[0].ExtraHeaders[jose.HeaderType]; there {
		// An access token is by the same key and may be for the same audience.
		if name, _ := typ.(string); !strings.EqualFold(name, "JWT") {
			return Person{}, fmt.Errorf("%w: its token is of another kind", ErrLogin)
		}
	}
	claims, all, err := p.is.verify(ctx, parsed)
	if errors.Is(err, ErrUnavailable) {
		return Person{}, err
	}
	if err == nil {
		err = p.auth.inForce(p.is, claims, "")
	}
	if err != nil {
		return Person{}, errors.Join(ErrLogin, err)
	}
	if given, _ := all["nonce"].(string); nonce == "" || subtle.ConstantTimeCompare([]byte(given), []byte(nonce)) != 1 {
		return Person{}, fmt.Errorf("%w: its token is for another login", ErrLogin)
	}
	azp, named := all["azp"]
	if party, _ := azp.(string); named && party != p.opt.ClientID || !named && len(claims.Audience) > 1 {
		return Person{}, fmt.Errorf("%w: its token is for another client", ErrLogin)
	}
	if len(claims.Subject) > 255 {
		return Person{}, fmt.Errorf("%w: its subject is too long", ErrLogin)
	}
	return Person{Issuer: p.opt.Issuer, Subject: claims.Subject, Claims: all}, nil
}

// End returns where a browser is sent to log out at the provider, "" if that is nowhere (OpenID Connect RP-Initiated Logout 1.0).
func (p *Provider) End(ctx context.Context, redirect string) string {
	meta, err := p.document(ctx)
	if err != nil || meta.End == "" {
		return ""
	}
	u, err := url.Parse(meta.End)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", p.opt.ClientID)
	q.Set("post_logout_redirect_uri", redirect)
	u.RawQuery = q.Encode()
	return u.String()
}
