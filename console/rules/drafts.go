package rules

import (
	"context"
	"errors"
	"path"
	"slices"
	"time"

	"github.com/scrimhq/scrim/console/draft"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/change"
)

// Edit is a file as somebody wants it.
type Edit struct {
	File string `json:"file"`
	Text string `json:"text"`
}

// About implements [page.Subject].
func (e Edit) About() string { return e.File }

// Begun names a draft.
type Begun struct {
	ID   string `json:"id"`
	File string `json:"file,omitempty"`
}

// Working is a draft with what would come of it.
type Working struct {
	ID       string              `json:"id"`
	By       string              `json:"by"`
	Changed  time.Time           `json:"changed"`
	Stale    bool                `json:"stale"` // other rules came into force since
	Governed bool                `json:"governed"`
	Files    []string            `json:"files"` // that differ from those in force
	Editing  string              `json:"editing"`
	Example  string              `json:"-"` // name of a file that could be added
	Text     string              `json:"text"`
	Mistakes draft.Mistakes      `json:"mistakes,omitempty"`
	Source   []draft.SourceLine  `json:"source,omitempty"` // around the mistakes of the file
	Inline   []draft.SourceLine  `json:"-"`                // the text with its mistakes, if it has any
	Told     []Told              `json:"-"`                // the mistakes, with where each is
	Untold   int                 `json:"-"`                // more than are listed
	Problem  string              `json:"problem,omitempty"`
	Tests    []policy.TestResult `json:"tests,omitempty"`
	Failed   int                 `json:"failed"`
	Diff     *impact.Diff        `json:"diff,omitempty"`
	Replay   Run                 `json:"replay"`
}

// Offer is a draft as it is proposed.
type Offer struct {
	Reason     string    `json:"reason"`
	Effective  time.Time `json:"effective,omitzero"`
	Credential string    `json:"credential,omitempty"` // "": as whom the session knows its owner, or the operator
}

// Since is from when decisions are made again; zero: all that are on record.
type Since struct {
	Since time.Time `json:"since,omitzero"`
}

func (p *pages) addDrafts(g *page.Group) {
	page.Do(g, page.Action[Edit, Begun]{
		Path: "/policies/drafts", Name: "console/draft", Title: "Begin a draft", Summary: "Keeps the rules in force with one file changed, to be tried and proposed.", Role: page.Steward,
		Then: func(_ Edit, b Begun) string { return "/policies/drafts/" + b.ID }, Do: p.begin,
	})
	page.Add(g, page.Page[Working]{
		Path: "/policies/drafts/{id}", Title: "Draft of the rules", Template: "draft.html", Role: page.Steward,
		Summary: "A draft with what is wrong in it, how its policy tests end, and what opens and closes for whom.",
		Query:   []page.Param{{Name: "file", What: "of the draft or in force, that is shown"}}, Model: p.working,
	})
	page.Do(g, page.Action[Edit, Begun]{
		Path: "/policies/drafts/{id}/edit", Name: "console/edit", Title: "Edit a draft", Summary: "Changes a file of a draft.", Role: page.Steward,
		Then: func(_ Edit, b Begun) string { return "/policies/drafts/" + b.ID + "?file=" + escaped(b.File) }, Do: p.edit,
	})
	page.Do(g, page.Action[Offer, change.Proposal]{
		Path: "/policies/drafts/{id}/propose", Name: "console/propose", Title: "Propose a draft", Summary: "Proposes a draft in the place of the rules in force.", Role: page.Steward,
		Then: func(_ Offer, c change.Proposal) string { return "/policies/proposals/" + c.ID }, Do: p.propose,
	})
	p.addRuns(g)
}

func (p *pages) begin(_ context.Context, r *page.Request, in Edit) (Begun, error) {
	force, err := p.inForce()
	if err != nil {
		return Begun{}, err
	}
	files := map[string][]byte{}
	if in.File != "" {
		if err := fits(force, in); err != nil {
			return Begun{}, err
		}
		files[in.File] = []byte(in.Text)
	}
	d, err := p.drafts.Begin(r.Who.Name, force.Rules.Digest(), files, time.Now())
	return Begun{d.ID, in.File}, told(err)
}

