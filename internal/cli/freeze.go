package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

func (e *env) freezeCommand() *cobra.Command {
	return e.freezing("freeze (AGENT | DOMAIN | DATASET)", "Bring an agent, a domain or a dataset to a halt at once",
		"Nothing is sent to or by what is frozen, nothing is told of a frozen dataset, and its streams stand still. Open streams end within a\n"+
			"second. It is on record and in force when the command returns, survives a restart, and is over when it is thawed. Whoever is frozen is\n"+
			"told what whoever may not reach an agent is told.\n\n"+
			"A name that the configuration has is enough where it is one thing's alone; otherwise write agent:NAME, agent:NAME@DOMAIN,\n"+
			"domain:NAME or dataset:NAME.",
		"/api/v1/freeze", "frozen", api.Freeze)
}

func (e *env) thawCommand() *cobra.Command {
	return e.freezing("thaw (AGENT | DOMAIN | DATASET)", "Let go on what was frozen",
		"Names are as with scrim freeze; \"scrim frozen\" lists what is frozen. Streams of a dataset go on where they stood, with what is paid for\n"+
			"already. It is on record.",
		"/api/v1/thaw", "thawed", api.Thaw)
}

func (e *env) freezing(use, short, long, path, done string, do func(context.Context, api.Ledger, api.FreezeRequest) (freeze.Entry, error)) *cobra.Command {
	var file string
	var req api.FreezeRequest
	c := fileFlag(e.command(use, short, long, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
		c, err := e.load(file)
		if err != nil {
			return err
		}
		t, err := targetOf(c, args[0])
		if err != nil {
			return err
		}
		req.Target = t.String()
		var out freeze.Entry
		err = withState(ctx, c,
			func(a *adminClient) error { return a.call(ctx, http.MethodPost, path, req, &out) },
			func(st *run.State) (err error) {
				out, err = do(ctx, st.Ledger(), req)
				return err
			})
		if err != nil {
			return err
		}
		if out.Reference == "" {
			fmt.Fprintf(e.out, "%s was %s already, since %s\n", out.Target, done, out.Since.Format(time.RFC3339))
			return nil
		}
		fmt.Fprintf(e.out, "%s %s; on record as %s\n", done, out.Target, out.Reference)
		return nil
	}), &file)
	c.Flags().StringVar(&req.Reason, "reason", "", "why, for whoever asks later; it is kept beside the record and not in it")
	return c
}

// targetOf finds what a name means: what it says by itself, or the one thing in the configuration that has it.
func targetOf(c *config.Config, name string) (freeze.Target, error) {
	if t, err := freeze.Parse(name); err == nil {
		return t, nil
	} else if kind, _, ok := strings.Cut(name, ":"); ok && slices.Contains([]string{"agent", "domain", "dataset"}, kind) {
		return freeze.Target{}, misuse("%s: %v", name, err)
	}
	var found []freeze.Target
	for _, a := range c.Agents {
		if string(a.ID) == name {
			found = append(found, freeze.Target{Kind: freeze.Agent, Name: name})
		}
		if t := (freeze.Target{Kind: freeze.Domain, Name: name}); string(a.Domain) == name && !slices.Contains(found, t) {
			found = append(found, t)
		}
	}
	if _, ok := c.Datasets[name]; ok {
		found = append(found, freeze.Target{Kind: freeze.Dataset, Name: name})
	}
	if own := (freeze.Target{Kind: freeze.Domain, Name: name}); flow.DomainID(name) == c.Domain && !slices.Contains(found, own) {
		found = append(found, own)
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return freeze.Target{}, misuse("the configuration has no agent, domain or dataset %q; write agent:%s, domain:%s or dataset:%s for one that it does not have", name, name, name, name)
	}
	var names []string
	for _, t := range found {
		names = append(names, t.String())
	}
	return freeze.Target{}, misuse("%q is more than one thing; write %s", name, strings.Join(names, " or "))
}

func (e *env) frozenCommand() *cobra.Command {
	var file string
	var asJSON, past bool
	c := fileFlag(e.command("frozen", "List what is frozen", "Lists agents, domains and datasets that are frozen, since when, by whom and why; with --past also those that were.", nil,
		func(ctx context.Context, _ []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var out api.Frozen
			err = withState(ctx, c,
				func(a *adminClient) error { return a.call(ctx, http.MethodGet, "/api/v1/frozen", nil, &out) },
				func(st *run.State) (err error) {
					out, err = api.ListFrozen(ctx, st.Ledger())
					return err
				})
			if err != nil {
				return err
			}
			if !past {
				out.Past = nil
			}
			if asJSON {
				return json.NewEncoder(e.out).Encode(out)
			}
			e.showFrozen(out)
			return nil
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&past, "past", false, "also list what was thawed, the newest first")
	return c
}

func (e *env) showFrozen(out api.Frozen) {
	if len(out.Frozen)+len(out.Past) == 0 {
		fmt.Fprintln(e.out, "nothing is frozen")
		return
	}
	t := table{head: true}
	t.add("what", "since", "until", "by", "why")
	for _, f := range append(out.Frozen, out.Past...) {
		until, why := "", f.Reason
		if !f.Until.IsZero() {
			until = f.Until.Format(time.RFC3339)
		}
		if f.Thawed != "" {
			why += " / " + f.Thawed
		}
		t.add(f.Target.String(), f.Since.Format(time.RFC3339), until, string(f.Source), why)
	}
	t.write(e.out, e.style(e.out), "")
}
