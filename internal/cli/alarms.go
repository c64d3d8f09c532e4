package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/observe/alarm"
)

func (e *env) alarmsCommand() *cobra.Command {
	var file, since string
	var asJSON bool
	c := fileFlag(e.command("alarms", "List alarms about callers that behave as one who probes",
		"Lists, the newest first, who was refused or tried references, tokens or labels more often than alarms in the configuration says, was far\n"+
			"busier than it used to be, or named a new purpose, and what was done about it. NAME/* is what others did by a right of NAME; an alarm\n"+
			"without an agent is about all agents of a domain together.", nil,
		func(ctx context.Context, _ []string) error {
			from, err := sinceOf(since, time.Now())
			if err != nil {
				return err
			}
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var all []alarm.Alarm
			err = withState(ctx, c,
				func(a *adminClient) error {
					return a.call(ctx, http.MethodGet, "/api/v1/alarms?since="+url.QueryEscape(from.Format(time.RFC3339)), nil, &all)
				},
				func(st *run.State) (err error) {
					all, err = api.ListAlarms(ctx, st.Ledger(), from)
					return err
				})
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(e.out).Encode(all)
			}
			if len(all) == 0 {
				fmt.Fprintln(e.err, "no alarms since", from.Format(time.RFC3339))
				return nil
			}
			t := table{head: true}
			t.add("time", "kind", "agent", "domain", "in a", "seen", "most", "done")
			for _, a := range all {
				t.add(a.Time.Format(time.RFC3339), string(a.Kind), string(a.Agent), string(a.Domain), a.Span, strconv.FormatInt(a.Seen, 10), strconv.FormatInt(a.Most, 10), a.Done)
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		}), &file)
	c.Flags().StringVar(&since, "since", "30d", "a time such as 2026-03-02T09:00:00Z or 2026-03-02, or how long ago, such as 12h or 7d")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// sinceOf reads a time, a day, or how long ago something was.
func sinceOf(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	var d config.Duration
	if err := d.UnmarshalText([]byte(s)); err != nil || d < 0 {
		return time.Time{}, misuse("%q is not a time such as 2026-03-02T09:00:00Z or 2026-03-02, and not how long ago, such as 12h or 7d", s)
	}
	return now.Add(-time.Duration(d)).UTC().Truncate(time.Second), nil
}
