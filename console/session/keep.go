package session

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
)

// session is somebody who is logged in.
type session struct {
	sum    digest
	id     string    // public
	who    string    // fixed for links; of a person, [Login.grant] says it anew each time
	role   page.Role // of a link
	person *person
	form   flow.Secret // that its forms bring
	began  time.Time
	seen   time.Time
	ends   time.Time                              // at the latest
	open   map[*context.CancelCauseFunc]page.Role // requests under way, with the role that they were let in by
}

// Open is a session as others are shown it.
type Open struct {
	ID    string    `json:"id"`
	Who   string    `json:"who"`
	Role  page.Role `json:"role"`
	How   How       `json:"how"`
	Began time.Time `json:"began"`
	Seen  time.Time `json:"seen"`
	Ends  time.Time `json:"ends"`
}

var errEnded = errors.New("the session ended")

// begin opens a session in place of the one that the request had, and sets its cookie. Whatever cookie came along is not taken over.
func (d *Door) begin(w http.ResponseWriter, r *http.Request, s *session) error {
	now := d.opt.Clock()
	token := secret()
	s.sum, s.id, s.began, s.seen, s.ends = sum(token), publicName(), now, now, now.Add(d.limits().Life)
	s.open, s.form = map[*context.CancelCauseFunc]page.Role{}, flow.NewSecret(secret())
	who, role := d.standing(s)
	how := ByLink
	if s.person != nil {
		how = ByOIDC
	}
	d.mu.Lock()
	d.sweep(now)
	gives := d.givesWay(s, d.of(r))
	full := gives == nil && len(d.sessions) >= mostSessions
	d.mu.Unlock()
	if full {
		return ErrMany
	}
	reason := "logged in to the console by " + string(how) + ": " + who + ", as " + role.String() + ", session " + s.id
	if gives != nil {
		reason += ", in place of their session " + gives.id
	}
	if err := d.record(r.Context(), Act{Method: methodLogin, Who: who, Role: role, Reason: reason}); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if old := d.of(r); old != nil {
		d.drop(old)
	}
	for gives != nil { // on record; another one if it ended meanwhile, and somebody began one more
		d.drop(gives)
		gives = d.givesWay(s, nil)
	}
	d.sessions[s.sum] = s
	http.SetCookie(w, d.cookieFor(token))
	return nil
}

// givesWay returns the session that ends for a new one of the same person, if they have as many as one may have, or nil: that which was without a request for
// longest, and one with a request under way last of all. The session that is replaced anyway does not count. It is called with d.mu held.
func (d *Door) givesWay(s, replaced *session) *session {
	if s.person == nil {
		return nil // each link makes one, and few can make links
	}
	var idlest *session
	own := 0
	for _, o := range d.sessions {
		if o == replaced || o.person == nil || o.person.issuer != s.person.issuer || o.person.subject != s.person.subject {
			continue
		}
		own++
		if idlest == nil || o.idler(idlest) {
			idlest = o
		}
	}
	if own < mostOfOne {
		return nil
	}
	return idlest
}

// idler reports whether s is without a request for longer than o.
func (s *session) idler(o *session) bool {
	if busy := len(s.open) > 0; busy != (len(o.open) > 0) {
		return !busy
	}
	return s.seen.Before(o.seen)
}

// standing is who a session is and what it may do now.
func (d *Door) standing(s *session) (who string, role page.Role) {
	if s.person == nil {
		return s.who, s.role
	}
	who, role, _ = d.opt.Login().grant(s.person)
	return who, role
}

// of returns the session of a request's cookie, or nil. It is called with d.mu held.
func (d *Door) of(r *http.Request) *session {
	// A browser sends several cookies of one name if somebody planted another. Then none is believed.
	var found string
	for _, c := range r.Cookies() {
		if c.Name != d.cookie {
			continue
		}
		if found != "" {
			return nil
		}
		found = c.Value
	}
	if found == "" {
		return nil
	}
	s := d.sessions[sum(found)]
	if s == nil {
		return nil
	}
	if now := d.opt.Clock(); !now.Before(s.ends) || now.Sub(s.seen) >= d.limits().Idle && len(s.open) == 0 {
		d.drop(s)
		return nil
	}
	return s
}

// drop forgets a session and cuts its requests. It is called with d.mu held.
func (d *Door) drop(s *session) {
	delete(d.sessions, s.sum)
	for cut := range s.open {
		(*cut)(errEnded)
	}
	s.open = nil
}

