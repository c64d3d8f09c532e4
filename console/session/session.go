// Package session says who uses the console, and lets them in and out.
//
// People come in by a one-time link, which whoever has the gateway's data directory makes, or by an OpenID provider that configuration
// names. What they get is a session: a random cookie of which the gateway keeps the digest, in memory alone. A restart ends every session and every link.
// What a session may do is a [page.Role], looked up in the configuration of the moment at each request, so that it can be taken away from somebody who is logged in.
//
// Each link, login, logout and ended session is on record before it counts. The record has the name that configuration gives to a person, or an id that
// tells nothing to whoever has not the gateway's key; never an address or a name that a provider told.
package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
)

// Errors a caller may act on.
var (
	ErrLink    = errors.New("the link is not one that can be used: it was used already, or it is too old, or the gateway was started again since")
	ErrRecord  = errors.New("it could not be put on record, so nothing was done")
	ErrMany    = errors.New("too many sessions are open; end some")
	ErrRole    = errors.New("not a role; it is viewer, steward, approver or admin")
	ErrSession = errors.New("there is no such session")
	ErrOff     = errors.New("there is no console here: configuration turns it off, or the admin address is one that other machines reach without TLS and a provider")
)

// How is by what somebody is known.
type How string

// The ways in.
const (
	ByLink How = "link"
	ByOIDC How = "oidc"
)

// Operator is who has the token of the data directory.
const Operator = "operator"

// Act is something that happened at the door, for the record.
type Act struct {
	Method string // out of [Methods]
	Who    string
	Role   page.Role
	Reason string // in words without any value
}

// Methods are all there are of an [Act].
func Methods() []string { return []string{methodLink, methodLogin, methodLogout, methodEnd} }

const (
	methodLink   = "console-link"
	methodLogin  = "console-login"
	methodLogout = "console-logout"
	methodEnd    = "console-end"
)

// Limits bound links and sessions. A zero takes the value in brackets.
type Limits struct {
	Link time.Duration // how long a link can be used [10 min]
	Idle time.Duration // how long a session lives without a request [30 min]
	Life time.Duration // how long it lives at most [12 h]
}

func (l Limits) complete() Limits {
	if l.Link <= 0 {
		l.Link = 10 * time.Minute
	}
	if l.Idle <= 0 {
		l.Idle = 30 * time.Minute
	}
	if l.Life <= 0 {
		l.Life = 12 * time.Hour
	}
	return l
}

// Options of a door. Token, Domain and Record are needed.
type Options struct {
	Domain flow.DomainID
	Token  flow.Secret   // of the data directory
	Listen string        // the admin address
	Public func() string // URL under which browsers see the console; "" or nil: by the address alone
	TLS    bool          // the admin address speaks TLS
	Limits func() Limits // nil: the defaults
	Record func(context.Context, Act) error
	// Login is the provider at which people log in, and what its people may do; nil, or a nil answer: links alone.
	Login func() *Login
	Clock func() time.Time // nil: time.Now
	// Refused is told why somebody was not let in, in words out of a short list; nil: nobody is told.
	Refused func(why string)
}

const (
	mostSessions = 1000
	mostOfOne    = 16 // sessions of one person of a provider, so that nobody takes the places of all others
	mostLinks    = 32
)

// Door lets people in and out. It is safe for concurrent use.
type Door struct {
	opt    Options
	cookie string // its name
	back   string // name of the cookie of a login that is under way
	seal   sealer
	mux    *http.ServeMux
	group  *page.Group

	mu       sync.Mutex // guards the fields below
	links    map[digest]*link
	sessions map[digest]*session
	used     map[digest]time.Time // states of logins that came back, until when they could come again
}

type digest [sha256.Size]byte

// New returns a door.
func New(opt Options) *Door {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	if opt.Limits == nil {
		opt.Limits = func() Limits { return Limits{} }
	}
	if opt.Public == nil {
		opt.Public = func() string { return "" }
	}
	if opt.Login == nil {
		opt.Login = func() *Login { return nil }
	}
	if opt.Refused == nil {
		opt.Refused = func(string) {}
	}
	d := &Door{opt: opt, links: map[digest]*link{}, sessions: map[digest]*session{}, used: map[digest]time.Time{}, seal: newSealer()}
	d.names()
	d.routes()
	return d
}

func (d *Door) limits() Limits { return d.opt.Limits().complete() }

// record puts an act on record.
func (d *Door) record(ctx context.Context, a Act) error {
	if err := d.opt.Record(ctx, a); err != nil {
		return errors.Join(ErrRecord, err)
	}
	return nil
}

// link is a one-time link that was not used yet.
type link struct {
	sum  digest
	id   string
	role page.Role
	ends time.Time
}

// Link is a one-time link as whoever asked for it gets it.
type Link struct {
	Code flow.Secret // 256 random bits
	ID   string      // as the log names it
	Role page.Role
	Ends time.Time
}

// Link makes a one-time link. It is on record when it returns; who uses it is named by its id from then on.
func (d *Door) Link(ctx context.Context, role page.Role, by string) (Link, error) {
	if role < page.Viewer || role > page.Admin {
		return Link{}, ErrRole
	}
	now := d.opt.Clock()
	code, id := secret(), "link-"+publicName()
	if err := d.record(ctx, Act{Method: methodLink, Who: by, Role: role, Reason: "a one-time link to the console is made by " + by + ": " + id + ", as " + role.String()}); err != nil {
		return Link{}, err
	}
	l := &link{sum: sum(code), id: id, role: role, ends: now.Add(d.limits().Link)}
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, old := range d.links {
		if !now.Before(old.ends) {
			delete(d.links, k)
		}
	}
	for len(d.links) >= mostLinks { // the oldest is forgotten
		var oldest *link
		for _, old := range d.links {
			if oldest == nil || old.ends.Before(oldest.ends) {
				oldest = old
			}
		}
		delete(d.links, oldest.sum)
	}
	d.links[l.sum] = l
	return Link{Code: flow.NewSecret(code), ID: id, Role: role, Ends: l.ends}, nil
}

// spend takes a link out, once, whoever is first.
func (d *Door) spend(code string) (*link, error) {
	s := sum(strings.TrimSpace(code))
	d.mu.Lock()
	defer d.mu.Unlock()
	// Every link is compared, so that how long it takes tells nothing.
	var found *link
	for _, l := range d.links {
		if subtle.ConstantTimeCompare(l.sum[:], s[:]) == 1 {
			found = l
		}
	}
	if found == nil {
		return nil, ErrLink
	}
	delete(d.links, found.sum)
	if !d.opt.Clock().Before(found.ends) {
		return nil, ErrLink
	}
	return found, nil
}

// secret returns 256 random bits as text.
func secret() string { return rand.Text() + rand.Text() }

// publicName returns a random name that opens nothing.
func publicName() string { return strings.ToLower(rand.Text()[:10]) }

func sum(s string) digest { return sha256.Sum256([]byte(s)) }
