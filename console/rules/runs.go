package rules

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy/change"
)

// longest bounds how long decisions are made again for one draft.
const longest = 15 * time.Minute

// Run is how far the replay of a draft is.
type Run struct {
	Draft   string         `json:"draft"`
	Started time.Time      `json:"started,omitzero"`
	Going   bool           `json:"going"`
	Entries int64          `json:"entries"`
	Impact  *impact.Impact `json:"impact,omitempty"`
	Error   string         `json:"error,omitempty"`
}

// runs are replays by their drafts; the last of each.
type runs struct {
	mu   sync.Mutex
	all  map[string]Run
	stop map[string]context.CancelFunc
}

func (r *runs) of(id string) Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.all[id]
	run.Draft = id
	return run
}

func (r *runs) set(id string, how func(*Run)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := r.all[id]
	how(&run)
	r.all[id] = run
}

// begin starts one, unless one of any draft is under way.
func (r *runs) begin(id string) (context.Context, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, run := range r.all {
		if run.Going {
			return nil, page.Wrong("another replay is under way; stop it, or wait for its end")
		}
	}
	ctx, stop := context.WithTimeout(context.Background(), longest) // it ends with the gateway too, see replay
	r.all, r.stop = map[string]Run{id: {Started: time.Now(), Going: true}}, map[string]context.CancelFunc{id: stop}
	return ctx, nil
}

func (r *runs) cancel(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if stop := r.stop[id]; stop != nil {
		stop()
	}
}

func (p *pages) addRuns(g *page.Group) {
	back := func(id string) string { return "/policies/drafts/" + id }
	page.Do(g, page.Action[Since, Run]{
		Path: "/policies/drafts/{id}/replay", Name: "console/replay", Title: "Replay a draft", Summary: "Begins to make recorded decisions again under a draft.", Role: page.Steward,
		Then: func(_ Since, o Run) string { return back(o.Draft) }, Do: p.replay,
	})
	page.Do(g, page.Action[struct{}, Run]{
		Path: "/policies/drafts/{id}/stop", Name: "console/stop", Title: "Stop a replay", Summary: "Ends the replay of a draft.", Role: page.Steward,
		Then: func(_ struct{}, o Run) string { return back(o.Draft) },
		Do: func(_ context.Context, r *page.Request, _ struct{}) (Run, error) {
			p.runs.cancel(r.PathValue("id"))
			return Run{Draft: r.PathValue("id")}, nil
		},
	})
	page.Add(g, page.Page[Run]{
		Path: "/policies/drafts/{id}/replay", Title: "Replay", Template: "replay.html", Role: page.Steward, Summary: "How far the replay of a draft is, and at last what would change.",
		Model: func(_ context.Context, r *page.Request) (Run, error) { return p.runs.of(r.PathValue("id")), nil },
	})
}

func (p *pages) replay(_ context.Context, r *page.Request, in Since) (Run, error) {
	d, err := p.drafts.Get(r.PathValue("id"))
	if err != nil {
		return Run{}, told(err)
	}
	force, err := p.inForce()
	if err != nil {
		return Run{}, err
	}
	ctx, err := p.runs.begin(d.ID)
	if err != nil {
		return Run{}, err
	}
	rs := d.Over(force.Rules)
	p.opt.Begin(func(life context.Context) {
		defer context.AfterFunc(life, func() { p.runs.cancel(d.ID) })()
		p.run(ctx, d.ID, rs, in.Since)
	})
	return p.runs.of(d.ID), nil
}

func (p *pages) run(ctx context.Context, id string, rs change.RuleSet, since time.Time) {
	defer p.runs.cancel(id)
	out, err := p.opt.Bench.Replay(ctx, rs, impact.Options{Since: since, Progress: func(n int64) { p.runs.set(id, func(r *Run) { r.Entries = n }) }})
	p.runs.set(id, func(r *Run) {
		r.Going, r.Impact = false, out
		switch {
		case ctx.Err() != nil:
			r.Error = "it was stopped"
		case err != nil:
			r.Error = err.Error()
		}
	})
}

func escaped(s string) string { return url.QueryEscape(s) }
