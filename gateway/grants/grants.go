// Package grants gives agents the roots of their capabilities: the token endpoint of a domain.
//
// An agent that has proved who it is, by any credential that the gateway takes, or that brings a token of an issuer that
// the domain believes (OAuth 2.0 Token Exchange, RFC 8693; a Transaction Token is such a one), names a grant and a key,
// proves that it holds the key, and gets a root token for it: what the configuration's grant says, or less, if it asks
// for less. Nothing here widens anything: a grant is a ceiling, and policy decides about each flow as if there were no
// capability. What was issued is on record before it is given out.
package grants

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/capability"
)

// Path is where the endpoint is.
const Path = "/scrim/token"

// The OAuth 2.0 names that the endpoint knows.
const (
	GrantCredentials = "client_credentials"
	GrantExchange    = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
	TypeJWT          = "urn:ietf:params:oauth:token-type:jwt"
	TypeAccess       = "urn:ietf:params:oauth:token-type:access_token"
	TypeTransaction  = "urn:ietf:params:oauth:token-type:txn_token" // draft-ietf-oauth-transaction-tokens
	TypeCapability   = "https://scrim.dev/token-type/capability"
)

// Signer says who signs for the domain now.
type Signer func() (key crypto.Signer, kid string)

// Endpoint gives out roots.
type Endpoint struct {
	Gateway *gateway.Gateway
	Signer  Signer
	Blind   func(identity.Principal) string // what the record calls whom a token speaks for, which says nothing to others; nil: nothing
	Clock   func() time.Time                // nil: time.Now
}

// Answer is what the endpoint answers with (RFC 6749 section 5.1, RFC 8693 section 2.2.1, RFC 9396 section 7).
type Answer struct {
	AccessToken string            `json:"access_token"`
	IssuedType  string            `json:"issued_token_type"`
	TokenType   string            `json:"token_type"` // "scrim-cap": no bearer token
	ExpiresIn   int64             `json:"expires_in"` // seconds
	Scope       string            `json:"scope"`      // name of the grant
	Details     []json.RawMessage `json:"authorization_details,omitempty"`
}

// problem is an error of the endpoint (RFC 6749 section 5.2). It repeats nothing of the request.
type problem struct {
	status int
	code   string // of RFC 6749, RFC 8693 or RFC 9396
	text   string
	cause  error
}

func (p *problem) Error() string { return p.code + ": " + p.text }
func (p *problem) Unwrap() error { return p.cause }

func wrong(code, text string, cause error) *problem {
	if rule, ok := errors.AsType[*capability.Error](cause); ok {
		text += " " + strings.ToUpper(rule.Error()[:1]) + rule.Error()[1:] + "." // which rule, and repeats nothing
	}
	return &problem{http.StatusBadRequest, code, text, cause}
}

const maxRequest = 64 << 10

// ServeHTTP implements [http.Handler].
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	s := e.Gateway.Snapshot()
	f := flow.Flow{ID: gateway.NewFlowID(), Protocol: "oauth/token", Direction: flow.Request, To: flow.Party{Agent: "scrim", Domain: s.Domain}}
	answer, err := e.issue(r, s, &f)
	if err != nil {
		e.refuse(w, r, s, f, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // the caller went away
}

// refuse puts the refusal on record and answers with it.
func (e *Endpoint) refuse(w http.ResponseWriter, r *http.Request, s *gateway.Snapshot, f flow.Flow, err error) {
	p, ok := errors.AsType[*problem](err)
	if !ok {
		p = &problem{http.StatusInternalServerError, "server_error", "The token could not be issued.", err}
	}
	rule := gateway.RuleCapability
	if p.status == http.StatusUnauthorized {
		rule = gateway.RuleIdentity
		w.Header().Set("WWW-Authenticate", gateway.Challenge(s, r))
	}
	ref := e.Gateway.Refused(r.Context(), s, f, gateway.Refuse(rule, p, "%s", p.text))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{p.code, ref.Public + " Reference: " + string(ref.Ref) + "."})
}

