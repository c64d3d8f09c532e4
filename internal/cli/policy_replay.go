package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/observe/impact"
)

func (e *env) policyReplay() *cobra.Command {
	var file, since, until string
	var asJSON bool
	c := fileFlag(e.command("replay NEW", "Make recorded decisions again under other rules, and tell what would have shown",
		"Reads the configuration NEW (a file, or a directory with a scrim.yaml) with its policies, contracts and schemas, and decides again, under the\n"+
			"rules in force and under these, what the journal has on record: how many flows and values open, close or change level, for whom. What cannot be\n"+
			"decided again is counted by reason. Nothing is changed.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			var req api.ReplayRequest
			var err error
			if req.Since, err = optionalTime(since); err != nil {
				return err
			}
			if req.Until, err = optionalTime(until); err != nil {
				return err
			}
			conf, err := e.load(file)
			if err != nil {
				return err
			}
			if req.Files, err = e.ruleFiles(args[0]); err != nil {
				return err
			}
			out, err := e.replay(ctx, conf, req)
			if err != nil {
				return err
			}
			if asJSON {
				return printed(e.out, out)
			}
			e.showImpact(out)
			return nil
		}), &file)
	c.Flags().StringVar(&since, "since", "", "a time, a day, or how long ago, such as 12h or 7d; absent: all that is on record")
	c.Flags().StringVar(&until, "until", "", "likewise; absent: now")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func optionalTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return sinceOf(s, time.Now())
}

func printed(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// ruleFiles reads the files that would decide.
func (e *env) ruleFiles(name string) (map[string][]byte, error) {
	c, err := e.load(configurationAt(name))
	if err != nil {
		return nil, err
	}
	if _, err := run.Policies(c); err != nil {
		return nil, e.mistakes(c, err)
	}
	return c.RuleFiles()
}

// configurationAt is a configuration, or the one in a directory.
func configurationAt(name string) string {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return filepath.Join(name, "scrim.yaml")
	}
	return name
}

// replay asks the running gateway, or reads the journal of a stopped one.
func (e *env) replay(ctx context.Context, conf *config.Config, req api.ReplayRequest) (out *impact.Impact, err error) {
	err = withState(ctx, conf,
		func(a *adminClient) error {
			res, err := a.send(ctx, http.MethodPost, "/api/v1/policy/replay", req)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			for lines := json.NewDecoder(res.Body); out == nil; {
				var line api.ReplayLine
				if err := lines.Decode(&line); err != nil {
					return errors.New("the gateway broke off its answer")
				}
				if line.Error != "" {
					return errors.New(line.Error)
				}
				out = line.Impact
			}
			return nil
		},
		func(st *run.State) error {
			old, err := st.Offline(ctx, conf)
			if err != nil {
				return err
			}
			next, err := config.LoadOver(conf.File(), req.Files)
			if err != nil {
				return e.mistakes(conf, err)
			}
			out, err = st.Replay(ctx, old, next, impact.Options{Since: req.Since, Until: req.Until})
			return err
		})
	return out, err
}

func (e *env) showImpact(i *impact.Impact) {
	w := e.out
	fmt.Fprintf(w, "rules in force %s, proposed %s\n", short(i.Old), short(i.New))
	fmt.Fprintf(w, "%s on record, %d decided again, each first as it was decided then\n", count(int(i.Decisions), "decision"), i.Decided)
	for _, r := range reasons(i.Not) {
		fmt.Fprintf(w, "  not decided again: %d, %s\n", i.Not[r], r)
	}
	for _, r := range reasons(i.Of) {
		fmt.Fprintf(w, "  values not decided again: %d, %s\n", i.Of[r], r)
	}
	if i.Limited > 0 {
		fmt.Fprintf(w, "  of %d more than policy says how much shows: what opens there is at most what is told\n", i.Limited)
	}
	for _, d := range i.Beside {
		fmt.Fprintf(w, "  not decided again: what %s changes\n", d.Path)
	}
	t := table{head: true}
	t.add("", "same", "open", "close", "both", "same, weaker duties")
	t.add(changeRow("flows", i.Flows)...)
	t.add(changeRow("values", i.Values)...)
	t.write(w, e.style(w), "")
	if i.Flows.Open+i.Flows.Close+i.Flows.Mixed+i.Flows.Duties == 0 {
		return
	}
	e.showWhom(i)
	for _, x := range i.Examples[:min(len(i.Examples), 5)] {
		fmt.Fprintf(w, "such as flow %s, entry %d, which %s\n", x.Flow, x.Seq, opening(x.Opens))
	}
}

