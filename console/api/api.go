// Package api is the admin API of a running gateway: reload, health, readiness, metrics, and what the commands of
// scrim need while the gateway holds its data directory.
//
// It is for the machine's own operator. Every call but health and readiness needs the token that lies in the data
// directory, readable by the gateway's owner alone. Calls that a browser makes for some other page are refused, and so
// are host names that somebody else's DNS may point here. No answer holds a value from a payload, but for the answer to
// a token that policy lets open.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/gateway/bundles"
	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/observe/report"
	"github.com/scrimhq/scrim/observe/story"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/privacy/dp/stream"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// Ledger is the open state of a gateway. [OpenToken], [Revoke] and [WriteEntries] work on it with and without a server.
type Ledger struct {
	DB      store.DB
	Journal *audit.Log
	Vault   *vault.Vault
	Keys    *vault.Keyring
	Freezes *freeze.List

	Capabilities *ledger.Ledger
}

// Options of an API. Ledger, Token, Snapshot, Reload, Verify and Ready are needed.
type Options struct {
	Ledger       Ledger
	Token        flow.Secret
	Listen       string // the configured address, whose host name is accepted besides loopback names
	Snapshot     func() *gateway.Snapshot
	Reload       func(ctx context.Context, why string) error
	Verify       func(ctx context.Context) (audit.Report, error)
	Ready        func(ctx context.Context) error // why not, or nil
	Proposals    func() ([]byte, error)          // JSON of what learn mode saw; nil: not in learn mode
	Metrics      *Metrics                        // nil: none
	Peers        *peers.Peers                    // nil: the domain has no identity to others
	Bundles      *bundles.Exchange               // nil: none are kept
	Backups      Backups                         // nil: none are taken
	Inherited    func() []Inherited              // what agents and datasets have that is not written about them; nil: nobody tells
	Witnessing   *Witnessing                     // nil: no log is cosigned
	Contracts    *offer.Book                     // nil: none are kept
	Terms        *offer.Terms                    // nil: none are told
	Spending     *Spending                       // nil: no budgets are kept
	Streams      *stream.Publisher               // nil: none are published
	Questions    *ask.Service                    // nil: none are answered
	Lineage      *Lineage                        // nil: none is kept
	Erasures     *erasure.Office                 // nil: nobody is erased
	Rules        *Rules                          // nil: no versions of the rules are kept
	Capabilities Capabilities                    // nil: none are issued or looked at
	Reports      func() report.Settings          // what reports state; nil: nothing
	Stories      *story.Source                   // of flows; nil: nobody tells them
	// Release writes a table and tells of it line by line; nil: none can be asked for.
	Release func(ctx context.Context, request json.RawMessage, tell func(line any)) error
	// Replay makes recorded decisions again and tells of it line by line; nil: none are.
	Replay func(ctx context.Context, request json.RawMessage, tell func(line any)) error
}

// API is the handler of the admin port. It is safe for concurrent use.
type API struct {
	opt    Options
	host   string
	mux    *http.ServeMux
	routes []string // patterns that want the token
}

