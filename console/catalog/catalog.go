// Package catalog is the pages about what data is: tables, files, skills, tools and messages, what each column of them is, and for what,
// in which ways and how long it may be used. They hold names and labels that contracts and schemas give, and no data.
package catalog

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

//go:embed templates/*.html
var templates embed.FS

// Options of the pages. Without a Snapshot there is nothing to show.
type Options struct {
	Snapshot func() *gateway.Snapshot
	Clock    func() time.Time // nil: time.Now
}

// perPage is how many assets, or columns, are on one page.
const perPage = 200

type pages struct{ Options }

// Add adds the pages to a frame.
func Add(f *page.Frame, opt Options) {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	p := &pages{opt}
	g := f.Group(templates, template.FuncMap{"tiers": tiers})
	page.Add(g, page.Page[List]{
		Path: "/catalog", Title: "Catalog", Summary: "Everything that contracts and schemas describe, with the strictest tier of its columns and how many of these nothing labels.",
		Template: "catalog.html", Role: page.Viewer, Model: p.list,
		Query: []page.Param{
			{Name: "q", What: "part of a name, an owner, a label or a column"}, {Name: "kind", What: "table, view, topic, file, skill, tool or message"},
			{Name: "tier", What: "the strictest tier of its columns"}, {Name: "only", What: "unlabelled: with columns that nothing labels; overdue: whose review is"},
			{Name: "from", What: "how many to pass over"},
		},
	})
	page.Add(g, page.Page[Shown]{
		Path: "/catalog/datasets/{dataset...}", Title: "Dataset", Summary: "What a contract says of a dataset and of each of its columns.",
		Template: "dataset.html", Role: page.Viewer, Model: p.dataset,
		Query: []page.Param{{Name: "q", What: "part of a column's name or label"}, {Name: "from", What: "how many columns to pass over"}},
	})
	page.Add(g, page.Page[Messages]{
		Path: "/catalog/schemas/{n}", Title: "Schema", Summary: "What a JSON Schema says of a message, a skill or a tool, by label.",
		Template: "schema.html", Role: page.Viewer, Model: p.schema,
	})
}

// Asset is one thing that the catalog knows.
type Asset struct {
	Name       string        `json:"name"`
	Kind       string        `json:"kind"`
	Link       string        `json:"link"`
	Agent      flow.AgentID  `json:"agent,omitempty"`
	Direction  string        `json:"direction,omitempty"`
	Contract   string        `json:"contract,omitempty"`
	File       string        `json:"file,omitempty"`
	Columns    int           `json:"columns"`
	Unlabelled int           `json:"unlabelled"`
	Tier       string        `json:"tier"` // the strictest of its columns
	Unit       string        `json:"unit,omitempty"`
	Owners     []string      `json:"owners,omitempty"`
	Review     time.Time     `json:"review,omitzero"`
	Overdue    bool          `json:"overdue,omitempty"`
	Domain     flow.DomainID `json:"domain,omitempty"`
	Formal     bool          `json:"formal,omitempty"`

	words string // what a search looks in
}

// List is a page of assets, with what was asked for.
type List struct {
	Assets     []Asset  `json:"assets"`
	All        int      `json:"all"`   // that there are
	Found      int      `json:"found"` // of these, that were asked for
	Unlabelled int      `json:"unlabelled"`
	Kinds      []string `json:"kinds"`
	Next       string   `json:"next,omitempty"`
	Q          string   `json:"q,omitempty"`
	Kind       string   `json:"kind,omitempty"`
	Tier       string   `json:"tier,omitempty"`
	Only       string   `json:"only,omitempty"`
}

func (p *pages) snapshot() *gateway.Snapshot {
	if p.Snapshot == nil {
		return nil
	}
	return p.Snapshot()
}

