package files_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/data/sql/files"
	"github.com/scrimhq/scrim/data/sql/relation"
)

// How many stays there are and what they cost, where a patient counts with two stays and a cost of up to 500 each.
func Example() {
	dir, err := os.MkdirTemp("", "stays")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	stays := "patient,cost\n1,120.50\n1,80\n1,99999\n2,not known\n3,200\n"
	if err := os.WriteFile(filepath.Join(dir, "stays-1.csv"), []byte(stays), 0o600); err != nil {
		log.Fatal(err)
	}
	e, err := files.New(files.Options{Tables: map[string]files.Table{"stays": {Paths: []string{filepath.Join(dir, "stays-*.csv")}}}})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	scan, err := relation.NewScan("stays",
		relation.Field{Source: "patient", As: "patient", Type: relation.NumberType(0, 0, 1<<40), Exact: true},
		relation.Field{Source: "cost", As: "cost", Type: relation.NumberType(2, 0, 500_00)})
	if err != nil {
		log.Fatal(err)
	}
	q := &relation.Bounded{In: scan, Unit: []string{"patient"}, Rows: 2, Sums: []relation.Sum{
		{Op: relation.Count, High: 2}, {Op: relation.Total, Col: "cost", High: 1000_00}}}
	err = e.Run(context.Background(), q, relation.Seed{}, func(g relation.Group) error {
		fmt.Printf("%d patients, %d stays, %d.%02d\n", g.Units, g.Sums[0], g.Sums[1]/100, g.Sums[1]%100)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 3 patients, 4 stays, 900.50
}
