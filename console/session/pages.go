package session

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/scrimhq/scrim/console/page"
)

// List is the page of sessions.
type List struct {
	Sessions []Open `json:"sessions"`
	Own      string `json:"own,omitempty"` // the session of whoever looks
	Limits   struct {
		Link string `json:"link"`
		Idle string `json:"idle"`
		Life string `json:"life"`
	} `json:"limits"`
	Roles []page.Role `json:"-"`
}

// LinkRequest asks for a one-time link.
type LinkRequest struct {
	Role string `json:"role"` // "": admin
}

// NewLink is a one-time link. Its code comes after the #, which browsers send to nobody.
type NewLink struct {
	Path string    `json:"path"` // below the address of the console
	ID   string    `json:"id"`
	Role page.Role `json:"role"`
	Ends time.Time `json:"ends"`
	URL  string    `json:"url"` // by the address that this was asked at, or the public one
}

type nothing struct{}

// Add adds the pages of sessions to a frame, and has the door show its own in it.
func (d *Door) Add(f *page.Frame) {
	g := f.Group(templates, nil)
	d.group = g
	page.Add(g, page.Page[List]{
		Path: "/sessions", Title: "Sessions", Summary: "Who is logged in to the console.", Template: "sessions.html", Role: page.Admin,
		Model: func(_ context.Context, r *page.Request) (List, error) {
			l := List{Sessions: d.Sessions(), Own: r.Who.Session, Roles: []page.Role{page.Viewer, page.Steward, page.Approver, page.Admin}}
			lim := d.limits()
			l.Limits.Link, l.Limits.Idle, l.Limits.Life = short(lim.Link), short(lim.Idle), short(lim.Life)
			return l, nil
		},
	})
	// Both are on record by the door itself, before they count.
	page.Do(g, page.Action[LinkRequest, NewLink]{
		Path: "/sessions/link", Name: methodLink, Title: "One-time link", Summary: "Makes a link by which one browser logs in once.", Role: page.Admin, ReadOnly: true, Template: "link.html",
		Do: func(ctx context.Context, r *page.Request, in LinkRequest) (NewLink, error) {
			var role page.Role
			if err := role.UnmarshalText([]byte(cmp.Or(in.Role, page.Admin.String()))); err != nil {
				return NewLink{}, page.Wrong("role: %v", ErrRole)
			}
			l, err := d.Link(ctx, role, r.Who.Name)
			if err != nil {
				return NewLink{}, err
			}
			path := Path + "#" + l.Code.Expose()
			return NewLink{Path: path, ID: l.ID, Role: l.Role, Ends: l.Ends.UTC(), URL: d.base(r.Request) + path}, nil
		},
	})
	page.Do(g, page.Action[nothing, nothing]{
		Path: "/sessions/{id}/end", Name: methodEnd, Title: "End a session", Summary: "Ends somebody's session at once.", Role: page.Admin, ReadOnly: true,
		Then: func(nothing, nothing) string { return "/sessions" },
		Do: func(ctx context.Context, r *page.Request, _ nothing) (nothing, error) {
			err := d.End(ctx, r.PathValue("id"), r.Who.Name)
			if errors.Is(err, ErrSession) {
				err = page.ErrNotFound
			}
			return nothing{}, err
		},
	})
}

func short(d time.Duration) string {
	s := d.Round(time.Second).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if len(s) > len(zero) && s[len(s)-len(zero):] == zero {
			s = s[:len(s)-2]
		}
	}
	return s
}