func (e *Endpoint) now() time.Time {
	if e.Clock != nil {
		return e.Clock()
	}
	return time.Now()
}

// issue takes the request from its form to a root that is on record.
func (e *Endpoint) issue(r *http.Request, s *gateway.Snapshot, f *flow.Flow) (*Answer, error) {
	form, err := formOf(r)
	if err != nil {
		return nil, err
	}
	caller, err := e.caller(r, s, form)
	if err != nil {
		return nil, err
	}
	f.From = caller.Party
	if err := e.Gateway.Admit(r.Context(), s, caller.Party); err != nil {
		return nil, &problem{http.StatusTooManyRequests, "temporarily_unavailable", "This caller asks too often.", err}
	}
	if caller.Party.Domain != s.Domain {
		return nil, wrong("unauthorized_client", "A domain gives capabilities to its own agents alone.", nil)
	}
	holder, err := e.holder(s.Domain, form)
	if err != nil {
		return nil, err
	}
	order := Order{Grant: form.Get("scope"), Holder: holder}
	if details := form.Get("authorization_details"); details != "" {
		if order.Less, err = asked(details); err != nil {
			return nil, err
		}
	}
	return e.order(r.Context(), s, f, caller, order)
}

// Order is what is wanted of a grant.
type Order struct {
	Grant  string            // its name; "": the only one that the agent has
	Holder ed25519.PublicKey // the key that the root is for
	Less   *capability.Grant // nil: all of it
}

// Issue gives a root to an agent by the word of the domain's operator, who may well have it given to the holder of any
// key. It returns the flow's id, under which it is on record. The errors say what is wrong without repeating anything.
func (e *Endpoint) Issue(ctx context.Context, caller identity.Caller, o Order) (*Answer, flow.ID, error) {
	s := e.Gateway.Snapshot()
	f := flow.Flow{ID: gateway.NewFlowID(), Protocol: "admin", Method: "capability/mint", Direction: flow.Request, From: caller.Party, To: flow.Party{Agent: "scrim", Domain: s.Domain}}
	answer, err := e.order(ctx, s, &f, caller, o)
	return answer, f.ID, err
}

func (e *Endpoint) order(ctx context.Context, s *gateway.Snapshot, f *flow.Flow, caller identity.Caller, o Order) (*Answer, error) {
	grant, err := s.Grants.For(caller.Party.Agent, o.Grant)
	if err != nil {
		return nil, wrong("invalid_scope", "There is no such grant for this agent; name one that it has.", err)
	}
	f.Subject = grant.Name
	g, err := granted(grant, caller, o.Less, e.now())
	if err != nil {
		return nil, err
	}
	behalf := ""
	if e.Blind != nil && caller.Principal != (identity.Principal{}) {
		behalf = e.Blind(caller.Principal)
	}
	return e.give(ctx, s, *f, gateway.Issue{Grant: grant.Name, Behalf: behalf}, o.Holder, g)
}

// give signs the root and returns it when it is on record.
func (e *Endpoint) give(ctx context.Context, s *gateway.Snapshot, f flow.Flow, is gateway.Issue, holder ed25519.PublicKey, g capability.Grant) (*Answer, error) {
	signer, kid := e.Signer()
	token, err := capability.Mint(signer, kid, s.Domain, holder, g, e.now())
	if err != nil {
		return nil, wrong("invalid_authorization_details", "What is asked for cannot be granted.", err)
	}
	chain := capability.Chain{token}
	links, err := chain.Unverified()
	if err != nil {
		return nil, err
	}
	root := links[0]
	is.Root = root
	if err := e.Gateway.Issued(ctx, s, f, is); err != nil {
		return nil, &problem{http.StatusServiceUnavailable, "temporarily_unavailable", "What is issued could not be put on record, so nothing was.", err}
	}
	details, err := json.Marshal(root.Grant)
	if err != nil {
		return nil, err
	}
	return &Answer{
		AccessToken: chain.String(), IssuedType: TypeCapability, TokenType: "scrim-cap", Scope: is.Grant,
		ExpiresIn: int64(root.Grant.Expires.Sub(e.now()).Seconds()), Details: []json.RawMessage{details},
	}, nil
}

