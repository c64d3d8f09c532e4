// Package console puts the pages of the console together with the admin API, on one address.
package console

import (
	"context"
	"net/http"
	"slices"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/catalog"
	"github.com/scrimhq/scrim/console/live"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/console/playground"
	"github.com/scrimhq/scrim/console/rules"
	"github.com/scrimhq/scrim/console/session"
	"github.com/scrimhq/scrim/console/trust"
)

// Options of a console. All fields are needed, but for those that say otherwise.
type Options struct {
	API     api.Options
	Frame   page.Options    // without Nav, Identify and Login
	Session session.Options // who may use it
	Off     bool            // the admin API alone
	After   After           // may be left zero
	Live    live.Options    // may be left zero

	Playground playground.Options // may be left zero
	Rules      rules.Options      // may be left zero
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
	{Path: "/erasure", Title: "Erasure", Role: page.Approver},
	{Path: "/sessions", Title: "Sessions", Role: page.Admin},
}

// Console is the handler of the admin port. It is safe for concurrent use.
type Console struct {
	api   *api.API
	frame *page.Frame
	door  *session.Door
	trust *trust.Pages // nil: there is no console
	pages http.Handler // the frame behind the door; nil: there is no console
}

// New returns the handler.
func New(opt Options) *Console {
	c := &Console{api: api.New(opt.API), door: session.New(opt.Session)}
	if opt.Off {
		return c
	}
	opt.Frame.Nav, opt.Frame.Identify, opt.Frame.Login = nav, c.door.Identify, session.Path
	c.frame = page.New(opt.Frame)
	c.door.Add(c.frame)
	live.Add(c.frame, opt.Live)
	c.lookBack(&opt)
	catalog.Add(c.frame, catalog.Options{Snapshot: opt.API.Snapshot})
	rules.Add(c.frame, opt.Rules)
	playground.Add(c.frame, opt.Playground)
	// Each package of pages adds its own here: live.Add(c.frame, …), rules.Add(c.frame, …).
	c.trust = trust.Add(c.frame, trust.Options{API: opt.API})
	c.describe()
	c.pages = c.door.Guard(c.frame)
	return c
}

// Link makes a one-time link to the console for whoever has the data directory, and returns its path. It returns an error where there is no console.
func (c *Console) Link(ctx context.Context, role page.Role) (string, error) {
	if c.pages == nil {
		return "", session.ErrOff
	}
	l, err := c.door.Link(ctx, role, session.Operator)
	if err != nil {
		return "", err
	}
	return session.Path + "#" + l.Code.Expose(), nil
}

// Close ends what goes on in the background for somebody who asked, and waits for it.
func (c *Console) Close() {
	if c.trust != nil {
		c.trust.Close()
	}
}

// Leave ends every session, with the pages that stay open: a gateway that goes away does not wait for them.
func (c *Console) Leave() { c.door.Close() }

// Recheck ends what is under way for those who may do less since the configuration changed.
func (c *Console) Recheck() { c.door.Recheck() }

// Knows reports whether a request is for the console, and not for the admin API.
func (c *Console) Knows(r *http.Request) bool {
	return c.pages != nil && (c.frame.Knows(r) || c.door.Knows(r))
}

// ServeHTTP implements [http.Handler]. What no page knows is the admin API's.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !c.Knows(r) {
		c.api.ServeHTTP(w, r)
		return
	}
	c.pages.ServeHTTP(w, r)
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