// sweep forgets what is over. It is called with d.mu held.
func (d *Door) sweep(now time.Time) {
	idle := d.limits().Idle
	for _, s := range d.sessions {
		if !now.Before(s.ends) || now.Sub(s.seen) >= idle && len(s.open) == 0 {
			d.drop(s)
		}
	}
	for k, ends := range d.used {
		if !now.Before(ends) {
			delete(d.used, k)
		}
	}
}

// Identify says who asks; the zero value where nobody is logged in, or whoever is may do nothing any more.
func (d *Door) Identify(r *http.Request) page.Who {
	if header := r.Header.Get("Authorization"); header != "" { // as [Door.Guard] sees it
		scheme, given, _ := strings.Cut(header, " ")
		if strings.EqualFold(scheme, "Bearer") && !d.opt.Token.IsZero() && d.opt.Token.Equal(given) {
			return page.Who{Name: Operator, Role: page.Admin, Token: true}
		}
		return page.Who{} // and no cookie beside it counts
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.of(r); s != nil {
		return d.who(s)
	}
	return page.Who{}
}

func (d *Door) who(s *session) page.Who {
	w := page.Who{Name: s.who, Role: s.role, Session: s.id, Form: s.form}
	if s.person != nil {
		w.Name, w.Role, w.Approver = d.opt.Login().grant(s.person)
	}
	if w.Role == page.None {
		return page.Who{}
	}
	return w
}

// hold returns a context for a request that ends with its session, or when its role becomes a lesser one. The caller calls done when the request is over.
// While a request is open its session is not idle.
func (d *Door) hold(r *http.Request) (ctx context.Context, done func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.of(r)
	if s == nil {
		return r.Context(), func() {}
	}
	now := d.opt.Clock()
	s.seen = now
	ctx, cut := context.WithCancelCause(r.Context())
	_, role := d.standing(s)
	s.open[&cut] = role
	end := time.AfterFunc(s.ends.Sub(now), func() { cut(errEnded) })
	return ctx, func() {
		end.Stop()
		cut(nil)
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(s.open, &cut)
		s.seen = d.opt.Clock()
	}
}

// Recheck ends requests that are under way of whoever may do less now than when they began. It is called when configuration changed.
func (d *Door) Recheck() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sessions {
		_, role := d.standing(s)
		for cut, was := range s.open {
			if role < was {
				(*cut)(errEnded)
			}
		}
		if role == page.None {
			d.drop(s)
		}
	}
}

// Close ends every session, and what is under way by it: a gateway that goes away does not wait for pages that stay open.
func (d *Door) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sessions {
		d.drop(s)
	}
}

// Sessions lists who is logged in, the newest first.
func (d *Door) Sessions() []Open {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sweep(d.opt.Clock())
	all := []Open{}
	for _, s := range d.sessions {
		w := d.who(s)
		if w.Role == page.None {
			continue
		}
		how := ByLink
		if s.person != nil {
			how = ByOIDC
		}
		all = append(all, Open{ID: s.id, Who: w.Name, Role: w.Role, How: how, Began: s.began.UTC(), Seen: s.seen.UTC(), Ends: s.ends.UTC()})
	}
	slices.SortFunc(all, func(a, b Open) int { return cmp.Or(b.Began.Compare(a.Began), cmp.Compare(a.ID, b.ID)) })
	return all
}

// End ends a session by its public name. It has ended whether or not that could be put on record.
func (d *Door) End(ctx context.Context, id, by string) error {
	d.mu.Lock()
	var found *session
	for _, s := range d.sessions {
		if s.id == id {
			found = s
		}
	}
	if found == nil {
		d.mu.Unlock()
		return ErrSession
	}
	who, role := d.standing(found)
	d.drop(found)
	d.mu.Unlock()
	return d.record(ctx, Act{Method: methodEnd, Who: by, Role: role, Reason: "a session of the console is ended by " + by + ": session " + id + " of " + who})
}

// logout ends the session of a request, if it has one.
func (d *Door) logout(r *http.Request) (s *session, err error) {
	d.mu.Lock()
	s = d.of(r)
	var who string
	var role page.Role
	if s != nil {
		who, role = d.standing(s)
		d.drop(s)
	}
	d.mu.Unlock()
	if s == nil {
		return nil, nil
	}
	return s, d.record(r.Context(), Act{Method: methodLogout, Who: who, Role: role, Reason: "logged out of the console: " + who + ", session " + s.id})
}
