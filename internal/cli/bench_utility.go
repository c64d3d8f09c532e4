package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/internal/bench/utility"
)

func (e *env) benchUtilityCommand() *cobra.Command {
	var opt utility.Options
	var asJSON bool
	c := e.command("utility FILE... [--epsilon E,...] [--noise laplace|gaussian] [--runs N] [--json]", "Measure how exact answers to questions are",
		"Asks twenty questions about the Adult data many times at each epsilon and prints how far the answers are from what is exactly\n"+
			"true. FILE is adult.data, and perhaps adult.test, as the UCI repository publishes them; both are 48,842 people. Each is a\n"+
			"privacy unit. Answers go all the way: SQL, files, bounds, noise, intervals.\n"+
			"\nThe columns: root mean square of the error; median of |error|/|truth|; mean half of the 95 % interval's width; how often\n"+
			"intervals held; which share of the groups was shown, where groups are selected.", cobra.MinimumNArgs(1),
		func(ctx context.Context, args []string) error {
			switch {
			case opt.Noise != "" && opt.Noise != "laplace" && opt.Noise != "gaussian":
				return misuse("--noise is laplace or gaussian")
			case opt.Runs < 1 || opt.Runs > 100_000:
				return misuse("--runs is between 1 and 100,000")
			case opt.Delta <= 0 || opt.Delta >= 1:
				return misuse("--delta is between 0 and 1")
			}
			opt.Adult = args
			all, err := utility.Run(ctx, opt)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(e.out)
				enc.SetEscapeHTML(false)
				enc.SetIndent("", "  ")
				return enc.Encode(all)
			}
			return e.printUtility(all)
		})
	f := c.Flags()
	f.Float64SliceVar(&opt.Epsilons, "epsilon", []float64{0.1, 1, 10}, "epsilons to ask at")
	f.Float64Var(&opt.Delta, "delta", 1e-6, "delta: half of it for Gaussian noise, half for the selection of groups")
	f.StringVar(&opt.Noise, "noise", "", "laplace or gaussian; absent: the more exact")
	f.IntVar(&opt.Runs, "runs", 200, "answers of each question at each epsilon")
	f.BoolVar(&asJSON, "json", false, "print the result as JSON")
	return c
}

func (e *env) printUtility(all []utility.Result) error {
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "epsilon\tnoise\tRMSE\trelative\thalf-width\theld\tshown\tquestion")
	short := func(x float64) string { return strconv.FormatFloat(x, 'g', 3, 64) }
	for _, r := range all {
		fmt.Fprintf(w, "%v\t%s\t%s\t%s\t%s\t%.3f\t%.2f\t%s\n", r.Epsilon, r.Noise, short(r.RMSE), short(r.Relative), short(r.Width), r.Held, r.Shown, r.Question)
	}
	return w.Flush()
}
