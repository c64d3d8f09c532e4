package run

import (
	"context"
	"errors"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/console/draft"
	"github.com/scrimhq/scrim/console/playground"
	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/change"
)

// Bench is what the console tries rules and messages on. Nothing that is tried on it is in force.
type Bench struct{ r *Gateway }

// Bench is what the console tries rules on.
func (r *Gateway) Bench() Bench { return Bench{r} }

// InForce implements [draft.Bench]. Policies are those that decide, also where others lie on disk by now.
func (b Bench) InForce() (draft.Force, error) {
	c, set := b.r.Config(), b.r.Gateway.Snapshot().Policy
	files, err := c.RuleFiles()
	if err != nil {
		return draft.Force{}, err
	}
	dir := c.PolicyDir()
	maps.DeleteFunc(files, func(name string, _ []byte) bool {
		return strings.HasSuffix(name, ".cedar") && (dir == "." || strings.HasPrefix(name, dir+"/"))
	})
	for name, text := range set.Files() {
		files[path.Join(dir, name)] = []byte(text)
	}
	return draft.Force{Rules: change.RuleSet{Files: files}, Policies: dir, Hash: set.Hash()}, nil
}

// Catalog is what data is known, and by which labels.
func (b Bench) Catalog() (*catalog.Catalog, *flow.Taxonomy) {
	s := b.r.Gateway.Snapshot()
	return s.Catalog, s.Taxonomy
}

// load builds a configuration with its policies, held to what other domains ask for.
func (b Bench) load(rs change.RuleSet) (*config.Config, *policy.Set, error) {
	now := b.r.Config()
	c, err := config.LoadOver(now.File(), rs.Files)
	if err == nil {
		c, err = c.At(now)
	}
	if err == nil {
		c, err = b.r.HeldTo(c)
	}
	if err != nil {
		return nil, nil, b.mistakes(now, err)
	}
	set, err := Policies(c)
	if err != nil {
		return nil, nil, b.mistakes(c, err)
	}
	return c, set.Carrying(b.r.Gateway.Snapshot().Policy.Carried()), nil
}

// mistakes names files as rule sets do.
func (b Bench) mistakes(c *config.Config, err error) error {
	var out draft.Mistakes
	if ms, ok := errors.AsType[config.Mistakes](err); ok {
		for _, m := range ms {
			out = append(out, draft.Mistake{File: b.name(c, m.File), Line: m.Line, Column: m.Column, Text: m.Message, Hint: m.Hint})
		}
	}
	if ms, ok := errors.AsType[policy.Mistakes](err); ok {
		for _, m := range ms {
			file := m.File
			if file != "" {
				file = path.Join(c.PolicyDir(), file)
			}
			out = append(out, draft.Mistake{File: file, Line: m.Line, Column: m.Column, Text: m.Message, Hint: m.Hint})
		}
	}
	if ms, ok := errors.AsType[catalog.Mistakes](err); ok {
		for _, m := range ms {
			out = append(out, draft.Mistake{File: b.name(c, m.File), Line: m.Line, Column: m.Column, Text: m.Message, Hint: m.Hint})
		}
	}
	if out == nil {
		return err
	}
	return out
}

func (b Bench) name(c *config.Config, file string) string {
	if file == c.File() {
		return change.Main
	}
	if rel, err := filepath.Rel(filepath.Dir(c.File()), file); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(file)
}

// Check implements [draft.Bench].
func (b Bench) Check(_ context.Context, rs change.RuleSet) ([]policy.TestResult, error) {
	c, set, err := b.load(rs)
	if err != nil {
		return nil, err
	}
	results, err := policy.RunTests(set, c.PolicyFS())
	if err != nil {
		return nil, b.mistakes(c, err)
	}
	return results, nil
}

// side is rules as they would decide.
func (b Bench) side(rs change.RuleSet) (impact.Side, error) {
	c, set, err := b.load(rs)
	if err != nil {
		return impact.Side{}, err
	}
	return sideOf(c, set), nil
}

// Differences implements [draft.Bench].
func (b Bench) Differences(ctx context.Context, rs change.RuleSet) (*impact.Diff, error) {
	next, err := b.side(rs)
	if err != nil {
		return nil, err
	}
	old := sideOf(b.r.Config(), b.r.Gateway.Snapshot().Policy.Apart(0))
	return impact.Differences(ctx, old, next)
}

// Replay implements [draft.Bench], with one processor, so that decisions go on.
func (b Bench) Replay(ctx context.Context, rs change.RuleSet, opt impact.Options) (*impact.Impact, error) {
	c, _, err := b.load(rs)
	if err != nil {
		return nil, err
	}
	if !b.r.replaying.CompareAndSwap(false, true) {
		return nil, errReplaying
	}
	defer b.r.replaying.Store(false)
	opt.Workers = 1
	return b.r.Replay(ctx, sideOf(b.r.Config(), b.r.Gateway.Snapshot().Policy), c, opt)
}

// Choices implements [playground.Stage].
func (b Bench) Choices() playground.Choices {
	c := b.r.Config()
	out := playground.Choices{Agents: c.Parties(), Remote: c.Detection.Remote != nil}
	for p := range c.Purposes {
		out.Purposes = append(out.Purposes, p)
	}
	slices.Sort(out.Purposes)
	slices.SortFunc(out.Agents, func(x, y flow.Party) int { return strings.Compare(string(x.Agent), string(y.Agent)) })
	return out
}

// Try implements [playground.Stage].
func (b Bench) Try(ctx context.Context, t playground.Try) (sights []playground.Sight, err error) {
	rs := t.Alternative
	if rs == nil {
		force, err := b.InForce()
		if err != nil {
			return nil, err
		}
		rs = &force.Rules
	}
	c, _, err := b.load(*rs)
	if err != nil {
		return nil, err
	}
	stage, err := OpenStage(ctx, c, b.r.opt.Models, b.r.Gateway.Snapshot().Policy.Carried())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	for _, to := range t.To {
		s, err := stage.Look(ctx, scriptOf(c, t, to))
		if err != nil {
			return nil, err
		}
		sights = append(sights, s)
	}
	return sights, nil
}

func scriptOf(c *config.Config, t playground.Try, to flow.AgentID) Script {
	k := Script{Content: t.Message, Kind: t.Kind, Subject: t.Subject, Query: policy.Query{Consent: t.Consent, Approved: t.Approved}}
	f := &k.Query.Flow
	f.From, f.Direction, f.Purpose, f.Task = flow.Party{Domain: c.Domain}, t.Direction, t.Purpose, t.Task
	if a, ok := c.Agent(t.From); ok {
		f.From = a.Party()
	}
	if a, ok := c.Agent(to); ok {
		f.To = a.Party()
	}
	f.To.Attested = t.Attested
	k.Trimmed()
	return k
}
