package chart_test

import (
	"fmt"

	"github.com/scrimhq/scrim/console/chart"
)

func ExampleTree() {
	t := &chart.Tree{Title: "Delegations", Desc: "Who handed a right on to whom.", Roots: []chart.Node{
		{Text: "intake", Children: []chart.Node{{Text: "scheduler", Note: "revoked", Class: chart.Refused}}},
	}}
	_ = chart.Figure("delegations", t) // the picture with its table, for a template
	for _, row := range t.Table().Rows {
		fmt.Println(row)
	}
	// Output:
	// [intake  0 ]
	// [scheduler intake 1 revoked]
}
