package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/dp/stream"
)

func (e *env) streamCommand() *cobra.Command {
	return e.group("stream", "Running counts and sums of datasets that are published step by step", e.streamList(), e.streamRead())
}

// askStreams does something with the streams of a configuration: in the running gateway, or here, where nothing is published and all can be read.
func askStreams[Q, A any](ctx context.Context, e *env, file, path string, q Q, do func(context.Context, *stream.Publisher, Q) (A, error)) (A, error) {
	return askPart(ctx, e, file, path, q, func(st *run.State, c *config.Config) (*stream.Publisher, error) { return st.Streams(c, nil, nil) }, do)
}

func (e *env) streamList() *cobra.Command {
	var file string
	var asJSON bool
	c := fileFlag(e.command("list", "Show which streams there are, how far they are, and what holds one up",
		"For each stream that configuration declares: its question, how many steps were released, and why it does not go on, if it does not:\n"+
			"exhausted (the budget has no room for what comes next), ended (all steps that were declared are released), changed (it was declared\n"+
			"otherwise before: a stream with other parameters needs another name), set-back (its state is an older copy in part), failing (its source\n"+
			"cannot be asked; it is tried again).", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			all, err := askStreams(ctx, e, file, "/api/v1/streams/list", struct{}{}, api.ListStreams)
			if err != nil {
				return err
			}
			if asJSON {
				return e.printJSON(all)
			}
			if len(all.Streams) == 0 {
				fmt.Fprintln(e.err, "there are no streams; declare some under datasets, with a source")
				return nil
			}
			t := table{head: true}
			t.add("STREAM", "EVERY", "STEPS", "UNTIL", "STATE")
			for _, in := range all.Streams {
				state := string(in.Halt)
				if state == "" {
					state = "going"
				}
				t.add(in.Dataset+"/"+in.Stream, in.Every, strconv.FormatInt(in.Step, 10), in.Until.Format(time.RFC3339), state)
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (e *env) streamRead() *cobra.Command {
	var file, until string
	var asJSON bool
	var q api.ReadStream
	c := fileFlag(e.command("read DATASET/STREAM [--window STEPS] [--points N]", "Show what a stream released",
		"Prints the running sums after the last steps, or over a sliding window, each with the interval in which the true sum lies at 95 %\n"+
			"confidence, as far as noise goes. It costs nothing: whatever is read of a stream was paid for when it was released.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			var ok bool
			if q.Dataset, q.Stream, ok = strings.Cut(args[0], "/"); !ok {
				return misuse("write DATASET/STREAM, as scrim stream list has them")
			}
			if until != "" {
				var err error
				if q.Until, err = time.Parse(time.RFC3339, until); err != nil {
					return misuse("--until is a time such as 2026-03-02T12:00:00Z")
				}
			}
			text, err := askStreams(ctx, e, file, "/api/v1/streams/read", q, api.ReadStreams)
			if err != nil {
				return err
			}
			if asJSON {
				_, err := fmt.Fprintf(e.out, "%s\n", text)
				return err
			}
			return e.showReading(text)
		}), &file)
	c.Flags().IntVar(&q.Window, "window", 0, "sums over the last so many steps, instead of since the stream began")
	c.Flags().IntVar(&q.Points, "points", 1, "how many steps, each with the sums until its end")
	c.Flags().StringVar(&until, "until", "", "the end of the last step that is wanted")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// showReading prints a table.
func (e *env) showReading(text []byte) error {
	var r struct {
		stream.Info
		Points []struct {
			From, Until time.Time
			Rows        []map[string]json.RawMessage
		}
		Column string
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	if len(r.Points) == 0 {
		fmt.Fprintln(e.err, "no step was released yet")
		return nil
	}
	t := table{head: true}
	t.add(append([]string{"FROM", "UNTIL"}, append(upper(r.Groups), strings.ToUpper(r.Column), "95 % FROM", "TO")...)...)
	for _, p := range r.Points {
		for _, row := range p.Rows {
			cells := []string{p.From.Format(time.RFC3339), p.Until.Format(time.RFC3339)}
			for _, name := range append(append([]string{}, r.Groups...), r.Column, "low", "high") {
				cells = append(cells, strings.Trim(string(row[name]), `"`))
			}
			t.add(cells...)
		}
	}
	t.write(e.out, e.style(e.out), "")
	return nil
}

func upper(all []string) (out []string) {
	for _, s := range all {
		out = append(out, strings.ToUpper(s))
	}
	return out
}
