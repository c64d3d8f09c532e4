package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/usefulness"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/observe/report"
)

func (e *env) reportCommand() *cobra.Command {
	return e.group("report", "Tell from the journal what was shown, and what was useful", append(e.reportDocuments(), e.reportVerify(), e.reportBreach(), e.reportUsefulness())...)
}

func (e *env) reportBreach() *cobra.Command {
	var file, since, until, agent, domain, unit string
	var asJSON, subjects bool
	var c *cobra.Command
	c = fileFlag(e.command("breach --since TIME", "Tell who saw how many people's what, at which level, under which policy",
		"Reads the journal and lists each recipient of the time, with how many values of each label it was shown at which level, about how many\n"+
			"people, under which policies. People are counted. With --subjects they are listed by keyed references, which say nothing to whoever\n"+
			"has not the keyset; with --subject UNIT the one person is looked for whose value, such as a record number, is on standard input.", nil,
		func(ctx context.Context, _ []string) error {
			req := api.BreachRequest{Agent: flow.AgentID(agent), Domain: flow.DomainID(domain), Subjects: subjects, Unit: unit}
			var err error
			if since == "" {
				return misuse("--since is missing: a time such as 2026-03-02T09:00:00Z, a day, or how long ago, such as 12h or 7d")
			}
			if req.Since, err = sinceOf(since, time.Now()); err != nil {
				return err
			}
			if until != "" {
				if req.Until, err = sinceOf(until, time.Now()); err != nil {
					return err
				}
			}
			if c.Flags().Changed("subject") {
				line, err := bufio.NewReader(io.LimitReader(e.in, 64<<10)).ReadString('\n')
				if err != nil && !errors.Is(err, io.EOF) {
					return err
				}
				if req.Value = strings.TrimRight(line, "\r\n"); req.Value == "" {
					return misuse("standard input is empty; write the value that names the subject to it")
				}
			}
			conf, err := e.load(file)
			if err != nil {
				return err
			}
			out := new(report.Breach)
			err = withState(ctx, conf,
				func(a *adminClient) error { return a.call(ctx, http.MethodPost, "/api/v1/report/breach", req, out) },
				func(st *run.State) error {
					snap, err := e.snapshotIn(ctx, st, conf)
					if err != nil {
						return err
					}
					out, err = api.Breach(ctx, st.Ledger(), snap, req)
					return err
				})
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(e.out)
				enc.SetIndent("", "  ")
				return enc.Encode(out)
			}
			e.showBreach(out)
			return nil
		}), &file)
	f := c.Flags()
	f.StringVar(&since, "since", "", "a time, a day, or how long ago, such as 12h or 7d")
	f.StringVar(&until, "until", "", "likewise; absent: now")
	f.StringVar(&agent, "agent", "", "recipients of this name alone")
	f.StringVar(&domain, "domain", "", "recipients of this domain alone")
	f.StringVar(&unit, "subject", "", "about one person alone: UNIT is what a contract or schema calls it, such as patient, and its value is on standard input")
	f.BoolVar(&subjects, "subjects", false, "list people by keyed references")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (e *env) showBreach(b *report.Breach) {
	w := e.out
	fmt.Fprintf(w, "%s, from %s to %s: %d entries, %d recipients, %d people\n", b.Domain, b.Since.Format(time.RFC3339), b.Until.Format(time.RFC3339), b.Entries, len(b.Recipients), b.Subjects)
	if b.Bounds > 0 {
		fmt.Fprintf(w, "of %d entries it is not known which of their people each value is about: numbers of people are at most\n", b.Bounds)
	}
	for _, r := range b.Recipients {
		var purposes []string
		for _, p := range r.Purposes {
			purposes = append(purposes, string(p))
		}
		fmt.Fprintf(w, "\n%s of %s: %d flows about %d people, %s to %s, for %s\n", r.Agent, r.Domain, r.Flows, r.Subjects, r.First.Format(time.RFC3339), r.Last.Format(time.RFC3339), strings.Join(purposes, ", "))
		t := table{head: true}
		t.add("label", "level", "values", "people", "about nobody known", "policies", "policy hash")
		for _, s := range r.Shown {
			var policies []string
			for _, p := range s.Policies {
				policies = append(policies, string(p))
			}
			level := s.Level.String()
			if s.Param != "" {
				level += " " + string(s.Param)
			}
			t.add(string(s.Label), level, strconv.FormatInt(s.Values, 10), strconv.Itoa(s.Subjects), strconv.FormatInt(s.Nobody, 10), strings.Join(policies, " "), s.Hash[:min(12, len(s.Hash))])
		}
		t.write(w, e.style(w), "  ")
		for _, a := range r.Answers {
			fmt.Fprintf(w, "  %d answers about dataset %s, ε %s\n", a.Count, a.Dataset, flow.Decimal(a.Cost.EpsilonNano, 9))
		}
		for _, one := range r.Tables {
			fmt.Fprintf(w, "  a table of %s, %d rows, released %s, digest %s\n", one.Dataset, one.Rows, one.Time.Format(time.RFC3339), one.Digest)
		}
	}
	for _, n := range b.Named {
		fmt.Fprintf(w, "\nsubject %s\n", n.Subject)
		for _, s := range n.Seen {
			fmt.Fprintf(w, "  %s of %s: %s %s\n", s.Agent, s.Domain, s.Label, s.Level)
		}
	}
}

func (e *env) reportUsefulness() *cobra.Command {
	var file, since string
	var asJSON bool
	c := fileFlag(e.command("usefulness", "Tell what recipients said of what they were shown",
		"Lists, by label, level and policies, how often recipients said that a value was useful, too coarse, unusable or not needed, and how many\n"+
			"of them said something: what one alone says may be meant to loosen the terms.", nil,
		func(ctx context.Context, _ []string) error {
			from, err := sinceOf(since, time.Now())
			if err != nil {
				return err
			}
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var all []report.Usefulness
			err = withState(ctx, c,
				func(a *adminClient) error {
					return a.call(ctx, http.MethodPost, "/api/v1/report/usefulness", api.UsefulnessRequest{Since: from}, &all)
				},
				func(st *run.State) (err error) {
					all, err = report.UsefulnessOf(ctx, st.DB, from)
					return err
				})
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(e.out).Encode(all)
			}
			t := table{head: true}
			t.add("label", "level", "useful", "too coarse", "unusable", "not needed", "recipients", "policies")
			for _, u := range all {
				row := []string{string(u.Label), strings.TrimSpace(u.Level.String() + " " + string(u.Param))}
				for _, v := range usefulness.Verdicts {
					row = append(row, strconv.FormatInt(u.Verdicts[v], 10))
				}
				t.add(append(row, strconv.FormatInt(u.Recipients, 10), u.Policies)...)
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		}), &file)
	c.Flags().StringVar(&since, "since", "30d", "a time, a day, or how long ago, such as 12h or 7d")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
