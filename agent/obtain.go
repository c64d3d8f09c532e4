package agent

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

// ErrRefused is wrapped by the errors of [Client.Obtain] and of calls that a gateway refused.
var ErrRefused = errors.New("the gateway refused")

// Ask says which root an agent wants. The zero value is the only grant that the agent has.
type Ask struct {
	Grant     string            // name of one of the grants that the domain's configuration lists for this agent
	Less      *capability.Grant // what is wanted of it; nil: all
	Subject   flow.Secret       // a token of another issuer that is exchanged (RFC 8693); zero: the client's own credential counts
	TokenType string            // of Subject; "": a JWT. A transaction token is urn:ietf:params:oauth:token-type:txn_token
}

// Obtain gets a root from the token endpoint of the gateway of a domain, for this client's key, and holds it.
func (c *Client) Obtain(ctx context.Context, domain flow.DomainID, ask Ask) (capability.Chain, error) {
	g := c.gatewayFor(domain)
	if g == nil {
		return nil, fmt.Errorf("%w: no gateway of domain %s", ErrOptions, domain)
	}
	proof, err := c.keyProof(domain)
	if err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "req_cnf": {`{"jwk":` + string(capability.HolderJWK(c.key.Public())) + `}`}, "key_proof": {proof}}
	if ask.Grant != "" {
		form.Set("scope", ask.Grant)
	}
	if ask.Less != nil {
		less := *ask.Less
		less.NotBefore, less.Expires = less.NotBefore.Truncate(time.Second), less.Expires.Truncate(time.Second) // tokens know no less
		b, err := json.Marshal([]capability.Grant{less})
		if err != nil {
			return nil, err
		}
		form.Set("authorization_details", string(b))
	}
	if !ask.Subject.IsZero() {
		form.Set("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
		form.Set("subject_token", ask.Subject.Expose())
		form.Set("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")
		if ask.TokenType != "" {
			form.Set("subject_token_type", ask.TokenType)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.base.JoinPath("/scrim/token").String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !c.bearer.IsZero() && ask.Subject.IsZero() {
		req.Header.Set("Authorization", "Bearer "+c.bearer.Expose())
	}
	res, err := c.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return c.obtained(res)
}

// obtained reads the endpoint's answer.
func (c *Client) obtained(res *http.Response) (capability.Chain, error) {
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Token string `json:"access_token"`
		Type  string `json:"issued_token_type"`
		Error string `json:"error"`
		Words string `json:"error_description"`
	}
	if err := json.Unmarshal(b, &answer); err != nil || res.StatusCode != http.StatusOK {
		if answer.Error == "" {
			answer.Error = http.StatusText(res.StatusCode)
		}
		return nil, fmt.Errorf("%w: %s: %s", ErrRefused, answer.Error, answer.Words)
	}
	chain, err := capability.ParseChain(answer.Token)
	if err != nil {
		return nil, err
	}
	return chain, c.Hold(chain)
}

func (c *Client) gatewayFor(d flow.DomainID) *gateway {
	for i := range c.gateways {
		if c.gateways[i].domain == d {
			return &c.gateways[i]
		}
	}
	return nil
}

// keyProof shows a domain that the client holds its key: a JWS (RFC 7515) of type scrim-key+jwt.
func (c *Client) keyProof(domain flow.DomainID) (string, error) {
	claims, err := json.Marshal(map[string]any{"aud": domain, "iat": c.now().Unix(), "jti": rand.Text()})
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	input := enc.EncodeToString([]byte(`{"alg":"EdDSA","typ":"scrim-key+jwt"}`)) + "." + enc.EncodeToString(claims)
	sig, err := c.key.Signer().Sign(rand.Reader, []byte(input), noHash)
	if err != nil {
		return "", err
	}
	return input + "." + enc.EncodeToString(sig), nil
}
