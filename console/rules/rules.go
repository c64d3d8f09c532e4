// Package rules is the pages on which people look at the rules that decide, and change them by proposal.
//
// Nothing here puts anything in force by itself: a draft is the rules in force with some files changed, and comes into force as a proposal that other
// people approve (docs/spec/governance.md).
package rules

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"strings"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/draft"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/change"
)

//go:embed templates/*.html
var templates embed.FS

// Options of the pages. Without them there are no rules to look at.
type Options struct {
	Bench draft.Bench
	Rules *api.Rules
	// Catalog returns what data is known, and by which labels.
	Catalog func() (*catalog.Catalog, *flow.Taxonomy)
	Begin   func(func(context.Context)) // runs what goes on after an answer, until the gateway closes
}

type pages struct {
	opt    Options
	drafts draft.Keeper
	runs   runs
}

// Add adds the pages to a frame.
func Add(f *page.Frame, opt Options) {
	if opt.Bench == nil || opt.Rules == nil {
		opt = Options{Bench: draft.Without{}}
	}
	p := &pages{opt: opt}
	g := f.Group(templates, template.FuncMap{"visible": draft.Visible, "lines": lines})
	p.addRules(g)
	p.addDrafts(g)
	p.addProposals(g)
	p.addLabels(g)
}

// Overview is which rules are in force, and what is under way.
type Overview struct {
	Governed  bool              `json:"governed"`
	Hash      string            `json:"hash"` // of policies and what they name, as decisions have it
	Status    api.RulesStatus   `json:"status"`
	Files     []string          `json:"files"`
	Proposals []change.Proposal `json:"proposals,omitempty"`
	Drafts    []Drafted         `json:"drafts,omitempty"`
}

// Drafted is a draft in a list.
type Drafted struct {
	ID      string    `json:"id"`
	By      string    `json:"by"`
	Changed time.Time `json:"changed"`
	Files   int       `json:"files"`
}

// File is one file of the rules in force.
type File struct {
	Name  string              `json:"name"`
	Text  string              `json:"text"`
	Tests []policy.TestResult `json:"tests,omitempty"`
	Edit  bool                `json:"-"`
}

func (p *pages) addRules(g *page.Group) {
	page.Add(g, page.Page[Overview]{
		Path: "/policies", Title: "Policies", Template: "policies.html", Role: page.Viewer,
		Summary: "Which rules are in force, what on disk differs from them, what is proposed, and what is due for a look.", Model: p.overview,
	})
	page.Add(g, page.Page[File]{
		Path: "/policies/files/{name...}", Title: "File of the rules", Template: "file.html", Role: page.Viewer,
		Summary: "One file of the rules in force, and how its policy tests end.", Model: p.file,
	})
	page.Add(g, page.Page[[]governance.Version]{
		Path: "/policies/history", Title: "Versions of the rules", Template: "history.html", Role: page.Viewer,
		Summary: "The versions of the rules, the newest first, after it was seen that the log knows of no later one.",
		Model: keptPage(p, func(ctx context.Context, _ *page.Request) ([]governance.Version, error) {
			all, err := api.RulesHistory(ctx, p.opt.Rules, api.OfRules{})
			return all, told(err)
		}),
	})
}

// inForce returns the rules in force, or says that no gateway has any.
func (p *pages) inForce() (draft.Force, error) {
	force, err := p.opt.Bench.InForce()
	if errors.Is(err, draft.ErrNothing) {
		err = told(err)
	}
	return force, err
}

// kept is a model or a step that asks what governance keeps.
func kept[A, B any](p *pages, do func(context.Context, *page.Request, A) (B, error)) func(context.Context, *page.Request, A) (B, error) {
	return func(ctx context.Context, r *page.Request, in A) (out B, err error) {
		if p.opt.Rules == nil {
			return out, told(draft.ErrNothing)
		}
		return do(ctx, r, in)
	}
}

// keptPage is kept for pages.
func keptPage[B any](p *pages, model func(context.Context, *page.Request) (B, error)) func(context.Context, *page.Request) (B, error) {
	all := kept(p, func(ctx context.Context, r *page.Request, _ struct{}) (B, error) { return model(ctx, r) })
	return func(ctx context.Context, r *page.Request) (B, error) { return all(ctx, r, struct{}{}) }
}

func (p *pages) overview(ctx context.Context, _ *page.Request) (o Overview, err error) {
	force, err := p.inForce()
	if err != nil {
		return o, err
	}
	o.Hash, o.Files = force.Hash, force.Names()
	o.Status, err = api.ShowRulesStatus(ctx, p.opt.Rules, api.OfRules{})
	if errors.Is(err, governance.ErrNone) {
		err = nil
	}
	if err != nil {
		return o, told(err)
	}
	o.Governed = o.Status.Version.Governed
	if o.Governed {
		if o.Proposals, err = api.ListProposals(ctx, p.opt.Rules, api.OfRules{}); err != nil {
			return o, told(err)
		}
	}
	for _, d := range p.drafts.All(time.Now()) {
		o.Drafts = append(o.Drafts, Drafted{d.ID, d.By, d.Changed, len(d.Files)})
	}
	return o, nil
}

func (p *pages) file(ctx context.Context, r *page.Request) (File, error) {
	force, err := p.inForce()
	if err != nil {
		return File{}, err
	}
	name := r.PathValue("name")
	text, ok := force.Rules.Files[name]
	if !ok || !force.Editable(name) {
		return File{}, page.ErrNotFound
	}
	f := File{Name: name, Text: string(text), Edit: r.Who.May(page.Steward)}
	if strings.HasSuffix(name, ".test.yaml") {
		all, err := p.opt.Bench.Check(ctx, force.Rules)
		if err != nil {
			return f, told(err)
		}
		for _, t := range all {
			if name == t.File || strings.HasSuffix(name, "/"+t.File) {
				f.Tests = append(f.Tests, t)
			}
		}
	}
	return f, nil
}

// told is an error as people are told it: what they asked for is not there, or what is wrong with it. Errors of governance name places, never values.
func told(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, governance.ErrProposal), errors.Is(err, governance.ErrVersion), errors.Is(err, draft.ErrGone):
		return page.ErrNotFound
	}
	return page.Wrong("%s", err.Error())
}

func lines(c change.FileChange) []change.Line {
	all := change.Lines(c.Old, c.New)
	return all[:min(len(all), 2000)]
}
