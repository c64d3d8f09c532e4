package anonymity_test

import (
	"context"
	"fmt"

	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
)

// Ages and postal codes of six patients are generalised until each is shared by two, and each class holds two diagnoses.
func Example() {
	age, err := anonymity.NumberCoding(anonymity.Numbers{Widths: []string{"10", "20"}, Integers: true})
	if err != nil {
		panic(err)
	}
	postal, err := anonymity.MaskCoding(anonymity.Masks{Hidden: []int{2}, Digits: true, Length: 5})
	if err != nil {
		panic(err)
	}
	diagnosis := anonymity.PlainCoding()
	codings := []*anonymity.Coding{age, postal, diagnosis}

	rows := [][]string{
		{"29", "02138", "flu"}, {"22", "02139", "asthma"}, {"27", "02142", "flu"},
		{"43", "02138", "flu"}, {"52", "02139", "cancer"}, {"47", "02141", "asthma"},
	}
	builder := anonymity.NewBuilder(2, 1)
	for _, row := range rows {
		var codes [3]uint32
		for i, cell := range row {
			if codes[i], err = codings[i].Code([]byte(cell)); err != nil {
				panic(err)
			}
		}
		builder.Add(codes[:2], codes[2:])
	}
	for _, c := range codings {
		if err := c.Fix(); err != nil {
			panic(err)
		}
	}
	table, err := builder.Table(
		[]anonymity.Attribute{age.Attribute("age"), postal.Attribute("postal code")},
		[]anonymity.Sensitive{diagnosis.Sensitive("diagnosis")})
	if err != nil {
		panic(err)
	}

	options := anonymity.Options{Models: []anonymity.Model{
		anonymity.KAnonymity{K: 2},
		anonymity.DistinctLDiversity{Of: "diagnosis", L: 2},
	}}
	solution, err := anonymity.Search(context.Background(), table, options)
	if err != nil {
		panic(err)
	}
	if err := anonymity.Verify(context.Background(), table, solution, options); err != nil {
		panic(err)
	}
	for _, row := range rows {
		a, _ := age.Code([]byte(row[0]))
		p, _ := postal.Code([]byte(row[1]))
		var cells [2]anonymity.Cell
		if _, ok := solution.Recode(cells[:], []uint32{a, p}); !ok {
			continue // suppressed
		}
		first, _ := age.Append(nil, cells[0])
		second, _ := postal.Append(nil, cells[1])
		fmt.Println(string(first), string(second), row[2])
	}
	// Output:
	// [20-39] 021** flu
	// [20-39] 021** asthma
	// [20-39] 021** flu
	// [40-59] 021** flu
	// [40-59] 021** cancer
	// [40-59] 021** asthma
}
