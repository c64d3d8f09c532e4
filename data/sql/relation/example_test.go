package relation_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/scrimhq/scrim/data/sql/relation"
)

// Bounds are followed through every expression, and what could leave 64 bits is refused before anything is read.
func ExampleNewArith() {
	scan, err := relation.NewScan("stays", relation.Field{Source: "cost", As: "cost", Type: relation.NumberType(2, -100_00, 5000_00)})
	if err != nil {
		log.Fatal(err)
	}
	cost, err := relation.NewRef(scan, "cost")
	if err != nil {
		log.Fatal(err)
	}
	square, err := relation.NewArith(relation.Mul, cost, cost)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", square.Type())
	_, err = relation.NewArith(relation.Mul, square, square)
	fmt.Println(errors.Is(err, relation.ErrOverflow))
	// Output:
	// {Kind:number Places:4 Min:-5000000000 Max:250000000000}
	// true
}