// New returns the handler.
func New(opt Options) *API {
	host, _, err := net.SplitHostPort(opt.Listen)
	if err != nil {
		host = "" // loopback names alone
	}
	a := &API{opt: opt, host: host, mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /-/healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	a.mux.HandleFunc("GET /-/readyz", a.ready)
	a.guarded("POST /-/reload", a.reload)
	a.guarded("POST /api/v1/log/verify", a.verify)
	a.guarded("GET /api/v1/log/entries", a.entries)
	a.guarded("GET /api/v1/log/receipts/{ref}", a.receipts)
	a.guarded("GET /api/v1/log/checkpoint", a.checkpoint)
	a.guarded("GET /api/v1/why/{ref}", a.why)
	a.guarded("GET /api/v1/log/size", a.logSize)
	a.guarded("POST /api/v1/token/open", a.openToken)
	a.guarded("GET /api/v1/handles", a.handles)
	a.guarded("POST /api/v1/handles/drop", a.dropHandles)
	a.guarded("POST /api/v1/exposure/show", a.showExposure)
	a.guarded("POST /api/v1/exposure/reset", a.resetExposure)
	a.guarded("POST /api/v1/cap/revoke", a.revoke)
	a.guarded("GET /api/v1/cap/revocations", a.revocations)
	a.guarded("GET /api/v1/learn", a.learn)
	a.guarded("POST /api/v1/release", a.release)
	a.guarded("POST /api/v1/policy/replay", a.replay)
	a.agreements()
	a.incidents()
	a.questions()
	a.domains()
	a.bundles()
	a.backups()
	a.witnesses()
	a.budgets()
	a.streams()
	a.lineage()
	a.erasures()
	a.governance()
	if opt.Capabilities != nil {
		a.guarded("POST /api/v1/capability/mint", a.mint)
		a.guarded("POST /api/v1/capability/verify", a.checkCapability)
	}
	if opt.Metrics != nil {
		a.guarded("GET /metrics", opt.Metrics.Handler().ServeHTTP)
	}
	return a
}

// ServeHTTP implements [http.Handler].
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.FromHere(r) {
		fail(w, http.StatusForbidden, "call the admin API by its address, and not from a web page")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	a.mux.ServeHTTP(w, r)
}

// FromHere reports whether a request came by an address of this machine or the configured host name, and not from a page of another
// origin: DNS may point any name here.
func (a *API) FromHere(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	_, err := netip.ParseAddr(host)
	if err != nil && host != "localhost" && (host != a.host || host == "") {
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "" || site == "same-origin" || site == "none"
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// guarded adds a route that wants the token.
func (a *API) guarded(pattern string, h http.HandlerFunc) {
	a.routes = append(a.routes, pattern)
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if a.opt.Token.IsZero() || !strings.EqualFold(scheme, "Bearer") || !a.opt.Token.Equal(given) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="scrim admin"`)
			fail(w, http.StatusUnauthorized, "send the token of the data directory's "+TokenFile+" as Authorization: Bearer")
			return
		}
		h(w, r)
	})
}

func (a *API) ready(w http.ResponseWriter, r *http.Request) {
	if err := a.opt.Ready(r.Context()); err != nil {
		say(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	say(w, http.StatusOK, "ready")
}

func (a *API) reload(w http.ResponseWriter, r *http.Request) {
	if err := a.opt.Reload(r.Context(), "asked over the admin API"); err != nil {
		fail(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	s := a.opt.Snapshot()
	answer(w, map[string]string{"config": s.ConfigHash, "policy": s.Policy.Hash()})
}

func (a *API) learn(w http.ResponseWriter, _ *http.Request) {
	if a.opt.Proposals == nil {
		fail(w, http.StatusNotFound, "the gateway is not in learn mode; start it with scrim learn")
		return
	}
	b, err := a.opt.Proposals()
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // whoever asked has gone
}

// Verification is the answer about a journal, as the API gives it.
type Verification struct {
	Report audit.Report
	Bad    int64  `json:",omitempty"` // the first row that does not fit
	What   string `json:",omitempty"` // what does not fit; "" where all does
}

// Verified makes a verification of what [audit.Verify] returned; other errors than that something does not fit are returned.
func Verified(rep audit.Report, err error) (Verification, error) {
	v := Verification{Report: rep}
	if bad, ok := errors.AsType[*audit.Tampered](err); ok {
		v.Bad, v.What = bad.Seq, bad.What
		return v, nil
	}
	return v, err
}

func (a *API) verify(w http.ResponseWriter, r *http.Request) {
	v, err := Verified(a.opt.Verify(r.Context()))
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, v)
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // whoever asked has gone
}

// problem is the body of every failure.
type problem struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(problem{text}) // whoever asked has gone
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked has gone
}

// read decodes a small JSON body, strictly.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		fail(w, http.StatusBadRequest, "the body is not what this call takes") // what json says may repeat the body
		return false
	}
	return true
}
