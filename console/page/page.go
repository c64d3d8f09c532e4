// Package page is the frame of the console: pages that are made of one model each, shown as HTML and, under /api/v1, as JSON;
// actions that change something; who may do which; and the description of all of it (OpenAPI 3.1).
//
// Nothing here knows a gateway. A package of pages gets a [Group] with its own templates and adds pages and actions to it:
//
//	g := frame.Group(templates, funcs)
//	page.Add(g, page.Page[Frozen]{Path: "/freezes", Template: "freezes.html", Role: page.Viewer, Model: frozen})
//	page.Do(g, page.Action[Target, Done]{Path: "/freezes", Name: "freeze", Role: page.Approver, Do: freeze})
package page

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
)

// Page is one page, made of a model. Path, Title, Summary, Template, Role and Model are needed.
type Page[M any] struct {
	Path     string // pattern of the page's address, such as "/flows/{ref}"
	API      string // pattern of its twin below /api/v1; "": Path
	Title    string
	Summary  string // what it tells, in one sentence
	Section  string // path of the entry of the navigation that is marked; "": the first segment of Path
	Template string // file that defines "main", and maybe "head"
	Role     Role   // least, to see it
	Query    []Param
	Model    func(ctx context.Context, r *Request) (M, error)
}

// Param is a parameter of a page's address.
type Param struct {
	Name, What string
}

// Action is a change. Path, Title, Summary, Name, Role and Do are needed.
//
// It is sent as a form to Path or as JSON to /api/v1 + Path. The members of I are filled by their json names from either. Before Do runs,
// who does it, the action's name and what it is about are on record.
type Action[I, O any] struct {
	Path     string // pattern, such as "/freezes/{target}/end"
	Name     string // of the action on the log: a constant such as "console/freeze"
	Title    string
	Summary  string
	Role     Role
	ReadOnly bool   // nothing changes by it, and nothing is put on record: it is a POST because of what it takes
	Template string // shown with O as the answer to a form; "": the browser is sent to Then
	Then     func(in I, out O) string
	Do       func(ctx context.Context, r *Request, in I) (O, error)
}

// Raw is an address that writes its answer itself: a stream of events, a file to take away.
type Raw struct {
	Path    string // pattern below /, GET
	API     bool   // it lies below /api/v1
	Title   string
	Summary string
	Type    string // media type of its answer
	Role    Role
	Query   []Param
	Serve   func(w http.ResponseWriter, r *Request)
}

// Request is a request of somebody who may make it.
type Request struct {
	*http.Request
	Who Who
	API bool // for JSON
}

// Q returns a parameter of the query.
func (r *Request) Q(name string) string { return r.URL.Query().Get(name) }

// Errors of models and actions. Their text is shown to whoever asked, so it holds no value.
var (
	ErrNotFound  = errors.New("there is nothing of this name")
	ErrForbidden = errors.New("this is for another role")
)

// Mistake is an error in what was asked, told to the one who asked.
type Mistake struct{ Text string }

func (m *Mistake) Error() string { return m.Text }

// Wrong returns a [Mistake].
func Wrong(format string, args ...any) error { return &Mistake{fmt.Sprintf(format, args...)} }

// Add adds a page and its twin. It panics where the page is not whole: that is a programmer's mistake.
func Add[M any](g *Group, p Page[M]) {
	if p.Model == nil || p.Title == "" || p.Summary == "" || p.Role == None {
		panic("page: " + p.Path + " is not whole")
	}
	if p.API == "" {
		p.API = p.Path
	}
	section := p.Section
	if section == "" {
		section = sectionOf(p.Path)
	}
	f, t := g.frame, g.template(p.Template)
	at := p.Path
	if at == "/" {
		at = "/{$}"
	}
	f.handle("GET "+at, p.Role, func(w http.ResponseWriter, r *Request) {
		m, err := p.Model(r.Context(), r)
		if err != nil {
			f.fail(w, r, err)
			return
		}
		f.show(w, r, t, &View{Title: p.Title, Section: section, Twin: twin(r, p.Path, p.API), Model: m})
	})
	f.handle("GET /api/v1"+p.API, p.Role, func(w http.ResponseWriter, r *Request) {
		r.API = true
		m, err := p.Model(r.Context(), r)
		if err != nil {
			f.fail(w, r, err)
			return
		}
		answer(w, m)
	})
	f.describe(operation{
		method: "get", path: p.API, title: p.Title, summary: p.Summary, role: p.Role, query: p.Query, out: reflect.TypeFor[M](),
	})
}

