package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

func (e *env) witnessCommand() *cobra.Command {
	var file string
	c := fileFlag(e.command("witness [-c FILE]", "Cosign the logs of others, without a gateway",
		"Runs a witness alone: it cosigns the checkpoints of the logs named under witness.logs, at /witness/add-checkpoint of\n"+
			"the configured address (c2sp.org/tlog-witness). A gateway does the same beside its own work; this is for whoever runs none.\n"+
			"What it cosigned is in the data directory. A witness whose directory was lost or set back must take another key.", nil,
		func(ctx context.Context, _ []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			if len(c.Witness.Logs) == 0 {
				return refuse("Name their verifier keys under witness.logs.", "there is no log to cosign")
			}
			e.warnings(c)
			log := newLog(e.err, c.Log)
			err = run.ServeWitness(ctx, c, store.Options{}, func(err error) { log.Error("alarm", "error", err) }, func(key string, at net.Addr) {
				fmt.Fprintf(e.out, "witness of %s at http(s)://%s/witness\nkey %s\n", count(len(c.Witnessed()), "log"), at, key)
			})
			if err != nil {
				return e.notOpened(c, err)
			}
			return nil
		}), &file)
	c.AddCommand(e.witnessShow())
	return c
}

func (e *env) witnessShow() *cobra.Command {
	var file string
	var asJSON bool
	c := fileFlag(e.command("show [-c FILE] [--json]", "Show keys, the logs that are cosigned, and who cosigns the own one",
		"The keys are for others: with the one they ask for cosignatures and rely on them, with the other they cosign this domain's log.\n"+
			"A log that was caught showing two histories is printed with both signed notes by --json: proof for everybody.", nil,
		func(ctx context.Context, _ []string) error {
			v, err := askPart(ctx, e, file, "/api/v1/witness/show", api.ShowRequest{},
				func(st *run.State, c *config.Config) (*api.Witnessing, error) { return st.Witnessing(c), nil }, api.ShowWitness)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(e.out)
				enc.SetIndent("", "  ")
				return enc.Encode(v)
			}
			return e.showWitness(v)
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "JSON")
	return c
}

// showWitness fails if a log was caught, so that a script notices.
func (e *env) showWitness(v api.WitnessView) error {
	st := e.style(e.out)
	t := table{}
	t.add("witness key", v.Key)
	t.add("log key", v.LogKey)
	for _, l := range v.Logs {
		t.add("cosigned", fmt.Sprintf("%s, %s, %s", l.Origin, entries(l.Size), moment(l.Time)))
	}
	for _, w := range v.Witnesses {
		t.add("witness", fmt.Sprintf("%s at %s, %s", w.Name, w.URL, witnessState(w.Size, w.Time, w.Error)))
	}
	if v.Want > 0 {
		t.add("quorum", fmt.Sprintf("%d of %s", v.Have, count(v.Want, "cosignature")))
	}
	t.write(e.out, st, "")
	for _, q := range v.Equivocations {
		fmt.Fprintf(e.out, "%s  %s signed two checkpoints of %s, %s\n", st.bad("ALARM"), q.Origin, entries(q.Size), moment(q.Time))
	}
	if v.Lacking != "" {
		fmt.Fprintf(e.out, "%s  too few witnesses cosigned the log for %s\n", st.bad("ALARM"), v.Lacking)
	}
	if len(v.Equivocations) > 0 || v.Lacking != "" {
		return errSaid
	}
	return nil
}

func witnessState(size int64, at time.Time, trouble string) string {
	switch {
	case trouble != "":
		return trouble
	case at.IsZero():
		return "not asked yet"
	}
	return fmt.Sprintf("at %s, %s", entries(size), moment(at))
}

func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