func fits(force draft.Force, in Edit) error {
	if _, ok := force.Rules.Files[in.File]; (!ok || !force.Editable(in.File)) && !force.New(in.File) {
		return page.Wrong("file: it is none of the policies, tests, contracts and schemas in force, nor a new one such as %s", path.Join(force.Policies, "name.cedar"))
	}
	if len(in.Text) > draft.MaxFile {
		return page.Wrong("text: it is larger than 1 MiB")
	}
	return nil
}

func (p *pages) edit(_ context.Context, r *page.Request, in Edit) (Begun, error) {
	force, err := p.inForce()
	if err != nil {
		return Begun{}, err
	}
	if err := fits(force, in); err != nil {
		return Begun{}, err
	}
	if _, err := p.own(r); err != nil {
		return Begun{}, err
	}
	d, err := p.drafts.Edit(r.PathValue("id"), in.File, []byte(in.Text), force, time.Now())
	return Begun{d.ID, in.File}, told(err)
}

func (p *pages) working(ctx context.Context, r *page.Request) (w Working, err error) {
	d, err := p.drafts.Get(r.PathValue("id"))
	if err != nil {
		return w, told(err)
	}
	force, err := p.inForce()
	if err != nil {
		return w, err
	}
	v, _, _ := p.opt.Rules.Office.Running()
	w = Working{ID: d.ID, By: d.By, Changed: d.Changed, Stale: d.Base != force.Rules.Digest(), Governed: v.Governed, Replay: p.runs.of(d.ID)}
	for name := range d.Files {
		w.Files = append(w.Files, name)
	}
	slices.Sort(w.Files)
	w.Example = path.Join(force.Policies, "name.cedar")
	rs := d.Over(force.Rules)
	if w.Editing = r.Q("file"); w.Editing == "" && len(w.Files) > 0 {
		w.Editing = w.Files[0]
	}
	if w.Editing != "" {
		if text, ok := rs.Files[w.Editing]; ok && force.Editable(w.Editing) {
			w.Text = string(text)
		} else {
			return w, page.ErrNotFound
		}
	}
	if w.Tests, err = p.opt.Bench.Check(ctx, rs); err == nil {
		w.Diff, err = p.opt.Bench.Differences(ctx, rs)
	}
	for _, t := range w.Tests {
		if !t.Passed {
			w.Failed++
		}
	}
	if ms, ok := errors.AsType[draft.Mistakes](err); ok {
		w.tell(ms, force)
	} else if err != nil {
		w.Problem = err.Error()
	}
	return w, ctx.Err()
}

// own is a draft that whoever asks began. Its author counts as one of the people that a change needs, so that nobody else may write into it after they looked.
func (p *pages) own(r *page.Request) (draft.Draft, error) {
	d, err := p.drafts.Get(r.PathValue("id"))
	if err != nil {
		return d, told(err)
	}
	if d.By != r.Who.Name {
		return d, page.Wrong("somebody else began this draft: begin one of your own")
	}
	return d, nil
}

func (p *pages) propose(ctx context.Context, r *page.Request, in Offer) (change.Proposal, error) {
	d, err := p.own(r)
	if err != nil {
		return change.Proposal{}, err
	}
	_, rs, ok := p.opt.Rules.Office.Running()
	if !ok {
		return change.Proposal{}, told(governance.ErrNone)
	}
	offer := governance.Draft{Base: d.Base, Rules: d.Over(rs), Reason: in.Reason, Effective: in.Effective, Credential: flow.NewSecret(in.Credential)}
	var made change.Proposal
	if in.Credential == "" && r.Who.Approver != "" {
		made, err = p.opt.Rules.Office.As(r.Who.Approver).Propose(ctx, offer)
	} else {
		made, err = p.opt.Rules.Office.Propose(ctx, offer)
	}
	if err != nil {
		return made, told(err)
	}
	p.drafts.Drop(d.ID)
	return made, nil
}