// Do adds an action. It panics where the action is not whole.
func Do[I, O any](g *Group, a Action[I, O]) {
	if a.Do == nil || a.Name == "" || a.Title == "" || a.Summary == "" || a.Role == None || (a.Then == nil) == (a.Template == "") {
		panic("page: the action at " + a.Path + " is not whole")
	}
	f := g.frame
	run := func(r *Request, in I) (out O, err error) {
		if !a.ReadOnly {
			if err = f.opt.Record(r.Context(), Act{Who: r.Who, Name: a.Name, About: About(r, in)}); err != nil {
				return out, err
			}
		}
		return a.Do(r.Context(), r, in)
	}
	t := g.template(a.Template)
	f.handle("POST "+a.Path, a.Role, func(w http.ResponseWriter, r *Request) {
		var in I
		if err := readForm(w, r, &in); err != nil {
			f.fail(w, r, err)
			return
		}
		if !r.Who.formIs(r.PostFormValue(formToken)) {
			f.fail(w, r, errForm)
			return
		}
		out, err := run(r, in)
		switch {
		case err != nil:
			f.fail(w, r, err)
		case t != nil:
			f.show(w, r, t, &View{Title: a.Title, Section: sectionOf(a.Path), Model: out})
		default:
			http.Redirect(w, r.Request, Local(a.Then(in, out)), http.StatusSeeOther)
		}
	})
	f.handle("POST /api/v1"+a.Path, a.Role, func(w http.ResponseWriter, r *Request) {
		r.API = true
		var in I
		if err := readJSON(w, r, &in); err != nil {
			f.fail(w, r, err)
			return
		}
		if !r.Who.Token && !r.Who.formIs(r.Header.Get("Scrim-Form")) {
			f.fail(w, r, errForm)
			return
		}
		out, err := run(r, in)
		if err != nil {
			f.fail(w, r, err)
			return
		}
		answer(w, out)
	})
	f.describe(operation{
		method: "post", path: a.Path, title: a.Title, summary: a.Summary, role: a.Role, in: reflect.TypeFor[I](), out: reflect.TypeFor[O](),
	})
}

// AddRaw adds an address that writes its answer itself.
func AddRaw(g *Group, p Raw) {
	if p.Serve == nil || p.Title == "" || p.Summary == "" || p.Role == None {
		panic("page: " + p.Path + " is not whole")
	}
	at := p.Path
	if p.API {
		at = "/api/v1" + at
		g.frame.describe(operation{method: "get", path: p.Path, title: p.Title, summary: p.Summary, role: p.Role, query: p.Query, media: p.Type})
	}
	g.frame.handle("GET "+at, p.Role, func(w http.ResponseWriter, r *Request) {
		r.API = p.API
		p.Serve(w, r)
	})
}

// twin is the address of the JSON of what is shown.
func twin(r *Request, path, api string) string {
	at := r.URL.EscapedPath()
	if path != api {
		at = fill(api, r)
	}
	if q := r.URL.RawQuery; q != "" {
		at += "?" + q
	}
	return "/api/v1" + at
}

func sectionOf(path string) string {
	return "/" + strings.SplitN(strings.TrimPrefix(path, "/"), "/", 2)[0]
}

// Local keeps a redirect on this site: what could be read as another's address, now or once it is escaped anew, becomes the first page.
func Local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	return to
}
