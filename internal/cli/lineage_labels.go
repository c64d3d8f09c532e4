package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/lineage"
)

func (e *env) lineageLabels() *cobra.Command {
	var file string
	var asJSON, all bool
	c := fileFlag(e.command("labels [NAMESPACE NAME]", "Show which labels data brought along to columns",
		"For each column of a dataset under lineage.datasets: its own label, the label in force, and every label that reached it, from which\n"+
			"column and by which job. Columns that nothing reached are left out without --all. With NAMESPACE and NAME it shows the columns of that\n"+
			"dataset, whoever told of it. A column has the labels of all that it was made of; nothing that is told takes one away, but for a run\n"+
			"that says in its end how it made its columns.", cobra.MaximumNArgs(2),
		func(ctx context.Context, args []string) error {
			var q api.AskLabels
			switch len(args) {
			case 1:
				return misuse("name a dataset by its namespace and its name")
			case 2:
				q.Datasets = []lineage.Name{{Namespace: args[0], Name: args[1]}}
			}
			got, err := askLineage(ctx, e, file, "/api/v1/lineage/labels", q, api.LineageLabels)
			if err != nil {
				return err
			}
			if len(args) == 2 {
				only := got.Columns[:0]
				for _, l := range got.Columns {
					if l.Column.Dataset == q.Datasets[0] {
						only = append(only, l)
					}
				}
				got.Columns = only
			}
			if asJSON {
				return e.printJSON(got)
			}
			return e.showLabels(got, all || len(args) == 2)
		}), &file)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&all, "all", false, "columns that nothing reached too")
	return c
}

func (e *env) showLabels(got *lineage.Labels, all bool) error {
	t := table{head: true}
	t.add("COLUMN", "OWN", "IN FORCE", "CARRIED", "FROM", "BY")
	n := 0
	for _, l := range got.Columns {
		if len(l.Carried) == 0 && !all {
			continue
		}
		n++
		of := l.Of
		if of == "" {
			of = l.Column.Dataset.Namespace + " " + l.Column.Dataset.Name
		}
		force := string(l.Label)
		for _, m := range l.More {
			force += " + " + string(m)
		}
		cells := []string{of + " " + l.Column.Field, dash(string(l.Own)), dash(force)}
		if len(l.Carried) == 0 {
			t.add(append(cells, "-", "-", "-")...)
		}
		for _, one := range l.Carried {
			from := "-"
			if len(one.Trail) > 0 {
				from = one.Trail[0].Dataset.Namespace + " " + one.Trail[0].Dataset.Name + " " + one.Trail[0].Field
			}
			by := strings.TrimSpace(one.Job.Namespace + " " + one.Job.Name)
			if one.Teller != "" {
				by = strings.TrimSpace(by + " (" + one.Teller + ")")
			}
			t.add(append(cells, string(one.Label), from, dash(by))...)
			cells = []string{"", "", ""}
		}
	}
	if n == 0 {
		fmt.Fprintln(e.err, "nothing that was told brought a label to a column")
	} else {
		t.write(e.out, e.style(e.out), "")
	}
	if got.Cut {
		fmt.Fprintln(e.err, "the graph reaches further than was followed; what lies beyond counts as unlabelled")
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
