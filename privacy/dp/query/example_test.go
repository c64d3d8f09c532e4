package query_test

import (
	"fmt"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// An owner declares a table; a question about it is understood without anything being read.
func ExampleCompile() {
	ward := relation.Value{Kind: relation.Text, Text: "icu"}
	other := relation.Value{Kind: relation.Text, Text: "er"}
	hospital := &query.Dataset{
		Name: "hospital", Unit: "patient",
		Limits: query.Limits{Rows: 3, Groups: 2},
		Tables: []query.Table{{Name: "stays", Unit: []string{"patient_id"}, Columns: []query.Column{
			{Name: "patient_id", Type: relation.TextType},
			{Name: "ward", Type: relation.TextType, Values: []relation.Value{ward, other}},
			{Name: "age", Type: relation.NumberType(0, 0, 120), Bounded: true},
		}}},
	}
	plan, err := query.Compile(hospital, query.Question{SQL: "SELECT ward, count(*), avg(age) FROM stays GROUP BY ward"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range plan.Aggregates {
		for _, m := range a.Measures {
			fmt.Println(a.Text, "moves by at most", plan.Measures[m].Most)
		}
	}
	_, err = query.Compile(hospital, query.Question{SQL: "SELECT age FROM stays"})
	fmt.Println(err)
	// Output:
	// count(*) moves by at most 3
	// avg(age) moves by at most 180
	// avg(age) moves by at most 3
	// line 1, column 8: this selects rows, which do not leave: ask for aggregates; count(*), sum, avg and other aggregates, with GROUP BY (rule aggregate)
}
