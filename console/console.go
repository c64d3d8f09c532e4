// Package console puts the pages of the console together with the admin API, on one address.
package console

import (
	"net/http"
	"slices"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
)

// Options of a console. All fields are needed.
type Options struct {
	API   api.Options
	Frame page.Options // without Nav
}

// nav is the order of pages in the navigation.
var nav = []page.Entry{
	{Path: "/", Title: "Overview", Role: page.Viewer},
	{Path: "/live", Title: "Live", Role: page.Viewer},
	{Path: "/playground", Title: "Playground", Role: page.Steward},
	{Path: "/budgets", Title: "Budgets", Role: page.Viewer},
	{Path: "/catalog", Title: "Catalog", Role: page.Viewer},
	{Path: "/policies", Title: "Policies", Role: page.Viewer},
	{Path: "/domains", Title: "Domains", Role: page.Viewer},
	{Path: "/capabilities", Title: "Capabilities", Role: page.Viewer},
	{Path: "/log", Title: "Log", Role: page.Viewer},
	{Path: "/lineage", Title: "Lineage", Role: page.Viewer},
	{Path: "/risk", Title: "Risk", Role: page.Viewer},
	{Path: "/reports", Title: "Reports", Role: page.Viewer},
	{Path: "/sessions", Title: "Sessions", Role: page.Admin},
}

// Console is the handler of the admin port. It is safe for concurrent use.
type Console struct {
	api   *api.API
	frame *page.Frame
}

// New returns the handler.
func New(opt Options) *Console {
	opt.Frame.Nav = nav
	c := &Console{api: api.New(opt.API), frame: page.New(opt.Frame)}
	// Each package of pages adds its own here: live.Add(c.frame, …), rules.Add(c.frame, …).
	c.describe()
	return c
}

// ServeHTTP implements [http.Handler]. What no page knows is the admin API's.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !c.frame.Knows(r) {
		c.api.ServeHTTP(w, r)
		return
	}
	if !c.api.FromHere(r) {
		http.Error(w, "call the console by its address, and not from another web page", http.StatusForbidden)
		return
	}
	c.frame.ServeHTTP(w, r)
}

// describe adds the admin API's calls to the description. It panics where a page has the address of one: commands would get the page.
func (c *Console) describe() {
	pages := c.frame.Calls()
	for _, o := range api.Operations() {
		if slices.Contains(pages, o.Method+" "+o.Path) {
			panic("console: " + o.Method + " " + o.Path + " is served twice")
		}
		c.frame.Describe(page.Described{Method: o.Method, Path: o.Path, Title: o.Title, Summary: o.Summary, Role: page.Admin, In: o.In, Out: o.Out, Media: o.Media})
	}
}

// OpenAPI is the description of all that lies under /api/v1.
func (c *Console) OpenAPI() []byte { return c.frame.OpenAPI() }