func (p *pages) list(_ context.Context, r *page.Request) (List, error) {
	out := List{Q: r.Q("q"), Kind: r.Q("kind"), Tier: r.Q("tier"), Only: r.Q("only"), Assets: []Asset{}, Kinds: []string{}}
	if out.Only != "" && out.Only != "unlabelled" && out.Only != "overdue" {
		return out, page.Wrong("only: it is neither unlabelled nor overdue")
	}
	from, err := page.Number(r, "from", 0)
	if err != nil {
		return out, err
	}
	s := p.snapshot()
	if s == nil || s.Catalog == nil {
		return out, nil
	}
	kinds := map[string]bool{}
	want := strings.ToLower(out.Q)
	for _, a := range p.assets(s) {
		out.All++
		out.Unlabelled += a.Unlabelled
		kinds[a.Kind] = true
		if want != "" && !strings.Contains(a.words, want) || out.Kind != "" && a.Kind != out.Kind || out.Tier != "" && a.Tier != out.Tier ||
			out.Only == "unlabelled" && a.Unlabelled == 0 || out.Only == "overdue" && !a.Overdue {
			continue
		}
		out.Found++
		switch {
		case out.Found <= from:
		case len(out.Assets) < perPage:
			out.Assets = append(out.Assets, a)
		default:
			out.Next = next(r, from+perPage)
		}
	}
	for k := range kinds {
		out.Kinds = append(out.Kinds, k)
	}
	slices.Sort(out.Kinds)
	return out, nil
}

// next is the address of the same page, further on.
func next(r *page.Request, from int) string {
	q := r.URL.Query()
	q.Set("from", strconv.Itoa(from))
	return strings.TrimPrefix(r.URL.EscapedPath(), "/api/v1") + "?" + q.Encode()
}

// assets are the datasets of contracts, then what schemas describe.
func (p *pages) assets(s *gateway.Snapshot) []Asset {
	var all []Asset
	now := p.Clock()
	for _, k := range s.Catalog.Contracts() {
		for i := range k.Datasets {
			all = append(all, ofDataset(k, &k.Datasets[i], now))
		}
	}
	for i, b := range s.Catalog.Bindings() {
		all = append(all, ofBinding(s, i, b))
	}
	return all
}

func ofDataset(k *catalog.Contract, d *catalog.Dataset, now time.Time) Asset {
	a := Asset{
		Name: d.Name, Kind: d.Kind.String(), Agent: d.Agent, Contract: k.ID, File: k.File(), Columns: len(d.Fields), Unit: d.Unit, Owners: d.Governance.Owners,
		Review: d.Governance.Review, Domain: k.Domain, Formal: d.Formal, Link: "/catalog/datasets/" + url.PathEscape(d.Name),
	}
	a.Overdue = !a.Review.IsZero() && a.Review.Before(now)
	words := append([]string{d.Name, k.ID, k.Name, string(d.Agent), d.Description}, a.Owners...)
	tier := flow.Public
	for j := range d.Fields {
		f := &d.Fields[j]
		tier = min(tier, f.Tier)
		if f.Label == flow.Unlabelled {
			a.Unlabelled++
		}
		words = append(words, f.Column, string(f.Label))
	}
	a.Tier, a.words = tier.String(), strings.ToLower(strings.Join(words, "\n"))
	return a
}

func ofBinding(s *gateway.Snapshot, n int, b catalog.Binding) Asset {
	a := Asset{
		Name: cmp.Or(b.Name, "any"), Kind: b.Kind.String(), Direction: b.Direction.String(), Agent: b.Owner, File: b.Schema.Name(), Link: fmt.Sprintf("/catalog/schemas/%d", n),
	}
	words := []string{a.Name, string(b.Owner), a.File}
	tier := flow.Public
	for info := range b.Schema.Values() {
		class, _ := s.Taxonomy.Class(info.Label)
		tier = min(tier, class.Tier)
		a.Columns++
		if info.Label == flow.Unlabelled {
			a.Unlabelled++
		}
		words = append(words, string(info.Label))
	}
	a.Tier, a.words = tier.String(), strings.ToLower(strings.Join(words, "\n"))
	return a
}

// tiers are the names of tiers, the strictest first.
func tiers() []string {
	var all []string
	for t := flow.Restricted; t <= flow.Public; t++ {
		all = append(all, t.String())
	}
	return all
}