// formOf reads the form, in which nothing may stand twice.
func formOf(r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(nil, r.Body, maxRequest)
	if err := r.ParseForm(); err != nil {
		return nil, wrong("invalid_request", "The request is not a form of at most 64 KiB.", err)
	}
	if r.URL.RawQuery != "" {
		return nil, wrong("invalid_request", "Parameters belong in the body.", nil)
	}
	for _, v := range r.PostForm {
		if len(v) > 1 {
			return nil, wrong("invalid_request", "A parameter is there twice.", nil)
		}
	}
	return r.PostForm, nil
}

// caller finds out who asks: by the request's own credential, or by the token to be exchanged.
func (e *Endpoint) caller(r *http.Request, s *gateway.Snapshot, form url.Values) (identity.Caller, error) {
	var caller identity.Caller
	var err error
	switch form.Get("grant_type") {
	case GrantCredentials:
		caller, err = s.Identity.Authenticate(r.Context(), r)
	case GrantExchange:
		if !slices.Contains([]string{TypeJWT, TypeAccess, TypeTransaction}, form.Get("subject_token_type")) {
			return caller, wrong("invalid_request", "The subject token is of a type that is not taken.", nil)
		}
		if form.Has("actor_token") {
			return caller, wrong("invalid_request", "An actor token is not taken; the subject token's own act claim counts.", nil)
		}
		if want := form.Get("requested_token_type"); want != "" && want != TypeCapability {
			return caller, wrong("invalid_request", "Only capabilities are issued.", nil)
		}
		caller, err = s.Identity.Token(r.Context(), r, form.Get("subject_token"))
	default:
		return caller, wrong("unsupported_grant_type", "Use client_credentials or token exchange.", nil)
	}
	switch {
	case err != nil:
		return identity.Caller{}, &problem{http.StatusUnauthorized, "invalid_client", "The credential is not accepted.", err}
	case caller.Anonymous:
		return identity.Caller{}, &problem{http.StatusUnauthorized, "invalid_client", "Capabilities are for agents that prove who they are.", nil}
	}
	return caller, nil
}

// granted is the grant, within what the caller's own credential allows, and less if less is asked for.
func granted(grant *gateway.Grant, caller identity.Caller, less *capability.Grant, now time.Time) (capability.Grant, error) {
	g := grant.Terms
	g.Agent, g.Names = string(caller.Party.Agent), []string{grant.Name}
	g.NotBefore, g.Expires = time.Time{}, now.Add(grant.Lifetime).Truncate(time.Second)
	if !caller.Expires.IsZero() && caller.Expires.Before(g.Expires) {
		g.Expires = caller.Expires.Truncate(time.Second) // a token does not outlive what it was given for
	}
	if g.Purposes == nil {
		g.Purposes = append([]flow.Purpose{}, caller.Purposes...)
	} else {
		g.Purposes = slices.DeleteFunc(slices.Clone(g.Purposes), func(p flow.Purpose) bool { return !slices.Contains(caller.Purposes, p) })
	}
	if g.Criticality == nil || *g.Criticality > caller.Criticality {
		c := caller.Criticality
		g.Criticality = &c
	}
	if less == nil {
		return g, nil
	}
	g, err := capability.Under(&g, *less)
	if err != nil {
		return g, wrong("invalid_authorization_details", "More is asked for than the grant gives.", err)
	}
	return g, nil
}

// asked reads the one entry of authorization_details that counts (RFC 9396).
func asked(details string) (*capability.Grant, error) {
	var entries []json.RawMessage
	if err := json.Unmarshal([]byte(details), &entries); err != nil || len(entries) != 1 {
		return nil, wrong("invalid_authorization_details", "authorization_details must be an array of one entry.", err)
	}
	var g capability.Grant
	if err := json.Unmarshal(entries[0], &g); err != nil {
		return nil, wrong("invalid_authorization_details", "The entry has not the form of a capability.", err)
	}
	return &g, nil
}