// showWhom tells what changes, for whom.
func (e *env) showWhom(i *impact.Impact) {
	w := e.out
	t := table{head: true}
	t.add("recipient", "domain", "flows open", "close", "both", "values open", "close")
	for _, r := range i.Recipients {
		if f := r.Flows; f.Open+f.Close+f.Mixed+f.Duties > 0 {
			t.add(string(r.Agent), string(r.Domain), number(f.Open), number(f.Close), number(f.Mixed), number(r.Values.Open), number(r.Values.Close))
		}
	}
	t.write(w, e.style(w), "")
	for _, by := range []struct {
		what string
		all  []impact.Named
	}{{"purpose", i.Purposes}, {"policy", i.Policies}} {
		t := table{head: true}
		t.add(by.what, "values open", "close")
		for _, n := range by.all {
			if n.Values.Open+n.Values.Close > 0 {
				t.add(n.Name, number(n.Values.Open), number(n.Values.Close))
			}
		}
		t.write(w, e.style(w), "")
	}
	t = table{head: true}
	t.add("label", "domain", "from", "to", "values", "")
	for _, m := range i.Moves[:min(len(i.Moves), 40)] {
		t.add(string(m.Label), string(m.Domain), m.From, m.To, number(m.Values), opening(m.Opens))
	}
	t.write(w, e.style(w), "")
	if n := len(i.Moves) - 40; n > 0 {
		fmt.Fprintf(w, "and %d more; --json has all\n", n)
	}
}

func reasons(m map[impact.Reason]int64) (out []impact.Reason) {
	for r := range m {
		out = append(out, r)
	}
	slices.Sort(out)
	return out
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func opening(opens bool) string {
	if opens {
		return "opens"
	}
	return "closes"
}

func changeRow(name string, c impact.Change) []string {
	return []string{name, number(c.Same), number(c.Open), number(c.Close), number(c.Mixed), number(c.Duties)}
}

func (e *env) policyDiff() *cobra.Command {
	var asJSON bool
	c := e.command("diff OLD NEW", "Tell how two sets of rules differ, and whether the new one can reveal more",
		"Compares two configurations (files, or directories with a scrim.yaml) with their policies, contracts and schemas: what was added, removed or changed,\n"+
			"and what each shows of every label and field to every agent for every purpose. It needs no gateway and no journal.", cobra.ExactArgs(2),
		func(ctx context.Context, args []string) error {
			var sides [2]impact.Side
			for i, name := range args {
				c, err := e.load(configurationAt(name))
				if err != nil {
					return err
				}
				if sides[i], err = run.Side(c); err != nil {
					return e.mistakes(c, err)
				}
			}
			d, err := impact.Differences(ctx, sides[0], sides[1])
			if err != nil {
				return err
			}
			if asJSON {
				return printed(e.out, d)
			}
			e.showDiff(d)
			return nil
		})
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (e *env) showDiff(d *impact.Diff) {
	w := e.out
	fmt.Fprintf(w, "rules %s and %s\n", short(d.Old), short(d.New))
	if d.Reveals {
		fmt.Fprintln(w, "The second can reveal more than the first, or it cannot be shown that it does not:")
		for _, why := range d.Why {
			fmt.Fprintf(w, "  %s\n", why)
		}
	} else {
		fmt.Fprintln(w, "The second reveals no more than the first.")
	}
	for _, of := range []struct {
		what string
		all  []impact.Edit
	}{{"policy", d.Policies}, {"class", d.Classes}, {"field", d.Fields}} {
		for _, x := range of.all {
			fmt.Fprintf(w, "%s %s: %s\n", of.what, x.Name, x.What)
		}
	}
	for _, s := range d.Settings {
		fmt.Fprintf(w, "%s: %s to %s\n", s.Path, orNothing(s.Old), orNothing(s.New))
	}
	if len(d.Levels) == 0 {
		fmt.Fprintf(w, "of %s, none comes out otherwise\n", count(d.Asked, "case"))
		return
	}
	t := table{head: true}
	t.add("label", "field", "from", "to", "", "agents", "purposes", "cases")
	for _, m := range d.Levels {
		var agents, purposes []string
		for _, a := range m.Agents {
			agents = append(agents, string(a))
		}
		for _, p := range m.Purposes {
			purposes = append(purposes, orNothing(string(p)))
		}
		t.add(string(m.Label), m.Field, m.From, m.To, opening(m.Opens), few(agents), few(purposes), strconv.Itoa(m.Cases))
	}
	t.write(w, e.style(w), "")
	if d.Cut {
		fmt.Fprintf(w, "there was more to ask than %d cases\n", d.Asked)
	}
}

func orNothing(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// few names the first of many.
func few(names []string) string {
	if n := len(names) - 4; n > 0 {
		return strings.Join(names[:4], " ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(names, " ")
}
