package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
)

func (e *env) subjectCommand() *cobra.Command {
	return e.group("subject", "Serve the people whom data is about", e.subjectEvents())
}

func (e *env) subjectEvents() *cobra.Command {
	var file string
	var asJSON bool
	c := fileFlag(e.command("events UNIT < VALUE", "Tell a person who was told what about them",
		"Reads the value that names the person, such as a record number, from standard input. Prints each event on record that is about\n"+
			"the person: who got what, at which level, for what. What the same message said of others is not in it. That somebody looked is on\n"+
			"record, too. Entries of versions before 0.2 name nobody and are not found; neither is what was erased.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if err := e.hasBegun(file); err != nil {
				return err
			}
			q, err := e.subject(args[0])
			if err != nil {
				return err
			}
			all, err := askPart(ctx, e, file, "/api/v1/subject/events", q, erasures, api.SubjectEvents)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(e.out)
				for _, ev := range all {
					if err := enc.Encode(ev); err != nil {
						return err
					}
				}
				return nil
			}
			w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ENTRY\tTIME\tTO\tPURPOSE\tWHAT\tLEVEL")
			for _, ev := range all {
				to := string(ev.To.Agent) + " at " + string(ev.To.Domain)
				head := fmt.Sprintf("%d\t%s\t%s\t%s\t", ev.Seq, ev.Time.UTC().Format(time.RFC3339), to, ev.Purpose)
				if len(ev.Levels) == 0 {
					fmt.Fprintln(w, head+string(ev.Outcome)+"\t")
				}
				for _, l := range ev.Levels {
					fmt.Fprintf(w, "%s%d %s\t%s\n", head, l.Count, l.Label, l.Level)
				}
			}
			return w.Flush()
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return c
}
