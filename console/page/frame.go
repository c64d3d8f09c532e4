package page

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

//go:embed templates/*.html
var layouts embed.FS

// Options of a frame. All but Nav are needed.
type Options struct {
	Identify func(*http.Request) Who // nobody: the zero value
	Record   Recorder
	Domain   string // whose console it is
	Version  string
	Login    string // address of the page for those who are nobody
	Nav      []Entry
}

// Entry is an entry of the navigation. It is shown to those who have the role.
type Entry struct {
	Path, Title string
	Role        Role
}

// Frame holds the pages. Add all of them before the first request; after that it is safe for concurrent use.
type Frame struct {
	opt        Options
	mux        *http.ServeMux
	routes     []Route
	operations []operation
	errorPage  *template.Template
}

// New returns a frame without pages.
func New(opt Options) *Frame {
	f := &Frame{opt: opt, mux: http.NewServeMux()}
	f.errorPage = f.Group(layouts, nil).template("error.html")
	f.open("GET /static/", statics().ServeHTTP)
	f.open("GET /api/v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(f.OpenAPI()) // whoever asked has gone
	})
	return f
}

// Group is a package's share of a frame: its templates.
type Group struct {
	frame *Frame
	fs    fs.FS
	funcs template.FuncMap
}

// Group returns a group whose templates are read from the directory templates of fs, with functions beside those of the frame.
func (f *Frame) Group(templates fs.FS, funcs template.FuncMap) *Group {
	return &Group{f, templates, funcs}
}

// template parses a file together with the layout and the group's files whose names begin with "_". "" is none.
func (g *Group) template(name string) *template.Template {
	if name == "" {
		return nil
	}
	t := template.New(name).Funcs(funcs).Funcs(g.funcs)
	t = template.Must(t.ParseFS(layouts, "templates/layout.html"))
	if shared, err := fs.Glob(g.fs, "templates/_*.html"); err == nil && len(shared) > 0 {
		t = template.Must(t.ParseFS(g.fs, shared...))
	}
	return template.Must(t.ParseFS(g.fs, "templates/"+name))
}

// View is what templates are given.
type View struct {
	Title   string
	Section string
	Twin    string // address of the same in JSON
	Model   any

	Who     Who
	Domain  string
	Version string
	Nav     []Entry
	Path    string // of the page, with its query
}

// FormToken is what forms bring; see the template "form-token".
func (v *View) FormToken() string { return v.Who.Form.Expose() }

// May reports whether whoever looks has a role, by name.
func (v *View) May(role string) (bool, error) {
	var r Role
	err := r.UnmarshalText([]byte(role))
	return v.Who.May(r), err
}

// ServeHTTP implements [http.Handler].
func (f *Frame) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	Harden(w.Header())
	f.mux.ServeHTTP(w, r)
}

// Harden sets what browsers are told about every answer.
func Harden(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Referrer-Policy", "same-origin") // without any, browsers send forms with the origin "null"
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// Knows reports whether a request is for one of the frame's own addresses.
func (f *Frame) Knows(r *http.Request) bool {
	_, pattern := f.mux.Handler(r)
	return pattern != ""
}

// Route is an address of the frame, with the least role that it is for; [None]: it is for everybody.
type Route struct {
	Method, Path string
	Role         Role
}

// Routes lists every address that was added.
func (f *Frame) Routes() []Route { return slices.Clone(f.routes) }

// open adds an address that is for everybody.
func (f *Frame) open(pattern string, serve http.HandlerFunc) {
	method, path, _ := strings.Cut(pattern, " ")
	f.routes = append(f.routes, Route{method, path, None})
	f.mux.HandleFunc(pattern, serve)
}

func (f *Frame) handle(pattern string, least Role, serve func(http.ResponseWriter, *Request)) {
	method, path, _ := strings.Cut(pattern, " ")
	f.routes = append(f.routes, Route{method, path, least})
	f.mux.HandleFunc(pattern, func(w http.ResponseWriter, hr *http.Request) {
		r := &Request{Request: hr, Who: f.opt.Identify(hr), API: strings.HasPrefix(hr.URL.Path, "/api/")}
		switch {
		case r.Who.May(least):
			serve(w, r)
		case r.Who.Role != None:
			f.fail(w, r, ErrForbidden)
		case r.API || hr.Method != http.MethodGet:
			w.Header().Set("WWW-Authenticate", `Bearer realm="scrim admin"`)
			f.fail(w, r, errNobody)
		default:
			http.Redirect(w, hr, f.opt.Login+"?to="+url.QueryEscape(Local(hr.URL.RequestURI())), http.StatusSeeOther)
		}
	})
}

var (
	errNobody = errors.New("log in, or send the token of the data directory as Authorization: Bearer")
	errForm   = errors.New("this form is not of your session; load the page anew")
)

// fail tells an error, as a page or as JSON.
func (f *Frame) fail(w http.ResponseWriter, r *Request, err error) {
	status := http.StatusInternalServerError
	if _, ok := errors.AsType[*Mistake](err); ok {
		status = http.StatusUnprocessableEntity
	}
	for known, code := range map[error]int{
		ErrNotFound: http.StatusNotFound, ErrForbidden: http.StatusForbidden, errForm: http.StatusForbidden, errNobody: http.StatusUnauthorized,
	} {
		if errors.Is(err, known) {
			status = code
		}
	}
	if r.API {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) // whoever asked has gone
		return
	}
	f.write(w, r, status, f.errorPage, &View{Title: http.StatusText(status), Section: sectionOf(r.URL.Path), Model: err.Error()})
}

func (f *Frame) show(w http.ResponseWriter, r *Request, t *template.Template, v *View) {
	f.write(w, r, http.StatusOK, t, v)
}

// Show writes a page that is no [Page]: it is for logins. The template is one of the group's.
func (g *Group) Show(w http.ResponseWriter, r *http.Request, status int, name, title string, model any) {
	g.frame.write(w, &Request{Request: r}, status, g.template(name), &View{Title: title, Model: model})
}

func (f *Frame) write(w http.ResponseWriter, r *Request, status int, t *template.Template, v *View) {
	v.Who, v.Domain, v.Version, v.Path = r.Who, f.opt.Domain, f.opt.Version, r.URL.RequestURI()
	for _, e := range f.opt.Nav {
		if r.Who.May(e.Role) {
			v.Nav = append(v.Nav, e)
		}
	}
	name := "layout"
	if r.Header.Get("HX-Request") == "true" {
		name = "main" // a part of a page was asked for
		w.Header().Set("Vary", "HX-Request")
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, v); err != nil {
		http.Error(w, fmt.Sprintf("the page %s cannot be shown", t.Name()), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // whoever asked has gone
}

func answer(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, `{"error":"the answer cannot be written"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n')) // whoever asked has gone
}

func escape(s string) string { return url.PathEscape(s) }
