package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/privacy/deidentify/plan"
	"github.com/scrimhq/scrim/privacy/deidentify/risk"
)

func (e *env) riskCommand() *cobra.Command {
	var path, quasi string
	var asJSON, asHTML bool
	c := e.command("risk SRC (--plan FILE | --quasi A,B,C) [--json|--html]", "Measure how easily persons are found in a table",
		"Prints what prosecutor, journalist and marketer find by the quasi-identifiers, and how many persons are unique. With --plan, before and\n"+
			"after what the plan would do. Nothing is changed or written.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			if (path == "") == (quasi == "") {
				return misuse("give --plan or --quasi, and not both")
			}
			if asJSON && asHTML {
				return misuse("give --json or --html, and not both")
			}
			src, err := e.openSource(args[0])
			if err != nil {
				return err
			}
			defer src.Close()
			var report *risk.Report
			if quasi != "" {
				report, err = plan.Raw(ctx, src, strings.Split(quasi, ","), plan.Options{})
			} else {
				var compiled *plan.Compiled
				if compiled, err = e.compilePlan(ctx, path, src, nil, nil); err != nil {
					return err
				}
				var out plan.Outcome
				out, err = plan.Measure(ctx, compiled, src, plan.Options{})
				report = out.Risk
			}
			switch {
			case err != nil:
				return err
			case report == nil:
				return refuse("name them with --quasi", "the plan has no quasi-identifiers")
			case asHTML:
				return report.WriteHTML(e.out)
			case asJSON:
				b, err := report.JSON()
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(e.out, "%s\n", b)
				return err
			}
			return report.WriteText(e.out)
		})
	c.Flags().StringVar(&path, "plan", "", "a plan whose quasi-identifiers and models are taken")
	c.Flags().StringVar(&quasi, "quasi", "", "columns that an attacker may know, separated by commas")
	c.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	c.Flags().BoolVar(&asHTML, "html", false, "print the report as a page")
	return c
}
