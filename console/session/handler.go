package session

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/scrimhq/scrim/console/page"
)

// Addresses of the door.
const (
	Path       = "/login"
	PathLogout = "/logout"
	pathOut    = Path + "/oidc" // to the provider
	pathBack   = Path + "/back" // and from there
	pathScript = Path + "/login.js"
)

//go:embed templates/*.html
var templates embed.FS

// Templates are those of the door, for the group that [New] is given.
func Templates() fs.FS { return templates }

//go:embed static/login.js
var script []byte

// Form is what the page of the login shows.
type Form struct {
	To       string // where to go then
	Provider string // name of the provider; "": links alone
	Why      string // why nobody was let in
	Script   string
	Out      string
	Name     string // whose console it is
}

func (d *Door) routes() {
	d.mux = http.NewServeMux()
	d.mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) { d.form(w, r, http.StatusOK, "") })
	d.mux.HandleFunc("GET "+pathScript, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write(script) // whoever asked has gone
	})
	d.mux.HandleFunc("POST "+Path, d.enter)
	d.mux.HandleFunc("GET "+pathOut, d.toProvider)
	d.mux.HandleFunc("GET "+pathBack, d.fromProvider)
	d.mux.HandleFunc("POST "+PathLogout, d.leave)
}

// Knows reports whether a request is for one of the door's own addresses.
func (d *Door) Knows(r *http.Request) bool {
	_, pattern := d.mux.Handler(r)
	return pattern != ""
}

// Guard is the door with the console behind it. It refuses requests that name a host which is none of ours, and those to change something that come from a page of another origin.
func (d *Door) Guard(behind http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page.Harden(w.Header())
		bearer := r.Header.Get("Authorization") != ""
		switch {
		case !d.Hosted(r):
			d.opt.Refused("another host's name")
			http.Error(w, "call the console by its address", http.StatusForbidden)
		case !safe(r.Method) && !bearer && !d.FromHere(r), bearer && elsewhere(r):
			d.opt.Refused("a page of another origin")
			http.Error(w, "this was not sent by a page of the console", http.StatusForbidden)
		case safe(r.Method) && elsewhere(r) && !(navigates(r) && (r.URL.Path == pathBack || r.URL.Path == Path)):
			d.arrive(w, r)
		default:
			if d.Knows(r) {
				d.mux.ServeHTTP(w, r)
				return
			}
			ctx, done := d.hold(r)
			defer done()
			behind.ServeHTTP(w, r.WithContext(ctx))
		}
	})
}

// arrive answers somebody who followed a link on a page of another origin. Their browser sent no cookie along. It does for what this page loads next, which is the
// same address; nothing else is given to other origins.
func (d *Door) arrive(w http.ResponseWriter, r *http.Request) {
	if !navigates(r) {
		d.opt.Refused("a page of another origin")
		http.Error(w, "this was not asked for by a page of the console", http.StatusForbidden)
		return
	}
	d.show(w, r, http.StatusOK, "onward.html", "The console", onward{To: local(r.URL.RequestURI())})
}

type onward struct{ To string }

// form shows the page of the login. It changes nothing, whoever fetches it, and however often. No body is read for it: [http.Request.FormValue] would
// take a multipart one of any length, and put it on disk.
func (d *Door) form(w http.ResponseWriter, r *http.Request, status int, why string) {
	to := r.URL.Query().Get("to")
	if r.PostForm != nil {
		to = r.PostForm.Get("to")
	}
	f := Form{To: local(to), Why: why, Script: pathScript, Out: pathOut, Name: string(d.opt.Domain)}
	if l := d.opt.Login(); l != nil {
		f.Provider = l.Name()
	}
	d.show(w, r, status, "login.html", "Log in", f)
}

// enter logs in by a one-time link.
func (d *Door) enter(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 8<<10)
	if err := r.ParseForm(); err != nil || len(r.URL.RawQuery) > 0 && r.URL.Query().Has("code") {
		d.form(w, r, http.StatusBadRequest, "the form cannot be read") // a code in an address is in logs and histories: it is not taken
		return
	}
	l, err := d.spend(r.PostForm.Get("code"))
	if err != nil {
		d.opt.Refused("a link that cannot be used")
		d.form(w, r, http.StatusForbidden, err.Error())
		return
	}
	if err := d.begin(w, r, &session{who: l.id, role: l.role}); err != nil {
		d.form(w, r, http.StatusServiceUnavailable, told(err))
		return
	}
	http.Redirect(w, r, local(r.PostForm.Get("to")), http.StatusSeeOther)
}

// told is what a stranger is told of an error.
func told(err error) string {
	for _, known := range []error{ErrMany, ErrRecord, ErrLink, errNoRole, errLogin, errBack, errProvider} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "it did not work"
}

// leave logs out, here and, where people log in at a provider that can, there.
func (d *Door) leave(w http.ResponseWriter, r *http.Request) {
	s, err := d.logout(r)
	http.SetCookie(w, d.cookieFor(""))
	if err != nil {
		d.opt.Refused("a logout could not be put on record")
	}
	l := d.opt.Login()
	if s == nil || s.person == nil || l == nil {
		http.Redirect(w, r, Path, http.StatusSeeOther)
		return
	}
	end := l.endURL(context.WithoutCancel(r.Context()), d.base(r)+Path)
	if end == "" {
		end = Path
	}
	// The form's target is held to this origin by the page's policy, redirects included, so that a link leads on.
	if end == Path {
		http.Redirect(w, r, Path, http.StatusSeeOther)
		return
	}
	d.show(w, r, http.StatusOK, "out.html", "Logged out", onward{To: end})
}

// base is the URL under which a browser sees the console.
func (d *Door) base(r *http.Request) string {
	if u := d.opt.Public(); u != "" {
		return strings.TrimRight(u, "/")
	}
	if d.opt.TLS {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (d *Door) show(w http.ResponseWriter, r *http.Request, status int, name, title string, model any) {
	d.group.Show(w, r, status, name, title, model)
}
